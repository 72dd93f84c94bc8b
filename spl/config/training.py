"""Training in `params.yaml`: batches, learning rates and their decay, and the stages of each method."""

import json
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from spl.config.base import UNCOUNTED, Name, Positive, Rate, Size, Strict
from spl.config.faults import Faults, describe


class ConstantDecay(Strict):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


class StepDecay(Strict):
    """Multiply the learning rate by `factor` once `after_epoch` epochs are done (paper section 4.1)."""

    kind: Literal["step"]
    after_epoch: Positive
    factor: Annotated[float, Field(gt=0, lt=1)]


class ExponentialDecay(Strict):
    """RN's rule by periods: the first two at the base rate, then times `factor` for every further one."""

    kind: Literal["exponential"]
    factor: Annotated[float, Field(gt=0, lt=1)]
    every: Positive = Field(description="Epochs of a period; 1 in RN's script, which trains for 10.")


class LinearDecay(Strict):
    """Constant up to the fraction `start` of all steps, then linearly down to zero."""

    kind: Literal["linear"]
    start: Annotated[float, Field(ge=0, lt=1)]


Decay = Annotated[ConstantDecay | StepDecay | ExponentialDecay | LinearDecay, Field(discriminator="kind")]


class Schedule(Strict):
    """Batches and learning rate of any network that is trained here."""

    batch_size: Size = Field(description="Images per optimiser step, summed over all GPUs.")
    epochs: Positive
    lr: Rate
    decay: Decay

    @model_validator(mode="after")
    def _valid(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        if isinstance(self.decay, StepDecay) and self.decay.after_epoch >= self.epochs:
            after = self.decay.after_epoch
            raise Faults([f"decay: decays after epoch {after}, but training ends after epoch {self.epochs}"])

    def _within_epochs(self, name: str) -> None:
        """Raise ValueError if a part of the training, in epochs, is longer than the whole."""
        if (part := getattr(self, name)) is not None and part > self.epochs:
            raise ValueError(f"{name} is {part}, but training ends after epoch {self.epochs}")


class Training(Schedule):
    """Training of one method, with overrides per dataset."""

    pooled: ClassVar[str] = ""
    """What pools over the batch inside the network, so that it cannot go through in parts."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        description="Decay of the exponential moving average that is evaluated; null evaluates the last weights."
    )
    flip: bool = Field(description="Flip image and mask together, half of the time.")
    precision: Literal["fp32", "bf16"]
    processes: Size = Field(default=1, description="Processes that share every batch, with a GPU each if there are.")
    parts: Size = Field(
        default=1,
        description="Parts in which a process takes its share through the networks, so that it fits the memory.",
    )
    kept_epochs: Annotated[tuple[Positive, ...], UNCOUNTED] = Field(
        default=(), description="Epochs after which the weights are kept, to evaluate one training at several steps."
    )
    per_dataset: dict[Name, dict[str, JsonValue]] = Field(
        description="Values of this section that differ for a dataset; the others stay as they are."
    )

    @model_validator(mode="after")
    def _valid(self) -> Self:
        self.check()
        for dataset, override in self.per_dataset.items():
            try:
                self.resolve(dataset)
            except ValidationError as error:
                raise Faults(describe(error, override, below=f"per_dataset.{dataset}")) from None
        return self

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        super().check()
        if max(self.kept_epochs, default=0) >= self.epochs:
            raise ValueError(f"kept_epochs must be before the last epoch, {self.epochs}, got {[*self.kept_epochs]}")
        if self.parts > 1 and self.pooled:
            raise ValueError(
                f"parts is {self.parts}, but {self.pooled} pool over the batch, which must not be divided: parts must "
                "be 1. Several processes pool over the whole batch together"
            )
        if self.batch_size % (self.processes * self.parts):
            raise ValueError(
                f"a batch of {self.batch_size} cannot be shared equally by {self.processes} processes in {self.parts} "
                "parts each"
            )

    def resolve(self, dataset: str) -> Self:
        """Return the training for one dataset: overrides applied, none left.

        Raises: pydantic.ValidationError if an override does not fit.
        """
        values = self.model_dump(mode="json") | {"per_dataset": {}} | self.per_dataset.get(dataset, {})
        return type(self).model_validate_json(json.dumps(values))


class AdversarialTraining(Training):
    """Training with discriminators."""

    lr_discriminator: Rate


class SPLTraining(AdversarialTraining):
    """SPL's training: the released code drops the prior loss late in training on Paris."""

    prior_epochs: Positive | None = Field(description="Epochs with the prior loss; null for all of them.")

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        super().check()
        self._within_epochs("prior_epochs")


class RNTraining(AdversarialTraining):
    """RN's training."""

    pooled = "its region norms"


class RFRTraining(Training):
    """RFR's training: no discriminator; batch norms are frozen for fine-tuning."""

    pooled = "its batch norms"
    norm_epochs: Positive | None = Field(description="Epochs with batch norms in training mode; null for all of them.")

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        super().check()
        self._within_epochs("norm_epochs")


class ECTraining(AdversarialTraining):
    """EdgeConnect's stages: edges first, then images from true edges, then images from predicted edges."""

    edge_epochs: Positive = Field(description="Epochs of the edge network.")
    canny_epochs: Annotated[int, Field(ge=0)] = Field(description="Epochs from true edges; the rest from predicted.")

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        super().check()
        if self.edge_epochs + self.canny_epochs >= self.epochs:
            raise ValueError(
                f"edge_epochs and canny_epochs take {self.edge_epochs} + {self.canny_epochs} of {self.epochs} epochs, "
                "which leaves none for images from predicted edges"
            )
