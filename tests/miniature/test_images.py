"""What the miniature world draws: deterministic, annotated, over one vocabulary."""

import numpy as np
import pytest

from spl.common.errors import DataError
from spl.miniature.canvas import AnnotatedImage
from spl.miniature.images import OBJECT_CLASSES, SETS, draw_image

SAMPLE = 20


def sample(name: str, *, seed: int = 0, split: str = "train") -> list[AnnotatedImage]:
    return [draw_image(name, seed=seed, split=split, index=index) for index in range(SAMPLE)]


def pixels(picture: AnnotatedImage) -> bytes:
    return picture.image.tobytes()


@pytest.mark.parametrize("name", [*SETS, "pretext"])
def test_the_same_seed_draws_the_same_picture(name: str) -> None:
    first, second = (draw_image(name, seed=3, split="test", index=5) for _ in range(2))
    assert pixels(first) == pixels(second)
    assert first.objects == second.objects


@pytest.mark.parametrize("name", SETS)
def test_seed_split_and_index_each_change_the_picture(name: str) -> None:
    drawn = [
        draw_image(name, seed=seed, split=split, index=index)
        for seed, split, index in ((0, "train", 4), (1, "train", 4), (0, "test", 4), (0, "train", 8))
    ]
    assert len({pixels(picture) for picture in drawn}) == 4


@pytest.mark.parametrize("name", SETS)
def test_annotations_name_known_classes_in_boxes_inside_the_picture(name: str) -> None:
    for picture in sample(name):
        width, height = picture.image.size
        assert picture.objects
        for item in picture.objects:
            x0, y0, x1, y1 = item.box
            assert item.label in OBJECT_CLASSES
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height


@pytest.mark.parametrize("name", SETS)
def test_a_set_shows_at_least_six_object_classes(name: str) -> None:
    assert len({item.label for picture in sample(name) for item in picture.objects}) >= 6


def test_the_pretext_set_shows_the_whole_vocabulary() -> None:
    drawn = [draw_image("pretext", seed=0, split="train", index=index) for index in range(5 * SAMPLE)]
    assert {item.label for picture in drawn for item in picture.objects} == set(OBJECT_CLASSES)


def test_the_objects_of_a_set_differ_from_picture_to_picture() -> None:
    for name in SETS:
        assert len({frozenset(item.label for item in picture.objects) for picture in sample(name)}) >= 4


def test_a_box_surrounds_what_its_label_says() -> None:
    """The moon is the brightest thing of a night sky, so its box must hold the sky's brightest pixels."""
    nights = [picture for picture in sample("places2") if any(item.label == "moon" for item in picture.objects)]
    for picture in nights:
        x0, y0, x1, y1 = next(item.box for item in picture.objects if item.label == "moon")
        grey = np.asarray(picture.image.convert("L"), dtype=float)
        inside = grey[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]
        assert inside.max() > np.median(grey[: int(y1)]) + 60
    assert nights


def test_pretext_pictures_are_never_pictures_of_the_inpainting_sets() -> None:
    pretext = {pixels(picture) for split in ("train", "val") for picture in sample("pretext", split=split)}
    others = {pixels(picture) for name in SETS for split in ("train", "test") for picture in sample(name, split=split)}
    assert len(pretext) == 2 * SAMPLE
    assert not pretext & others


def test_faces_have_the_size_of_celeba() -> None:
    assert draw_image("celeba", seed=0, split="train", index=0).image.size == (178, 218)


def test_an_unknown_set_is_refused_with_the_known_names() -> None:
    with pytest.raises(DataError, match=r"'imagenet'.*places2, celeba, paris"):
        draw_image("imagenet", seed=0, split="train", index=0)
