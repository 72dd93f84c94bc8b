"""RN: Region Normalization for Image Inpainting (Yu et al., AAAI 2020), a baseline of Table 1."""

from functools import partial

import torch
from torch import Tensor, nn

from spl.models.initialise import own_generator
from spl.models.layers import ImageEncoder, NormResidualBlock, UpsamplingDecoder, check_inputs
from spl.models.region_norm import BasicRegionNorm, LearnedRegionNorm
from spl.tensors.compositing import mask_out


class RN(nn.Module):
    """The generator. Its statistics pool over the batch, in evaluation too: a result depends on its batch mates."""

    def __init__(self, *, image_encoder: nn.Module, blocks: nn.Module, upsampling: nn.Module) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.blocks = blocks
        self.upsampling = upsampling

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole of `image`; what `image` holds there is never looked at.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole; H and W multiples of 4.
        Returns: output (B, 3, H, W) in [0, 1], not composited.
        Raises: DataError if a shape is wrong.
        """
        check_inputs(image, mask, multiple_of=4)
        features = self.image_encoder(mask_out(image, mask, fill=1.0), mask)  # (B, 4w, H/4, W/4)
        return self.upsampling(self.blocks(features))  # (B, 3, H, W)


@torch.no_grad()
def initialise_rn(module: nn.Module, *, bias_std: float = 1.0) -> None:
    """Initialise like the original: small weights, and biases that are *not* small.

    Convolution weights are Kaiming-normal (fan-in) times 0.1. Biases are normal with mean 1e-4 and standard deviation
    1: the original means a deviation of 1e-4 but hands it over as the mean. Kept, since the published numbers have it.
    The last layer's biases saturate colours, and take a rate of 0.002 some hundred steps to unlearn: `bias_std` is for
    trainings as short as that.
    The vectors of RN-B are zero. Applies to RN's discriminator as well, which has no biases.
    """
    for path, layer in module.named_modules():
        with own_generator(path):
            for name, parameter in layer.named_parameters(recurse=False):
                if isinstance(layer, BasicRegionNorm):
                    nn.init.zeros_(parameter)
                elif name == "bias":
                    nn.init.normal_(parameter, mean=1e-4, std=bias_std)
                else:
                    nn.init.kaiming_normal_(parameter).mul_(0.1)


def build_rn(*, width: int = 64, blocks: int = 8, bias_std: float = 1.0) -> RN:
    """Compose an RN generator, initialised like the original; the defaults give its 11,596,591 parameters."""
    norm = partial(LearnedRegionNorm, statistics="batch")
    generator = RN(
        image_encoder=ImageEncoder(width=width, statistics="batch"),
        blocks=nn.Sequential(*(NormResidualBlock(4 * width, norm) for _ in range(blocks))),
        upsampling=UpsamplingDecoder(width=width, statistics="batch"),
    )
    initialise_rn(generator, bias_std=bias_std)
    return generator
