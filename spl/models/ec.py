"""EC: EdgeConnect (Nazeri et al., ICCV Workshops 2019), compared in Figure 5: edges first, then the image.

Released code: knazeri/edge-connect@3142579. The two generators have one shape; that of the edges is spectrally
normalised. Both discriminators are `PatchDiscriminator`: `channels=2` for gray image and edges, 3 for images.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage import feature  # what is not called is not imported
from torch import Tensor, nn

from spl.models.initialise import initialise_normal
from spl.models.layers import (
    NormResidualBlock,
    check_inputs,
    downsample_conv,
    reflect_conv,
    upsample_conv,
)
from spl.models.region_norm import instance_norm
from spl.models.spectral_norm import SpectralNorm
from spl.tensors.compositing import mask_out

LUMA = (0.2125, 0.7154, 0.0721)
"""Weights of red, green and blue in the gray image, as in scikit-image."""

SIGMA = 2.0
"""Standard deviation of Canny's Gaussian, in pixels."""

# --- Gray images and their edges ------------------------------------------------------------------------------------


def gray(image: Tensor) -> Tensor:
    """Return the luma of images. Shape: (B, 3, H, W) to (B, 1, H, W), in the image's range."""
    red, green, blue = (image[:, i : i + 1] * weight for i, weight in enumerate(LUMA))
    return red + green + blue


def canny_edges(luma: Tensor, valid: Tensor | None = None) -> Tensor:
    """Find the edges of gray images, one by one and on the CPU; no gradient passes.

    Args:
        luma: (B, 1, H, W) in [0, 1].
        valid: (B, 1, H, W) in {0, 1}, 1 = look here; the rest neither has edges nor influences any. All if not given.

    Returns: (B, 1, H, W) in {0, 1}, with the dtype and on the device of `luma`.
    """
    images = luma[:, 0].detach().double().cpu().numpy()
    regions = [None] * len(luma) if valid is None else (valid[:, 0] > 0.5).cpu().numpy()
    edges = [feature.canny(image, SIGMA, mask=region) for image, region in zip(images, regions, strict=True)]
    return torch.from_numpy(np.stack(edges))[:, None].to(luma)


def canny_edges_of(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the edges of a whole colour image, for data loaders. Shape: RGB (H, W, 3) in 0..255 to (H, W)."""
    return feature.canny(image / 255 @ np.array(LUMA), SIGMA)


# --- Generators -------------------------------------------------------------------------------------------------------


class EncoderDecoder(nn.Module):
    """Halve twice, dilated residual blocks, double twice: the body of both generators, without a last activation.

    With `spectral` every convolution but the last is spectrally normalised, and those of the blocks have no biases.
    """

    def __init__(self, in_channels: int, out_channels: int, *, width: int, blocks: int, spectral: bool) -> None:
        super().__init__()
        wrap = SpectralNorm if spectral else nn.Identity()
        self.conv1 = wrap(reflect_conv(in_channels, width, 7))
        self.conv2 = wrap(downsample_conv(width, 2 * width))
        self.conv3 = wrap(downsample_conv(2 * width, 4 * width))
        self.blocks = nn.Sequential(
            *(NormResidualBlock(4 * width, lambda: instance_norm, wrap=wrap, bias=not spectral) for _ in range(blocks))
        )
        self.up1 = wrap(upsample_conv(4 * width, 2 * width))
        self.up2 = wrap(upsample_conv(2 * width, width))
        self.last_conv = reflect_conv(width, out_channels, 7)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, in_channels, H, W), H and W multiples of 4; returns (B, out_channels, H, W)."""
        x = F.relu(instance_norm(self.conv1(x)))  # (B, w, H, W)
        x = F.relu(instance_norm(self.conv2(x)))  # (B, 2w, H/2, W/2)
        x = F.relu(instance_norm(self.conv3(x)))  # (B, 4w, H/4, W/4)
        x = self.blocks(x)  # (B, 4w, H/4, W/4)
        x = F.relu(instance_norm(self.up1(x)))  # (B, 2w, H/2, W/2)
        x = F.relu(instance_norm(self.up2(x)))  # (B, w, H, W)
        return self.last_conv(x)  # (B, out_channels, H, W)


class EdgeGenerator(nn.Module):
    """G1 (EC section 3.1): the edges of the whole image, from the image and the edges around the hole.

    The published sizes, width 64 and 8 blocks, give 10,761,089 parameters.
    """

    def __init__(self, *, width: int = 64, blocks: int = 8) -> None:
        super().__init__()
        self.body = EncoderDecoder(3, 1, width=width, blocks=blocks, spectral=True)

    def forward(self, luma: Tensor, edge: Tensor, mask: Tensor) -> Tensor:
        """Predict edges; what `luma` and `edge` hold in the hole is never looked at.

        Shapes: luma (B, 1, H, W) in [0, 1]; edge (B, 1, H, W) in {0, 1}; mask (B, 1, H, W), 1 = hole.
        Returns: the probability of an edge (B, 1, H, W), in the hole and around it.
        """
        hidden = torch.cat([mask_out(luma, mask, fill=1.0), mask_out(edge, mask, fill=0.0), mask], dim=1)
        return torch.sigmoid(self.body(hidden))  # (B, 1, H, W)


class InpaintGenerator(nn.Module):
    """G2 (EC section 3.2): the image, from what is around the hole and the edges of the whole.

    The published sizes, width 64 and 8 blocks, give 10,774,595 parameters.
    """

    def __init__(self, *, width: int = 64, blocks: int = 8) -> None:
        super().__init__()
        self.body = EncoderDecoder(4, 3, width=width, blocks=blocks, spectral=False)

    def forward(self, image: Tensor, mask: Tensor, edge: Tensor) -> Tensor:
        """Fill the hole of `image`, whose content is never looked at; `edge` is used as it is, in the hole too.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole; edge (B, 1, H, W) in [0, 1].
        Returns: output (B, 3, H, W) in [0, 1], not composited.
        """
        hidden = torch.cat([mask_out(image, mask, fill=1.0), edge], dim=1)  # (B, 4, H, W)
        return (torch.tanh(self.body(hidden)) + 1) / 2  # (B, 3, H, W)


# --- The method -------------------------------------------------------------------------------------------------------


class EdgeConnect(nn.Module):
    """Both generators in a row, as at test time."""

    def __init__(self, *, edge_generator: nn.Module, inpaint_generator: nn.Module) -> None:
        super().__init__()
        self.edge_generator = edge_generator
        self.inpaint_generator = inpaint_generator

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole of `image`; what `image` holds there is never looked at.

        The predicted edges are used everywhere, as in the released code: those found around the hole do not replace
        them there.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W) in {0, 1}, 1 = hole; H and W multiples of 4.
        Returns: output (B, 3, H, W) in [0, 1], not composited.
        Raises: DataError if a shape is wrong.
        """
        check_inputs(image, mask, multiple_of=4)
        return self.inpaint_generator(image, mask, self.edges(image, mask))  # (B, 3, H, W)

    def edges(self, image: Tensor, mask: Tensor) -> Tensor:
        """Predict the edges (B, 1, H, W) in [0, 1] of the whole image from what `forward` is given."""
        luma = gray(image)  # (B, 1, H, W)
        return self.edge_generator(luma, canny_edges(luma, valid=1 - mask), mask)


def build_ec(*, width: int = 64, blocks: int = 8) -> EdgeConnect:
    """Compose both generators, initialised like the original; the defaults give the published 21,535,684 parameters."""
    network = EdgeConnect(
        edge_generator=EdgeGenerator(width=width, blocks=blocks),
        inpaint_generator=InpaintGenerator(width=width, blocks=blocks),
    )
    initialise_normal(network)
    return network
