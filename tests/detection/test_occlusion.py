"""The share of a box that a hole hides, at whole pixels, at fractions and beyond the image's edge."""

import numpy as np
import pytest

from spl.detection.occlusion import occluded_fraction


@pytest.mark.parametrize(
    ("box", "share"),
    [((0, 0, 8, 8), 0.25), ((0, 0, 4, 4), 1.0), ((4, 4, 8, 8), 0.0), ((-3, -3, 4, 2), 1.0), ((20, 20, 30, 30), 0.0),
     ((3.6, 1, 3.7, 1), 0.0)],
)  # fmt: skip
def test_a_hole_in_a_corner(box, share):
    hole = np.zeros((8, 8), bool)
    hole[:4, :4] = True
    assert occluded_fraction(hole, np.array(box)) == share
