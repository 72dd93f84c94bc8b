"""Convolutions whose weight is divided by an estimate of its largest singular value (Miyato et al., ICLR 2018)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-12


class _SpectralNorm(nn.Module):
    """The weight of a plain convolution with the two vectors that estimate its largest singular value.

    Every training forward runs one power iteration, v first and then u; an evaluation forward uses the stored vectors
    as they are. `torch.nn.utils.parametrizations.spectral_norm` updates u first and starts from 15 iterations, so it
    follows another training trajectory; the older hook agrees with this class but is announced as deprecated.
    """

    weight_u: Tensor
    weight_v: Tensor
    bias: Tensor | None

    def __init__(self, plain: nn.Conv2d | nn.ConvTranspose2d) -> None:
        """Take over the weight and bias of `plain`, which have PyTorch's default initialisation."""
        super().__init__()
        self.transposed = isinstance(plain, nn.ConvTranspose2d)
        self.weight_orig = nn.Parameter(plain.weight.detach())
        self.bias = None if plain.bias is None else nn.Parameter(plain.bias.detach())
        rows, columns = self.matrix().shape
        self.register_buffer("weight_u", F.normalize(torch.randn(rows), dim=0, eps=EPS))
        self.register_buffer("weight_v", F.normalize(torch.randn(columns), dim=0, eps=EPS))

    def matrix(self) -> Tensor:
        """Return the weight as (outputs, inputs * kernel * kernel)."""
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


class SpectralNormConv2d(_SpectralNorm):
    """A spectrally normalised convolution; `reflect` pads by reflecting the border instead of by zeros."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        reflect: bool = False,
        bias: bool = False,
    ) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, kernel, bias=bias))
        self.stride, self.dilation = stride, dilation
        self.reflected, self.padding = (padding, 0) if reflect else (0, padding)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, inputs, H, W); returns (B, outputs, h, w)."""
        if self.reflected:
            x = F.pad(x, [self.reflected] * 4, mode="reflect")
        return F.conv2d(x, self.normalised_weight(), self.bias, self.stride, self.padding, self.dilation)


class SpectralNormConvTranspose2d(_SpectralNorm):
    """A spectrally normalised transposed convolution with bias; outputs are the weight's second dimension."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int, padding: int) -> None:
        super().__init__(nn.ConvTranspose2d(inputs, outputs, kernel))
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, inputs, h, w); returns (B, outputs, H, W)."""
        return F.conv_transpose2d(x, self.normalised_weight(), self.bias, self.stride, self.padding)
