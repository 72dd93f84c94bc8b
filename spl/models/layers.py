"""Layers that several methods share: convolutions, image encoder, up-sampling decoder, residual blocks and SPADE."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.common.errors import DataError
from spl.models.region_norm import BasicRegionNorm, LearnedRegionNorm, Statistics, WideConv2d, instance_norm

Gamma = Literal["gamma", "one_plus_gamma"]


def check_inputs(image: Tensor, mask: Tensor, *, multiple_of: int) -> None:
    """Check shapes before a convolution fails with a puzzling message.

    Raises: DataError unless image is (B, 3, H, W), mask (B, 1, H, W), H and W multiples of `multiple_of`.
    """
    expected = (image.shape[0], 1, *image.shape[2:])
    if image.ndim != 4 or image.shape[1] != 3 or mask.shape != expected:
        raise DataError(
            "Expected image (B, 3, H, W) and mask (B, 1, H, W), "
            f"got image {tuple(image.shape)} and mask {tuple(mask.shape)}."
        )
    if image.shape[2] % multiple_of or image.shape[3] % multiple_of:
        raise DataError(
            f"Expected height and width to be multiples of {multiple_of}, got {image.shape[2]} x {image.shape[3]}. "
            "Resize or crop the images."
        )


def check_size(image: Tensor, mask: Tensor, size: int) -> None:
    """Check the same for a network that takes images of one size.

    Raises: DataError unless image is (B, 3, size, size) and mask (B, 1, size, size).
    """
    batch = image.shape[:1]
    if image.shape != (*batch, 3, size, size) or mask.shape != (*batch, 1, size, size):
        raise DataError(
            f"Expected image (B, 3, {size}, {size}) and mask (B, 1, {size}, {size}), the size this network was built "
            f"for, got image {tuple(image.shape)} and mask {tuple(mask.shape)}."
        )


def reflect_conv(
    in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1, bias: bool = True
) -> nn.Conv2d:
    """Build a convolution that keeps the size by reflecting the border."""
    padding = dilation * (kernel - 1) // 2
    return nn.Conv2d(
        in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=bias, padding_mode="reflect"
    )


def downsample_conv(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    """Build a convolution that halves height and width."""
    return nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)


def upsample_conv(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.ConvTranspose2d:
    """Build a transposed convolution that doubles height and width."""
    return nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)


# --- Encoder and decoder ----------------------------------------------------------------------------------------------


class ImageEncoder(nn.Module):
    """E_I: three convolutions with mask-conditioned region norm (SPL section 3.1, RN section 3.4).

    The mask enters through the normalisation only, not as an input channel.
    """

    def __init__(self, *, width: int, statistics: Statistics) -> None:
        super().__init__()
        self.conv1 = reflect_conv(3, width, 7)
        self.norm1 = BasicRegionNorm(width, statistics=statistics)
        self.conv2 = downsample_conv(width, 2 * width)
        self.norm2 = BasicRegionNorm(2 * width, statistics=statistics)
        self.conv3 = downsample_conv(2 * width, 4 * width)
        self.norm3 = BasicRegionNorm(4 * width, statistics=statistics)

    def forward(self, masked_image: Tensor, mask: Tensor) -> Tensor:
        """Shapes: masked_image (B, 3, H, W); mask (B, 1, H, W); returns (B, 4w, H/4, W/4)."""
        x = F.relu(self.norm1(self.conv1(masked_image), mask))  # (B, w, H, W)
        x = F.relu(self.norm2(self.conv2(x), mask))  # (B, 2w, H/2, W/2)
        return F.relu(self.norm3(self.conv3(x), mask))  # (B, 4w, H/4, W/4)


class UpsamplingDecoder(nn.Module):
    """G's last part: two pixel-shuffle steps with learned region norm, then the image in [0, 1]."""

    def __init__(self, *, width: int, statistics: Statistics) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4 * width, 8 * width, 3, padding=1)
        self.norm1 = LearnedRegionNorm(statistics=statistics)
        self.conv2 = nn.Conv2d(2 * width, 4 * width, 3, padding=1)
        self.norm2 = LearnedRegionNorm(statistics=statistics)
        self.conv3 = reflect_conv(width, 3, 7)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, 4w, H/4, W/4); returns (B, 3, H, W) in [0, 1]."""
        x = F.relu(self.norm1(F.pixel_shuffle(self.conv1(x), 2)))  # (B, 2w, H/2, W/2)
        x = F.relu(self.norm2(F.pixel_shuffle(self.conv2(x), 2)))  # (B, w, H, W)
        return (torch.tanh(self.conv3(x)) + 1) / 2  # (B, 3, H, W)


# --- Residual blocks --------------------------------------------------------------------------------------------------


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))) without normalisation, as in the semantic learner."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = reflect_conv(channels, channels, 3)
        self.conv2 = reflect_conv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns the same."""
        return x + self.conv2(F.relu(self.conv1(x)))


class NormResidualBlock(nn.Module):
    """x + norm(conv(ReLU(norm(conv(x))))), the first convolution dilated by two, borders reflected.

    Args:
        channels: of the input and output.
        norm: returns one of the two norms.
        wrap: turns a convolution into a normalised one.
        bias: whether the convolutions have one.
    """

    def __init__(
        self,
        channels: int,
        norm: Callable[[], Callable[[Tensor], Tensor]],
        *,
        wrap: Callable[[nn.Conv2d], nn.Module] = nn.Identity(),  # noqa: B008 (without state)
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.conv1 = wrap(reflect_conv(channels, channels, 3, dilation=2, bias=bias))
        self.norm1 = norm()
        self.conv2 = wrap(reflect_conv(channels, channels, 3, bias=bias))
        self.norm2 = norm()

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W), H and W at least 3; returns the same."""
        y = F.relu(self.norm1(self.conv1(x)))
        return x + self.norm2(self.conv2(y))


class ResidualDenseBlock(nn.Module):
    """Six convolutions that each see all maps before them, fused by 1x1 and added to the input.

    What the six make of the block's input is one wide convolution; only what they make of each other's maps, which are
    few, has to wait. So the input is not copied for each.
    """

    layers = 6

    def __init__(self, channels: int, *, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels + i * growth, growth, 3, padding=1) for i in range(self.layers))
        self.of_input = WideConv2d(*self.convs, inputs=channels)
        self.fusion = nn.Conv2d(channels + self.layers * growth, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns the same."""
        maps: list[Tensor] = []
        for conv, seen in zip(self.convs, self.of_input(x).chunk(self.layers, dim=1), strict=True):
            if maps:
                weight = conv.get_parameter("weight")[:, x.shape[1] :]
                seen = seen + F.conv2d(torch.cat(maps, dim=1), weight, padding=1)
            maps.append(F.relu(seen))  # (B, growth, H, W)
        return x + self.fusion(torch.cat([x, *maps], dim=1))  # (B, C, H, W)


# --- SPADE ------------------------------------------------------------------------------------------------------------


class SPADE(nn.Module):
    """Instance norm whose scale and shift are read, pixel by pixel, from a semantic prior (Eqs. 6-8).

    `gamma="gamma"` is the paper's gamma * IN(x) + beta, with gamma starting at one; `"one_plus_gamma"` is the released
    code's (1 + gamma) * IN(x) + beta. The two differ by one in the bias of `gamma_conv` and in nothing else.
    """

    def __init__(self, channels: int, prior_channels: int, *, hidden: int, gamma: Gamma) -> None:
        super().__init__()
        self.shared_conv = nn.Conv2d(prior_channels, hidden, 3, padding=1)
        self.gamma_conv = nn.Conv2d(hidden, channels, 3, padding=1)
        self.beta_conv = nn.Conv2d(hidden, channels, 3, padding=1)
        self.affine = WideConv2d(self.gamma_conv, self.beta_conv)
        self.gamma_offset = 1.0 if gamma == "one_plus_gamma" else 0.0
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Let the paper's gamma start at one; the convolutions have weights already."""
        if self.gamma_offset == 0:
            nn.init.ones_(self.gamma_conv.get_parameter("bias"))

    def forward(self, x: Tensor, prior: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); prior (B, c, H, W); returns (B, C, H, W)."""
        hidden = F.relu(self.shared_conv(prior))  # (B, hidden, H, W)
        gamma, beta = self.affine(hidden).chunk(2, dim=1)  # (B, C, H, W) each
        return torch.addcmul(beta, instance_norm(x), gamma + self.gamma_offset)


class PreNormResidualBlock(nn.Module):
    """x + conv(ReLU(norm(conv(ReLU(norm(x)))))), the first convolution dilated by two (section 3.3).

    Args:
        channels: of the input and output.
        norm: returns one of the two norms, such as SPADE.
    """

    def __init__(self, channels: int, norm: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.norm1 = norm()
        self.conv1 = reflect_conv(channels, channels, 3, dilation=2)
        self.norm2 = norm()
        self.conv2 = reflect_conv(channels, channels, 3)

    def forward(self, x: Tensor, *prior: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); prior (B, c, H, W) if the norms read one; returns (B, C, H, W)."""
        y = self.conv1(F.relu(self.norm1(x, *prior)))
        return x + self.conv2(F.relu(self.norm2(y, *prior)))
