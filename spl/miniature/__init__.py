"""The miniature world: small, deterministic stand-ins for the raw data, in the very layout of the archives.

Everything is drawn from a seed: three image sets, a labelled pretext set and irregular masks.
"""

from spl.miniature.canvas import Object, Picture
from spl.miniature.images import OBJECT_CLASSES, SETS, draw_picture
from spl.miniature.sets import draw_image_set, draw_mask_set, draw_pretext_set

__all__ = [
    "OBJECT_CLASSES",
    "SETS",
    "Object",
    "Picture",
    "draw_image_set",
    "draw_mask_set",
    "draw_picture",
    "draw_pretext_set",
]
