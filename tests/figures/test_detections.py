"""Detections are drawn as the table has them: every box of the image and no other, scores below the image."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from spl.detection.occlusion import BOX
from spl.figures.detections import class_colours, draw_detections, occluding_images
from spl.figures.images import Evidence, image_grid, show
from spl.figures.style import SMALL
from tests.figures.fabricate import fabricate

FOUND = pd.DataFrame(
    [
        ("test/0.png", "tree", 0.55, 4.0, 4.0, 12.0, 20.0),
        ("test/1.png", "boat", 0.99, 0.0, 0.0, 64.0, 64.0),
        ("test/0.png", "house", 0.91, 20.0, 10.0, 60.0, 50.0),
    ],
    columns=["image", "label", "score", *BOX],
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


def test_the_highest_score_of_each_class_stands_below_the_image_as_far_as_there_is_room():
    again = FOUND.assign(image="test/0.png", score=0.3)
    axis = drawn("test/0.png", pd.concat([FOUND, again]))
    assert [text.get_text() for text in axis.texts] == ["0.30", "0.91", "0.55"]  # boat, house, tree
    room, extents = axis.get_window_extent(), [text.get_window_extent() for text in axis.texts]
    assert all(room.x0 <= extent.x0 and extent.x1 <= room.x1 and extent.y1 <= room.y0 for extent in extents)
    many = pd.concat([FOUND.iloc[[0]].assign(label=f"class {i}") for i in range(20)])
    room = len(drawn("test/0.png", many).texts)
    assert 4 <= room < 8
    (fits,) = {text.get_fontsize() for text in drawn("test/0.png", many.iloc[:room]).texts}
    assert 6 <= fits <= SMALL


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
    rows = [(name, "car", 0.9, *box) for name, box in zip(names, boxes, strict=True)]
    truth = pd.DataFrame(rows, columns=FOUND.columns)
    expected = set()
    for name, (left, top, right, bottom) in zip(names, boxes, strict=True):
        white = (evidence.masked(name) == 255).all(2) & (evidence.truth(name) != 255).any(2)
        missing = sum(white[y, x] for y in range(top, bottom) for x in range(left, right))
        if missing >= 128:
            expected.add(name)
    assert 0 < len(expected) < 4
    assert occluding_images(evidence, truth, names) == expected
    assert occluding_images(evidence, truth, names[:1]) == expected & {names[0]}
