"""The shape of `params.yaml`: every scientific value, as small frozen objects.

Scientific values have no defaults here, so `params.yaml` is the complete record of an experiment. `spl.params`
reads the file; past that door travel the objects below and those of `spl.recipes`, never a dict.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from spl.recipes import Decay, Method, NetworkMethod, check_decay
from spl.strict import Name, Positive, Rate, Strict, Weight

# Data --------------------------------------------------------------------------------------------


class MiniatureImages(Strict):
    """Pictures of the embedded miniature world, drawn from the seed in the layout of the real archive."""

    kind: Literal["miniature"]
    scene: Literal["places2", "celeba", "paris"]
    train: Positive
    test: Positive


class Supplied(Strict):
    """Files that a person puts into a folder of their own; the workflow only reads them."""

    kind: Literal["supplied"]
    path: str


def _check_glob(glob: str) -> str:
    if not glob or glob.startswith("/"):
        raise ValueError(f"expected a pattern relative to the source's folder, such as **/*.jpg, got {glob!r}")
    return glob


class ArchiveLayout(Strict):
    """Folder layout of one of the paper's archives; the split comes with it."""

    kind: Literal["places365", "celeba", "paris"]


class FolderLayout(Strict):
    """Any folder of images: a glob, and a split drawn from the seed."""

    kind: Literal["folder"]
    glob: str
    test_fraction: Annotated[float, Field(gt=0, lt=1)]

    @field_validator("glob")
    @classmethod
    def _relative_glob(cls, glob: str) -> str:
        return _check_glob(glob)


SCENE_LAYOUT = {"places2": "places365", "celeba": "celeba", "paris": "paris"}


class Dataset(Strict):
    """One image set: where it comes from, how it is laid out and prepared."""

    source: Annotated[MiniatureImages | Supplied, Field(discriminator="kind")]
    layout: Annotated[ArchiveLayout | FolderLayout, Field(discriminator="kind")]
    crop: Positive | None = Field(description="Side of the centre crop in pixels, before resizing; null for none.")
    image_size: Annotated[int, Field(ge=32, multiple_of=8, description="Side of the square network input in pixels.")]

    @model_validator(mode="after")
    def _layout_matches_scene(self) -> "Dataset":
        if isinstance(self.source, MiniatureImages) and self.layout.kind != SCENE_LAYOUT[self.source.scene]:
            raise ValueError(
                f"the miniature scene {self.source.scene!r} is drawn in the layout "
                f"{SCENE_LAYOUT[self.source.scene]!r}, not {self.layout.kind!r}"
            )
        return self


class MiniatureMasks(Strict):
    """Irregular masks drawn from the seed, equally many in each of the six ratio bins."""

    kind: Literal["miniature"]
    per_bin: Annotated[int, Field(gt=0, multiple_of=2, description="Half of them touch the border.")]


class Masks(Strict):
    """The irregular masks, used for training and evaluation as in the paper."""

    source: Annotated[MiniatureMasks | Supplied, Field(discriminator="kind")]
    glob: str
    hole: Literal["white", "black"] = Field(description="Declared polarity: the colour of missing pixels.")

    @field_validator("glob")
    @classmethod
    def _relative_glob(cls, glob: str) -> str:
        return _check_glob(glob)

    @model_validator(mode="after")
    def _drawn_masks_are_white(self) -> "Masks":
        if isinstance(self.source, MiniatureMasks) and self.hole != "white":
            raise ValueError("the miniature masks are drawn with white holes, so hole must be white")
        return self


# Teacher -----------------------------------------------------------------------------------------


class MiniaturePretext(Strict):
    """Labelled pictures over the miniature world's objects; they never coincide with an inpainting set."""

    kind: Literal["miniature"]
    train: Positive
    val: Positive


class AsymmetricLossSettings(Strict):
    """Asymmetric loss for multi-label classification (Ben-Baruch et al. 2020, Eq. 7)."""

    gamma_negative: Weight
    gamma_positive: Weight
    clip: Annotated[float, Field(ge=0, lt=1)]


class TeacherTraining(Strict):
    """How the pretext network is trained."""

    batch_size: Positive
    epochs: Positive
    lr: Rate
    decay: Decay

    @field_validator("decay")
    @classmethod
    def _decay_within_epochs(cls, decay: Any, info: ValidationInfo) -> Any:
        check_decay(decay, info.data.get("epochs"))
        return decay


class TrainedTeacher(Strict):
    """A TResNet trained here on the pretext set, then cut after its second stage and frozen."""

    kind: Literal["trained"]
    source: MiniaturePretext
    image_size: Annotated[int, Field(ge=32, multiple_of=8)]
    layers: tuple[Positive, Positive, Positive, Positive] = Field(description="Blocks in each of the four stages.")
    width: Annotated[float, Field(gt=0, description="Width factor of TResNet; 1.2 is TResNet-L.")]
    loss: AsymmetricLossSettings
    training: TeacherTraining


class ReleasedTeacher(Strict):
    """TResNet-L trained on Open Images with the asymmetric loss, released by its authors."""

    kind: Literal["released"]
    path: str


Teacher = Annotated[TrainedTeacher | ReleasedTeacher, Field(discriminator="kind")]


# Perceptual losses and structure ---------------------------------------------------------------


class TeacherPerception(Strict):
    """Perceptual and style losses compare features of the frozen pretext network: what is at hand offline."""

    kind: Literal["teacher"]


class VGGPerception(Strict):
    """Perceptual and style losses compare features of torchvision's ImageNet VGGs, as the papers do."""

    kind: Literal["vgg"]
    folder: str = Field(description="Folder with vgg16-397923af.pth and vgg19-dcbb9e9d.pth.")


Perception = Annotated[TeacherPerception | VGGPerception, Field(discriminator="kind")]


class Smoothing(Strict):
    """Relative total variation (Xu et al. 2012), for the structure pictures that MFE learns from."""

    strength: Annotated[float, Field(gt=0, description="Lambda of the paper.")]
    scale: Annotated[float, Field(gt=0, description="Sigma of the paper: the size of texture, in pixels.")]
    sharpness: Annotated[float, Field(gt=0, description="Epsilon_s of the paper.")]
    iterations: Positive


# Evaluation and figures --------------------------------------------------------------------------


class Bootstrap(Strict):
    """Percentile bootstrap over images."""

    samples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]


class Evaluation(Strict):
    """Which mask meets which test image, and how results are summarised."""

    pairs: Literal["uniform", "balanced"] = Field(
        description="uniform: masks drawn from the whole set (paper section 4.3); balanced: equally from every bin."
    )
    batch_size: Positive = Field(description="RN's statistics pool over this batch, so it is part of the protocol.")
    bootstrap: Bootstrap


class Figures(Strict):
    """What the pictures show."""

    examples: Positive = Field(description="Rows per dataset in the example grid, spread over the hole ratios.")


class Params(Strict):
    """The whole experiment."""

    seed: Annotated[int, Field(ge=0)]
    datasets: dict[Name, Dataset] = Field(min_length=1)
    masks: Masks
    teacher: Teacher
    perception: Perception
    structure: Smoothing
    methods: dict[Name, Method] = Field(min_length=1)
    evaluation: Evaluation
    figures: Figures

    @model_validator(mode="after")
    def _networks_take_the_image_sizes(self) -> "Params":
        faults = [
            f"methods.{name} takes image sizes that are multiples of {method.multiple_of(dataset.image_size)}, "
            f"but datasets.{key}.image_size is {dataset.image_size}"
            for name, method in self.methods.items()
            if isinstance(method, NetworkMethod)
            for key, dataset in self.datasets.items()
            if dataset.image_size % method.multiple_of(dataset.image_size)
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def network_methods(self) -> list[str]:
        """Names of the methods that have weights."""
        return [name for name, method in self.methods.items() if isinstance(method, NetworkMethod)]
