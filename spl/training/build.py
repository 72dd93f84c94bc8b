"""From a recipe in `params.yaml` to the networks, optimizers and step of its training."""

from collections.abc import Callable

from spl.config.methods import TrainedMethod
from spl.training.context import TrainingContext
from spl.training.loop import Method
from spl.training.methods import ec, mfe, rfr, rn, spl

METHODS: dict[str, Callable[..., Method]] = {
    "spl": spl.build, "rn": rn.build, "rfr": rfr.build, "mfe": mfe.build, "ec": ec.build,
}  # fmt: skip
"""By recipe: (recipe, context) -> the method that the training loop runs."""


def build_method(recipe: TrainedMethod, context: TrainingContext) -> Method:
    """Build networks, optimizers and the step of a recipe, on this process's device."""
    return METHODS[recipe.recipe](recipe, context)
