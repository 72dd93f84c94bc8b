"""Convolutions whose weight is divided by an estimate of its largest singular value (Miyato et al., ICLR 2018)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-12


class SpectralNorm(nn.Module):
    """A plain or transposed convolution whose weight is divided by its estimated largest singular value.

    Every training forward runs one power iteration, v first and then u; an evaluation forward uses the stored vectors
    as they are. `torch.nn.utils.parametrizations.spectral_norm` updates u first and starts from 15 iterations, so it
    follows another training trajectory; the older hook agrees with this class but is announced as deprecated.

    Args:
        conv: gives sizes, weight and bias; its padding is the same on all sides, by zeros or by reflection.
    """

    weight_u: Tensor
    weight_v: Tensor
    bias: Tensor | None
    held: Tensor | None = None
    """The normalised weight of the pass that goes on, see `held_weights`."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.transposed = isinstance(conv, nn.ConvTranspose2d)
        self.stride, self.padding, self.dilation = conv.stride, conv.padding, conv.dilation
        self.padding_mode = conv.padding_mode
        self.weight_orig = nn.Parameter(conv.weight.detach())
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach())
        rows, columns = self.matrix().shape
        self.register_buffer("weight_u", F.normalize(torch.randn(rows), dim=0, eps=EPS))
        self.register_buffer("weight_v", F.normalize(torch.randn(columns), dim=0, eps=EPS))

    def matrix(self) -> Tensor:
        """Return the weight as (out_channels, in_channels * kernel * kernel)."""
        weight = self.weight_orig.transpose(0, 1) if self.transposed else self.weight_orig
        return weight.flatten(1)

    def normalised_weight(self) -> Tensor:
        """Return W / sigma with sigma = u'Wv, in full precision; u and v are constants for the gradient."""
        with torch.autocast(self.weight_orig.device.type, enabled=False):
            matrix = self.matrix()
            if self.training:
                with torch.no_grad():
                    self.weight_v.copy_(F.normalize(matrix.mT @ self.weight_u, dim=0, eps=EPS))
                    self.weight_u.copy_(F.normalize(matrix @ self.weight_v, dim=0, eps=EPS))
            # Copies: the next forward overwrites the buffers, perhaps before this one's backward.
            u, v = self.weight_u.clone(), self.weight_v.clone()
            return self.weight_orig / torch.dot(u, matrix @ v)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, in_channels, H, W); returns (B, out_channels, h, w)."""
        weight, padding = self.normalised_weight() if self.held is None else self.held, int(self.padding[0])
        if self.transposed:
            return F.conv_transpose2d(x, weight, self.bias, self.stride, padding)
        if self.padding_mode == "reflect":
            x, padding = F.pad(x, [padding] * 4, mode="reflect"), 0
        return F.conv2d(x, weight, self.bias, self.stride, padding, self.dilation)


@contextmanager
def held_weights(weights: dict[SpectralNorm, Tensor]) -> Iterator[None]:
    """Make convolutions use these weights: several calls are then one pass, with one power iteration."""
    for conv, weight in weights.items():
        conv.held = weight
    try:
        yield
    finally:
        for conv in weights:
            conv.held = None
