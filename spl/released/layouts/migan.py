"""The released MI-GAN files: state dicts of the inference generator, with its fixed filters in them."""

import torch
from torch import Tensor

from spl.models.migan import smoothing_filter
from spl.weights.fit import Rules

MIGAN_RULES: Rules = (
    (r"^encode\.(\d+)\.", r"encoder.b\1.conv1."),
    (r"^shrink\.(\d+)\.", r"encoder.b\1.conv2."),
    (r"^enlarge\.(\d+)\.", r"synthesis.b\1.conv1."),
    (r"^decode\.(\d+)\.", r"synthesis.b\1.conv2."),
    (r"^to_rgb\.(\d+)\.", r"synthesis.b\1.torgb."),
    (r"\.depthwise\.", ".conv1."),
    (r"\.pointwise\.", ".conv2."),
    (r"\.noise\.strength$", ".noise_strength"),
    (r"\.noise\.map$", ".noise_const"),
)


def is_fixed(key: str, tensor: Tensor) -> bool:
    """Tell whether an entry is a filter of a change of size, or the places of pixels among zeros, as built in here."""
    if key.endswith("sample.filter.weight") and tensor.shape[1:] == (1, 4, 4):
        expected = smoothing_filter(tensor) * (4 if "upsample" in key else 1)
    elif key.endswith("upsample.filter_const") and tensor.ndim == 4:
        expected = torch.zeros_like(tensor)
        expected[..., ::2, ::2] = 1
    else:
        return False
    return bool((tensor == expected).all())
