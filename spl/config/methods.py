"""The methods of `params.yaml`: classical fills, and networks with their losses and training."""

from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from spl.config.base import UNCOUNTED, FilePath, Name, Positive, Size, Strict, Weight
from spl.config.training import AdversarialTraining, ECTraining, RFRTraining, RNTraining, SPLTraining


class DiffusionFill(Strict):
    """OpenCV's classical fills (Telea 2004; Bertalmio et al. 2001)."""

    recipe: Literal["telea", "navier_stokes"]
    radius: Size = Field(description="Neighbourhood of a filled pixel, in pixels.")


class LimitedFill(Strict):
    """A fill so slow that it may be limited to some of the test images."""

    images: Positive | None = Field(
        default=None,
        description="At most so many test images are filled, at equally spaced ranks of the hole ratio; null for all.",
    )


class BiharmonicFill(LimitedFill):
    """scikit-image's biharmonic fill (Damelin and Hoang 2018)."""

    recipe: Literal["biharmonic"]


class PatchMatchFill(LimitedFill):
    """PatchMatch (Barnes et al. 2009), by the extra `patchmatch`; no part of the floor that others have to beat."""

    recipe: Literal["patchmatch"]
    radius: Size = Field(description="Of a patch, in pixels; a patch has 2 radius + 1 pixels a side.")


class ExternalFill(Strict):
    """Images that another program has filled, of the datasets that `composited` names."""

    apart: ClassVar[str] = "external"
    recipe: Literal["external"]
    composited: dict[Name, FilePath] = Field(
        description="By dataset, the folder of filled images, with the names that `spl pairs export` gives.",
        min_length=1,
    )
    composite: bool = Field(
        default=False, description="Whether to take holes alone; else what differs from the input outside is refused."
    )
    citation: Annotated[str, UNCOUNTED] = Field(description="Authors of the method, and of the program.", min_length=1)


class SPLModel(Strict):
    """Sizes and variants of the SPL network (paper sections 3.2 and 3.3)."""

    semantic_learner: Literal["residual", "dense"] = Field(description="residual: the paper; dense: the released code.")
    semantic_blocks: Size = Field(description="Residual blocks (paper: 5) or dense blocks (released: 16).")
    fusion: Literal["gamma", "one_plus_gamma", "concat"] = Field(
        description="How the prior meets the image features: SPADE with Eq. 7 as printed (gamma) or as in the released "
        "code (one_plus_gamma), or concatenation (the paper's ablation)."
    )
    fusion_blocks: Size
    width: Size = Field(description="Channels of the first layer; 64 in the paper.")


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
    path: FilePath = Field(
        description="The released file, or a folder with it under any name, or the folder of a checkpoint of several."
    )


class NotReleased(Strict):
    """Weights that their authors have never released: the cell of Table 1 stays empty."""

    source: Literal["not_released"]


class VGGLayers(NamedTuple):
    """The layers of a VGG that the losses of a method compare: relu<block>_<convolution> and pool<block>, from 1."""

    network: Literal["vgg16", "vgg19"]
    perceptual: tuple[str, ...]
    style: tuple[str, ...]
    signed: bool = False
    """True if the network gets [-1, 1] in place of [0, 1]. No method normalises by ImageNet's mean and deviation."""


FIRST_OF_EVERY_BLOCK = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
RELU5_1_AGAIN = "relu5_1_again"
"""MFE's "relu5_2": pool 4, convolution 5_1 and ReLU, applied again to their output."""


class NetworkRecipe(Strict):
    """A method with a network, trained here except where released weights are named."""

    perceptual_layers: ClassVar[VGGLayers | None] = None
    """Layers of its perceptual and style losses, as released; None without such losses."""
    extra_target: ClassVar[Literal["structure", "edges"] | None] = None
    """A third tensor of every training batch: the smoothed image, or the image's edges."""
    pools_over_batch: ClassVar[bool] = False
    """Whether what it fills depends on the other images of the batch."""

    weights: dict[Name, Annotated[ReleasedWeights | NotReleased, Field(discriminator="source")]] = Field(
        default_factory=dict, description="Released weights by dataset; a dataset that is not named is trained."
    )

    @property
    def prior_teacher(self) -> Name | None:
        """Name of the teacher that supervises a semantic prior; None without a prior."""
        return None

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: image encoders halve twice."""
        return 4


Sight = Literal["whole", "half", "pooled"]


class SPLRecipe(NetworkRecipe):
    """SPL and its variants."""

    recipe: Literal["spl"]
    model: SPLModel
    teacher: Name | None = Field(description="Which of `teachers` supervises the prior; null for none (w/o S).")
    oracle: Sight | None = Field(
        default=None,
        description="No method, but a bound: in place of a prior the decoder is handed the teacher's features of the "
        "uncorrupted image; whole: all of them, half: half of the channels, pooled: inside the hole their mean.",
    )
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

    @property
    def prior_teacher(self) -> Name | None:
        """Name of the teacher, unless the prior loss has no weight and it is no oracle's."""
        return self.teacher if self.losses.lambda_prior > 0 or self.oracle else None

    @model_validator(mode="after")
    def _prior_has_a_teacher(self) -> Self:
        if self.teacher is None and self.losses.lambda_prior > 0:
            raise ValueError("teacher is null, so nothing supervises the prior and losses.lambda_prior must be 0.0")
        if self.oracle and (self.teacher is None or self.losses.lambda_prior > 0):
            raise ValueError(
                "an oracle has a teacher's features for its prior: it needs a teacher and lambda_prior 0.0"
            )
        return self


class RNModel(Strict):
    """Sizes of the region normalisation network (Yu et al. 2020)."""

    blocks: Size
    width: Size = Field(description="Channels of the first layer; 64 in the paper.")
    bias_std: float = Field(
        ge=0, description="Standard deviation of initial biases; 1 in the released code, by a slip."
    )


class RNLossWeights(Strict):
    """Weights of RN's generator loss."""

    lambda_img: Weight
    lambda_adv: Weight


class RNRecipe(NetworkRecipe):
    """Region normalisation (Yu et al. 2020)."""

    pools_over_batch = True
    recipe: Literal["rn"]
    model: RNModel
    losses: RNLossWeights
    training: RNTraining


class RFRModel(Strict):
    """Sizes of recurrent feature reasoning (Li et al. 2020)."""

    width: Size = Field(multiple_of=8, description="Channels of the first layer; 64 in the paper.")
    kernel: Literal[5, 7] = Field(description="Of the partial convolutions; 5 is the released smaller-hole variant.")
    rounds: Annotated[Size, Field(ge=2)] = Field(description="Recurrences; 6 in the paper.")


class RFRLossWeights(Strict):
    """Weights of RFR's loss."""

    lambda_valid: Weight
    lambda_hole: Weight
    lambda_perceptual: Weight
    lambda_style: Weight
    lambda_tv: Weight


class RFRRecipe(NetworkRecipe):
    """Recurrent feature reasoning (Li et al. 2020)."""

    perceptual_layers = VGGLayers("vgg16", ("pool1", "pool2", "pool3"), ("pool1", "pool2", "pool3"))
    recipe: Literal["rfr"]
    model: RFRModel
    losses: RFRLossWeights
    training: RFRTraining

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: the network halves four times."""
        return 16


class MFEModel(Strict):
    """Sizes and variants of the mutual encoder-decoder (Liu et al. 2020); its depth follows the image size."""

    width: Size = Field(multiple_of=8, description="Channels of the first layer; 64 in the paper.")
    blocks: Size = Field(description="Residual blocks at the bottom; 4 in the paper.")
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


class MFERecipe(NetworkRecipe):
    """Mutual encoder-decoder with feature equalisations (Liu et al. 2020)."""

    perceptual_layers = VGGLayers(
        "vgg16", FIRST_OF_EVERY_BLOCK, ("relu2_2", "relu3_3", "relu4_3", RELU5_1_AGAIN), signed=True
    )
    extra_target = "structure"
    recipe: Literal["mfe"]
    model: MFEModel
    losses: MFELossWeights
    training: AdversarialTraining

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: the network is halved in pairs down to a side of at least four."""
        return 4 ** ((image_size.bit_length() - 1) // 2 - 1)


class ECModel(Strict):
    """Sizes of EdgeConnect's two generators (Nazeri et al. 2019)."""

    width: Size = Field(description="Channels of the first layer; 64 in the paper.")
    blocks: Size = Field(description="Residual blocks; 8 in the paper.")


class ECLossWeights(Strict):
    """Weights of EdgeConnect's generator losses; the first two are of the edge network."""

    lambda_edge_adv: Weight
    lambda_feature_matching: Weight
    lambda_img: Weight
    lambda_adv: Weight
    lambda_perceptual: Weight
    lambda_style: Weight


class ECRecipe(NetworkRecipe):
    """EdgeConnect (Nazeri et al. 2019)."""

    perceptual_layers = VGGLayers("vgg19", FIRST_OF_EVERY_BLOCK, ("relu2_2", "relu3_4", "relu4_4", "relu5_2"))
    extra_target = "edges"
    recipe: Literal["ec"]
    model: ECModel
    losses: ECLossWeights
    training: ECTraining


class ReferenceRecipe(NetworkRecipe):
    """A method that the paper does not have: its authors' weights, on the datasets that `weights` names, or nothing."""

    apart: ClassVar[str] = "reference (not in the paper)"


class LaMaModel(Strict):
    """Size of LaMa's Fourier network (Suvorov et al. 2022)."""

    blocks: Literal[9, 18] = Field(description="FFC residual blocks: 9 in lama-fourier, 18 in big-lama.")


class LaMaRecipe(ReferenceRecipe):
    """LaMa (Suvorov et al. 2022)."""

    recipe: Literal["lama"]
    model: LaMaModel

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: the network pads what it gets."""
        return 1


class MIGANModel(Strict):
    """MI-GAN's sizes follow the image size."""


class MIGANRecipe(ReferenceRecipe):
    """MI-GAN (Sargsyan et al. 2023), whose networks take images of one size."""

    recipe: Literal["migan"]
    model: MIGANModel = MIGANModel()

    def multiple_of(self, image_size: int) -> int:
        """Return what a size must be a multiple of: there are networks for 256 and 512 pixels."""
        return 256 if image_size < 512 else 512


TrainedMethod = SPLRecipe | RNRecipe | RFRRecipe | MFERecipe | ECRecipe
NetworkMethod = TrainedMethod | LaMaRecipe | MIGANRecipe
ClassicalFill = DiffusionFill | BiharmonicFill | PatchMatchFill
NoNetwork = ClassicalFill | ExternalFill
Recipe = NoNetwork | NetworkMethod
Method = Annotated[Recipe, Field(discriminator="recipe")]

RECIPES = {get_args(kind.model_fields["recipe"].annotation)[0]: kind for kind in get_args(NetworkMethod)}
"""Methods with a network, by recipe."""


class Network(Strict):
    """A method's network without its training: what costs, drawings and released weights depend on."""

    recipe: str
    model: SerializeAsAny[Strict]

    @field_validator("model", mode="before")
    @classmethod
    def _of_the_recipe(cls, model: Any, info: ValidationInfo) -> Any:
        kind = RECIPES[info.data["recipe"]].model_fields["model"].annotation
        return kind.model_validate(model) if isinstance(model, dict) else model


def without_training(recipe: Recipe) -> NoNetwork | Network:
    """Return what has no network as it is, and the network of another method."""
    return recipe if isinstance(recipe, NoNetwork) else Network(recipe=recipe.recipe, model=recipe.model)
