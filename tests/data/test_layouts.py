"""Each archive's layout is read as it is, and any folder of pictures gets a seeded split."""

import pytest

from spl.config import ArchiveLayout, FolderLayout
from spl.data.layouts import list_images
from spl.errors import DataError


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def splits(folder, layout, seed=1, name="x"):
    images = list_images(folder, layout, seed=seed, name=name)
    return {split: [image.path for image in images if image.split == split] for split in ("train", "test")}


def test_places365_uses_its_validation_set_for_testing(tmp_path):
    touch(tmp_path, "train/b/1.jpg", "train/a/2.jpg", "val/a/3.jpg", "val/readme.txt")
    found = splits(tmp_path, ArchiveLayout(kind="places365"))
    assert found == {"train": ["train/a/2.jpg", "train/b/1.jpg"], "test": ["val/a/3.jpg"]}


def test_celeba_follows_the_official_partition(tmp_path):
    (tmp_path / "list_eval_partition.txt").write_text("1.jpg 0\n2.jpg 1\n3.jpg 2\n\n")
    found = splits(tmp_path, ArchiveLayout(kind="celeba"))
    assert found == {"train": ["img_align_celeba/1.jpg"], "test": ["img_align_celeba/3.jpg"]}


def test_a_damaged_partition_names_the_line(tmp_path):
    (tmp_path / "list_eval_partition.txt").write_text("1.jpg 0\n2.jpg five\n")
    with pytest.raises(DataError, match="line 2: expected"):
        splits(tmp_path, ArchiveLayout(kind="celeba"))


def test_paris_has_two_folders(tmp_path):
    touch(tmp_path, "paris_train_original/1.JPG", "paris_eval_gt/001_im.png")
    found = splits(tmp_path, ArchiveLayout(kind="paris"))
    assert found == {"train": ["paris_train_original/1.JPG"], "test": ["paris_eval_gt/001_im.png"]}


@pytest.mark.parametrize("kind", ["places365", "celeba", "paris"])
def test_an_empty_archive_says_what_was_expected_where(tmp_path, kind):
    with pytest.raises(DataError, match="Expected there: ") as caught:
        splits(tmp_path, ArchiveLayout(kind=kind))
    assert "datasets.x.source.path" in str(caught.value)


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
