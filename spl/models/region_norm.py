"""Region normalization: the hole and the rest of a feature map are normalised apart (Yu et al., AAAI 2020).

For region r with n_r of the N positions, mean mu_r and biased variance v_r, every value in r becomes

    (x - mu_r) / sqrt(v_r + eps * N / n_r)        eps = 1e-5

The factor N / n_r is the original's (it normalises a map whose other region is filled with mu_r) and matters where
a region is small. An empty region contributes nothing. The statistics are those of one sample and channel
(`statistics="instance"`, SPL) or pool over the batch as well (`"batch"`, RN), in training over the shares of all
processes; there are no running ones, so RN's output for an image depends on its batch in evaluation too.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spl.tensors.processes import total_over_processes

Statistics = Literal["instance", "batch"]

EPS = 1e-5


class _RegionNormalise(torch.autograd.Function):
    """Normalise each region and scale it by (1 + gamma), with the gradient written out.

    Sums over a region and the way back from one number per region to the map are both products with the 0/1 matrix
    `regions`, or sums and plain broadcasting if there is one region only. That is several times faster on a CPU than
    masked sums, and one map is kept for the backward pass where plain autograd keeps six. Positions go before channels,
    as they lie in memory in channels-last.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, regions: Tensor | None, gamma: Tensor | None, pool: bool, share: bool) -> Tensor:
        positions = x.new_full((x.shape[0], 1, 1), x.shape[1]) if regions is None else regions.sum(2, keepdim=True)
        counts = _pooled(positions, pool, share)  # (B or 1, K, 1)
        eps = EPS * counts.sum(1, keepdim=True) / counts.clamp(min=1)
        counts = counts.clamp(min=1)
        mean = _pooled(_totals(regions, x), pool, share) / counts  # (B or 1, K, C)
        centred = x - _spread(regions, mean)  # (B, N, C)
        # Once more: in a flat map the rounding of the mean would be blown up by 1 / sqrt(eps).
        rest = _pooled(_totals(regions, centred), pool, share) / counts
        variance = _pooled(_totals(regions, centred.square()), pool, share) / counts - rest.square()
        scale = torch.rsqrt(variance.clamp(min=0) + eps)  # (B or 1, K, C)
        ctx.save_for_backward(centred, regions, gamma, scale, rest, counts)
        ctx.pool, ctx.share = pool, share
        gain = scale if gamma is None else scale * (1 + gamma)
        return torch.addcmul(_spread(regions, -rest * gain), centred, _spread(regions, gain))

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None, Tensor | None, None, None]:
        centred, regions, gamma, scale, rest, counts = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            total = _pooled(_totals(regions, grad), ctx.pool)  # (B or 1, K, C)
            own = _pooled(_totals(regions, grad * centred), ctx.pool) - rest * total  # of this process, for gamma
            total, product = (total_over_processes(x) if ctx.share else x for x in (total, own))
            gain = scale if gamma is None else scale * (1 + gamma)
            slope = gain * scale.square() * product / counts
            # gain * (grad - total / counts) - slope * (centred - rest)
            grad_x = torch.addcmul(_spread(regions, slope * rest - gain * total / counts), grad, _spread(regions, gain))
            grad_x.addcmul_(centred, _spread(regions, slope), value=-1)
            grad_gamma = None if gamma is None else (scale * own).sum(0)
        return grad_x, None, grad_gamma, None, None


def _pooled(values: Tensor, pool: bool, share: bool = False) -> Tensor:
    """Add up over the batch, and over the processes that share it. Shape: (B, K, .) to (B or 1, K, .)."""
    pooled = values.sum(0, keepdim=True) if pool else values
    return total_over_processes(pooled) if share else pooled


def _totals(regions: Tensor | None, x: Tensor) -> Tensor:
    """Add up in every region. Shapes: regions (B, K, N), None = one; x (B, N, C); returns (B, K, C)."""
    return x.sum(1, keepdim=True) if regions is None else regions @ x


def _spread(regions: Tensor | None, values: Tensor) -> Tensor:
    """Give every position its region's values. Shapes: values (B or 1, K, C); returns (B, N, C), or what broadcasts."""
    return values if regions is None else regions.mT @ values


def normalise_regions(
    x: Tensor,
    regions: Tensor | None,
    gamma: Tensor | None = None,
    *,
    statistics: Statistics,
    training: bool = False,
) -> Tensor:
    """Normalise `x` inside every region, then multiply by (1 + gamma).

    At least float32 inside and out, whatever autocast says: half-precision statistics of 65,536 values are useless.

    Shapes: x (B, C, H, W); regions (B, K, H, W) in {0, 1}, disjoint and covering, `None` = the whole map; gamma (C, K);
    returns (B, C, H, W).
    """
    with torch.autocast(x.device.type, enabled=False):
        dtype = torch.promote_types(x.dtype, torch.float32)
        flat = x.to(dtype).permute(0, 2, 3, 1).flatten(1, 2)  # (B, N, C)
        masks = None if regions is None else regions.detach().to(dtype).flatten(2)  # (B, K, N)
        scales = None if gamma is None else gamma.mT  # (K, C)
        pool = statistics == "batch"
        normalised = _RegionNormalise.apply(flat, masks, scales, pool, pool and training)
        return normalised.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


def instance_norm(x: Tensor) -> Tensor:
    """Normalise every channel of every sample over the whole map: one region, so eps is plain 1e-5.

    The same numbers as `torch.nn.functional.instance_norm`, several times faster on a CPU.
    """
    return normalise_regions(x, None, statistics="instance")


def hole_and_valid(mask: Tensor) -> Tensor:
    """Stack a mask and its complement as two regions. Shape: (B, 1, H, W) to (B, 2, H, W)."""
    return torch.cat([mask, 1 - mask], dim=1)


class WideConv2d(nn.Module):
    """Equally shaped convolutions over one input, run as one, which small ones on a CPU repay.

    Of convolutions that differ in their inputs, `inputs` tells how many all have first; they alone are looked at.
    The weights are those of the parts, which stay where they are: this layer adds nothing to a state dict.
    """

    transposed, padding_mode = False, "zeros"

    def __init__(self, *parts: nn.Module, inputs: int | None = None) -> None:
        super().__init__()
        self._parts, self._inputs = parts, inputs  # a tuple: no children
        first = parts[0]
        assert isinstance(first, nn.Conv2d)
        self.stride, self.padding, self.dilation = first.stride, first.padding, first.dilation

    @property
    def weight(self) -> Tensor:
        """Return the weights one after the other."""
        return torch.cat([part.get_parameter("weight")[:, : self._inputs] for part in self._parts])

    @property
    def bias(self) -> Tensor:
        """Return the biases one after the other."""
        return torch.cat([part.get_parameter("bias") for part in self._parts])

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, in_channels, H, W); returns the outputs of the parts, stacked as channels."""
        return F.conv2d(x, self.weight, self.bias, padding=self.padding)


class BasicRegionNorm(nn.Module):
    """RN-B: the regions are the input mask's; each has its own affine transformation, all zero at first.

    Paper: RN section 3.2. As in the released code both shifts are added everywhere, not only in their region.
    """

    def __init__(self, channels: int, *, statistics: Statistics) -> None:
        super().__init__()
        self.statistics: Statistics = statistics
        self.hole_gamma = nn.Parameter(torch.zeros(channels))
        self.hole_beta = nn.Parameter(torch.zeros(channels))
        self.valid_gamma = nn.Parameter(torch.zeros(channels))
        self.valid_beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Shapes: x (B, C, h, w); mask (B, 1, H, W), shrunk to (h, w) by nearest neighbour; returns (B, C, h, w)."""
        mask = F.interpolate(mask, size=x.shape[2:], mode="nearest")  # (B, 1, h, w)
        gamma = torch.stack([self.hole_gamma, self.valid_gamma], dim=1)  # (C, 2)
        regions = hole_and_valid(mask)
        normalised = normalise_regions(x, regions, gamma, statistics=self.statistics, training=self.training)
        return normalised + (self.hole_beta + self.valid_beta)[:, None, None]


class LearnedRegionNorm(nn.Module):
    """RN-L: the regions are where a spatial response of the features themselves reaches a threshold.

    Paper: RN section 3.3. The cut passes no gradient: `region_conv` learns through the affine maps only.
    """

    threshold = 0.8

    def __init__(self, *, statistics: Statistics) -> None:
        super().__init__()
        self.statistics: Statistics = statistics
        self.region_conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.gamma_conv = nn.Conv2d(1, 1, 7, padding=3)
        self.beta_conv = nn.Conv2d(1, 1, 7, padding=3)
        self.affine = WideConv2d(self.gamma_conv, self.beta_conv)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns (B, C, H, W)."""
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)  # (B, 2, H, W)
        response = torch.sigmoid(self.region_conv(summary))  # (B, 1, H, W)
        regions = hole_and_valid((response >= self.threshold).to(x.dtype))  # (B, 2, H, W)
        normalised = normalise_regions(x, regions, statistics=self.statistics, training=self.training)
        gamma, beta = self.affine(response).chunk(2, dim=1)  # (B, 1, H, W) each
        return torch.addcmul(beta, normalised, 1 + gamma)
