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
    `regions`. That is several times faster on a CPU than masked sums, and one map is kept for the backward pass
    where plain autograd keeps six.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, regions: Tensor, gamma: Tensor | None, pool: bool, share: bool) -> Tensor:
        counts = _per_region(regions.sum(2)[:, None], pool, share)  # (B or 1, 1, K)
        eps = EPS * counts.sum(2, keepdim=True) / counts.clamp(min=1)
        counts = counts.clamp(min=1)
        mean = _per_region(x @ regions.mT, pool, share) / counts  # (B or 1, C, K)
        centred = torch.baddbmm(x, mean.expand(len(x), -1, -1), regions, alpha=-1)  # (B, C, N)
        # Once more: in a flat map the rounding of the mean would be blown up by 1 / sqrt(eps).
        rest = _per_region(centred @ regions.mT, pool, share) / counts
        centred.baddbmm_(rest.expand(len(x), -1, -1), regions, alpha=-1)
        variance = _per_region(centred.square() @ regions.mT, pool, share) / counts
        scale = torch.rsqrt(variance + eps)  # (B or 1, C, K)
        ctx.save_for_backward(centred, regions, gamma, scale, counts)
        ctx.pool, ctx.share = pool, share
        gain = scale if gamma is None else scale * (1 + gamma)
        return centred * (gain @ regions)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None, Tensor | None, None, None]:
        centred, regions, gamma, scale, counts = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            total = _per_region(grad @ regions.mT, ctx.pool, ctx.share)  # (B or 1, C, K)
            own = _per_region((grad * centred) @ regions.mT, ctx.pool)  # what this process adds to gamma's gradient
            product = total_over_processes(own) if ctx.share else own
            gain = scale if gamma is None else scale * (1 + gamma)
            shifted = torch.baddbmm(grad, (total / counts).expand(len(grad), -1, -1), regions, alpha=-1)
            slope = gain * scale.square() * product / counts
            grad_x = torch.addcmul(shifted * (gain @ regions), centred, slope @ regions, value=-1)
            grad_gamma = None if gamma is None else (scale * own).sum(0)
        return grad_x, None, grad_gamma, None, None


def _per_region(values: Tensor, pool: bool, share: bool = False) -> Tensor:
    """Add up over the batch, and over the processes that share it. Shape: (B, ., K) to (B or 1, ., K)."""
    pooled = values.sum(0, keepdim=True) if pool else values
    return total_over_processes(pooled) if share else pooled


def normalise_regions(
    x: Tensor, regions: Tensor, gamma: Tensor | None = None, *, statistics: Statistics, training: bool = False
) -> Tensor:
    """Normalise `x` inside every region, then multiply by (1 + gamma).

    At least float32 inside and out, whatever autocast says: half-precision statistics of 65,536 values are useless.

    Shapes: x (B, C, H, W); regions (B, K, H, W) in {0, 1}, disjoint and covering; gamma (C, K); returns (B, C, H, W).
    """
    with torch.autocast(x.device.type, enabled=False):
        dtype = torch.promote_types(x.dtype, torch.float32)
        flat = x.to(dtype).flatten(2)  # (B, C, N)
        masks = regions.detach().to(dtype).flatten(2)  # (B, K, N)
        pool = statistics == "batch"
        return _RegionNormalise.apply(flat, masks, gamma, pool, pool and training).view_as(x)


def instance_norm(x: Tensor) -> Tensor:
    """Normalise every channel of every sample over the whole map: one region, so eps is plain 1e-5.

    The same numbers as `torch.nn.functional.instance_norm`, several times faster on a CPU.
    """
    return normalise_regions(x, x.new_ones(len(x), 1, *x.shape[2:]), statistics="instance")


def hole_and_valid(mask: Tensor) -> Tensor:
    """Stack a mask and its complement as two regions. Shape: (B, 1, H, W) to (B, 2, H, W)."""
    return torch.cat([mask, 1 - mask], dim=1)


def fused_conv2d(x: Tensor, first: nn.Conv2d, second: nn.Conv2d) -> tuple[Tensor, ...]:
    """Run two equally shaped convolutions over the same input as one, which small ones on a CPU repay."""
    weight = torch.cat([first.weight, second.weight])
    bias = torch.cat([first.get_parameter("bias"), second.get_parameter("bias")])
    return F.conv2d(x, weight, bias, padding=first.padding).chunk(2, dim=1)


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

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns (B, C, H, W)."""
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)  # (B, 2, H, W)
        response = torch.sigmoid(self.region_conv(summary))  # (B, 1, H, W)
        regions = hole_and_valid((response >= self.threshold).to(x.dtype))  # (B, 2, H, W)
        normalised = normalise_regions(x, regions, statistics=self.statistics, training=self.training)
        gamma, beta = fused_conv2d(response, self.gamma_conv, self.beta_conv)  # (B, 1, H, W) each
        return torch.addcmul(beta, normalised, 1 + gamma)
