"""The detector that replaces the paper's teacher in an ablation: YOLOv5 as published with releases 6 and 7."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.common.errors import DataError
from spl.detection.anchors import fit_anchors
from spl.detection.boxes import Detections, decode, suppress
from spl.teachers.frozen import FrozenTeacher

STRIDES = (8, 16, 32)
ANCHORS = 3  # of each stride

COCO_ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Width and height of the published anchors at strides 8, 16 and 32, in pixels of an image of side `COCO_SIDE`."""

COCO_SIDE = 640

COCO_SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
"""Depth and width multiples of the released networks."""

EXPECTED_OBJECTS = 8
"""Objects in an image that a fresh network expects each scale to find."""

# Layers -------------------------------------------------------------------------------------------


class Conv(nn.Sequential):
    """Convolution without a bias, batch norm, SiLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, padding: int | None = None
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03)
        self.activation = nn.SiLU()


class Bottleneck(nn.Module):
    """A 1x1 and a 3x3 convolution of equal widths, with a shortcut in the backbone and without in the neck."""

    def __init__(self, channels: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels, 1)
        self.conv2 = Conv(channels, channels, 3)
        self._shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x and the result (B, C, H, W)."""
        y = self.conv2(self.conv1(x))
        return x + y if self._shortcut else y


class CrossStage(nn.Module):
    """Cross-stage partial block with three convolutions (C3): half of the channels pass the bottlenecks."""

    def __init__(self, in_channels: int, out_channels: int, *, blocks: int, shortcut: bool = True) -> None:
        super().__init__()
        half = out_channels // 2
        self.branch = Conv(in_channels, half, 1)
        self.bypass = Conv(in_channels, half, 1)
        self.merge = Conv(2 * half, out_channels, 1)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut=shortcut) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, in, H, W); returns (B, out, H, W)."""
        return self.merge(torch.cat([self.blocks(self.branch(x)), self.bypass(x)], 1))


class SpatialPyramid(nn.Module):
    """Spatial pyramid pooling, fast form (SPPF): three poolings in a row see 5x5, 9x9 and 13x13 cells."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = Conv(channels, channels // 2, 1)
        self.gather = Conv(channels // 2 * 4, channels, 1)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x and the result (B, C, H, W)."""
        maps = [self.squeeze(x)]
        for _ in range(3):
            maps.append(self.pool(maps[-1]))
        return self.gather(torch.cat(maps, 1))


# Parts --------------------------------------------------------------------------------------------

Pyramid = tuple[Tensor, Tensor, Tensor]
"""Maps at strides 8, 16 and 32."""


class Backbone(nn.Module):
    """From the image to maps at strides 8, 16 and 32.

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32.
        blocks: bottlenecks at strides 4, 8, 16 and 32.
    """

    def __init__(self, *, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        w2, w4, w8, w16, w32 = widths
        self.stem = Conv(3, w2, 6, stride=2, padding=2)
        self.down4, self.stage4 = Conv(w2, w4, 3, stride=2), CrossStage(w4, w4, blocks=blocks[0])
        self.down8, self.stage8 = Conv(w4, w8, 3, stride=2), CrossStage(w8, w8, blocks=blocks[1])
        self.down16, self.stage16 = Conv(w8, w16, 3, stride=2), CrossStage(w16, w16, blocks=blocks[2])
        self.down32, self.stage32 = Conv(w16, w32, 3, stride=2), CrossStage(w32, w32, blocks=blocks[3])
        self.pyramid = SpatialPyramid(w32)

    def forward(self, image: Tensor) -> Pyramid:
        """Shapes: image (B, 3, H, W) in [0, 1]; H and W multiples of 32."""
        x = self.stage4(self.down4(self.stem(image)))  # (B, w4, H/4, W/4)
        at8 = self.stage8(self.down8(x))  # (B, w8, H/8, W/8)
        at16 = self.stage16(self.down16(at8))  # (B, w16, H/16, W/16)
        at32 = self.pyramid(self.stage32(self.down32(at16)))  # (B, w32, H/32, W/32)
        return at8, at16, at32


class Neck(nn.Module):
    """Path aggregation (PANet): coarse maps inform the finer ones, then these inform the coarse ones again.

    Args:
        widths: channels at strides 8, 16 and 32.
        blocks: bottlenecks of each stage.
    """

    def __init__(self, *, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        w8, w16, w32 = widths
        self.narrow32 = Conv(w32, w16, 1)
        self.descend16 = CrossStage(2 * w16, w16, blocks=blocks, shortcut=False)
        self.narrow16 = Conv(w16, w8, 1)
        self.descend8 = CrossStage(2 * w8, w8, blocks=blocks, shortcut=False)
        self.down8 = Conv(w8, w8, 3, stride=2)
        self.ascend16 = CrossStage(2 * w8, w16, blocks=blocks, shortcut=False)
        self.down16 = Conv(w16, w16, 3, stride=2)
        self.ascend32 = CrossStage(2 * w16, w32, blocks=blocks, shortcut=False)

    def top_down(self, maps: Pyramid) -> Pyramid:
        """Return the finished map at stride 8, and the narrowed ones at strides 16 and 32 for the way back."""
        at8, at16, at32 = maps
        narrow32 = self.narrow32(at32)
        narrow16 = self.narrow16(self.descend16(torch.cat([_double(narrow32), at16], 1)))
        return self.descend8(torch.cat([_double(narrow16), at8], 1)), narrow16, narrow32

    def forward(self, maps: Pyramid) -> Pyramid:
        """Shapes: maps and the result (B, w8, H/8, W/8), (B, w16, H/16, W/16), (B, w32, H/32, W/32)."""
        at8, narrow16, narrow32 = self.top_down(maps)
        at16 = self.ascend16(torch.cat([self.down8(at8), narrow16], 1))
        return at8, at16, self.ascend32(torch.cat([self.down16(at16), narrow32], 1))


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Head(nn.Module):
    """One 1x1 convolution per scale that predicts, for every cell and anchor, a box, its objectness and its class.

    Args:
        widths: channels at strides 8, 16 and 32.
        num_classes: number of classes.
        side: the images' side in pixels, to which the published anchors are scaled.
    """

    anchors: Tensor

    def __init__(self, *, widths: Sequence[int], num_classes: int, side: int) -> None:
        super().__init__()
        cells = torch.tensor([side / stride for stride in STRIDES]).view(3, 1, 1)
        self.register_buffer("anchors", torch.tensor(COCO_ANCHORS) / COCO_SIDE * cells)
        self.num_classes = num_classes
        self.convs = nn.ModuleList(nn.Conv2d(width, ANCHORS * (5 + num_classes), 1) for width in widths)
        for conv, stride in zip(self.convs, STRIDES, strict=True):
            self._start_from_frequencies(conv, cells=(side / stride) ** 2)

    @torch.no_grad()
    def _start_from_frequencies(self, conv: nn.Module, *, cells: float) -> None:
        """Start with objects as rare as they are in images, and with all classes equally likely."""
        bias = conv.get_parameter("bias").view(ANCHORS, 5 + self.num_classes)
        bias[:, 4] += math.log(EXPECTED_OBJECTS / cells)
        bias[:, 5:] += math.log(0.6 / (self.num_classes - 0.99999))

    def forward(self, maps: Pyramid) -> list[Tensor]:
        """Shapes: returns per scale (B, 3, H/s, W/s, 5 + L), raw: x, y, width, height, objectness, classes."""
        predictions = []
        for conv, x in zip(self.convs, maps, strict=True):
            batch, _, height, width = x.shape
            raw = conv(x).view(batch, ANCHORS, 5 + self.num_classes, height, width)
            predictions.append(raw.permute(0, 1, 3, 4, 2))
        return predictions


# Network ------------------------------------------------------------------------------------------


class YOLOv5(nn.Module):
    """YOLOv5: a backbone, a neck and a head on three scales. It sees RGB in [0, 1], no mean and standard deviation."""

    def __init__(self, *, backbone: Backbone, neck: Neck, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.channels = head.convs[0].get_parameter("weight").shape[1]  # of the stride-8 map that enters the head

    @property
    def anchors(self) -> Tensor:
        """Width and height of the anchors in cells, (3 scales, 3, 2)."""
        return self.head.anchors

    def refit_anchors(self, sizes: Tensor) -> None:
        """Replace the anchors by those that suit the training images' boxes: small ones for the fine scales.

        Shapes: sizes (N, 2), width and height in pixels.
        """
        fitted = fit_anchors(sizes, count=len(STRIDES) * ANCHORS).view(len(STRIDES), ANCHORS, 2)
        self.anchors.copy_(fitted / torch.tensor(STRIDES).view(-1, 1, 1))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Shapes: image (B, 3, H, W) in [0, 1]; returns raw predictions per scale, (B, 3, H/s, W/s, 5 + L).

        Raises: DataError if a size is not a multiple of 32.
        """
        _check_size(image)
        return self.head(self.neck(self.backbone(image)))

    def fine_map(self, image: Tensor) -> Tensor:
        """Return the stride-8 map right before the head, (B, d, H/8, W/8).

        Raises: DataError if a size is not a multiple of 32.
        """
        _check_size(image)
        return self.neck.top_down(self.backbone(image))[0]

    @torch.no_grad()
    def detect(self, image: Tensor, *, min_score: float) -> list[Detections]:
        """Find objects; the network has to be in evaluation mode. Score = objectness times the class's probability.

        Shapes: image (B, 3, H, W) in [0, 1]; returns one entry per image, with boxes in pixels of `image`.
        Raises: DataError if a size is not a multiple of 32.
        """
        height, width = image.shape[2:]
        scales = zip(self(image), self.anchors, STRIDES, strict=True)
        decoded = [decode(raw, anchors=anchors, stride=stride) for raw, anchors, stride in scales]
        boxes, scores = (torch.cat(parts, 1) for parts in zip(*decoded, strict=True))
        return [
            suppress(b, s, min_score=min_score).clipped(height=height, width=width)
            for b, s in zip(boxes, scores, strict=True)
        ]


def _check_size(image: Tensor) -> None:
    if image.shape[2] % STRIDES[-1] or image.shape[3] % STRIDES[-1]:
        raise DataError(f"YOLOv5 expects sizes that are multiples of {STRIDES[-1]}, got {tuple(image.shape[2:])}.")


def build_yolov5(*, depth: float, width: float, num_classes: int, side: int) -> YOLOv5:
    """Build YOLOv5 with fresh weights; `depth=0.33, width=0.5` is YOLOv5s.

    Args:
        depth: times the published number of blocks of YOLOv5l, at least one block.
        width: times the published channels of YOLOv5l, rounded up to multiples of 8.
        num_classes: number of classes.
        side: of the images that the network is trained on, in pixels; the published anchors are scaled to it.
    """
    widths = [math.ceil(channels * width / 8) * 8 for channels in (64, 128, 256, 512, 1024)]
    blocks = [max(round(count * depth), 1) for count in (3, 6, 9, 3)]
    return YOLOv5(
        backbone=Backbone(widths=widths, blocks=blocks),
        neck=Neck(widths=widths[2:], blocks=blocks[0]),
        head=Head(widths=widths[2:], num_classes=num_classes, side=side),
    )


class YOLOv5Teacher(FrozenTeacher):
    """Frozen YOLOv5.

    Its features are the map at stride 8 right before the head, as the paper's first author has described.
    """

    def __init__(self, detector: YOLOv5) -> None:
        super().__init__()
        self.detector = detector
        self.channels = detector.channels  # 256 for YOLOv5l
        self.freeze()

    def features(self, image: Tensor) -> Tensor:
        """Shapes: image (B, 3, H, W), RGB in [0, 1], H and W multiples of 32; returns (B, d, H/8, W/8).

        Raises: DataError if a size is not a multiple of 32.
        """
        return self.detector.fine_map(image)

    def detect(self, image: Tensor, *, min_score: float) -> list[Detections]:
        """Find objects; boxes are in pixels of `image` (B, 3, H, W)."""
        return self.detector.detect(image, min_score=min_score)


def coco_classes() -> list[str]:
    """Return the names of the released networks' 80 classes, in their order."""
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights

    listed = FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1.meta["categories"]
    return [name for name in listed if name not in ("__background__", "N/A")]
