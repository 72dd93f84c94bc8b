"""The teacher of the paper: the first half of a TResNet trained for multi-label classification, then frozen.

T. Ridnik et al., "TResNet: High Performance GPU-Dedicated Architecture", WACV 2021. The layers are called, and fresh
weights are drawn, as in timm, which takes seconds to import.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.common.errors import DataError
from spl.teachers.frozen import FrozenTeacher

TRUNK = 4
"""Stages kept of a TResNet's body: space-to-depth, conv1, layer1, layer2."""

SLOPE = 1e-3
"""Of the leaky rectifiers inside the blocks."""


class ConvNorm(nn.Module):
    """Convolution without a bias, batch norm, a leaky rectifier if it has a slope, and perhaps a blur that halves."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, slope: float | None, halved: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.aa = Blur() if halved else nn.Identity()
        self._slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, in_channels, H, W); returns (B, out_channels, H, W), or half as high and wide."""
        x = self.bn(self.conv(x))
        return self.aa(x if self._slope is None else F.leaky_relu(x, self._slope, inplace=True))


class Blur(nn.Module):
    """Halve maps after a blur by binomial weights, borders reflected."""

    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([0.25, 0.5, 0.25], device="cpu")
        self.register_buffer("weights", row[:, None] * row, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns (B, C, H/2, W/2)."""
        weights = self.weights.expand(x.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(x, [1] * 4, mode="reflect"), weights, stride=2, groups=x.shape[1])


class Excitation(nn.Module):
    """Weigh every channel by what the means of all say (squeeze and excitation, Hu et al. 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns the same."""
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)), inplace=True)))


class SpaceToDepth(nn.Module):
    """Turn squares of 4 x 4 pixels into channels, those of a pixel beside each other."""

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W), H and W multiples of 4; returns (B, 16 C, H/4, W/4)."""
        return x.unflatten(3, (-1, 4)).unflatten(2, (-1, 4)).permute(0, 3, 5, 1, 2, 4).flatten(1, 3)


class Block(nn.Module):
    """Residual block: of two convolutions, or where it is `deep` of three, with four times the channels at its end."""

    def __init__(self, in_channels: int, channels: int, *, deep: bool, halved: bool, excited: bool = True) -> None:
        super().__init__()
        out_channels = 4 * channels if deep else channels
        shortcut: list[nn.Module] = [nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)] * halved
        if halved or in_channels != out_channels:
            shortcut.append(ConvNorm(in_channels, out_channels, 1, slope=None))
        self.downsample = nn.Sequential(*shortcut)
        if deep:
            self.conv1 = ConvNorm(in_channels, channels, 1, slope=SLOPE)
            self.conv2 = ConvNorm(channels, channels, 3, slope=SLOPE, halved=halved)
            self.se = Excitation(channels, max(out_channels // 8, 64)) if excited else nn.Identity()
            self.conv3 = ConvNorm(channels, out_channels, 1, slope=None)
        else:
            self.conv1 = ConvNorm(in_channels, channels, 3, slope=SLOPE, halved=halved)
            self.conv2 = ConvNorm(channels, channels, 3, slope=None)
            self.se = Excitation(channels, max(channels // 4, 64))
            self.conv3 = nn.Identity()
        nn.init.zeros_(self.get_parameter(f"conv{3 if deep else 2}.bn.weight"))  # the block begins as its shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, in_channels, H, W); returns (B, out_channels, H, W), or half as high and wide."""
        shortcut = self.downsample(x)  # first, as in timm: gradients are added up in the order of these lines
        return F.relu(self.conv3(self.se(self.conv2(self.conv1(x)))) + shortcut, inplace=True)


class TResNet(nn.Module):
    """The whole network, for training the teacher on a multi-label task.

    TResNet-L is `layers=[4, 5, 18, 3], width_factor=1.2`.

    Args:
        layers: number of blocks of each of the four layers; the last two have deep ones.
        width_factor: times the published 64 channels of the first layer.
        num_classes: of the logits; with 0 there is only the body.
    """

    def __init__(self, layers: Sequence[int], *, width_factor: float, num_classes: int) -> None:
        super().__init__()
        channels = width = int(64 * width_factor)
        self.body = nn.Sequential()
        self.body.add_module("s2d", SpaceToDepth())
        self.body.add_module("conv1", ConvNorm(3 * 16, width, 3, slope=0.01))
        for i, count in enumerate(layers):
            layer, inner, deep = nn.Sequential(), width * 2**i, i >= 2
            for j in range(count):
                layer.append(Block(channels, inner, deep=deep, halved=i > 0 and j == 0, excited=i < 3))
                channels = 4 * inner if deep else inner
            self.body.add_module(f"layer{i + 1}", layer)
        self.head = nn.ModuleDict({"fc": nn.Linear(channels, num_classes)} if num_classes else {})
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="leaky_relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, image: Tensor) -> Tensor:
        """Shapes: image (B, 3, H, W) in [0, 1], no mean and standard deviation; returns logits (B, num_classes)."""
        return self.head["fc"](self.body(image).mean((2, 3)))


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
        shallow = TResNet([*layers, 1, 1], width_factor=width_factor, num_classes=0)
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
