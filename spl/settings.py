"""The slice of `params.yaml` that each step depends on, as a frozen object with one canonical JSON string.

A Snakemake rule passes the string as its `params:` (so a changed value reruns just that step), the command
writes the same slice into its record, and the stale check compares the two. No torch here: the Snakefile
imports this module.
"""

from pathlib import Path
from typing import Any, TypeVar

from spl.config import (
    ArchiveLayout,
    Dataset,
    Evaluation,
    FolderLayout,
    Masks,
    MiniatureImages,
    MiniaturePretext,
    Params,
    Perception,
    ReleasedTeacher,
    Smoothing,
    Supplied,
    Teacher,
    TeacherPerception,
    VGGPerception,
)
from spl.errors import ParamsError
from spl.files import canonical_json
from spl.recipes import ECRecipe, MFERecipe, NetworkMethod, Recipe, ReleasedWeights, RFRRecipe, SPLRecipe
from spl.strict import Strict

T = TypeVar("T")

VGG_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
"""torchvision's names; they end in the start of the file's sha256."""


class ImageSourceSettings(Strict):
    """What decides the raw images of one dataset and their split."""

    seed: int
    name: str
    source: MiniatureImages | Supplied
    layout: ArchiveLayout | FolderLayout


class DataSettings(Strict):
    """What decides the prepared images of one dataset."""

    seed: int
    name: str
    dataset: Dataset


class MaskSettings(Strict):
    """What decides the prepared masks."""

    seed: int
    masks: Masks


class PairSettings(Strict):
    """What decides which mask meets which test image."""

    seed: int
    dataset: str
    image_size: int
    pairs: str


class StructureSettings(Strict):
    """What decides the smoothed training images of one dataset."""

    dataset: str
    image_size: int
    smoothing: Smoothing


class PretextSettings(Strict):
    """What decides where the teacher comes from."""

    seed: int
    source: MiniaturePretext | ReleasedTeacher


class TeacherSettings(Strict):
    """What decides the frozen pretext network."""

    seed: int
    teacher: Teacher


class RunSettings(Strict):
    """A method on a dataset, overrides resolved: what a training run depends on, or released weights stand for.

    The last three name what a recipe learns from beside image and mask; they are absent where it does not.
    """

    seed: int
    dataset: str
    image_size: int
    method: str
    recipe: Recipe
    released: ReleasedWeights | None
    teacher: TeacherSettings | None
    perception: Perception | None
    structure: StructureSettings | None


class EvaluationSettings(Strict):
    """One evaluation: a run and the protocol's batch."""

    run: RunSettings
    batch_size: int


class CostSettings(Strict):
    """What decides the table of costs: every method once for every image size."""

    runs: tuple[RunSettings, ...]


class TableSettings(Strict):
    """What decides Table 1 beside the per-image evidence."""

    seed: int
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    evaluation: Evaluation


class ExampleSettings(Strict):
    """What decides the example picture of one dataset."""

    dataset: str
    methods: tuple[str, ...]
    examples: int


def canonical(settings: Strict) -> str:
    """Return what a step's result depends on as one canonical JSON string."""
    return canonical_json(essential(settings.model_dump(mode="json")))


def essential(dumped: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a slice, as a dict, what its results do not depend on.

    Released weights do not depend on how the method would be trained, costs not on training at all, and a VGG file is
    known by its hash, wherever it lies.
    """
    if "runs" in dumped:
        return {"runs": [_without_training(run) for run in dumped["runs"]]}
    if "run" in dumped:
        return dumped | {"run": essential(dumped["run"])}
    if dumped.get("released"):
        return _without_training(dumped)
    if dumped.get("perception"):
        return dumped | {"perception": {"kind": dumped["perception"]["kind"]}}
    return dumped


def _without_training(run: dict[str, Any]) -> dict[str, Any]:
    """Leave the network's sizes and, for released weights, where they are; a teacher counts by its size."""
    recipe = {key: value for key, value in run["recipe"].items() if key not in ("losses", "training", "weights")}
    teacher = run["teacher"] and {key: run["teacher"]["teacher"].get(key) for key in ("layers", "width")}
    kept = ("dataset", "method", "image_size", "released")
    return {key: run[key] for key in kept} | {"recipe": recipe, "teacher": teacher}


def data_settings(params: Params, dataset: str) -> DataSettings:
    """Return the slice of one dataset."""
    return DataSettings(seed=params.seed, name=dataset, dataset=_pick("datasets", params.datasets, dataset))


def image_source_settings(params: Params, dataset: str) -> ImageSourceSettings:
    """Return the slice of one dataset's raw images."""
    entry = _pick("datasets", params.datasets, dataset)
    return ImageSourceSettings(seed=params.seed, name=dataset, source=entry.source, layout=entry.layout)


def mask_settings(params: Params) -> MaskSettings:
    """Return the slice of the masks."""
    return MaskSettings(seed=params.seed, masks=params.masks)


def pair_settings(params: Params, dataset: str) -> PairSettings:
    """Return the slice of one dataset's image-mask pairs."""
    size = _pick("datasets", params.datasets, dataset).image_size
    return PairSettings(seed=params.seed, dataset=dataset, image_size=size, pairs=params.evaluation.pairs)


def structure_settings(params: Params, dataset: str) -> StructureSettings:
    """Return the slice of one dataset's smoothed training images."""
    size = _pick("datasets", params.datasets, dataset).image_size
    return StructureSettings(dataset=dataset, image_size=size, smoothing=params.structure)


def pretext_settings(params: Params) -> PretextSettings:
    """Return the slice of what the teacher comes from."""
    teacher = params.teacher
    source = teacher if isinstance(teacher, ReleasedTeacher) else teacher.source
    return PretextSettings(seed=params.seed, source=source)


def teacher_settings(params: Params) -> TeacherSettings:
    """Return the slice of the teacher."""
    return TeacherSettings(seed=params.seed, teacher=params.teacher)


def run_settings(params: Params, dataset: str, method: str) -> RunSettings:
    """Return the slice of one run, with the dataset's overrides applied to the method's recipe.

    Raises: ParamsError if the dataset or the method is not in `params.yaml`.
    """
    image_size = _pick("datasets", params.datasets, dataset).image_size
    recipe, released = _pick("methods", params.methods, method), None
    if isinstance(recipe, NetworkMethod):
        released = recipe.weights.get(dataset)
        recipe = recipe.model_copy(update={"training": recipe.training.resolve(dataset), "weights": {}})
    trained = released is None
    perception = params.perception if trained and isinstance(recipe, RFRRecipe | MFERecipe | ECRecipe) else None
    prior = trained and isinstance(recipe, SPLRecipe) and recipe.losses.lambda_prior > 0
    return RunSettings(
        seed=params.seed,
        dataset=dataset,
        image_size=image_size,
        method=method,
        recipe=recipe,
        released=released,
        teacher=teacher_settings(params) if prior or isinstance(perception, TeacherPerception) else None,
        perception=perception,
        structure=structure_settings(params, dataset) if trained and isinstance(recipe, MFERecipe) else None,
    )


def vgg_file(run: RunSettings) -> str | None:
    """Return the torchvision file that a run's perceptual losses need, if any."""
    if not isinstance(run.perception, VGGPerception):
        return None
    return f"{run.perception.folder}/{VGG_FILES['vgg19' if isinstance(run.recipe, ECRecipe) else 'vgg16']}"


def released_run(params: Params, dataset: str, method: str, path: Path) -> RunSettings:
    """Return the slice of a run whose weights are those at `path`, whatever `params.yaml` says about it.

    Raises: ParamsError if the dataset or the method is not in `params.yaml`, or the method has no weights.
    """
    run = run_settings(params, dataset, method)
    if not isinstance(run.recipe, NetworkMethod):
        raise ParamsError(f"methods.{method} has no weights; those that have: {', '.join(params.network_methods)}")
    released = ReleasedWeights(source="released", path=str(path))
    return run.model_copy(update={"released": released, "teacher": None, "perception": None, "structure": None})


def evaluation_settings(params: Params, dataset: str, method: str) -> EvaluationSettings:
    """Return the slice of one evaluation."""
    return EvaluationSettings(run=run_settings(params, dataset, method), batch_size=params.evaluation.batch_size)


def cost_settings(params: Params) -> CostSettings:
    """Return the slice of the table of costs."""
    datasets = {dataset.image_size: name for name, dataset in reversed(params.datasets.items())}
    runs = [run_settings(params, dataset, method) for dataset in datasets.values() for method in params.methods]
    return CostSettings(runs=tuple(runs))


def table_settings(params: Params) -> TableSettings:
    """Return the slice of Table 1."""
    return TableSettings(
        seed=params.seed, methods=tuple(params.methods), datasets=tuple(params.datasets), evaluation=params.evaluation
    )


def example_settings(params: Params, dataset: str) -> ExampleSettings:
    """Return the slice of one dataset's example picture."""
    return ExampleSettings(dataset=dataset, methods=tuple(params.methods), examples=params.figures.examples)


def _pick(section: str, entries: dict[str, T], name: str) -> T:
    if name not in entries:
        raise ParamsError(f"{section} has no entry {name!r}; it has {', '.join(entries)}")
    return entries[name]
