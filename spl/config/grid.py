"""The points of the grid search (paper section 3.4): each becomes a method of its own, run like any other."""

from itertools import product
from typing import get_args

from spl.config.experiment import Design, LossWeight, Params
from spl.config.methods import SPLRecipe


def with_grid_points(params: Params) -> Params:
    """Add the points of `grid` to the methods."""
    if params.grid is None:
        return params
    base = _varied(params)
    points = {
        name: base.model_copy(update={"losses": base.losses.model_copy(update=values)})
        for name, values in grid_points(params).items()
    }
    return params.model_copy(update={"methods": {**params.methods, **points}})


def grid_points(design: Design) -> dict[str, dict[str, float]]:
    """Return the loss weights of every point, under the name of its method: `<varied method>_grid_01` and so on.

    Every block gives all its combinations; a weight that a block leaves out keeps the method's own value. Equal points
    and the method's own weights come once: the method itself stands for the latter.
    """
    if design.grid is None:
        return {}
    own = own_weights(design)
    points = [own]
    for block in design.grid.points:
        for values in product(*block.values()):
            if (point := own | dict(zip(block, values, strict=True))) not in points:
                points.append(point)
    return {f"{design.grid.method}_grid_{number:02d}": point for number, point in enumerate(points) if number}


def own_weights(design: Design) -> dict[str, float]:
    """Return the loss weights of the method that the grid varies."""
    losses = _varied(design).losses
    return {weight: getattr(losses, weight) for weight in get_args(LossWeight)}


def _varied(design: Design) -> SPLRecipe:
    assert design.grid is not None
    recipe = design.methods[design.grid.method]
    assert isinstance(recipe, SPLRecipe)
    return recipe
