"""The shape of `params.yaml`: every scientific value, as small frozen objects.

Scientific values have no defaults here, so `params.yaml` is the complete record of an experiment. `spl.params`
reads the file; past that door travel the objects below, never a dict.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, lt=1, description="Learning rate; write 0.0001 or 1.0e-4, never 1e-4.")]
Weight = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Strict(BaseModel):
    """Base of every settings object: unknown keys are errors, values cannot change, types are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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


# Training ----------------------------------------------------------------------------------------


class ConstantDecay(Strict):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


class StepDecay(Strict):
    """Multiply the learning rate by `factor` once `after_epoch` epochs are done (paper section 4.1)."""

    kind: Literal["step"]
    after_epoch: Positive
    factor: Annotated[float, Field(gt=0, lt=1)]


class ExponentialDecay(Strict):
    """RN's rule: epochs 1 and 2 at the base rate, then times `factor` for every further epoch."""

    kind: Literal["exponential"]
    factor: Annotated[float, Field(gt=0, lt=1)]


class LinearDecay(Strict):
    """Constant up to the fraction `start` of all steps, then linearly down to zero."""

    kind: Literal["linear"]
    start: Annotated[float, Field(ge=0, lt=1)]


Decay = Annotated[ConstantDecay | StepDecay | ExponentialDecay | LinearDecay, Field(discriminator="kind")]


def _check_decay(decay: Any, epochs: int | None) -> None:
    if isinstance(decay, StepDecay) and epochs is not None and decay.after_epoch >= epochs:
        raise ValueError(f"decays after epoch {decay.after_epoch}, but training ends after epoch {epochs}")


class TrainingOverride(Strict):
    """Single values that differ for one dataset; absent values keep the method's."""

    batch_size: Positive | None = None
    epochs: Positive | None = None
    lr: Rate | None = None
    lr_discriminator: Rate | None = None
    decay: Decay | None = None


class Training(Strict):
    """How one method is trained, with overrides per dataset."""

    batch_size: Positive = Field(description="Images per optimiser step, summed over all GPUs.")
    epochs: Positive
    lr: Rate
    lr_discriminator: Rate
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    decay: Decay
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        description="Decay of the exponential moving average that is evaluated; null evaluates the last weights."
    )
    flip: bool = Field(description="Flip image and mask together, half of the time.")
    precision: Literal["fp32", "bf16"]
    per_dataset: dict[Name, TrainingOverride]

    @field_validator("decay")
    @classmethod
    def _decay_within_epochs(cls, decay: Any, info: ValidationInfo) -> Any:
        _check_decay(decay, info.data.get("epochs"))
        return decay

    @field_validator("per_dataset")
    @classmethod
    def _decay_within_overridden_epochs(cls, overrides: Mapping[str, Any], info: ValidationInfo) -> Any:
        for dataset, override in overrides.items():
            try:
                _check_decay(override.decay or info.data.get("decay"), override.epochs or info.data.get("epochs"))
            except ValueError as error:
                raise ValueError(f"{dataset}: {error}") from None
        return overrides

    def resolve(self, dataset: str) -> Self:
        """Return the recipe for one dataset: overrides applied, none left."""
        override = self.per_dataset.get(dataset)
        changes = {} if override is None else {name: value for name, value in override if value is not None}
        return self.model_copy(update={**changes, "per_dataset": {}})


class SPLTrainingOverride(TrainingOverride):
    """Overrides of SPL's recipe."""

    prior_epochs: Positive | None = None


class SPLTraining(Training):
    """SPL's recipe: the released code drops the prior loss late in training on Paris."""

    prior_epochs: Positive | None = Field(description="Epochs with the prior loss; null for all of them.")
    per_dataset: dict[Name, SPLTrainingOverride]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)

    @field_validator("prior_epochs")
    @classmethod
    def _prior_within_epochs(cls, prior_epochs: int | None, info: ValidationInfo) -> Any:
        epochs = info.data.get("epochs")
        if prior_epochs is not None and epochs is not None and prior_epochs > epochs:
            raise ValueError(f"keeps the prior loss for {prior_epochs} epochs, but training ends after epoch {epochs}")
        return prior_epochs


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
        _check_decay(decay, info.data.get("epochs"))
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


# Methods -----------------------------------------------------------------------------------------


class DiffusionFill(Strict):
    """OpenCV's classical fills (Telea 2004; Bertalmio et al. 2001)."""

    recipe: Literal["telea", "navier_stokes"]
    radius: Positive = Field(description="Neighbourhood of a filled pixel, in pixels.")


class BiharmonicFill(Strict):
    """scikit-image's biharmonic fill (Damelin and Hoang 2018)."""

    recipe: Literal["biharmonic"]


class SPLModel(Strict):
    """Sizes and variants of the SPL network (paper sections 3.2 and 3.3)."""

    semantic_learner: Literal["residual", "dense"] = Field(description="residual: the paper; dense: the released code.")
    semantic_blocks: Positive = Field(description="Residual blocks (paper: 5) or dense blocks (released: 16).")
    spade: Literal["gamma", "one_plus_gamma"] = Field(description="Eq. 7 as printed, or as in the released code.")
    spade_blocks: Positive
    width: Positive = Field(description="Channels of the first layer; 64 in the paper.")


class SPLLossWeights(Strict):
    """Eqs. 5, 9, 11 and 12."""

    lambda_img: Weight
    lambda_adv: Weight
    lambda_prior: Weight
    alpha: Weight = Field(description="Extra weight of the hole in the prior loss (Eq. 5).")
    delta: Weight = Field(description="Extra weight of the hole in the image loss (Eq. 9).")
    discriminator: Literal["sum", "mean"] = Field(description="Sum (Eq. 11) or mean (released code) of the two terms.")


class SPLRecipe(Strict):
    """SPL and its variants."""

    recipe: Literal["spl"]
    model: SPLModel
    losses: SPLLossWeights
    training: SPLTraining


class RNModel(Strict):
    """Sizes of the region normalisation network (Yu et al. 2020)."""

    blocks: Positive
    width: Positive = Field(description="Channels of the first layer; 64 in the paper.")


class RNLossWeights(Strict):
    """Weights of RN's generator loss."""

    lambda_img: Weight
    lambda_adv: Weight


class RNRecipe(Strict):
    """Region normalisation (Yu et al. 2020)."""

    recipe: Literal["rn"]
    model: RNModel
    losses: RNLossWeights
    training: Training


TrainedRecipe = SPLRecipe | RNRecipe
Method = Annotated[DiffusionFill | BiharmonicFill | SPLRecipe | RNRecipe, Field(discriminator="recipe")]


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
    methods: dict[Name, Method] = Field(min_length=1)
    evaluation: Evaluation
    figures: Figures

    @property
    def trained_methods(self) -> list[str]:
        """Names of the methods that have weights."""
        return [name for name, method in self.methods.items() if isinstance(method, TrainedRecipe)]
