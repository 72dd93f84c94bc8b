"""MI-GAN: A Simple Baseline for Image Inpainting on Mobile Devices (Sargsyan et al., ICCV 2023), inference only."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.models.initialise import initialise_default
from spl.models.layers import check_size
from spl.tensors.compositing import mask_out

Resize = Literal["halve", "double"]


def smoothing_filter(like: Tensor) -> Tensor:
    """Return the fixed filter (4, 4) of every change of size; its sum is 1. Type and device are those of `like`."""
    line = like.new_tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return line.outer(line)


def halve(x: Tensor) -> Tensor:
    """Halve height and width. Shapes: x (B, C, H, W); returns (B, C, H/2, W/2)."""
    weight = smoothing_filter(x).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(x, weight, stride=2, padding=1, groups=x.shape[1])


def double(x: Tensor) -> Tensor:
    """Put pixels on even rows and columns of zeros, and smooth; not bilinear: the border gets darker.

    Shapes: x (B, C, H, W); returns (B, C, 2H, 2W).
    """
    weight = 4 * smoothing_filter(x).expand(x.shape[1], 1, -1, -1)
    return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=x.shape[1])


def _activate(x: Tensor) -> Tensor:
    return (F.leaky_relu(x, 0.2) * math.sqrt(2)).clamp(-256, 256)


class Noise(nn.Module):
    """A map that is added to every channel of every image, as it was released; a fresh one is zero."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("map", torch.zeros(size, size))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, size, size); returns the same."""
        return x + self.strength * self.get_buffer("map")


class SeparableConv(nn.Module):
    """A depthwise and a 1 x 1 convolution with activations; the second sees the smaller of the two sizes.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        resize: whether the size changes.
        noise: side of the map that is added before the last activation; 0 for none.
    """

    def __init__(self, in_channels: int, out_channels: int, *, resize: Resize | None = None, noise: int = 0) -> None:
        super().__init__()
        self.resize = resize
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.noise = Noise(noise) if noise else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, in_channels, H, W); returns (B, out_channels, h, w)."""
        x = _activate(self.depthwise(x))
        x = self.pointwise(halve(x) if self.resize == "halve" else x)
        return _activate(self.noise(double(x) if self.resize == "double" else x))


class MIGAN(nn.Module):
    """The generator: down to 4 x 4 and up again, with layers by their resolution r.

    Args:
        size: side of the images, a power of two.
    """

    def __init__(self, *, size: int) -> None:
        super().__init__()
        self.size = size
        self.sizes = [2**i for i in range(2, size.bit_length())]
        c = {r: min(32768 // r, 512) for r in self.sizes}
        c[2] = c[4]
        self.from_rgb = nn.Conv2d(4, c[size], 1)
        self.encode, self.shrink, self.enlarge, self.decode, self.to_rgb = (nn.ModuleDict() for _ in range(5))
        for r in self.sizes:
            halved, doubled, noise = ("halve", "double", r) if r > 4 else (None, None, 0)
            self.encode[str(r)] = SeparableConv(c[r], c[r])
            self.shrink[str(r)] = SeparableConv(c[r], c[r // 2], resize=halved)
            self.enlarge[str(r)] = SeparableConv(c[r // 2], c[r], resize=doubled, noise=noise)
            self.decode[str(r)] = SeparableConv(c[r], c[r], noise=noise)
            self.to_rgb[str(r)] = nn.Conv2d(c[r], 3, 1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole of `image`; what `image` holds there is never looked at.

        Shapes: image (B, 3, size, size) in [0, 1]; mask (B, 1, size, size), hole wherever it is not 0.
        Returns: output (B, 3, size, size) in [0, 1], not composited, and without meaning outside the hole.
        Raises: DataError if a shape is wrong.
        """
        check_size(image, mask, self.size)
        hole = (mask > 0).to(image.dtype)
        x = torch.cat([0.5 - hole, mask_out(2 * image - 1, hole, fill=0.0)], dim=1)  # (B, 4, size, size)
        x = _activate(self.from_rgb(x))
        features = {}
        for r in map(str, reversed(self.sizes)):
            features[r] = self.encode[r](x)  # (B, c, r, r)
            x = self.shrink[r](features[r])  # (B, 512, 4, 4) in the end
        output = image.new_zeros(image.shape[0], 3, 2, 2)
        for r in map(str, self.sizes):
            x = self.decode[r](self.enlarge[r](x) + features[r])  # (B, c, r, r)
            output = double(output) + self.to_rgb[r](x)  # (B, 3, r, r)
        return (output / 2 + 0.5).clamp(0, 1)


def build_migan(*, size: int = 256) -> MIGAN:
    """Compose a MI-GAN generator of 5,865,505 parameters; 5,893,158 for 512 pixels."""
    network = MIGAN(size=size)
    initialise_default(network)
    return network
