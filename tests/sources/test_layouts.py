"""Each archive's layout is read as it is, and any folder of images gets a seeded split."""

import pytest

from spl.common.errors import DataError
from spl.config.experiment import ArchiveLayout, FolderLayout, FoldersLayout, ListsLayout
from spl.sources.layouts import list_images
from spl.sources.raw_files import RawFiles


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
