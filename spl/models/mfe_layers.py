"""Layers of MFE: partial convolution, the equalisation of fused features, encoder and decoder."""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.models.layers import NormResidualBlock, downsample_conv, upsample_conv

SLOPE = 0.2
"""Negative slope of every leaky ReLU."""


def level_channels(levels: int, width: int) -> list[int]:
    """Return the channels of the 2n encoder levels: doubling up to the first structure level, then constant."""
    return [width * 2 ** min(level, levels) for level in range(2 * levels)]


class InstanceNorm(nn.GroupNorm):
    """Instance norm as a group norm of one channel a group: the same, and faster on CPUs."""

    def __init__(self, channels: int, *, affine: bool = False) -> None:
        super().__init__(channels, channels, affine=affine)

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: input (B, C, h, w); returns the same in the same memory format: channels-last would be slow."""
        channels_last = input.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        return super().forward(input.contiguous()).contiguous(memory_format=layout)


class ConvNorm(nn.Module):
    """Convolution without bias (1x1, or halving the size), instance norm and, if wanted, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, halve: bool = False, activate: bool = True) -> None:
        super().__init__()
        conv = downsample_conv if halve else partial(nn.Conv2d, kernel_size=1)
        self.conv = conv(in_channels, out_channels, bias=False)
        self.norm = InstanceNorm(out_channels)
        self.activate = activate

    def forward(self, x: Tensor, size: int | None = None) -> Tensor:
        """Shapes: x (B, in_channels, h, w); returns (B, out_channels, h, w), halved, or bilinearly resized to `size`.

        The authors resize before the convolution, which gives the same where it is 1x1, and costs more.
        """
        x = self.conv(x)
        if size is not None:
            x = F.interpolate(x, size=(size, size), mode="bilinear")
        x = self.norm(x)
        return F.leaky_relu(x, SLOPE) if self.activate else x


# --- Partial convolution ----------------------------------------------------------------------------------------------


class PartialConv(nn.Module):
    """Partial convolution with instance norm and leaky ReLU: conv(x V) / mask_conv(V), zero where no V is reached.

    The mask convolution is frozen. Its weights are ones in the paper; the released initialiser leaves random ones.
    A valid map has equal channels, hence one here, and the mask convolution's weight is summed over them.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)
        self.mask_conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False).requires_grad_(False)
        self.norm = InstanceNorm(channels, affine=True)

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: x (B, C, h, w); valid (B, 1, h, w) in {0, 1}, or (1, 1, h, w) for all; returns both anew."""
        reached, scale = self.renormalise(valid)
        x = self.conv(x * valid) * scale  # (B, C, h, w)
        return F.leaky_relu(self.norm(x), SLOPE), reached

    @torch.no_grad()
    def renormalise(self, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the kernel reaches a valid position (., 1, h, w), and 1 / mask_conv(valid) there (., C, h, w).

        In full precision: a random mask convolution comes close to zero.
        """
        kernel, padding = self.mask_conv.kernel_size[0], self.mask_conv.kernel_size[0] // 2
        with torch.autocast(valid.device.type, enabled=False):
            reached = F.max_pool2d(valid, kernel, stride=1, padding=padding)
            amount = F.conv2d(valid, self.mask_conv.weight.sum(1, keepdim=True), padding=padding)
            return reached, torch.where((reached == 0) | (amount == 0), 0, 1 / amount)


class PartialConvStack(nn.Module):
    """Partial convolutions of one kernel size in a row."""

    def __init__(self, channels: int, kernel: int, *, units: int = 5) -> None:
        super().__init__()
        self.units = nn.ModuleList(PartialConv(channels, kernel) for _ in range(units))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Shapes: x (B, C, h, w); valid (B or 1, 1, h, w); returns (B, C, h, w)."""
        for unit in self.units:
            x, valid = unit(x, valid)
        return x


# --- Feature equalisation ---------------------------------------------------------------------------------------------


class GaussianPooling(nn.Module):
    """Average over the whole map, weighted by a Gaussian around each position whose weights add up to one."""

    weights: Tensor

    def __init__(self, grid: int, *, deviation: float = 1.5) -> None:
        super().__init__()
        positions = torch.arange(grid, dtype=torch.float64)
        weights = torch.exp(-(positions[:, None] - positions).square() / (2 * deviation**2))
        weights = weights / weights.sum(1, keepdim=True)  # one side's: the two-dimensional weights are products
        self.register_buffer("weights", weights.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, g, g, C); returns the same."""
        return self.weights @ (self.weights @ x.flatten(2)).view_as(x)


def local_similarity(x: Tensor) -> Tensor:
    """Average the 3x3 neighbours of each position, weighted by the softmax of their similarity to it.

    The similarity is the mean over channels of sigmoid(centre) * sigmoid(neighbour). Neighbours outside the map are
    zeros of similarity zero, and take their share of the softmax.

    Shapes: x (B, h, w, C); returns the same.
    """
    height, width = x.shape[1:3]
    gate = torch.sigmoid(x)
    border = (0, 0, 1, 1, 1, 1)
    gates, values = F.pad(gate, border), F.pad(x, border)  # (B, h + 2, w + 2, C) each
    windows = [(slice(None), slice(i, i + height), slice(j, j + width)) for i in range(3) for j in range(3)]
    similarity = torch.stack([(gate * gates[window]).mean(-1) for window in windows], dim=-1)  # (B, h, w, 9)
    weights = similarity.softmax(-1).split(1, dim=-1)  # 9 times (B, h, w, 1)
    average = weights[0] * values[windows[0]]
    for weight, window in zip(weights[1:], windows[1:], strict=True):
        average = torch.addcmul(average, weight, values[window])
    return average  # (B, h, w, C)


class FeatureEqualisation(nn.Module):
    """The paper's equalisation: channel attention, then Gaussian pooling beside local similarity."""

    def __init__(self, channels: int, *, grid: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)
        self.gaussian_pooling = GaussianPooling(grid)
        self.merge = ConvNorm(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, g, g); returns the same.

        As in the released code, both results, whose rows are positions and whose columns are channels, are read row
        by row as if they were C maps. A transposition would be the natural thing, and give other images.
        """
        attention = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))  # (B, C, 1, 1)
        positions = (x * attention).permute(0, 2, 3, 1).contiguous()  # (B, g, g, C)
        pooled, similar = self.gaussian_pooling(positions), local_similarity(positions)  # (B, g, g, C) each
        return self.merge(torch.cat([pooled.reshape(x.shape), similar.reshape(x.shape)], dim=1))


# --- Encoder and decoder ----------------------------------------------------------------------------------------------


class MFEEncoder(nn.Module):
    """Halve the image 2n times; residual blocks at the deepest level."""

    def __init__(self, *, levels: int, width: int, blocks: int) -> None:
        super().__init__()
        channels = level_channels(levels, width)
        self.convs = nn.ModuleList(downsample_conv(*pair, bias=True) for pair in pairwise([6, *channels]))
        self.norms = nn.ModuleList([*(InstanceNorm(c, affine=True) for c in channels[1:-1]), nn.Identity()])
        norm = partial(InstanceNorm, channels[-1])
        self.blocks = nn.Sequential(*(NormResidualBlock(channels[-1], norm, bias=False) for _ in range(blocks)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Shapes: x (B, 6, H, W), image and three times the valid mask; returns (B, ., H/2, W/2) and so on.

        All but the deepest map are returned activated, because the authors activate in place.
        """
        features = []
        x = self.convs[0](x)
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            features.append(F.leaky_relu(x, SLOPE))
            x = norm(conv(features[-1]))
        return [*features, self.blocks(x)]


class MFEDecoder(nn.Module):
    """Double the deepest map 2n times, each time with the equalised features of that size beside it."""

    def __init__(self, *, levels: int, width: int) -> None:
        super().__init__()
        *outputs, deepest = level_channels(levels, width)
        outputs = [*reversed(outputs), 3]
        inputs = [deepest, *(2 * channels for channels in outputs[:-1])]
        self.convs = nn.ModuleList(upsample_conv(*pair) for pair in zip(inputs, outputs, strict=True))
        self.norms = nn.ModuleList(InstanceNorm(channels, affine=True) for channels in outputs[:-1])

    def forward(self, features: list[Tensor]) -> Tensor:
        """Shapes: features (B, ., H/2, W/2) down to the deepest; returns (B, 3, H, W) in [-1, 1]."""
        *skips, x = features
        for conv, norm, skip in zip(self.convs[:-1], self.norms, reversed(skips), strict=True):
            x = torch.cat([norm(conv(F.relu(x))), skip], dim=1)
        return torch.tanh(self.convs[-1](F.relu(x)))
