"""What the miniature world draws: deterministic, annotated, over one vocabulary."""

import numpy as np
import pytest

from spl.common.errors import DataError
from spl.miniature.canvas import AnnotatedImage, Canvas, View
from spl.miniature.images import OBJECT_CLASSES, SETS, draw_image

SAMPLE = 20


def sample(name: str, *, split: str = "train", count: int = SAMPLE) -> list[AnnotatedImage]:
    return [draw_image(name, seed=0, split=split, index=index) for index in range(count)]


def labels(drawn: AnnotatedImage) -> frozenset[str]:
    return frozenset(item.label for item in drawn.objects)


@pytest.mark.parametrize("name", [*SETS, "pretext"])
def test_an_image_follows_from_seed_split_and_index(name: str) -> None:
    numbers = ((0, "train", 4), (0, "train", 4), (1, "train", 4), (0, "test", 4), (0, "train", 16))
    drawn = [draw_image(name, seed=seed, split=split, index=index) for seed, split, index in numbers]
    assert drawn[0].objects == drawn[1].objects
    assert len({image.image.tobytes() for image in drawn}) == 4


@pytest.mark.parametrize("name", SETS)
def test_annotations_are_of_several_known_classes_in_boxes_inside_the_image(name: str) -> None:
    drawn = sample(name)
    for image in drawn:
        width, height = image.image.size
        assert image.objects
        for item in image.objects:
            x0, y0, x1, y1 = item.box
            assert item.label in OBJECT_CLASSES
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
    assert len(frozenset.union(*map(labels, drawn))) >= 6
    assert len(set(map(labels, drawn))) >= 4  # objects differ from image to image


def test_the_pretext_set_shows_the_whole_vocabulary() -> None:
    assert frozenset.union(*map(labels, sample("pretext", count=5 * SAMPLE))) == set(OBJECT_CLASSES)


def test_a_box_surrounds_what_its_label_says() -> None:
    """The moon is the brightest thing of a night sky, so its box must hold the sky's brightest pixels."""
    nights = [image for image in sample("places2") if "moon" in labels(image)]
    for image in nights:
        x0, y0, x1, y1 = next(item.box for item in image.objects if item.label == "moon")
        grey = np.asarray(image.image.convert("L"), dtype=float)
        inside = grey[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]
        assert inside.max() > np.median(grey[: int(y1)]) + 60
    assert nights


def test_pretext_images_are_never_images_of_the_inpainting_sets() -> None:
    pretext = {image.image.tobytes() for split in ("train", "val") for image in sample("pretext", split=split)}
    others = {
        drawn.image.tobytes() for name in SETS for split in ("train", "test") for drawn in sample(name, split=split)
    }
    assert len(pretext) == 2 * SAMPLE
    assert not pretext & others


def test_faces_have_the_size_of_celeba() -> None:
    assert draw_image("celeba", seed=0, split="train", index=0).image.size == (178, 218)


def test_an_unknown_set_is_rejected_with_the_known_names() -> None:
    with pytest.raises(DataError, match=r"'imagenet'.*places2, celeba, paris"):
        draw_image("imagenet", seed=0, split="train", index=0)


@pytest.mark.parametrize("shadows", [0.0, 0.1, 0.2])
def test_shadows_are_soft_and_as_strong_as_asked(shadows: float) -> None:
    """They keep a copied patch from fitting elsewhere; a diffusion, which continues what is near, can follow them."""
    lit = []
    for seed in range(40):
        canvas = Canvas((64, 64), (64.0, 64.0), View())
        canvas.band(-8, 72, (120, 120, 120))
        drawn = canvas.finish(np.random.default_rng(seed), (0.0, 0.0), (1.0, 1.0, 1.0), shadows)
        lit.append(np.asarray(drawn.image.convert("L"), dtype=float).reshape(16, 4, 16, 4).mean((1, 3)) / 120)
    assert np.std(lit) == pytest.approx(shadows, abs=0.3 * shadows + 0.01)
    assert np.abs(np.diff(lit)).mean() < 0.5 * shadows + 0.01  # from a cell of four pixels to the next
