"""Detections are drawn as the table has them: every box of the image and no other, texts apart from each other."""

import itertools

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from spl.figures.detections import class_colours, draw_detections, occluding_images
from spl.figures.images import Evidence, image_grid, show
from tests.figures.fabricate import fabricate

GRID = (np.arange(50) + 0.5) / 50
COLUMNS = ["image", "label", "score", "x_min", "y_min", "x_max", "y_max"]
FOUND = pd.DataFrame(
    [
        ("test/0.png", "tree", 0.55, 4.0, 4.0, 12.0, 20.0),
        ("test/1.png", "boat", 0.99, 0.0, 0.0, 64.0, 64.0),
        ("test/0.png", "house", 0.91, 20.0, 10.0, 60.0, 50.0),
    ],
    columns=COLUMNS,
)


def drawn(image, found):
    """Draw the objects of an image as in figures, and return the pane."""
    figure, axes = image_grid(1, 1, width=1.2, top=0.1)
    show(axes[0, 0], np.zeros((64, 64, 3), np.uint8))
    draw_detections(figure, {"spl": axes[0, 0]}, image, {"spl": found.sort_values("score", ascending=False)})
    return axes[0, 0]


def frames(axis):
    """Return the corners (left, top, right, bottom) of what is drawn, in pixels of the image, and its colour.

    matplotlib puts the first pixel's corner at -0.5.
    """
    corners = [patch.get_bbox().get_points() + 0.5 for patch in axis.patches]
    colours = [to_hex(patch.get_edgecolor()) for patch in axis.patches]
    return [(tuple(points.ravel()), colour) for points, colour in zip(corners, colours, strict=True)]


def test_the_boxes_of_the_image_are_drawn_and_no_others():
    axis, colours = drawn("test/0.png", FOUND), class_colours([FOUND[FOUND["image"] == "test/0.png"]])
    assert frames(axis) == [((20, 10, 60, 50), colours["house"]), ((4, 4, 12, 20), colours["tree"])]
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == ["house", "tree"]


def test_an_image_without_a_detection_stays_bare():
    axis = drawn("test/7.png", FOUND)
    assert not axis.patches
    assert not axis.texts
    assert not axis.figure.legends


def test_a_wide_box_is_named_and_a_small_one_has_its_confidence():
    assert [text.get_text() for text in drawn("test/0.png", FOUND).texts] == ["house 0.91", "0.55"]


def windows(boxes):
    return pd.DataFrame(
        [("a", "window", score, x, y, x + width, y + height) for x, y, width, height, score in boxes], columns=COLUMNS
    )


BOX = st.tuples(st.floats(-5, 60), st.floats(-5, 60), st.floats(1, 60), st.floats(1, 60), st.floats(0.3, 1))


@given(st.lists(BOX, min_size=1, max_size=10))
@settings(max_examples=20)
def test_texts_lie_in_the_image_on_nothing_that_matters(boxes):
    """Neither on each other, nor on more than 40 % of any box; areas are counted on a fine grid."""
    axis = drawn("a", windows(boxes))
    assert len(axis.patches) == len(boxes)
    extents = [text.get_window_extent() for text in axis.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(extents, 2))
    room = axis.get_window_extent().padded(0.5)
    assert all(room.contains(*extent.min) and room.contains(*extent.max) for extent in extents)
    for frame, extent in itertools.product(axis.patches, extents):
        left, bottom, width, height = frame.get_window_extent().bounds
        x, y = np.meshgrid(left + width * GRID, bottom + height * GRID)
        inside = (x > extent.x0) & (x < extent.x1) & (y > extent.y0) & (y < extent.y1)
        assert inside.mean() < 0.45


def test_where_there_is_room_for_one_only_the_most_confident_is_written():
    crowd = windows([(10, 2, 40, 60, score) for score in (0.5, 0.8, *([0.6] * 20))])
    texts = [text.get_text() for text in drawn("a", crowd).texts]
    assert "0.80" in texts[0]
    assert 1 <= len(texts) < len(crowd)


def test_a_class_has_the_same_colour_in_all_panes():
    colours = class_colours([FOUND.iloc[:1], FOUND.iloc[1:]])
    assert list(colours) == ["boat", "house", "tree"]
    assert len(set(colours.values())) == 3
    assert class_colours([FOUND.iloc[1:], FOUND.iloc[:1]]) == colours


def test_images_whose_hole_occludes_an_object(tmp_path):
    """Compare with a brute-force count of the pixels in the hole, at whole-pixel boxes."""
    folders = fabricate(tmp_path, images=4)
    evidence = Evidence(**folders, dataset="places2", seeds={"spl": 1})
    names = [f"test/{i}.png" for i in range(4)]
    boxes = [(0, 0, 16, 16), (16, 0, 32, 16), (0, 16, 16, 32), (16, 16, 32, 32)]
    truth = pd.DataFrame([(name, "car", 0.9, *box) for name, box in zip(names, boxes, strict=True)], columns=COLUMNS)
    expected = set()
    for name, (left, top, right, bottom) in zip(names, boxes, strict=True):
        white = (evidence.masked(name) == 255).all(2) & (evidence.truth(name) != 255).any(2)
        missing = sum(white[y, x] for y in range(top, bottom) for x in range(left, right))
        if missing >= 128:
            expected.add(name)
    assert 0 < len(expected) < 4
    assert occluding_images(evidence, truth, names) == expected
    assert occluding_images(evidence, truth, names[:1]) == expected & {names[0]}
