"""The methods of `params.yaml`: classical fills, and networks with their losses and training."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from spl.config.base import Name, Positive, Rate, Strict, Weight

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


def check_decay(decay: Any, epochs: int | None) -> None:
    """Raise ValueError if a decay would never happen."""
    if isinstance(decay, StepDecay) and epochs is not None and decay.after_epoch >= epochs:
        raise ValueError(f"decays after epoch {decay.after_epoch}, but training ends after epoch {epochs}")


class TrainingOverride(Strict):
    """Single values that differ for one dataset; absent values keep the method's."""

    batch_size: Positive | None = None
    epochs: Positive | None = None
    lr: Rate | None = None
    decay: Decay | None = None


class Training(Strict):
    """How one method is trained, with overrides per dataset."""

    batch_size: Positive = Field(description="Images per optimiser step, summed over all GPUs.")
    epochs: Positive
    lr: Rate
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
        check_decay(decay, info.data.get("epochs"))
        return decay

    @field_validator("per_dataset")
    @classmethod
    def _decay_within_overridden_epochs(cls, overrides: Mapping[str, Any], info: ValidationInfo) -> Any:
        for dataset, override in overrides.items():
            try:
                check_decay(override.decay or info.data.get("decay"), override.epochs or info.data.get("epochs"))
            except ValueError as error:
                raise ValueError(f"{dataset}: {error}") from None
        return overrides

    def resolve(self, dataset: str) -> Self:
        """Return the recipe for one dataset: overrides applied, none left."""
        override = self.per_dataset.get(dataset)
        changes = {} if override is None else {name: value for name, value in override if value is not None}
        return self.model_copy(update={**changes, "per_dataset": {}})

    def cases(self) -> list[tuple[str, Self]]:
        """Return the recipe as it is and for every override, each with the start of a message."""
        return [("", self), *((f"per_dataset.{dataset}: ", self.resolve(dataset)) for dataset in self.per_dataset)]


class AdversarialOverride(TrainingOverride):
    """Overrides of a recipe with discriminators."""

    lr_discriminator: Rate | None = None


class AdversarialTraining(Training):
    """A recipe with discriminators."""

    lr_discriminator: Rate
    per_dataset: dict[Name, AdversarialOverride]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)


class SPLTrainingOverride(AdversarialOverride):
    """Overrides of SPL's recipe."""

    prior_epochs: Positive | None = None


class SPLTraining(AdversarialTraining):
    """SPL's recipe: the released code drops the prior loss late in training on Paris."""

    prior_epochs: Positive | None = Field(description="Epochs with the prior loss; null for all of them.")
    per_dataset: dict[Name, SPLTrainingOverride]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)

    @model_validator(mode="after")
    def _prior_within_epochs(self) -> Self:
        for where, training in self.cases():
            if training.prior_epochs is not None and training.prior_epochs > training.epochs:
                raise ValueError(
                    f"{where}prior_epochs is {training.prior_epochs}, but training ends after epoch {training.epochs}"
                )
        return self


class RFRTrainingOverride(TrainingOverride):
    """Overrides of RFR's recipe."""

    norm_epochs: Positive | None = None


class RFRTraining(Training):
    """RFR's recipe: no discriminator; batch norms are frozen for fine-tuning."""

    norm_epochs: Positive | None = Field(
        description="Epochs in which batch norms use and follow the batch; null for all of them."
    )
    per_dataset: dict[Name, RFRTrainingOverride]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)

    @model_validator(mode="after")
    def _norms_within_epochs(self) -> Self:
        for where, training in self.cases():
            if training.norm_epochs is not None and training.norm_epochs > training.epochs:
                raise ValueError(
                    f"{where}norm_epochs is {training.norm_epochs}, but training ends after epoch {training.epochs}"
                )
        return self


class ECTrainingOverride(AdversarialOverride):
    """Overrides of EdgeConnect's recipe."""

    edge_epochs: Positive | None = None
    canny_epochs: Annotated[int, Field(ge=0)] | None = None


class ECTraining(AdversarialTraining):
    """EdgeConnect's stages: edges first, then pictures from true edges, then pictures from predicted edges."""

    edge_epochs: Positive = Field(description="Epochs of the edge network.")
    canny_epochs: Annotated[int, Field(ge=0)] = Field(description="Epochs from true edges; the rest from predicted.")
    per_dataset: dict[Name, ECTrainingOverride]  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)

    @model_validator(mode="after")
    def _stages_within_epochs(self) -> Self:
        for where, training in self.cases():
            if training.edge_epochs + training.canny_epochs >= training.epochs:
                raise ValueError(
                    f"{where}edge_epochs and canny_epochs take {training.edge_epochs} + {training.canny_epochs} of "
                    f"{training.epochs} epochs, which leaves none for pictures from predicted edges"
                )
        return self


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
    fusion: Literal["gamma", "one_plus_gamma", "concat"] = Field(
        description="How the prior meets the image features: SPADE with Eq. 7 as printed (gamma) or as in the released "
        "code (one_plus_gamma), or concatenation (the paper's ablation)."
    )
    fusion_blocks: Positive
    width: Positive = Field(description="Channels of the first layer; 64 in the paper.")


class SPLLossWeights(Strict):
    """Eqs. 5, 9, 11 and 12."""

    lambda_img: Weight
    lambda_adv: Weight
    lambda_prior: Weight
    alpha: Weight = Field(description="Extra weight of the hole in the prior loss (Eq. 5).")
    delta: Weight = Field(description="Extra weight of the hole in the image loss (Eq. 9).")
    discriminator: Literal["sum", "mean"] = Field(description="Sum (Eq. 11) or mean (released code) of the two terms.")


class ReleasedWeights(Strict):
    """Weights that the authors of a method have released, evaluated as they are."""

    source: Literal["released"]
    path: str = Field(description="The released file, or the folder of a checkpoint of several files.")


class NetworkRecipe(Strict):
    """A method with a network, trained here except where released weights are named."""

    weights: dict[Name, ReleasedWeights] = Field(
        default_factory=dict, description="Released weights by dataset; a dataset that is not named is trained."
    )

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: image encoders halve twice."""
        return 4


class SPLNetwork(Strict):
    """The network of SPLRecipe."""

    recipe: Literal["spl"]
    model: SPLModel


class SPLRecipe(SPLNetwork, NetworkRecipe):
    """SPL and its variants."""

    teacher: Name | None = Field(description="Which of `teachers` supervises the prior; null for none (w/o S).")
    losses: SPLLossWeights
    training: SPLTraining

    @model_validator(mode="after")
    def _released_weights_fit(self) -> Self:
        if self.weights and (self.model.semantic_learner, self.model.fusion) != ("dense", "one_plus_gamma"):
            raise ValueError(
                "released weights are of the released code's network, so they need model.semantic_learner: dense and "
                "model.fusion: one_plus_gamma"
            )
        return self

    @model_validator(mode="after")
    def _prior_has_a_teacher(self) -> Self:
        if self.teacher is None and self.losses.lambda_prior > 0:
            raise ValueError("teacher is null, so nothing supervises the prior and losses.lambda_prior must be 0.0")
        return self


class RNModel(Strict):
    """Sizes of the region normalisation network (Yu et al. 2020)."""

    blocks: Positive
    width: Positive = Field(description="Channels of the first layer; 64 in the paper.")


class RNLossWeights(Strict):
    """Weights of RN's generator loss."""

    lambda_img: Weight
    lambda_adv: Weight


class RNNetwork(Strict):
    """The network of RNRecipe."""

    recipe: Literal["rn"]
    model: RNModel


class RNRecipe(RNNetwork, NetworkRecipe):
    """Region normalisation (Yu et al. 2020)."""

    losses: RNLossWeights
    training: AdversarialTraining


class RFRModel(Strict):
    """Sizes of recurrent feature reasoning (Li et al. 2020)."""

    width: Positive = Field(multiple_of=8, description="Channels of the first layer; 64 in the paper.")
    kernel: Literal[5, 7] = Field(description="Of the partial convolutions; 5 is the released smaller-hole variant.")
    rounds: Annotated[int, Field(ge=2)] = Field(description="Recurrences; 6 in the paper.")


class RFRLossWeights(Strict):
    """Weights of RFR's loss."""

    lambda_valid: Weight
    lambda_hole: Weight
    lambda_perceptual: Weight
    lambda_style: Weight
    lambda_tv: Weight


class RFRNetwork(Strict):
    """The network of RFRRecipe."""

    recipe: Literal["rfr"]
    model: RFRModel


class RFRRecipe(RFRNetwork, NetworkRecipe):
    """Recurrent feature reasoning (Li et al. 2020)."""

    losses: RFRLossWeights
    training: RFRTraining

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: the network halves four times."""
        return 16


class MFEModel(Strict):
    """Sizes and variants of the mutual encoder-decoder (Liu et al. 2020); its depth follows the image size."""

    width: Positive = Field(multiple_of=8, description="Channels of the first layer; 64 in the paper.")
    blocks: Positive = Field(description="Residual blocks at the bottom; 4 in the paper.")
    feature_mask: Literal["all_valid", "nearest"] = Field(
        description="What the partial convolutions see: everything as known (last released code), or the shrunk mask."
    )


class MFELossWeights(Strict):
    """Weights of MFE's generator loss."""

    lambda_img: Weight
    lambda_adv: Weight
    lambda_perceptual: Weight
    lambda_style: Weight
    lambda_auxiliary: Weight


class MFENetwork(Strict):
    """The network of MFERecipe."""

    recipe: Literal["mfe"]
    model: MFEModel


class MFERecipe(MFENetwork, NetworkRecipe):
    """Mutual encoder-decoder with feature equalisations (Liu et al. 2020)."""

    losses: MFELossWeights
    training: AdversarialTraining

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: the network halves as often as leaves a side of four."""
        return 4 ** ((image_size.bit_length() - 1) // 2 - 1)


class ECModel(Strict):
    """Sizes of EdgeConnect's two generators (Nazeri et al. 2019)."""

    width: Positive = Field(description="Channels of the first layer; 64 in the paper.")
    blocks: Positive = Field(description="Residual blocks; 8 in the paper.")


class ECLossWeights(Strict):
    """Weights of EdgeConnect's generator losses; the first two are of the edge network."""

    lambda_edge_adv: Weight
    lambda_feature_matching: Weight
    lambda_img: Weight
    lambda_adv: Weight
    lambda_perceptual: Weight
    lambda_style: Weight


class ECNetwork(Strict):
    """The network of ECRecipe."""

    recipe: Literal["ec"]
    model: ECModel


class ECRecipe(ECNetwork, NetworkRecipe):
    """EdgeConnect (Nazeri et al. 2019)."""

    losses: ECLossWeights
    training: ECTraining


Network = SPLNetwork | RNNetwork | RFRNetwork | MFENetwork | ECNetwork
NetworkMethod = SPLRecipe | RNRecipe | RFRRecipe | MFERecipe | ECRecipe
ClassicalFill = DiffusionFill | BiharmonicFill
Recipe = ClassicalFill | NetworkMethod
Method = Annotated[Recipe, Field(discriminator="recipe")]

NETWORKS: dict[str, type[Network]] = {
    "spl": SPLNetwork, "rn": RNNetwork, "rfr": RFRNetwork, "mfe": MFENetwork, "ec": ECNetwork,
}  # fmt: skip
"""By recipe."""


def without_training(recipe: Recipe) -> ClassicalFill | Network:
    """Return what fills holes without how it is trained: what costs, drawings and released weights depend on."""
    if isinstance(recipe, ClassicalFill):
        return recipe
    return NETWORKS[recipe.recipe].model_validate({"recipe": recipe.recipe, "model": recipe.model})
