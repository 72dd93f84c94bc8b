"""The miniature world: small, deterministic stand-ins for the raw data, in the very layout of the archives.

Everything is drawn from a seed: three image sets, a labelled pretext set and irregular masks.
"""

from spl.miniature.sets import draw_image_set, draw_mask_set, draw_pretext_set

__all__ = ["draw_image_set", "draw_mask_set", "draw_pretext_set"]
