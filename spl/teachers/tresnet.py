"""The teacher of the paper: the first half of a TResNet trained for multi-label classification, then frozen."""

from collections.abc import Sequence
from typing import Self

from timm.models.tresnet import TResNet
from torch import Tensor, nn

from spl.common.errors import DataError
from spl.teachers.frozen import FrozenTeacher

TRUNK = 4
"""Stages kept of a TResNet's body: space-to-depth, conv1, layer1, layer2."""


def build_classifier(*, layers: Sequence[int], width_factor: float, num_classes: int) -> TResNet:
    """Build the whole network, for training the teacher on a multi-label task; forward gives logits (B, num_classes).

    TResNet-L is `layers=[4, 5, 18, 3], width_factor=1.2`. Input: RGB in [0, 1], no mean and standard deviation.
    """
    return TResNet(layers=list(layers), width_factor=width_factor, num_classes=num_classes)


class TResNetTeacher(FrozenTeacher):
    """Frozen TResNet up to layer2.

    Args:
        trunk: the first four stages of a TResNet's body.
    """

    def __init__(self, trunk: nn.Sequential) -> None:
        super().__init__()
        self.trunk = trunk
        self.channels = trunk.get_parameter("layer2.0.conv2.bn.weight").numel()  # 152 for TResNet-L
        self.freeze()

    @classmethod
    def build(cls, *, layers: Sequence[int], width_factor: float) -> Self:
        """Build a teacher with fresh weights; `layers` are the block counts of layer1 and layer2."""
        shallow = TResNet(layers=[*layers, 1, 1], width_factor=width_factor, num_classes=0)
        return cls(shallow.body[:TRUNK])

    @classmethod
    def from_classifier(cls, classifier: TResNet) -> Self:
        """Take the trunk of a trained classifier; the weights are shared, not copied."""
        return cls(classifier.body[:TRUNK])

    def features(self, image: Tensor) -> Tensor:
        """Shapes: image (B, 3, H, W), RGB in [0, 1], H and W multiples of 8; returns (B, d, H/8, W/8), all >= 0.

        Raises: DataError if a size is not a multiple of 8.
        """
        return self.stages(image)[-1]

    def stages(self, image: Tensor) -> list[Tensor]:
        """Return the maps after the first convolution (H/4), layer1 (H/4) and layer2 (H/8); gradients reach the image.

        Raises: DataError if a size is not a multiple of 8.
        """
        if image.shape[2] % 8 or image.shape[3] % 8:
            raise DataError(f"The teacher expects sizes that are multiples of 8, got {tuple(image.shape[2:])}.")
        maps, x = [], self.trunk[0](image)  # space to depth
        for stage in self.trunk[1:]:
            x = stage(x)
            maps.append(x)
        return maps
