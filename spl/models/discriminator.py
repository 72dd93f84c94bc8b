"""The patch discriminator that SPL, RN and EdgeConnect share, with its spectral normalisation."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpectralNormConv2d(nn.Module):
    """A convolution without bias whose weight is divided by an estimate of its largest singular value.

    Every training forward runs one power iteration, v first and then u; an evaluation forward uses the stored vectors
    as they are. `torch.nn.utils.parametrizations.spectral_norm` updates u first and starts from 15 iterations, so it
    follows another training trajectory; the older hook agrees with this class but is announced as deprecated.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int, padding: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        plain = nn.Conv2d(inputs, outputs, kernel, bias=False)  # for PyTorch's default initialisation
        self.weight_orig = nn.Parameter(plain.weight.detach())
        self.register_buffer("weight_u", F.normalize(torch.randn(outputs), dim=0, eps=1e-12))
        self.register_buffer("weight_v", F.normalize(torch.randn(inputs * kernel * kernel), dim=0, eps=1e-12))

    def normalised_weight(self) -> Tensor:
        """Return W / sigma with sigma = u'Wv; u and v are constants for the gradient."""
        matrix = self.weight_orig.flatten(1)  # (outputs, inputs * kernel * kernel)
        if self.training:
            with torch.no_grad():
                self.weight_v.copy_(F.normalize(matrix.mT @ self.weight_u, dim=0, eps=1e-12))
                self.weight_u.copy_(F.normalize(matrix @ self.weight_v, dim=0, eps=1e-12))
        # Copies: the next forward overwrites the buffers, perhaps before this one's backward.
        u, v = self.weight_u.clone(), self.weight_v.clone()
        return self.weight_orig / torch.dot(u, matrix @ v)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, inputs, H, W); returns (B, outputs, h, w)."""
        with torch.autocast(x.device.type, enabled=False):  # sigma in full precision
            weight = self.normalised_weight()
        return F.conv2d(x, weight, stride=self.stride, padding=self.padding)


class PatchDiscriminator(nn.Module):
    """Judge overlapping patches: five spectrally normalised convolutions, probabilities of being real.

    The published width of 64 gives 2,763,776 parameters.
    """

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 8 * width, 1]
        strides = [2, 2, 2, 1, 1]
        self.convs = nn.ModuleList(
            SpectralNormConv2d(inputs, outputs, 4, stride=stride, padding=1)
            for (inputs, outputs), stride in zip(pairwise(channels), strides, strict=True)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Shapes: image (B, 3, H, W), at least 24 x 24; returns probabilities (B, 1, H/8 - 2, W/8 - 2) and five maps.

        The maps are those after each activation; the last is the logit map.
        """
        features, x = [], image
        for conv in self.convs[:-1]:
            x = F.leaky_relu(conv(x), 0.2)
            features.append(x)
        logits = self.convs[-1](x)
        probabilities = torch.sigmoid(logits.to(torch.promote_types(logits.dtype, torch.float32)))
        return probabilities, [*features, logits]
