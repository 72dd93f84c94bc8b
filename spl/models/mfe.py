"""MFE: Inpainting via a Mutual Encoder-Decoder with Feature Equalizations (Liu et al., ECCV 2020), a baseline.

Shallow encoder levels hold texture, deep ones structure. Both are brought to one grid, filled by partial convolutions
of several kernel sizes, fused, equalised, and handed back to every level as the decoder's skip connections.

The depth follows the image size. With n levels of each kind the deepest map is image_size / 4**n (4 to 15 a side) and
the grid image_size / 2**n: 256 pixels give the published n = 3 and 32 x 32.
"""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.common.errors import DataError
from spl.models.initialise import initialise_normal
from spl.models.layers import check_size
from spl.models.mfe_layers import (
    SLOPE,
    ConvNorm,
    FeatureEqualisation,
    MFEDecoder,
    MFEEncoder,
    PartialConvStack,
    level_channels,
)
from spl.models.spectral_norm import SpectralNorm
from spl.tensors.compositing import mask_out

FeatureMask = Literal["all_valid", "nearest"]

FILL = (123 / 255, 104 / 255, 117 / 255)
"""The colour that hides the hole, red, green, blue in [0, 1]."""

SMALLEST = 4
"""Side of the smallest deepest map: the dilated convolutions there reflect two pixels of border."""


def levels_per_side(image_size: int) -> int:
    """Return n, how many texture levels and how many structure levels a network for `image_size` has.

    Raises: DataError unless image_size is at least 16 and a multiple of 4**n.
    """
    levels = 0
    while image_size >= SMALLEST * 4 ** (levels + 1):
        levels += 1
    if not levels or image_size % 4**levels:
        raise DataError(
            f"Expected an image size for MFE of at least {4 * SMALLEST} and a multiple of {4 ** max(levels, 1)}, "
            f"got {image_size}."
        )
    return levels


# --- The equalisation between encoder and decoder ---------------------------------------------------------------------


class MFEEqualisation(nn.Module):
    """Gather all levels on one grid, fill and fuse them there, and give every level its share."""

    def __init__(self, *, levels: int, width: int, grid: int, feature_mask: FeatureMask) -> None:
        super().__init__()
        channels = level_channels(levels, width)
        texture, shared, deep = channels[:levels], channels[levels - 1], channels[-1]
        self.levels = levels
        self.grid = grid
        self.feature_mask: FeatureMask = feature_mask
        self.texture_to_grid = nn.ModuleList(
            nn.Sequential(*(ConvNorm(*pair, halve=True) for pair in pairwise(texture[level:])))
            for level in range(levels - 1)
        )
        self.texture_to_grid.append(nn.Sequential(ConvNorm(shared, shared)))
        self.structure_to_grid = ConvNorm(deep, shared)
        self.gather = ConvNorm(levels * shared, shared)
        self.stacks = nn.ModuleList(PartialConvStack(shared, 2 * level + 3) for level in range(levels))
        self.head = nn.Conv2d(shared, 3, 1)
        self.fuse = ConvNorm(2 * shared, deep)
        self.equalise = FeatureEqualisation(deep, grid=grid)
        self.texture_from_grid = nn.ModuleList(ConvNorm(deep, outputs) for outputs in texture)
        self.structure_from_grid = nn.ModuleList(
            nn.Sequential(*(ConvNorm(deep, deep, halve=True, activate=step < level) for step in range(level + 1)))
            for level in range(levels)
        )

    def forward(self, features: list[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Shapes: features (B, ., H/2, W/2) down to the deepest; mask (B, 1, H, W), 1 = hole.

        Returns: equalised features of the same shapes; what structure and texture show, (B, 3, g, g) in [-1, 1].
        """
        activated = [F.leaky_relu(x, SLOPE) for x in features]
        texture = [to_grid(x) for to_grid, x in zip(self.texture_to_grid, activated[: self.levels], strict=True)]
        structure = [self.structure_to_grid(x, size=self.grid) for x in activated[self.levels :]]

        # The two kinds share all weights from here on: they go through as one batch of 2B, structure first.
        x = torch.cat([torch.cat(structure, dim=1), torch.cat(texture, dim=1)])  # (2B, nc, g, g)
        x, valid = self.gather(x), self.valid_map(mask)  # (2B, c, g, g)
        x = self.gather(torch.cat([stack(x, valid) for stack in self.stacks], dim=1))  # (2B, c, g, g)
        structure_head, texture_head = torch.tanh(self.head(x)).unflatten(0, (2, -1))  # (B, 3, g, g) each

        fused = self.fuse(torch.cat(x.unflatten(0, (2, -1)).unbind(), dim=1))  # (B, 2c, g, g)
        shared = self.equalise(fused)  # (B, 2c, g, g)
        shares = [
            from_grid(shared, size=x.shape[-1])
            for from_grid, x in zip(self.texture_from_grid, features[: self.levels], strict=True)
        ]
        shares += [from_grid(shared) for from_grid in self.structure_from_grid]
        return [x + share for x, share in zip(features, shares, strict=True)], structure_head, texture_head

    def valid_map(self, mask: Tensor) -> Tensor:
        """Return where features on the grid count as valid, (1, 1, g, g) for all samples alike or (2B, 1, g, g).

        `all_valid` is what the last released code comes to: it averages the mask and then asks for more than one.
        `nearest` is its first version, which shrinks the mask by nearest neighbour.
        """
        if self.feature_mask == "all_valid":
            return mask.new_ones(1, 1, self.grid, self.grid)
        return 1 - F.interpolate(mask, size=(self.grid, self.grid), mode="nearest").repeat(2, 1, 1, 1)


# --- The network ------------------------------------------------------------------------------------------------------


class MFE(nn.Module):
    """The generator. Its statistics are per sample, so a batch equals its samples one by one."""

    fill: Tensor

    def __init__(self, *, encoder: nn.Module, equalisation: nn.Module, decoder: nn.Module, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.encoder = encoder
        self.equalisation = equalisation
        self.decoder = decoder
        self.register_buffer("fill", torch.tensor(FILL).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fill the hole of `image`; what `image` holds there is never looked at.

        Shapes: image (B, 3, S, S) in [0, 1], S the image size it was built for; mask (B, 1, S, S), 1 = hole.
        Returns: output (B, 3, S, S) in [0, 1], not composited; what structure and texture features show, small
            images (B, 3, g, g) in [-1, 1] for the auxiliary losses.
        Raises: DataError if a shape is wrong.
        """
        check_size(image, mask, self.image_size)
        masked_image = 2 * mask_out(image, mask, fill=self.fill) - 1  # the authors' range is [-1, 1]
        valid = (1 - mask).expand(-1, 3, -1, -1)
        features = self.encoder(torch.cat([masked_image, valid], dim=1))  # (B, ., S/2, S/2) and so on
        features, structure_head, texture_head = self.equalisation(features, mask)
        return (self.decoder(features) + 1) / 2, structure_head, texture_head


def build_mfe(
    *, image_size: int = 256, width: int = 64, blocks: int = 4, feature_mask: FeatureMask = "all_valid"
) -> MFE:
    """Compose an MFE generator, initialised like the original; the defaults give its 130,316,070 parameters.

    Args:
        image_size: side of the images; it decides the depth.
        width: channels of the first convolution.
        blocks: residual blocks at the deepest level.
        feature_mask: which features count as valid, see `MFEEqualisation.valid_map`.

    Raises: DataError if no depth fits the image size.
    """
    levels = levels_per_side(image_size)
    grid = image_size // 2**levels
    generator = MFE(
        encoder=MFEEncoder(levels=levels, width=width, blocks=blocks),
        equalisation=MFEEqualisation(levels=levels, width=width, grid=grid, feature_mask=feature_mask),
        decoder=MFEDecoder(levels=levels, width=width),
        image_size=image_size,
    )
    initialise_normal(generator)
    return generator


# --- The discriminator ------------------------------------------------------------------------------------------------


class MFEDiscriminator(nn.Module):
    """Judge patches, of whole images or of crops: five spectrally normalised convolutions, logits.

    The published width of 64 gives 2,764,737 parameters.
    """

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 8 * width, 1]
        self.convs = nn.ModuleList(
            SpectralNorm(nn.Conv2d(*pair, 4, stride=2, padding=1)) for pair in pairwise(channels)
        )
        initialise_normal(self)

    def forward(self, image: Tensor) -> Tensor:
        """Shapes: image (B, 3, H, W) in [-1, 1], at least 32 x 32; returns logits (B, 1, H/32, W/32)."""
        x = self.convs[0](image)
        for conv in self.convs[1:]:
            x = conv(F.leaky_relu(x, SLOPE))
        return x
