"""SPL: inpainting with learned semantic priors (IJCAI 2021), composed of E_I, E_S and the image decoder."""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.models.initialise import initialise_default
from spl.models.layers import (
    SPADE,
    Gamma,
    ImageEncoder,
    PreNormResidualBlock,
    ResidualBlock,
    ResidualDenseBlock,
    UpsamplingDecoder,
    check_inputs,
    downsample_conv,
    reflect_conv,
)
from spl.tensors.compositing import mask_out

SemanticBody = Literal["residual", "dense"]
Fusion = Literal["gamma", "one_plus_gamma", "concat"]


# --- Semantic learner -------------------------------------------------------------------------------------------------


class DenseBody(nn.Module):
    """The released code's substitute for the paper's residual blocks.

    A convolution, residual dense blocks whose outputs are fused together, a skip around all that, residual blocks.
    """

    def __init__(self, channels: int, *, dense_blocks: int, residual_blocks: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.dense_blocks = nn.ModuleList(ResidualDenseBlock(channels, growth=growth) for _ in range(dense_blocks))
        self.fusion = nn.Sequential(
            nn.Conv2d(dense_blocks * channels, channels, 1), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.residual_blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(residual_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, c, h, w); returns the same."""
        features, outputs = self.conv(x), []
        for block in self.dense_blocks:
            features = block(features)
            outputs.append(features)
        fused = self.fusion(torch.cat(outputs, dim=1))  # (B, c, h, w)
        return self.residual_blocks(x + fused)


class SemanticLearner(nn.Module):
    """E_S: reads the enlarged masked image and mask, returns the semantic prior and its adaptation to the teacher.

    No normalisation anywhere. Paper: section 3.2.
    """

    def __init__(self, *, body: nn.Module, width: int, teacher_channels: int) -> None:
        super().__init__()
        self.conv1 = reflect_conv(4, width, 7)
        self.conv2 = downsample_conv(width, 2 * width)
        self.conv3 = downsample_conv(2 * width, 4 * width)
        self.conv4 = downsample_conv(4 * width, 4 * width)
        self.body = body
        self.adapter = nn.Conv2d(4 * width, teacher_channels, 1)

    def forward(self, large_masked_image: Tensor, large_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: (B, 3, 2H, 2W) and (B, 1, 2H, 2W); returns S_m (B, 4w, H/4, W/4) and S'_m (B, d, H/4, W/4)."""
        x = torch.cat([large_masked_image, large_mask], dim=1)  # (B, 4, 2H, 2W)
        x = F.leaky_relu(self.conv1(x), 0.1, inplace=True)  # (B, w, 2H, 2W)
        x = F.leaky_relu(self.conv2(x), 0.1, inplace=True)  # (B, 2w, H, W)
        x = F.leaky_relu(self.conv3(x), 0.1, inplace=True)  # (B, 4w, H/2, W/2)
        x = F.leaky_relu(self.conv4(x), 0.1, inplace=True)  # (B, 4w, H/4, W/4)
        semantic_prior = self.body(x)  # (B, 4w, H/4, W/4)
        return semantic_prior, self.adapter(semantic_prior)


# --- Image decoder ----------------------------------------------------------------------------------------------------


class SPADEFusion(nn.Module):
    """The paper's fusion: the prior modulates every residual block through SPADE (section 3.3)."""

    def __init__(self, channels: int, *, blocks: int, hidden: int, gamma: Gamma) -> None:
        super().__init__()
        norm = partial(SPADE, channels, channels, hidden=hidden, gamma=gamma)
        self.blocks = nn.ModuleList(PreNormResidualBlock(channels, norm) for _ in range(blocks))

    def forward(self, features: Tensor, semantic_prior: Tensor) -> Tensor:
        """Shapes: all (B, C, h, w)."""
        for block in self.blocks:
            features = block(features, semantic_prior)
        return features


class ConcatFusion(nn.Module):
    """The ablation's fusion: residual blocks on image features and prior, stacked (section 4.4).

    The blocks are those of `SPADEFusion` with ordinary affine instance norms.
    """

    def __init__(self, channels: int, *, blocks: int) -> None:
        super().__init__()
        self.merge = nn.Conv2d(2 * channels, channels, 1)
        norm = partial(nn.InstanceNorm2d, channels, affine=True)
        self.blocks = nn.Sequential(*(PreNormResidualBlock(channels, norm) for _ in range(blocks)))

    def forward(self, features: Tensor, semantic_prior: Tensor) -> Tensor:
        """Shapes: all (B, C, h, w)."""
        return self.blocks(self.merge(torch.cat([features, semantic_prior], dim=1)))


class ImageDecoder(nn.Module):
    """Fuses image features with the semantic prior, then draws the image (section 3.3)."""

    def __init__(self, *, fusion: nn.Module, upsampling: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion
        self.upsampling = upsampling

    def forward(self, features: Tensor, semantic_prior: Tensor) -> Tensor:
        """Shapes: (B, 4w, H/4, W/4) both; returns (B, 3, H, W) in [0, 1]."""
        return self.upsampling(self.fusion(features, semantic_prior))


# --- The network ------------------------------------------------------------------------------------------------------


class SPL(nn.Module):
    """The whole generator, Figure 2. Region statistics are per sample, so a batch equals its samples one by one."""

    def __init__(self, *, image_encoder: nn.Module, semantic_learner: nn.Module, image_decoder: nn.Module) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.semantic_learner = semantic_learner
        self.image_decoder = image_decoder

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Fill the hole of `image`; what `image` holds there is never looked at.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole; H and W multiples of 4.
        Returns: output (B, 3, H, W) in [0, 1], not composited; adapted_prior (B, d, H/4, W/4).
        Raises: DataError if a shape is wrong.
        """
        check_inputs(image, mask, multiple_of=4)
        masked_image = mask_out(image, mask, fill=1.0)  # white, as in the released code
        features = self.image_encoder(masked_image, mask)  # (B, 4w, H/4, W/4)
        semantic_prior, adapted_prior = self._learn_semantics(masked_image, mask)
        return self.image_decoder(features, semantic_prior), adapted_prior

    def semantic_prior(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return S_m (B, 4w, H/4, W/4) of what `forward` is given."""
        return self._learn_semantics(mask_out(image, mask, fill=1.0), mask)[0]

    def _learn_semantics(self, masked_image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        large_masked_image = F.interpolate(masked_image, scale_factor=2, mode="nearest")
        large_mask = F.interpolate(mask, scale_factor=2, mode="nearest")
        return self.semantic_learner(large_masked_image, large_mask)


def build_spl(
    *,
    semantic_learner: SemanticBody,
    semantic_blocks: int,
    fusion: Fusion,
    width: int = 64,
    teacher_channels: int = 152,
    fusion_blocks: int = 8,
) -> SPL:
    """Compose an SPL generator; the defaults are the published widths.

    Args:
        semantic_learner: `residual`, the paper's residual blocks, or `dense`, the released code's dense blocks followed
            by four residual blocks.
        semantic_blocks: how many blocks of that kind (paper 5, released 16).
        fusion: how the prior meets the image features: by `SPADE`, in one of its two forms, or by concatenation.
        width: channels of the first convolution. The prior has four times as many (256 as published), the inside of a
            SPADE twice as many (128), and a layer of a dense block adds half as many (32).
        teacher_channels: d, channels of the teacher's features.
        fusion_blocks: residual blocks in the decoder.
    """
    channels = 4 * width
    if semantic_learner == "dense":
        body = DenseBody(channels, dense_blocks=semantic_blocks, residual_blocks=4, growth=width // 2)
    else:
        body = nn.Sequential(*(ResidualBlock(channels) for _ in range(semantic_blocks)))
    if fusion == "concat":
        fusing = ConcatFusion(channels, blocks=fusion_blocks)
    else:
        fusing = SPADEFusion(channels, blocks=fusion_blocks, hidden=2 * width, gamma=fusion)
    network = SPL(
        image_encoder=ImageEncoder(width=width, statistics="instance"),
        semantic_learner=SemanticLearner(body=body, width=width, teacher_channels=teacher_channels),
        image_decoder=ImageDecoder(fusion=fusing, upsampling=UpsamplingDecoder(width=width, statistics="instance")),
    )
    initialise_default(network)
    return network


def build_paper_spl() -> SPL:
    """Build the network the paper describes: 33.4 million parameters."""
    return build_spl(semantic_learner="residual", semantic_blocks=5, fusion="gamma")


def build_released_spl() -> SPL:
    """Build the network of the released code and weights: 45,597,223 parameters."""
    return build_spl(semantic_learner="dense", semantic_blocks=16, fusion="one_plus_gamma")
