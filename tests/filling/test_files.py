"""An image meets its mask by name; it is filled, keeps what is its own, and replaces nothing that is read."""

import contextlib
import io
import sys
import unicodedata

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from spl.common.errors import DataError
from spl.filling.files import Job, fill_images, match_files
from spl.filling.inpainter import Inpainter
from tests.corpus import BILEVEL, MASK, PHOTOGRAPH, REFUSED, SRGB, USED, File, deep, encoded, write_file

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


def test_patterns_match_and_name_the_filled_images(folders, tmp_path):
    folders(["a.jpg", "b.png", "c.jpg"], ["a.png", "b.png", "c.png"])
    jobs = match_files(tmp_path / "photos/*.jpg", tmp_path / "masks/[ac]*", tmp_path / "filled/*_filled.jpg")
    assert [(job.image.name, job.out.name) for job in jobs] == [("a.jpg", "a_filled.jpg"), ("c.jpg", "c_filled.jpg")]


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


@pytest.mark.parametrize("out", ["out.gif", "out", "out.bmp"])
def test_a_format_that_is_not_written_is_refused(tmp_path, out):
    with pytest.raises(DataError, match=rf"{out}: expected a name ending in .png, .tif, .tiff, .webp, .jpg, .jpeg"):
        match_files(tmp_path / "a.jpg", tmp_path / "m.png", tmp_path / out)


# --- Files as people have them ----------------------------------------------------------------------------------------

HOLE = np.asarray(MASK) > 0
RED = (204, 51, 76)
INPAINTER = Inpainter(lambda image, _: np.full_like(image, RED))
"""It has learned red."""


@pytest.fixture
def fill(tmp_path, capsys):
    """A function that fills a file of the corpus; it returns the path of the written image and what is printed."""

    def run(file, mask=MASK, out="filled.png", **options):
        image = write_file(file, PHOTOGRAPH, tmp_path / "images")
        if isinstance(mask, File):
            place = write_file(mask, PHOTOGRAPH, tmp_path / "masks")
        else:
            place = tmp_path / "mask.png"
            mask.save(place)
        job = Job(image, place, tmp_path / "filled" / out)
        fill_images(INPAINTER, [job], **({"hole": "white"} | options))
        return job.out, capsys.readouterr().err.removesuffix(f"filled 1 image: {job.out}\n")

    return run


def mask_file(name, **options):
    """A file that shows the mask in place of the image."""
    return File(name, lambda _: encoded(**options)(MASK.convert("RGB")))


def layer(*, erased):
    """The mask as the layer of a drawing program: painted on transparency, or erased from paint."""
    alpha = np.where(erased != HOLE, 255, 0).astype(np.uint8)
    return File(
        "layer.png", lambda image: encoded(mode="RGBA")(Image.merge("RGBA", (*image.split(), Image.fromarray(alpha))))
    )


def half_transparent(image):
    """Opaque at the right, then half, and at the left edge not to be seen, with colours all the same."""
    alpha = np.where(np.arange(64) < 32, 128, 255)
    alpha[:4] = 0
    return Image.merge("RGBA", (*image.split(), Image.fromarray(np.tile(alpha.astype(np.uint8), (48, 1)))))


CMYK_PROFILE = SRGB[:16] + b"CMYK" + SRGB[20:]
LEFT_OUT = "IPTC, text or tags left out"
JPEG = "outside the hole JPEG changes pixels a little, .png, .tif and .webp none"
TO_8 = "16 bits a channel became 8"
CAMERA, PROFILE, RAW, XRAY = (BY_NAME[name] for name in ("camera.jpg", "profile.png", "raw.png", "xray.png"))
DEEP_ALPHA = File("deep_alpha.png", lambda image: deep_alpha(image))
ALPHA = File("logo.png", lambda image: encoded(mode="RGBA")(half_transparent(image)))
XMP = File("xmp.jpg", encoded("JPEG", xmp=b"<xmpmeta/>"))


def deep_alpha(image):
    values = np.asarray(half_transparent(image)).astype(np.uint16)[..., [2, 1, 0, 3]] * 257
    return cv2.imencode(".png", values)[1].tobytes()


NOT_KEPT = {"drawing.png": LEFT_OUT, "scan.tif": LEFT_OUT, "print.jpg": "CMYK became RGB"}
EMPTY, MOST = Image.new("L", (64, 48)), Image.fromarray(~HOLE)
PEOPLE_HAVE = [
    # image, mask, --hole, name of the filled image, what is said or refused
    *((file, MASK, "white", "filled.png", []) for name, file in BY_NAME.items() if name not in NOT_KEPT),
    *((BY_NAME[name], MASK, "white", "filled.png", [clause]) for name, clause in NOT_KEPT.items()),
    (CAMERA, MASK, "white", "filled.jpg", [JPEG]),
    (CAMERA, MASK, "white", "filled.JPEG", [JPEG]),
    (PROFILE, MASK, "white", "filled.tif", []),
    (PROFILE, MASK, "white", "filled.webp", ["resolution left out"]),
    (RAW, MASK, "white", "filled.tiff", []),
    (RAW, MASK, "white", "filled.webp", [TO_8]),
    (XRAY, MASK, "white", "filled.tif", []),
    (XRAY, MASK, "white", "filled.jpg", [TO_8, JPEG]),
    (ALPHA, MASK, "white", "filled.png", []),
    (ALPHA, MASK, "white", "filled.webp", []),
    (ALPHA, MASK, "white", "filled.jpg", [JPEG, "transparency left out"]),
    (DEEP_ALPHA, MASK, "white", "filled.png", []),
    (XMP, MASK, "white", "filled.png", []),
    (XMP, MASK, "white", "filled.jpg", [JPEG]),
    (XMP, MASK, "white", "filled.tif", ["XMP left out"]),
    (BILEVEL, MASK, "white", "filled.png", []),
    (File("garbage.png", encoded(exif=b"Exif\0\0garbage")), MASK, "white", "filled.png", ["damaged EXIF left out"]),
    (
        File("press.jpg", encoded("JPEG", "CMYK", icc_profile=CMYK_PROFILE)), MASK, "white", "filled.png",
        ["CMYK became RGB", "colour profile of another colour space left out"],
    ),
    (CAMERA, mask_file("mask.jpg", format="JPEG", quality=60), "white", "filled.png", []),
    (CAMERA, mask_file("mask.gif", format="GIF", mode="L"), "white", "filled.png", []),
    (CAMERA, MASK.resize((128, 96)), "white", "filled.png", ["mask of 128 x 96 pixels resized"]),
    (CAMERA, layer(erased=True), "transparent", "filled.png", []),
    (CAMERA, layer(erased=False), "opaque", "filled.png", []),
    *((file, MASK, "white", "filled.png", file.refusal) for file in REFUSED),
    (CAMERA, layer(erased=True), "white", "filled.png", "is no mask (transparent); expected black and white"),
    (CAMERA, MASK, "opaque", "filled.png", "has no transparent pixels; expected some beside opaque ones."),
    (CAMERA, EMPTY, "white", "filled.png", "0.0% of the pixels are a hole (--hole white); expected more"),
    (CAMERA, MOST, "white", "filled.png", "87.5% of the pixels are a hole (--hole white); expected more"),
    (CAMERA, MASK.resize((64, 64)), "white", "filled.png", "64 x 48. Both must have the same aspect ratio"),
    (CAMERA, MASK.transpose(Image.Transpose.ROTATE_90), "white", "filled.png", "Turn the mask as the image's EXIF"),
]  # fmt: skip


def test_there_are_thirty_of_them():
    assert len(PEOPLE_HAVE) >= 30


@pytest.mark.parametrize(("file", "mask", "hole", "out", "said"), PEOPLE_HAVE, ids=lambda v: getattr(v, "name", None))
def test_a_file_as_people_have_it_is_filled_or_refused_in_one_line(fill, tmp_path, file, mask, hole, out, said):
    if isinstance(said, str):
        with pytest.raises(DataError) as refused:
            fill(file, mask, out, hole=hole)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "filled").exists()
        return
    written, told = fill(file, mask, out, hole=hole)
    assert told == (f"not as in the files: {'; '.join(f'{clause} (1 image)' for clause in said)}\n" if said else "")
    before, after = decoded(tmp_path / "images" / file.name), decoded(written)
    expected_type = np.uint8 if TO_8 in said else before.dtype
    assert after.dtype == expected_type
    before = before if before.dtype == after.dtype else (before >> 8).astype(np.uint8)
    before = before if after.ndim == before.ndim and after.shape == before.shape else before[..., :3]
    outside = np.abs(after.astype(int) - before)[~HOLE]
    assert outside.max() <= (0 if JPEG not in said else 90)
    inside = after[16, 20].astype(int) // (257 if after.dtype == np.uint16 else 1)
    is_grey = after.ndim == 2 or file.name in ("still.gif", "flat.png", "grey.jpeg")
    assert np.abs(inside.flatten()[:3] - (0.299 * 204 + 0.587 * 51 + 0.114 * 76 if is_grey else RED)).max() <= (
        60 if JPEG in said else 1
    )
    assert inside.size < 4 or inside[3] == 255


def test_every_file_is_written_in_every_format(fill):
    for file in [*USED, BILEVEL, ALPHA, DEEP_ALPHA, XMP]:
        for ending in ("png", "tif", "webp", "jpg"):
            with Image.open(fill(file, out=f"filled.{ending}")[0]) as image:
                assert image.size == PHOTOGRAPH.size
                assert file is not XMP or ending == "tif" or image.info["xmp"] == b"<xmpmeta/>"


def decoded(path):
    """The values of a file upright, by OpenCV where it can: (H, W), (H, W, 3) or (H, W, 4), RGB."""
    with Image.open(path) as image:
        if ";16" in str(image.tile[:1]):
            values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            return values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]
        with contextlib.suppress(SyntaxError):  # damaged EXIF
            image = ImageOps.exif_transpose(image)
        return np.asarray(image.convert({"1": "L", "LA": "L", "P": "RGB", "CMYK": "RGB"}.get(image.mode, image.mode)))


def test_profile_resolution_and_exif_are_kept_but_not_the_orientation(fill):
    for name in ("filled.png", "filled.tif", "filled.jpg"):
        with Image.open(fill(PROFILE, out=name)[0]) as filled:
            assert filled.info["icc_profile"] == SRGB
            assert filled.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        with Image.open(fill(CAMERA, out=name)[0]) as filled:
            assert filled.size == PHOTOGRAPH.size
            assert filled.getexif()[ExifTags.Base.Make] == "Camera"
            assert filled.getexif().get(ExifTags.Base.Orientation, 1) == 1
            assert filled.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("out", ["filled.png", "filled.tif"])
def test_sixteen_bits_keep_their_profile_and_resolution(fill, out):
    def with_profile(image):
        extra = encoded(icc_profile=SRGB, dpi=(300, 300))(image)
        content = deep()(image)
        return content[:33] + extra[33 : extra.index(b"IDAT") - 4] + content[33:]

    with Image.open(fill(File("raw.png", with_profile), out=out)[0]) as filled:
        assert filled.info["icc_profile"] == SRGB
        assert filled.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_jpeg_keeps_its_quality_and_its_xmp(fill):
    for quality in (60, 95):
        source = encoded("JPEG", quality=quality, subsampling=2, xmp=b"<x:xmpmeta/>")
        with Image.open(fill(File("q.jpg", source), out="q.jpg")[0]) as filled:
            assert filled.quantization == Image.open(io.BytesIO(source(PHOTOGRAPH))).quantization
            assert filled.info["xmp"] == b"<x:xmpmeta/>"


def test_one_bad_file_does_not_stop_the_others_and_the_status_tells(tmp_path, spl):
    for name, content in (("a.png", None), ("b.png", b"no image"), ("c.png", None)):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        MASK.save(tmp_path / "masks" / name)
        PHOTOGRAPH.save(tmp_path / "images" / name)
        if content:
            (tmp_path / "images" / name).write_bytes(content)
    words = ("--image", "images", "--mask", "masks", "--out", "filled", "--method", "telea")
    ended = spl("inpaint", *words, cwd=tmp_path)
    assert ended.status == 1
    assert "filled 2 of 3 images; not filled:\n  images/b.png is text instead of an image" in ended.err
    assert sorted(path.name for path in (tmp_path / "filled").iterdir()) == ["a.png", "c.png"]
    (tmp_path / "images/b.png").unlink()
    (tmp_path / "masks/b.png").unlink()
    ended = spl("inpaint", *words, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "filled 2 images: filled\n")


def test_standard_input_becomes_standard_output(tmp_path, monkeypatch, capfdbinary):
    class Stream:
        buffer = io.BytesIO(encoded()(PHOTOGRAPH))

    MASK.save(tmp_path / "mask.png")
    monkeypatch.setattr(sys, "stdin", Stream)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", type("Out", (), {"buffer": written}))
    jobs = match_files(*(tmp_path.__class__(name) for name in ("-", str(tmp_path / "mask.png"), "-")))
    fill_images(INPAINTER, jobs, hole="white")
    filled = np.asarray(Image.open(written))
    assert np.array_equal(filled[~HOLE], np.asarray(PHOTOGRAPH)[~HOLE])
    assert filled[16, 20].tolist() == list(RED)
