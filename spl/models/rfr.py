"""RFR: Recurrent Feature Reasoning for Image Inpainting (Li et al., CVPR 2020), a baseline of Table 1.

The masks in this file are validity maps, 1 = known, as in RFR; only `RFR.forward` sees this project's holes.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.models.initialise import initialise_default
from spl.models.layers import check_inputs, upsample_conv
from spl.tensors.compositing import mask_out
from spl.tensors.processes import mean_over_processes, process_count

EPSILON = 1e-7


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that several processes make over the whole batch that they share."""

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Shapes: x (B, C, H, W); returns the same."""
        if not self.training or process_count() == 1:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            y = x.to(torch.promote_types(x.dtype, torch.float32))
            mean = mean_over_processes(y.mean((0, 2, 3)))
            centred = y - mean[:, None, None]
            variance = mean_over_processes(centred.square().mean((0, 2, 3)))
            scale = self.weight * torch.rsqrt(variance + self.eps)
            count = process_count() * x.numel() / self.num_features
            self.get_buffer("num_batches_tracked").add_(1)
            for name, new in {"running_mean": mean, "running_var": variance * count / (count - 1)}.items():
                self.get_buffer(name).lerp_(new.detach(), self.momentum or 0.0)
            return torch.addcmul(self.bias[:, None, None], centred, scale[:, None, None]).to(x.dtype)


class PartialConv2d(nn.Conv2d):
    """A convolution without bias over the known part of its window, scaled to what the whole window would give.

    All channels that come from one layer share one validity map, so the map is kept once: the caller hands over how
    many channels are known at every pixel.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor, known_channels: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Convolve `x`, which has to be zero wherever it is not known.

        Shapes: x (B, C, H, W); known_channels (B, 1, H, W) in 0..C; returns (B, out_channels, h, w) and the validity
        (B, 1, h, w): whether the window holds anything known.
        """
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        known = F.avg_pool2d(known_channels, kernel, stride, padding, divisor_override=1)  # (B, 1, h, w), a sum
        valid = known.clamp(0, 1)
        scale = self.in_channels * kernel**2 / (known + 1e-8) * valid
        return self.convolve(x) * scale, valid

    def convolve(self, x: Tensor) -> Tensor:
        """Convolve without regard to what is known. Shapes: x (B, C, H, W); returns (B, out_channels, h, w)."""
        return super().forward(x)


class ConvNorm(nn.Module):
    """A convolution without bias, then batch norm."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv = conv
        self.norm = BatchNorm(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns (B, out_channels, h, w)."""
        return self.norm(self.conv(x))


def downsample(in_channels: int, out_channels: int) -> ConvNorm:
    """Build a layer that halves height and width."""
    return ConvNorm(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False))


def dilated_conv(in_channels: int, out_channels: int) -> ConvNorm:
    """Build a layer that keeps the size and looks two pixels far."""
    return ConvNorm(nn.Conv2d(in_channels, out_channels, 3, padding=2, dilation=2, bias=False))


def upsample(in_channels: int, out_channels: int) -> ConvNorm:
    """Build a layer that doubles height and width."""
    return ConvNorm(upsample_conv(in_channels, out_channels, bias=False))


# --- Knowledge-consistent attention -----------------------------------------------------------------------------------


class Memory(NamedTuple):
    """State that one round hands to the next."""

    scores: Tensor
    """(B, N, h, w): attention of every position to all N = h w keys."""
    valid: Tensor
    """(B, 1, h, w): the validity map of that round."""


class ConsistentAttention(nn.Module):
    """Attention whose scores are averaged with those of earlier rounds where they were already valid (section 3.3).

    A key is a feature scaled to unit length, and what attention returns is made of keys, as released.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ratio = nn.Parameter(torch.ones(1))
        self.combiner = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, valid: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Shapes: x (B, C, h, w); valid (B, 1, H, W), shrunk here by nearest neighbour; returns (B, C, h, w)."""
        batch, _, height, width = x.shape
        shifted = x + EPSILON
        keys = (shifted / shifted.norm(dim=1, keepdim=True)).flatten(2)  # (B, C, N)
        similarity = (keys.mT @ x.flatten(2)).view(batch, -1, height, width)  # (B, N, h, w)
        scores = F.avg_pool2d(similarity, 3, stride=1, padding=1, divisor_override=1).softmax(dim=1)  # window sums
        if memory is not None:
            ratio = self.ratio.abs() + EPSILON
            scores = (memory.scores * memory.valid + scores * ratio) / (memory.valid + ratio)
        found = (keys @ scores.flatten(2)).view_as(x)  # (B, C, h, w)
        remembered = Memory(scores, F.interpolate(valid, size=(height, width), mode="nearest"))
        return self.combiner(torch.cat([found, x], dim=1)), remembered


class FeatureReasoning(nn.Module):
    """The U-shaped network that guesses the features of the area just identified (section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        halving = (downsample(*pair) for pair in pairwise((w, 2 * w, 4 * w, 8 * w)))
        self.encoder = nn.ModuleList([*halving, *(dilated_conv(8 * w, 8 * w) for _ in range(3))])
        self.decoder5 = dilated_conv(16 * w, 8 * w)
        self.decoder4 = dilated_conv(16 * w, 8 * w)
        self.decoder3 = upsample(16 * w, 8 * w)
        self.attention = ConsistentAttention(8 * w)
        self.decoder2 = upsample(12 * w, 4 * w)
        self.decoder1 = upsample(6 * w, w)

    def forward(self, x: Tensor, valid: Tensor, memory: Memory | None) -> tuple[Tensor, Memory | None]:
        """Shapes: x (B, w, H, W); valid (B, 1, H, W); returns (B, w, H, W); H and W multiples of 8."""
        h = []
        for layer in self.encoder:
            x = F.relu(layer(x))
            h.append(x)  # 2w at H/2, 4w at H/4, then four times 8w at H/8
        x = F.leaky_relu(self.decoder5(torch.cat([x, h[4]], dim=1)), 0.2)  # (B, 8w, H/8, W/8)
        x = F.leaky_relu(self.decoder4(torch.cat([x, h[3]], dim=1)), 0.2)  # (B, 8w, H/8, W/8)
        x = F.leaky_relu(self.decoder3(torch.cat([x, h[2]], dim=1)), 0.2)  # (B, 8w, H/4, W/4)
        x, memory = self.attention(x, valid, memory)  # (B, 8w, H/4, W/4)
        x = F.leaky_relu(self.decoder2(torch.cat([x, h[1]], dim=1)), 0.2)  # (B, 4w, H/2, W/2)
        x = F.leaky_relu(self.decoder1(torch.cat([x, h[0]], dim=1)), 0.2)  # (B, w, H, W)
        return x, memory


# --- The whole network ------------------------------------------------------------------------------------------------


class AreaIdentification(nn.Module):
    """Two partial convolutions, whose masks shrink the hole from its rim, and one norm for all rounds (section 3.1)."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = PartialConv2d(width, width, kernel)
        self.conv2 = PartialConv2d(width, width, kernel)
        self.norm = BatchNorm(width)

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: x (B, w, H, W), zero where not valid; valid (B, 1, H, W); returns the same."""
        channels = x.shape[1]
        x, valid = self.conv1(x, channels * valid)
        x, valid = self.conv2(x * valid, channels * valid)
        return F.leaky_relu(self.norm(x)), valid


class Bottleneck(nn.Module):
    """ReLU(x + conv(conv(conv(x)))) through a quarter of the channels, each convolution batch-normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // 4
        self.layer1 = ConvNorm(nn.Conv2d(channels, hidden, 1, bias=False))
        self.layer2 = ConvNorm(nn.Conv2d(hidden, hidden, 3, padding=1, bias=False))
        self.layer3 = ConvNorm(nn.Conv2d(hidden, channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns the same."""
        return F.relu(x + self.layer3(F.relu(self.layer2(F.relu(self.layer1(x))))))


class RFR(nn.Module):
    """The generator: identify the hole's rim, reason about it, and again; then merge what all rounds found."""

    def __init__(self, *, width: int, kernel: int, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.entry1 = PartialConv2d(3, width, 7, stride=2)
        self.entry1_norm = BatchNorm(width)
        self.entry2 = PartialConv2d(width, width, kernel)
        self.entry2_norm = BatchNorm(width)
        self.identification = AreaIdentification(width, kernel)
        self.reasoning = FeatureReasoning(width)
        self.upsampling = upsample(width, width)
        self.tail = PartialConv2d(3 + width, width // 2, 3)
        self.tail_bottleneck = Bottleneck(width // 2)
        self.out = nn.Conv2d(2 * (width // 2), 3, 3, padding=1, bias=False)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole of `image`; what `image` holds there is never looked at.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole; H and W multiples of 16.
        Returns (B, 3, H, W), not bounded: clamp it before use.
        Raises: DataError if a shape or size is wrong.
        """
        check_inputs(image, mask, multiple_of=16)
        valid = 1 - mask  # RFR's convention, with holes filled by 0
        masked_image = mask_out(image, mask, fill=0.0)

        x, known = self.entry1(masked_image, 3 * valid)
        x = F.relu(self.entry1_norm(x))  # (B, w, H/2, W/2)
        x, known = self.entry2(x * known, x.shape[1] * known)
        x = F.relu(self.entry2_norm(x))  # (B, w, H/2, W/2)

        group, memory = [(x * known, known)], None
        for _ in range(self.rounds):
            x, known = self.identification(x * known, known)
            x, memory = self.reasoning(x, known, memory)
            x = x * known
            group.append((x, known))
        x = _merge(group)  # (B, w, H/2, W/2)

        x = F.leaky_relu(self.upsampling(x))  # (B, w, H, W)
        known = F.interpolate(known, scale_factor=2, mode="nearest")
        features = torch.cat([masked_image, x * known], dim=1)  # (B, 3 + w, H, W)
        x, _ = self.tail(features, 3 * valid + x.shape[1] * known)
        x = F.leaky_relu(x)  # (B, w/2, H, W)
        return self.out(torch.cat([x, self.tail_bottleneck(x)], dim=1))  # (B, 3, H, W)


def _merge(group: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Average the features of all rounds, each where it was valid (section 3.4); features are zero elsewhere."""
    features, valid = zip(*group, strict=True)
    return torch.stack(features).mean(0) / (torch.stack(valid).mean(0) + EPSILON)


def build_rfr(*, width: int = 64, kernel: int = 7, rounds: int = 6) -> RFR:
    """Compose an RFR generator; the defaults give its 31,224,065 parameters, `kernel=5` the smaller-hole variant."""
    network = RFR(width=width, kernel=kernel, rounds=rounds)
    initialise_default(network)
    return network
