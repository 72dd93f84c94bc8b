"""The slices of `params.yaml` that tables, figures and the report depend on; like `spl.steps.slices`, without torch."""

from collections.abc import Callable
from typing import TypeVar

from spl.common.errors import ParamsError
from spl.config.base import Strict
from spl.config.experiment import Ablations, Clusters, Evaluation, Figure1, Figure2, Figure3, Figure5, Params
from spl.config.grid import grid_points, own_weights
from spl.steps.slices import RunSettings, run_settings

T = TypeVar("T")


class TableSettings(Strict):
    """What decides a table beside the per-image evidence."""

    seed: int
    seeds: dict[str, dict[str, tuple[int, ...]]]
    """Of every dataset and method that are compared."""
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    evaluation: Evaluation


class AblationSettings(Strict):
    """What decides figure 4."""

    table: TableSettings
    ablations: Ablations | None


class GridSettings(Strict):
    """What decides the table and the picture of the grid search."""

    table: TableSettings
    """Of the method that is varied and of its points, in this order."""
    points: dict[str, dict[str, float]]
    """The loss weights of each."""


class ClaimSettings(Strict):
    """What decides which claims are checked, and how."""

    table: TableSettings
    ablations: AblationSettings
    detected: tuple[str, ...]
    """Datasets in whose pictures objects are found."""


class ExampleSettings(Strict):
    """What decides the example picture of one dataset."""

    dataset: str
    methods: dict[str, int]
    """The methods and the seed of the run that is shown."""
    examples: int


class Choice(Strict):
    """Which test images a figure may show."""

    seed: int
    choice: str
    min_hole_ratio: float


class Shown(Strict):
    """The run of every method that a figure shows: dataset -> method -> seed."""

    seeds: dict[str, dict[str, int]]


class Figure1Settings(Strict):
    """What decides figure 1."""

    figure: Figure1
    choice: Choice
    clusters: Clusters
    shown: Shown


class Figure2Settings(Strict):
    """What decides figure 2."""

    figure: Figure2
    run: RunSettings


class Figure3Settings(Strict):
    """What decides figure 3."""

    figure: Figure3
    choice: Choice
    shown: Shown


class Figure5Settings(Strict):
    """What decides figure 5."""

    figure: Figure5
    choice: Choice
    clusters: Clusters
    shown: Shown


def table_settings(params: Params) -> TableSettings:
    """Return the slice of Table 1."""
    return _table(params, params.table_methods, list(params.datasets))


def ablation_settings(params: Params) -> AblationSettings:
    """Return the slice of figure 4; without ablations it compares nothing."""
    ablations = params.ablations
    methods = [ablations.reference, *ablations.methods] if ablations else []
    datasets = [ablations.dataset] if ablations else []
    return AblationSettings(table=_table(params, methods, datasets), ablations=ablations)


def grid_settings(params: Params) -> GridSettings:
    """Return the slice of the grid search; without one it compares nothing."""
    if params.grid is None:
        return GridSettings(table=_table(params, [], []), points={})
    points = {params.grid.method: own_weights(params), **grid_points(params)}
    return GridSettings(table=_table(params, list(points), list(params.datasets)), points=points)


def claim_settings(params: Params) -> ClaimSettings:
    """Return the slice of the claims."""
    detected = params.detection.datasets if params.detection else ()
    return ClaimSettings(table=table_settings(params), ablations=ablation_settings(params), detected=detected)


def example_settings(params: Params, dataset: str) -> ExampleSettings:
    """Return the slice of one dataset's example picture."""
    methods = {method: params.seeds_of(dataset, method)[0] for method in params.table_methods}
    return ExampleSettings(dataset=dataset, methods=methods, examples=params.figures.examples)


def figure1_settings(params: Params) -> Figure1Settings:
    """Return the slice of figure 1. Raises: ParamsError if the experiment does not have it; so do the next three."""
    figure = _present("fig1", params.figures.fig1)
    shown = _shown(params, [figure.dataset], [*figure.methods, figure.prior])
    return Figure1Settings(figure=figure, choice=_choice(params), clusters=params.figures.clusters, shown=shown)


def figure2_settings(params: Params) -> Figure2Settings:
    """Return the slice of figure 2, which does not depend on how the network is trained."""
    figure = _present("fig2", params.figures.fig2)
    return Figure2Settings(figure=figure, run=run_settings(params, figure.dataset, figure.method))


def figure3_settings(params: Params) -> Figure3Settings:
    """Return the slice of figure 3."""
    figure = _present("fig3", params.figures.fig3)
    shown = _shown(params, [*figure.images, figure.detections], figure.methods)
    return Figure3Settings(figure=figure, choice=_choice(params), shown=shown)


def figure5_settings(params: Params) -> Figure5Settings:
    """Return the slice of figure 5."""
    figure = _present("fig5", params.figures.fig5)
    shown = _shown(params, [figure.dataset], [figure.edges, figure.prior])
    return Figure5Settings(figure=figure, choice=_choice(params), clusters=params.figures.clusters, shown=shown)


def drawn_figures(params: Params) -> list[str]:
    """Return the names of the figures that the experiment has."""
    figures = params.figures
    present = {
        "fig1": figures.fig1, "fig2": figures.fig2, "fig3": figures.fig3, "fig4": params.ablations,
        "fig5": figures.fig5, "grid": params.grid,
    }  # fmt: skip
    return [name for name, section in present.items() if section]


FIGURES: dict[str, Callable[[Params], Strict]] = {
    "fig1": figure1_settings,
    "fig2": figure2_settings,
    "fig3": figure3_settings,
    "fig4": ablation_settings,
    "fig5": figure5_settings,
    "grid": grid_settings,
}
"""The slice of every figure."""


def figure_files(params: Params, name: str) -> dict[str, list[str]]:
    """Return what figure 1, 3 or 5 reads, by kind; empty if the experiment does not have it."""
    if name not in drawn_figures(params):
        return {}
    slice_ = FIGURES[name](params)
    assert isinstance(slice_, Figure1Settings | Figure3Settings | Figure5Settings)
    shown = slice_.shown.seeds
    files = {
        "per_image": [
            f"results/eval/{d}/{m}/seed{s}/per_image.csv" for d, seeds in shown.items() for m, s in seeds.items()
        ],
        "images": [f"data/prepared/{dataset}/manifest.csv" for dataset in shown],
        "pairs": [f"data/pairs/{dataset}.csv" for dataset in shown],
        "masks": ["data/masks/masks.csv"],
    }
    match slice_:
        case Figure1Settings(figure=figure):
            files["detections"] = _detections(figure.dataset, figure.methods)
            files["guidance"] = [f"results/guidance/{figure.dataset}/{figure.prior}.safetensors"]
        case Figure3Settings(figure=figure):
            files["detections"] = _detections(figure.detections, figure.methods)
        case Figure5Settings(figure=figure):
            files["guidance"] = [
                f"results/guidance/{figure.dataset}/{m}.safetensors" for m in (figure.prior, figure.edges)
            ]
    return files


def _detections(dataset: str, methods: tuple[str, ...]) -> list[str]:
    return [f"results/detections/{dataset}/{pictures}.csv" for pictures in ("ground_truth", *methods)]


def _present(name: str, figure: T | None) -> T:
    if figure is None:
        raise ParamsError(f"figures.{name} is null in params.yaml")
    return figure


def _choice(params: Params) -> Choice:
    figures = params.figures
    return Choice(seed=params.seed, choice=figures.choice, min_hole_ratio=figures.min_hole_ratio)


def _shown(params: Params, datasets: list[str], methods: list[str] | tuple[str, ...]) -> Shown:
    return Shown(seeds={d: {m: params.seeds_of(d, m)[0] for m in methods} for d in datasets})


def _table(params: Params, methods: list[str], datasets: list[str]) -> TableSettings:
    return TableSettings(
        seed=params.seed,
        seeds={dataset: {method: params.seeds_of(dataset, method) for method in methods} for dataset in datasets},
        methods=tuple(methods),
        datasets=tuple(datasets),
        evaluation=params.evaluation,
    )
