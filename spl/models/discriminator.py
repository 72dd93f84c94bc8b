"""The patch discriminator that SPL, RN and EdgeConnect share."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.models.spectral_norm import SpectralNorm


class PatchDiscriminator(nn.Module):
    """Judge overlapping patches: five spectrally normalised convolutions, probabilities of being real.

    The published width of 64 gives 2,763,776 parameters. `channels` are the input's: an image's three, or two for
    EdgeConnect's gray image with its edges.
    """

    def __init__(self, *, width: int = 64, channels: int = 3) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width, 8 * width, 1]
        strides = [2, 2, 2, 1, 1]
        self.convs = nn.ModuleList(
            SpectralNorm(nn.Conv2d(*pair, 4, stride, padding=1, bias=False))
            for pair, stride in zip(pairwise(widths), strides, strict=True)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Shapes: image (B, channels, H, W), at least 24 x 24; returns probabilities (B, 1, H/8 - 2, W/8 - 2) and maps.

        The five maps are those after each activation; the last is the logit map.
        """
        features, x = [], image
        for conv in self.convs[:-1]:
            x = F.leaky_relu(conv(x), 0.2, inplace=True)
            features.append(x)
        logits = self.convs[-1](x)
        probabilities = torch.sigmoid(logits.to(torch.promote_types(logits.dtype, torch.float32)))
        return probabilities, [*features, logits]
