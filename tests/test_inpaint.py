"""An image meets its mask by name; it is filled, keeps what is its own, and replaces nothing that is read."""

import unicodedata

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from spl.common.errors import DataError, RecordError
from spl.config.experiment import Supplied
from spl.inpaint import Job, fill_images, find_miniature, load_inpainter, match_files
from spl.steps.records import write_record
from spl.steps.settings import RunSettings, TableSettings
from tests.corpus import BILEVEL, MASK, PHOTOGRAPH, SRGB, USED, File, encoded, write_file

BY_NAME = {file.name: file for file in USED}


@pytest.fixture
def folders(tmp_path):
    """A folder of images and one of masks, by a function that fills them."""

    def fill(images, masks):
        for folder, names in (("photos", images), ("masks", masks)):
            (tmp_path / folder).mkdir()
            for name in names:
                Image.new("L", (20, 20)).save(tmp_path / folder / name)
        (tmp_path / "photos/notes.txt").touch()
        return match_files(tmp_path / "photos", tmp_path / "masks", tmp_path / "filled")

    return fill


def test_a_folder_of_images_meets_a_folder_of_masks_by_name(folders):
    jobs = folders(["b.jpg", "a.png"], ["a.png", "b.png"])
    assert [(job.image.name, job.mask.name, job.out.name) for job in jobs] == [
        ("a.png", "a.png", "a.png"), ("b.jpg", "b.png", "b.png"),
    ]  # fmt: skip


def test_another_number_of_masks_than_images_names_what_is_alone(folders):
    with pytest.raises(DataError, match=r"photos has 2 images, .*masks has 1 masks; .* counterpart: .*photos/b\.png"):
        folders(["a.png", "b.png"], ["a.png"])


def test_two_images_of_one_name_are_an_error(folders):
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png have the same name but for the ending"):
        folders(["a.png", "a.jpg"], ["a.png"])


def test_an_empty_folder_is_named(folders):
    with pytest.raises(DataError, match="masks holds no images"):
        folders(["a.png"], [])


def test_a_file_and_a_folder_do_not_go_together(tmp_path):
    with pytest.raises(DataError, match="expected two files or two folders"):
        match_files(tmp_path, tmp_path / "mask.png", tmp_path / "out")


def test_two_files_are_one_job(tmp_path):
    job = (tmp_path / "a.jpg", tmp_path / "m.png", tmp_path / "out.png")
    assert match_files(*job) == [job]


def test_composed_and_decomposed_letters_are_one_name(folders):
    jobs = folders([unicodedata.normalize("NFD", "café.jpg")], [unicodedata.normalize("NFC", "café.png")])
    assert len(jobs) == 1


@pytest.mark.parametrize("kinds", [("photos", "masks", "taken"), ("photos/a.png", "masks/a.png", "photos")])
def test_where_a_folder_is_written_there_is_no_file_and_the_other_way_round(folders, tmp_path, kinds):
    folders(["a.png"], ["a.png"])
    (tmp_path / "taken").touch()
    with pytest.raises(DataError, match="expected two files or two folders, got .* and --out"):
        match_files(*(tmp_path / kind for kind in kinds))


# --- What is read is never replaced -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "out",
    ["photos/a.png", "masks/a.png", "photos/../photos/a.png", "link.png", "hard.png", "photos", "masks", "linked"],
)
def test_a_filled_image_replaces_no_image_and_no_mask(folders, tmp_path, out):
    folders(["a.png", "b.jpg"], ["a.png", "b.png"])
    (tmp_path / "link.png").symlink_to(tmp_path / "photos/a.png")
    (tmp_path / "linked").symlink_to(tmp_path / "photos")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "masks/a.png")
    image, mask = ("photos", "masks") if "." not in out else ("photos/a.png", "masks/a.png")
    with pytest.raises(DataError, match=r"\.png is an image or a mask to read, and would be replaced\. Choose another"):
        match_files(tmp_path / image, tmp_path / mask, tmp_path / out)


def test_only_a_png_is_written(tmp_path):
    with pytest.raises(DataError, match=r"out\.jpg: expected a name ending in \.png"):
        match_files(tmp_path / "a.jpg", tmp_path / "m.png", tmp_path / "out.jpg")


# --- Filling ----------------------------------------------------------------------------------------------------------

HOLE = np.asarray(MASK) > 0


def red(image, _):
    """An inpainter that has learned red."""
    return torch.tensor([0.8, 0.2, 0.3]).view(1, 3, 1, 1).expand_as(image)


@pytest.fixture
def fill(tmp_path, capsys):
    """A function that fills a file of the corpus; it returns the written image and what is printed."""

    def run(file, mask=MASK):
        image = write_file(file, PHOTOGRAPH, tmp_path)
        mask.save(tmp_path / "mask.png")
        job = Job(image, tmp_path / "mask.png", tmp_path / "filled.png")
        fill_images(red, 32, [job], hole="white", device=torch.device("cpu"))
        return Image.open(job.out), capsys.readouterr().err.removesuffix(f"filled 1 image: {job.out}\n")

    return run


GREY_JPEG = File("grey.jpg", lambda image: encoded("JPEG", quality=90)(image.convert("L")))
"""Grey that was saved in colour."""


@pytest.mark.parametrize(
    ("file", "mode"),
    [
        (BY_NAME["grey.jpeg"], "L"),
        (BY_NAME["xray.png"], "L"),
        (BY_NAME["flat.png"], "L"),
        (BILEVEL, "L"),
        (GREY_JPEG, "RGB"),
        (BY_NAME["modern.webp"], "RGB"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_grey_image_is_filled_with_grey_and_stays_so(fill, file, mode):
    filled, _ = fill(file)
    assert filled.mode == mode
    inside = np.asarray(filled.convert("RGB"))[HOLE].astype(int)
    is_grey = (inside == inside[:, :1]).all()
    assert is_grey == (file.name != "modern.webp")
    centre = np.asarray(filled.convert("RGB"))[16, 20].astype(int)
    assert np.abs(centre - (0.299 * 204 + 0.587 * 51 + 0.114 * 76 if is_grey else [204, 51, 76])).max() <= 1


CMYK_PROFILE = SRGB[:16] + b"CMYK" + SRGB[20:]
LEFT_OUT = "XMP, IPTC, text or tags left out"


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        (BY_NAME["camera.jpg"], []),
        (BY_NAME["profile.png"], []),
        (BY_NAME["palette.png"], []),
        (BY_NAME["raw.png"], ["16 bits a channel became 8"]),
        (BY_NAME["xray.png"], ["16 bits a channel became 8"]),
        (BY_NAME["drawing.png"], [LEFT_OUT]),
        (BY_NAME["scan.tif"], [LEFT_OUT]),
        (File("xmp.jpg", encoded("JPEG", xmp=b"<x:xmpmeta/>")), [LEFT_OUT]),
        (File("garbage.png", encoded(exif=b"Exif\0\0garbage")), ["damaged EXIF left out"]),
        (
            File("print.jpg", encoded("JPEG", "CMYK", icc_profile=CMYK_PROFILE)),
            ["CMYK became RGB", "colour profile of another colour space left out"],
        ),
        (File("odd.png", encoded(mode="L", icc_profile=SRGB)), ["colour profile of another colour space left out"]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_cannot_be_kept_is_said_in_one_line(fill, file, changes):
    _, said = fill(file)
    listed = "; ".join(f"{change} (1 image)" for change in changes)
    assert said == (f"not as in the files: {listed}\n" if changes else "")


def test_profile_resolution_and_exif_are_kept_but_not_the_orientation(fill):
    filled, _ = fill(BY_NAME["profile.png"])
    assert filled.info["icc_profile"] == SRGB
    assert filled.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    filled, _ = fill(BY_NAME["camera.jpg"])
    assert filled.size == PHOTOGRAPH.size
    assert dict(filled.getexif()) == {ExifTags.Base.Make: "Camera"}
    assert filled.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            Image.new("L", (64, 48)),
            r"0\.0% of the pixels are a hole \(white\); expected more than none .* --hole right",
        ),
        (Image.fromarray(~HOLE), r"87\.5% of the pixels are a hole \(white\); .* at most 60 %\. Is --hole right\?"),
        (
            MASK.resize((64, 64)),
            r"mask\.png is 64 x 64 pixels, .*camera\.jpg is 64 x 48\. Both must have the same size",
        ),
        (
            MASK.transpose(Image.Transpose.ROTATE_90),
            r"camera\.jpg is 64 x 48\. Turn the mask as the image's EXIF turns",
        ),
    ],
    ids=["no hole", "inverted", "other size", "not turned"],
)
def test_a_mask_that_does_not_fit_is_refused_and_nothing_is_written(fill, tmp_path, mask, message):
    with pytest.raises(DataError, match=message):
        fill(BY_NAME["camera.jpg"], mask)
    assert {path.name for path in tmp_path.iterdir()} == {"camera.jpg", "mask.png"}


def test_a_folder_says_how_many_and_where(tmp_path, capsys):
    jobs = [Job(tmp_path / f"{i}.png", tmp_path / "mask.png", tmp_path / f"filled/{i}.png") for i in range(3)]
    MASK.save(tmp_path / "mask.png")
    for job in jobs:
        PHOTOGRAPH.save(job.image)
    fill_images(red, 32, jobs, hole="white", device=torch.device("cpu"))
    assert capsys.readouterr().err == f"filled 3 images: {tmp_path / 'filled'}\n"


def test_weights_of_another_run_are_refused(tmp_path, demo_params):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"one run's")
    settings = RunSettings.of(demo_params, dataset="paris", method="spl")
    write_record(tmp_path / "run.json", settings, {}, {"weights": weights})
    weights.write_bytes(b"another's")
    with pytest.raises(RecordError, match=r"weights\.safetensors is not the file that .*run\.json describes"):
        load_inpainter(tmp_path, torch.device("cpu"))


# --- The miniature's networks -----------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch, demo_params):
    """A function that leaves results with some networks in a folder, drawn or not; results/ and the cache are empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def leave(folder, *runs, source=None):
        settings = TableSettings.of(demo_params)
        if source:
            entry = settings.datasets["paris"].model_copy(update={"source": source})
            settings = settings.model_copy(update={"datasets": {"paris": entry}})
        for run in runs:
            (tmp_path / folder / f"weights/{run}/seed1").mkdir(parents=True)
        write_record(tmp_path / folder / "table1.json", settings, {}, {})

    return leave


def test_a_miniature_is_taken_from_results_then_from_a_release_then_from_the_cache(place):
    for i, folder in enumerate(["cache/spl", "dist", "results"]):
        place(folder, "paris/spl", *(["paris/rn"] if i < 2 else []))
        assert f"{find_miniature('paris/spl')}".endswith(f"{folder}/weights/paris/spl/seed1")
    assert find_miniature("paris/rn").parts[0] == "dist"


@pytest.mark.parametrize("source", [None, Supplied(kind="supplied", path="photographs")], ids=["absent", "not drawn"])
def test_a_miniature_that_is_nowhere_names_the_command_that_makes_it(place, source):
    place("results", *(["paris/spl"] if source else ["paris/rn"]), source=source)
    there = "no networks" if source else "paris/rn"
    message = rf"miniature:paris/spl is in none of results, dist, .*/spl, which have {there}\. Run .*: make table1; or"
    with pytest.raises(DataError, match=message):
        find_miniature("paris/spl")


@pytest.mark.parametrize("options", [(), ("--model", "big"), ("--model", "miniature", "--weights", "run")])
def test_either_weights_or_a_model_that_is_known(spl, options):
    ended = spl("inpaint", "--image", "a.png", "--mask", "m.png", "--out", "out.png", *options)
    assert ended.status == 2
    assert "--model miniature[:DATASET/METHOD]" in ended.err
