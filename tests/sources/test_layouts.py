"""Each archive's layout is read as it is, and any folder of images gets a seeded split."""

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import read_json
from spl.config.experiment import ArchiveLayout, FolderLayout, FoldersLayout, ListsLayout
from spl.config.teachers import MiniaturePretext
from spl.miniature.images import draw_image
from spl.sources.fetch import fetch_pretext, fetch_raw
from spl.sources.layouts import list_images
from spl.sources.listing import Listing
from spl.sources.raw_files import RawFiles, read_place
from spl.steps.settings import ImageSourceSettings, MaskSourceSettings, PretextSettings
from tests.sources.test_archives import write_archive


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def splits(folder, layout, seed=1, name="x"):
    images = list_images(RawFiles(folder), layout, seed=seed, name=name)
    return {split: [image.path for image in images if image.split == split] for split in ("train", "test")}


ARCHIVES = [
    ("places365", "train/a/2.jpg train/b/1.jpg", "val/a/3.jpg", {"val/readme.txt": ""}),
    ("places365", "deeper/places365_standard/train/a/2.jpg", "deeper/places365_standard/val/a/3.jpg", {}),
    ("places365_flat", "data_256/a/alley/1.jpg data_256/b/bar/2.jpg", "val_256/v1.jpg", {
        "data_256/b/bar/unlisted.jpg": "", "places365_val.txt": "v1.jpg 3\n",
        "places365_train_standard.txt": "/a/alley/1.jpg 3\n/b/bar/2.jpg 5\n",
    }),
    ("celeba", "img_align_celeba/1.jpg", "img_align_celeba/3.jpg", {
        "img_align_celeba/2.jpg": "", "list_eval_partition.txt": "1.jpg 0\n2.jpg 1\n3.jpg 2\n\n",
    }),
    ("celeba", "Img/img_align_celeba/1.jpg", "Img/img_align_celeba/2.jpg", {
        "Eval/list_eval_partition.txt": "1.jpg 0\r\n2.jpg 2\r\n",
    }),
    ("celeba", "img_align_celeba/img_align_celeba/1.jpg", "img_align_celeba/img_align_celeba/3.jpg", {  # Kaggle's
        "img_align_celeba/img_align_celeba/2.jpg": "", "list_attr_celeba.csv": "",
        "list_eval_partition.csv": "image_id,partition\n1.jpg,0\n2.jpg,1\n3.jpg,2\n",
    }),
    ("paris", "paris_train_original/1.JPG", "paris_eval_gt/001_im.png", {}),
]  # fmt: skip
"""Layout, images for training and for testing, and further files with their content."""


@pytest.mark.parametrize(("kind", "train", "test", "others"), ARCHIVES)
def test_an_archive_is_read_as_its_authors_made_it(tmp_path, kind, train, test, others):
    touch(tmp_path, *train.split(), *test.split(), *others)
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    assert splits(tmp_path, ArchiveLayout(kind=kind)) == {"train": train.split(), "test": test.split()}


def test_missing_listed_images_are_counted(tmp_path):
    touch(tmp_path, "data_256/a/alley/1.jpg")
    (tmp_path / "places365_train_standard.txt").write_text("/a/alley/1.jpg 3\n/b/bar/gone.jpg 5\n/b/bar/gone2.jpg 5\n")
    with pytest.raises(DataError, match=r"lists 3 images, of which 2 are missing, first data_256/b/bar/gone\.jpg"):
        splits(tmp_path, ArchiveLayout(kind="places365_flat"))


def lists(folder, train="a.jpg\nx/b.jpg\n", test="c d.jpg\n"):
    touch(folder, "a.jpg", "x/b.jpg", "c d.jpg")
    (folder / "train.txt").write_text(train)
    (folder / "test.txt").write_text(test)
    return splits(folder, ListsLayout(kind="lists", train="train.txt", test="test.txt"))


def test_text_lists_name_the_images(tmp_path):
    assert lists(tmp_path) == {"train": ["a.jpg", "x/b.jpg"], "test": ["c d.jpg"]}


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("./x/é.jpg", "utf-8"), ("x\\é.jpg", "utf-8-sig"), (unicodedata.normalize("NFD", "x/é.jpg"), "utf-8"),
        ("x/é.jpg", "utf-16"), ("\ufeffx/é.jpg", "utf-16-be"), ("{folder}/real/x/é.jpg", "utf-8"),
        ("{folder}/link/x/é.jpg", "utf-8"), ("{folder}/other/x/é.jpg", "utf-8"), ("{folder}/real/./x//é.jpg", "utf-8"),
    ],
)  # fmt: skip
def test_a_list_says_paths_as_other_programs_write_them(tmp_path, line, encoding):
    touch(tmp_path / "real", "x/é.jpg", "y.jpg", "test.txt")
    (tmp_path / "real/test.txt").write_text("y.jpg")
    (tmp_path / "real/train.txt").write_text(f"{line.format(folder=tmp_path)}\r\n", encoding, newline="")
    for name in ("link", "other"):
        (tmp_path / name).symlink_to(tmp_path / "real")
    layout = ListsLayout(kind="lists", train="./train.txt", test="test.txt")
    assert splits(tmp_path / "link", layout) == {"train": ["x/é.jpg"], "test": ["y.jpg"]}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-32"])
def test_another_encoding_of_a_list_is_an_error(tmp_path, encoding):
    touch(tmp_path, "é.jpg", "test.txt")
    (tmp_path / "train.txt").write_text("é.jpg", encoding)
    with pytest.raises(DataError, match=r"train\.txt: expected text in UTF-8, or in UTF-16 with its mark"):
        splits(tmp_path, ListsLayout(kind="lists", train="train.txt", test="test.txt"))


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("a.jpg\na.jpg\n", "c d.jpg\n", r"train\.txt, line 2: a\.jpg is listed twice"),
        ("a.jpg\n", "\nc d.jpg\na.jpg\n", r"test\.txt, line 3: a\.jpg is listed twice"),
        ("a.jpg\n", "e.jpg\n", r"test\.txt lists 1 images, of which 1 are missing, first e\.jpg"),
        ("a.jpg\n", "", "has no test images"),
    ],
)
def test_faulty_text_lists_name_the_line(tmp_path, train, test, message):
    with pytest.raises(DataError, match=message):
        lists(tmp_path, train, test)


def test_two_globs_tell_training_from_testing(tmp_path):
    touch(tmp_path, "fit/x/a.jpg", "fit/b.png", "fit/notes.txt", "hold/c.jpg")
    layout = FoldersLayout(kind="folders", train="fit/**/*", test="hold/*.jpg")
    assert splits(tmp_path, layout) == {"train": ["fit/b.png", "fit/x/a.jpg"], "test": ["hold/c.jpg"]}
    with pytest.raises(DataError, match=r"hold/c\.jpg matches both"):
        splits(tmp_path, FoldersLayout(kind="folders", train="**/*", test="hold/*.jpg"))


def test_a_damaged_partition_names_the_line(tmp_path):
    (tmp_path / "list_eval_partition.txt").write_text("1.jpg 0\n2.jpg five\n")
    with pytest.raises(DataError, match="line 2: expected"):
        splits(tmp_path, ArchiveLayout(kind="celeba"))


@pytest.mark.parametrize("kind", ["places365", "celeba", "paris"])
def test_an_empty_archive_says_what_was_expected_where(tmp_path, kind):
    with pytest.raises(DataError, match="Expected there, or in archives there: ") as caught:
        splits(tmp_path, ArchiveLayout(kind=kind))
    assert "datasets.x.source" in str(caught.value)


def test_a_folder_is_split_by_the_seed_and_the_name(tmp_path):
    touch(tmp_path, *(f"sub/{i}.png" for i in range(20)))
    layout = FolderLayout(kind="folder", glob="*/*.png", test_fraction=0.25)
    found = splits(tmp_path, layout)
    assert (len(found["train"]), len(found["test"])) == (15, 5)
    assert not set(found["train"]) & set(found["test"])
    assert found == splits(tmp_path, layout)
    assert found != splits(tmp_path, layout, seed=2)
    assert found != splits(tmp_path, layout, name="y")


def test_a_tiny_folder_still_has_both_splits(tmp_path):
    touch(tmp_path, "1.png", "2.png")
    found = splits(tmp_path, FolderLayout(kind="folder", glob="*.png", test_fraction=0.01))
    assert (len(found["train"]), len(found["test"])) == (1, 1)


# --- Fetching ---------------------------------------------------------------------------------------------------------

JPEGS = {"kind": "folder", "glob": "**/*.jpg", "test_fraction": 0.5}
GLOBS = {"kind": "folders", "train": "fit/*", "test": "hold/*"}
LISTS = {"kind": "lists", "train": "train.txt", "test": "./test.txt"}


def fetch(folder, layout, **source):
    """Fetch images, or masks if `layout` is a glob; return the record."""
    common = {"seed": 1, "source": source or {"kind": "supplied", "path": str(folder)}}
    if isinstance(layout, str):
        settings = MaskSourceSettings(glob=layout, **common)
    else:
        settings = ImageSourceSettings(dataset="x", layout=layout, **common)
    fetch_raw(settings, folder / ".record.json")
    return read_json(folder / ".record.json")


@pytest.mark.parametrize(
    ("files", "layout", "said", "left_out"),
    [
        ("a.jpg b.JPG c/d.jpg", JPEGS, "", None),
        ("a.jpg b.jpg .c.png @eaDir/a.png", JPEGS, "", None),
        ("a.jpg b.jpg c.jpeg d.HEIC e.txt f", JPEGS,
         "4 of 6 files are left out: 1 not chosen by **/*.jpg; 3 without an image's ending (.heic, .txt, none)",
         {"unmatched": 1, "no_image": 3}),
        ("fit/a.jpg hold/b.jpg c.jpg", GLOBS, "1 of 3 files are left out: 1 not chosen by fit/* or hold/*",
         {"unmatched": 1}),
        ("a.jpg b.jpg train.txt test.txt", LISTS, "", None),
        ("a.jpg b.jpg c.jpg d.jpg train.txt test.txt", LISTS,
         "2 of 6 files are left out: 2 not chosen by train.txt or ./test.txt", {"unmatched": 2}),
        ("a.jpg b.jpg x/set.tar set.zip", JPEGS,
         "2 of 4 files are left out: 2 not read, since images lie beside (set.zip, set.tar)", {"archives": 2}),
        ("paris_train_original/a.jpg paris_eval_gt/b.png paris_eval_corrupted/b.png x.txt", {"kind": "paris"},
         "", None),
        ("m/a.png b.png m/c.txt", "m/*",
         "2 of 3 files are left out: 1 not chosen by m/*; 1 without an image's ending (.txt)",
         {"unmatched": 1, "no_image": 1}),
    ],
)  # fmt: skip
def test_what_is_left_out_of_a_folder_is_said_in_one_line_and_recorded(tmp_path, capsys, files, layout, said, left_out):
    touch(tmp_path, *files.split())
    for name, image in (("train.txt", "a.jpg"), ("test.txt", "b.jpg")):
        if name in files:
            (tmp_path / name).write_text(image)
    record = fetch(tmp_path, layout)
    assert capsys.readouterr().err == (f"{tmp_path}: {said}\n" if said else "")
    assert record.get("left_out") == left_out


@pytest.mark.parametrize(
    ("layout", "source"),
    [
        *(({"kind": layout}, {"kind": "miniature", "scene": scene, "train": 2, "test": 2})
          for scene, layout in (("places2", "places365"), ("celeba", "celeba"), ("paris", "paris"))),
        ("testing_mask_dataset/*.png", {"kind": "miniature", "per_bin": 2}),
    ],
)  # fmt: skip
def test_the_miniature_world_is_used_whole_without_a_word(tmp_path, monkeypatch, capsys, layout, source):
    monkeypatch.chdir(tmp_path)
    assert "left_out" not in fetch(tmp_path, layout, **source)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shadows", [{}, {"shadows": 0.0}, {"shadows": 0.2}])
def test_images_are_drawn_with_the_shadows_that_were_asked_for(tmp_path, monkeypatch, shadows):
    monkeypatch.chdir(tmp_path)
    record = fetch(tmp_path, {"kind": "paris"}, kind="miniature", scene="paris", train=1, test=1, **shadows)
    found = Image.open(Path(record["folder"]) / "paris_eval_gt/001_im.png")
    drawn = draw_image("paris", seed=record["settings"]["seed"], split="test", index=0, **shadows)
    assert found.tobytes() == drawn.image.tobytes()


def test_pretext_images_are_drawn_with_the_shadows_that_were_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = []
    for shadows in ({}, {"shadows": 0.0}, {"shadows": 0.2}):
        pretext = MiniaturePretext(kind="miniature", train=1, val=1, **shadows)
        fetch_pretext(PretextSettings(seed=1, pretext=pretext), tmp_path / "pretext.json", workers=1)
        folder = Path(read_json(tmp_path / "pretext.json")["folder"])
        drawn.append([file.read_bytes() for file in sorted(folder.glob("images/*.jpg"))])
    assert drawn[0] == drawn[1]
    assert all(dark != light for dark, light in zip(drawn[2], drawn[1], strict=True))


def test_an_archive_that_is_not_read_is_named_where_images_are_missing(tmp_path):
    touch(tmp_path, "logo.jpg", "set.zip")
    for layout in (JPEGS, "*.png"):
        with pytest.raises(DataError, match=r"\nNot read, since images lie beside: set\.zip"):
            fetch(tmp_path, layout)


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    archive = write_archive(tmp_path / "set.zip")
    with pytest.raises(DataError, match=r"set\.zip is a file, expected its folder"):
        fetch(tmp_path, JPEGS, kind="supplied", path=str(archive))


@pytest.mark.parametrize("first", "=+-@\t")
def test_no_table_has_a_path_that_a_spreadsheet_takes_for_a_formula(tmp_path, first):
    (tmp_path / f"{first}1.png").write_bytes(b"x")
    fetch(tmp_path, "*.png")
    (listed,) = Listing(tmp_path / ".record.json")
    assert listed.path == listed.place.container == f"./{first}1.png"
    assert read_place(tmp_path, listed.place) == b"x"


def test_a_name_that_would_break_a_table_is_refused(tmp_path):
    touch(tmp_path, "Icon\r", "a\r.png", "b\n.png")
    with pytest.raises(DataError, match=r"'a\\r\.png' has a carriage return in its name"):
        fetch(tmp_path, "*.png")
    (tmp_path / "a\r.png").unlink()
    fetch(tmp_path, "*.png")
    assert [listed.path for listed in Listing(tmp_path / ".record.json")] == ["b\n.png"]
