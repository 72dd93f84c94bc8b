"""Every hole is filled in a crop of its own, and nothing else changes."""

import numpy as np
import pytest

from spl.common.errors import DataError
from spl.data.classical import FILLS, classical_fill
from spl.filling.holes import advise, crop_boxes, fill_boxes, grow_hole
from spl.filling.inpainter import Inpainter, inpaint

RNG = np.random.default_rng(4)
IMAGE = RNG.integers(0, 256, (300, 400, 3), np.uint8)


def holes(*places, shape=(300, 400)):
    """A mask with holes at (top, left, height, width)."""
    hole = np.zeros(shape, bool)
    for top, left, height, width in places:
        hole[top : top + height, left : left + width] = True
    return hole


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(100, 150, 20, 40)], {(70, 150, 130, 210)}),  # twice the longer side, the hole in the middle
        ([(100, 150, 4, 4)], {(86, 118, 136, 168)}),  # not smaller than the network's images
        ([(0, 390, 20, 10)], {(0, 40, 360, 400)}),  # moved inwards
        ([(10, 10, 20, 20), (200, 300, 20, 20)], {(0, 40, 0, 40), (190, 230, 290, 330)}),
        ([(10, 10, 20, 20), (10, 45, 20, 20)], {(0, 110, 0, 110)}),  # squares that meet become one
        ([(10, 10, 200, 20)], {(0, 300, 0, 400)}),  # a large hole: the whole image
        ([(0, 0, 300, 1)], {(0, 300, 0, 400)}),
    ],
)
def test_boxes(places, expected):
    boxes = crop_boxes(holes(*places), least=32, context=2)
    assert {(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in boxes} == expected


def test_every_hole_lies_in_one_box_and_no_two_overlap():
    for number in range(1, 40, 6):
        places = [(*RNG.integers(0, (290, 390)), *RNG.integers(1, 12, 2)) for _ in range(number)]
        hole, covered = holes(*places), np.zeros((300, 400), int)
        for box in crop_boxes(hole, least=24, context=1.5):
            covered[box] += 1
        assert covered.max() == 1
        assert covered[hole].all()


@pytest.mark.parametrize("method", FILLS)
def test_a_fill_neither_needs_to_write_into_what_it_is_given_nor_does(method):
    if method == "patchmatch":
        pytest.importorskip("patchmatch")
    image, hole = IMAGE.copy(), holes((20, 30, 12, 30))
    for array in (image, hole):
        array.setflags(write=False)
    assert not np.array_equal(inpaint(image, hole, method)[hole], image[hole])


@pytest.mark.parametrize("method", ["telea", "navier_stokes"])
def test_a_diffusion_in_crops_is_that_of_the_whole_image(method):
    hole = holes((20, 30, 12, 30), (200, 380, 60, 20), (140, 100, 3, 90))
    filled = {way: inpaint(IMAGE, hole, method, strategy=way) for way in ("crop", "whole")}
    assert (filled["crop"] == filled["whole"])[hole].mean() >= 0.999
    for image in filled.values():
        assert np.array_equal(image[~hole], IMAGE[~hole])


def test_a_grown_hole_fades_into_the_image_within_its_ring():
    hole = holes((100, 100, 20, 20))
    grown, seen = grow_hole(hole, 5)
    assert (grown.sum(), grown[95, 110], grown[94, 110]) == (20 * 20 + 4 * 20 * 5 + 4 * 15, True, False)
    red = Inpainter(lambda image, _: np.full_like(image, (255, 0, 0)))
    blue = np.full_like(IMAGE, (0, 0, 99))
    filled = red.fill(blue, hole, grow=5)
    assert np.array_equal(filled.hole, grown)
    reds = filled.image[110, 90:101, 0].tolist()
    assert reds == pytest.approx([0] * 5 + [255 * share / 6 for share in range(1, 6)] + [255], abs=1)
    assert np.array_equal(filled.image[~grown], blue[~grown])


def test_a_fill_sees_nothing_of_what_is_removed():
    hole, seen = holes((100, 100, 20, 20)), []
    for content in (0, 90):
        image = IMAGE.copy()
        image[hole] = content
        fill_boxes(
            image,
            hole,
            lambda visible, _: seen.append(visible.copy()) or visible,
            crop_boxes(hole, least=32, context=2),
        )
    assert np.array_equal(*seen)


@pytest.mark.parametrize(
    ("place", "size", "told"),
    [
        ((100, 100, 8, 90), 64, r"at most 8 pixels wide: telea"),
        ((100, 100, 60, 80), 32, r"160 pixels filled by a network for 32: blurred"),
        ((100, 100, 60, 80), 64, None),
    ],
)
def test_a_network_is_not_advised_for_scratches_nor_for_holes_far_above_its_size(place, size, told):
    hole = holes(place)
    advice = advise(hole, crop_boxes(hole, least=size, context=2), size)
    assert len(advice) == bool(told)
    assert not told or told in advice[0]


@pytest.mark.parametrize(("grow", "place"), [(0, (0, 0, 0, 0)), (0, (0, 0, 300, 250)), (200, (100, 100, 50, 50))])
def test_a_hole_is_more_than_none_and_at_most_60_percent_also_when_grown(grow, place):
    with pytest.raises(DataError, match="of the pixels are a hole .*; expected more than none and at most 60 %"):
        inpaint(IMAGE, holes(place), grow=grow)


def test_patchmatch_copies_texture_and_repeats_itself():
    pytest.importorskip("patchmatch")
    stripes = (
        np.repeat(np.where(np.arange(128) // 4 % 2, 220, 30)[None, :, None], 128, axis=0)
        .repeat(3, axis=2)
        .astype(np.uint8)
    )
    hole = holes((40, 40, 40, 40), shape=(128, 128))
    errors = {}
    for method in ("patchmatch", "telea"):
        filled = inpaint(stripes, hole, method)
        assert np.array_equal(filled, inpaint(stripes, hole, method))
        assert np.array_equal(filled[~hole], stripes[~hole])
        errors[method] = np.abs(filled.astype(int) - stripes)[hole].mean()
    assert errors["patchmatch"] < 0.5 * errors["telea"]


def test_patchmatch_that_is_not_installed_names_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "patchmatch", None)
    with pytest.raises(DataError, match=r"patchmatch: .*\. Install it: pip install 'pypatchmatch>=2\.2'"):
        classical_fill(IMAGE, holes((9, 9, 9, 9)), FILLS["patchmatch"])
