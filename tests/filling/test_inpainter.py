"""In Python an image comes back as it was given: array, Pillow's or tensor."""

import numpy as np
import pytest
import torch
from PIL import Image

import spl
from spl.common.errors import DataError
from spl.data.masks import decode_mask
from tests.corpus import encoded

PIXELS = np.random.default_rng(2).integers(0, 256, (60, 80, 3), np.uint8)
HOLE = np.zeros((60, 80), bool)
HOLE[20:30, 30:50] = True
TENSOR = torch.from_numpy(PIXELS).permute(2, 0, 1).float() / 255 + 1e-4  # between two 8-bit values
FILLED = spl.inpaint(PIXELS, HOLE)


def as_tensor(hole):
    return torch.from_numpy(hole)[None].float()


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        (PIXELS, HOLE),
        (PIXELS, HOLE.astype(np.uint8) * 255),
        (PIXELS, as_tensor(HOLE)),
        (PIXELS[..., 0], HOLE),
        (Image.fromarray(PIXELS), Image.fromarray(HOLE)),
        (Image.fromarray(PIXELS[..., 0]), HOLE),
        (TENSOR, as_tensor(HOLE)),
        (TENSOR.double(), torch.from_numpy(HOLE)),
        (torch.stack([TENSOR, TENSOR]), torch.stack([as_tensor(HOLE)] * 2)),
    ],
    ids=["array", "0 and 255", "tensor's mask", "grey", "Pillow", "Pillow, grey", "tensor", "double", "batch"],
)
def test_what_comes_in_comes_out_equal_outside_the_hole(image, mask):
    before = np.array(image)
    filled = spl.inpaint(image, mask)
    assert type(filled) is type(image)
    assert np.array_equal(np.asarray(image), before)
    after = np.asarray(filled)
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    outside = (np.moveaxis(part, -3, -1) if before.dtype.kind == "f" else part for part in (after, before))
    one, other = (
        part.reshape(-1, *HOLE.shape, part.size // part[..., 0].size if part.ndim > 2 else 1) for part in outside
    )
    assert np.array_equal(one[:, ~HOLE], other[:, ~HOLE])
    expected = FILLED[HOLE][:, : one.shape[-1]]
    scale = 255 if before.dtype.kind == "f" else 1
    assert np.abs(one[0, HOLE] * scale - expected).max() < 1e-3


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (PIXELS / 255, HOLE, r"expected an image as uint8 array .*; got float64 \(60, 80, 3\)"),
        (Image.new("RGBA", (80, 60)), HOLE, "got RGBA"),
        ("wall.jpg", HOLE, "got <U8"),
        (PIXELS, HOLE.T, r"the mask has the shape \(80, 60\), the image \(60, 80\)"),
    ],
)
def test_other_kinds_and_sizes_are_refused(image, mask, message):
    with pytest.raises(DataError, match=message):
        spl.inpaint(image, mask)


def test_a_fill_that_is_none_is_refused():
    with pytest.raises(DataError, match="telia is not the folder of a finished run .*Classical fills need no weights"):
        spl.load_inpainter("telia")
    with pytest.raises(AttributeError, match="has no attribute 'outpaint'"):
        _ = spl.outpaint


def test_the_bits_of_a_mask_of_pillow_are_no_numbers():
    """In memory its True is 255, by which the biharmonic fill would look outside of its arrays."""
    mask = np.asarray(Image.fromarray(HOLE))
    assert mask.view(np.uint8).max() == 255
    assert np.array_equal(spl.inpaint(PIXELS, mask, "biharmonic"), spl.inpaint(PIXELS, HOLE, "biharmonic"))
    assert decode_mask(encoded(mode="1")(Image.fromarray(HOLE)), "mask.png", "white").view(np.uint8).max() == 1
