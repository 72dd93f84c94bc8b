"""An image meets its mask by name."""

import pytest
from PIL import Image

from spl.common.errors import DataError
from spl.inpaint import match_files


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
