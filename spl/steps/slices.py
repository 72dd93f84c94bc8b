"""The slice of `params.yaml` that each step depends on, as a frozen object with one canonical JSON string.

A Snakemake rule passes the string as its `params:` (so a changed value reruns just that step), the command
writes the same slice into its record, and the stale check compares the two. No torch here: the Snakefile
imports this module.
"""

from pathlib import Path
from typing import Any, TypeVar

from spl.common.errors import ParamsError
from spl.common.files import canonical_json
from spl.config.base import Strict
from spl.config.experiment import (
    ImageSource,
    Layout,
    Masks,
    Params,
    Perception,
    PerceptualMetric,
    Smoothing,
    Supplied,
    TeacherPerception,
    VGGPerception,
)
from spl.config.methods import ECRecipe, MFERecipe, NetworkMethod, Recipe, ReleasedWeights, RFRRecipe, SPLRecipe
from spl.config.registry import Source, source_of
from spl.config.releases import released_files
from spl.config.teachers import (
    MiniaturePretext,
    ReleasedTResNet,
    ReleasedYOLO,
    Teacher,
    TeacherDetector,
    TimmTeacher,
    TorchvisionDetector,
    TrainedTeacher,
)

T = TypeVar("T")

TEACHER_SIZES = ("kind", "layers", "width", "size", "model", "reduction")
"""What a teacher's number of channels follows from."""

VGG_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
"""torchvision's names; they end in the start of the file's sha256."""


class ImageSourceSettings(Strict):
    """What decides the raw images of one dataset and their split."""

    seed: int
    name: str
    source: ImageSource
    layout: Layout


class DataSettings(Strict):
    """What decides the prepared images of one dataset, beside its raw images."""

    seed: int
    name: str
    crop: int | None
    image_size: int
    validation: int
    skip_unreadable: int


class MaskSettings(Strict):
    """What decides the prepared masks."""

    seed: int
    masks: Masks


class PairSettings(Strict):
    """What decides which mask meets which test image."""

    seed: int
    dataset: str
    image_size: int
    split: str
    pairs: str


class StructureSettings(Strict):
    """What decides the smoothed training images of one dataset."""

    dataset: str
    image_size: int
    smoothing: Smoothing


class WeightFileSettings(Strict):
    """Which files of a registered source the experiment reads."""

    source: str
    files: tuple[str, ...]


class PretextSettings(Strict):
    """What decides the labelled pictures that teachers are trained on."""

    seed: int
    source: MiniaturePretext


class TeacherSettings(Strict):
    """What decides a frozen pretext network, under its name in `teachers`; `pretext` if it is trained here."""

    seed: int
    name: str
    teacher: Teacher
    pretext: MiniaturePretext | None


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


class PerceptualSettings(Strict):
    """What decides the metrics that look through networks."""

    seed: int
    metrics: tuple[PerceptualMetric, ...]
    folder: str


class GuidanceSettings(Strict):
    """What decides the kept semantic priors or edges of a run."""

    run: RunSettings
    images: int


class DetectionSettings(Strict):
    """What decides the objects found in the pictures of a method, or in the uncorrupted ones."""

    dataset: str
    method: str | None
    detector: TeacherSettings | TorchvisionDetector
    min_score: float


def canonical(settings: Strict) -> str:
    """Return what a step's result depends on as one canonical JSON string."""
    return canonical_json(essential(settings.model_dump(mode="json")))


def essential(dumped: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a slice, as a dict, what its results do not depend on.

    Released weights do not depend on how the method would be trained, costs and the drawing of a network not on
    training at all, and a VGG file is known by its hash, wherever it lies.
    """
    if "runs" in dumped:
        return {"runs": [_without_training(run) for run in dumped["runs"]]}
    if "figure" in dumped and "run" in dumped:
        return dumped | {"run": _without_training(dumped["run"])}
    if "metrics" in dumped:  # their networks are known by hashes, wherever they lie
        return {key: value for key, value in dumped.items() if key != "folder"}
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
    recipe.pop("teacher", None)
    teacher = run["teacher"] and {
        key: value for key, value in run["teacher"]["teacher"].items() if key in TEACHER_SIZES
    }
    kept = ("dataset", "method", "image_size", "released")
    return {key: run[key] for key in kept} | {"recipe": recipe, "teacher": teacher}


def data_settings(params: Params, dataset: str) -> DataSettings:
    """Return the slice of one dataset."""
    entry = _pick("datasets", params.datasets, dataset)
    return DataSettings(
        seed=params.seed,
        name=dataset,
        crop=entry.crop,
        image_size=entry.image_size,
        validation=entry.validation,
        skip_unreadable=entry.skip_unreadable,
    )


def image_source_settings(params: Params, dataset: str) -> ImageSourceSettings:
    """Return the slice of one dataset's raw images."""
    entry = _pick("datasets", params.datasets, dataset)
    return ImageSourceSettings(seed=params.seed, name=dataset, source=_uncited(entry.source), layout=entry.layout)


def mask_settings(params: Params) -> MaskSettings:
    """Return the slice of the masks."""
    masks = params.masks.model_copy(update={"source": _uncited(params.masks.source)})
    return MaskSettings(seed=params.seed, masks=masks)


def _uncited(source: T) -> T:
    """Leave out whose files they are: what is made of them does not depend on it."""
    return source.model_copy(update={"citation": ""}) if isinstance(source, Supplied) else source


def pair_settings(params: Params, dataset: str) -> PairSettings:
    """Return the slice of one dataset's image-mask pairs."""
    size, protocol = _pick("datasets", params.datasets, dataset).image_size, params.evaluation
    return PairSettings(seed=params.seed, dataset=dataset, image_size=size, split=protocol.split, pairs=protocol.pairs)


def structure_settings(params: Params, dataset: str) -> StructureSettings:
    """Return the slice of one dataset's smoothed training images."""
    size = _pick("datasets", params.datasets, dataset).image_size
    return StructureSettings(dataset=dataset, image_size=size, smoothing=params.structure)


def pretext_settings(params: Params) -> PretextSettings:
    """Return the slice of the labelled pictures.

    Raises: ParamsError if the experiment has none.
    """
    if params.pretext is None:
        raise ParamsError("pretext is null in params.yaml: there is no labelled set to fetch")
    return PretextSettings(seed=params.seed, source=params.pretext)


def teacher_settings(params: Params, name: str) -> TeacherSettings:
    """Return the slice of one teacher."""
    teacher = _pick("teachers", params.teachers, name)
    pretext = params.pretext if isinstance(teacher, TrainedTeacher) else None
    return TeacherSettings(seed=params.seed, name=name, teacher=teacher, pretext=pretext)


def run_settings(params: Params, dataset: str, method: str, seed: int | None = None) -> RunSettings:
    """Return the slice of one run, with the dataset's overrides applied to the method's recipe.

    Without a seed, that of the first run.
    Raises: ParamsError if the dataset, the method or the seed is not in `params.yaml`.
    """
    image_size = _pick("datasets", params.datasets, dataset).image_size
    recipe, released = _pick("methods", params.methods, method), None
    if isinstance(recipe, NetworkMethod):
        released = recipe.weights.get(dataset)
        recipe = recipe.model_copy(update={"training": recipe.training.resolve(dataset), "weights": {}})
    seeds = params.seeds_of(dataset, method)
    if seed is not None and seed not in seeds:
        raise ParamsError(
            f"{method} on {dataset} is not run with the seed {seed}, but with {', '.join(map(str, seeds))}"
        )
    trained = released is None
    perception = params.perception if trained and isinstance(recipe, RFRRecipe | MFERecipe | ECRecipe) else None
    teacher = perception.teacher if isinstance(perception, TeacherPerception) else None
    if trained and isinstance(recipe, SPLRecipe) and recipe.losses.lambda_prior > 0:
        teacher = recipe.teacher
    return RunSettings(
        seed=seeds[0] if seed is None else seed,
        dataset=dataset,
        image_size=image_size,
        method=method,
        recipe=recipe,
        released=released,
        teacher=teacher_settings(params, teacher) if teacher else None,
        perception=perception,
        structure=structure_settings(params, dataset) if trained and isinstance(recipe, MFERecipe) else None,
    )


def vgg_file(run: RunSettings) -> str | None:
    """Return the torchvision file that a run's perceptual losses need, if any."""
    if not isinstance(run.perception, VGGPerception):
        return None
    return f"{run.perception.folder}/{VGG_FILES['vgg19' if isinstance(run.recipe, ECRecipe) else 'vgg16']}"


def supplied_teacher_file(teacher: Teacher) -> str | None:
    """Return the file that a person has to supply for a teacher, if any."""
    match teacher:
        case ReleasedTResNet(path=path) | ReleasedYOLO(path=path) | TimmTeacher(weights=path):
            return path
    return None


def weight_files(params: Params) -> list[str]:
    """Return the weight files that trainings, evaluations and detections cannot do without."""
    runs = [run_settings(params, dataset, method) for dataset, method, _ in params.runs()]
    teachers = [teacher_settings(params, name).teacher for name in needed_teachers(params)]
    files: list[str | Path | None] = [*map(supplied_teacher_file, teachers), *map(vgg_file, runs)]
    files += [file for run in runs if run.released for file in released_files(run.recipe.recipe, run.released.path)]
    if params.detection and isinstance(params.detection.detector, TorchvisionDetector):
        files.append(params.detection.detector.path)
    return sorted({str(file) for file in files if file})


def weight_file_settings(params: Params, registry: dict[str, Source], source: str) -> WeightFileSettings:
    """Return the slice of the weight files of one registered source: those that the experiment reads.

    Raises: ParamsError if the registry has no such source of weights.
    """
    weights = {name: entry for name, entry in registry.items() if entry.kind == "weights"}
    entry = _pick("the registry's weights", weights, source)
    needed = {Path(file).name for file in weight_files(params) if source_of(registry, file) == source}
    files = tuple(file.name for file in entry.files if file.name in needed or not needed)
    return WeightFileSettings(source=source, files=files)


def released_run(params: Params, dataset: str, method: str, path: Path) -> RunSettings:
    """Return the slice of a run whose weights are those at `path`, whatever `params.yaml` says about it.

    Raises: ParamsError if the dataset or the method is not in `params.yaml`, or the method has no weights.
    """
    run = run_settings(params, dataset, method)
    if not isinstance(run.recipe, NetworkMethod):
        raise ParamsError(f"methods.{method} has no weights; those that have: {', '.join(params.network_methods)}")
    released = ReleasedWeights(source="released", path=str(path))
    return run.model_copy(update={"released": released, "teacher": None, "perception": None, "structure": None})


def evaluation_settings(params: Params, dataset: str, method: str, seed: int | None = None) -> EvaluationSettings:
    """Return the slice of one evaluation."""
    run = run_settings(params, dataset, method, seed)
    return EvaluationSettings(run=run, batch_size=params.evaluation.batch_size)


def detector_file(settings: DetectionSettings) -> str:
    """Return the file with a detector's weights."""
    detector = settings.detector
    if isinstance(detector, TorchvisionDetector):
        return detector.path
    return f"results/teachers/{detector.name}/weights.safetensors"


def needed_teachers(params: Params) -> list[str]:
    """Return the teachers that some run learns from or that find objects."""
    runs = [run_settings(params, dataset, method) for dataset, method, _ in params.runs()]
    names = {run.teacher.name for run in runs if run.teacher}
    if params.detection and isinstance(params.detection.detector, TeacherDetector):
        names.add(params.detection.detector.teacher)
    return sorted(names)


def perceptual_settings(params: Params) -> PerceptualSettings:
    """Return the slice of the metrics that look through networks."""
    perceptual = params.evaluation.perceptual
    return PerceptualSettings(seed=params.seed, metrics=perceptual.metrics, folder=perceptual.folder)


def guidance_settings(params: Params, dataset: str, method: str) -> GuidanceSettings:
    """Return the slice of the kept priors or edges of one run."""
    return GuidanceSettings(run=run_settings(params, dataset, method), images=params.figures.clusters.images)


def detection_settings(params: Params, dataset: str, method: str | None) -> DetectionSettings:
    """Return the slice of the objects found in a method's pictures, or, without a method, in the uncorrupted ones.

    Raises: ParamsError if the experiment has no detector.
    """
    if params.detection is None:
        raise ParamsError("detection is null in params.yaml: there is no detector")
    detector = params.detection.detector
    if isinstance(detector, TeacherDetector):
        detector = teacher_settings(params, detector.teacher)
    return DetectionSettings(dataset=dataset, method=method, detector=detector, min_score=params.detection.min_score)


def cost_settings(params: Params) -> CostSettings:
    """Return the slice of the table of costs."""
    datasets = {dataset.image_size: name for name, dataset in reversed(params.datasets.items())}
    runs = [run_settings(params, dataset, method) for dataset in datasets.values() for method in params.table_methods]
    return CostSettings(runs=tuple(runs))


def _pick(section: str, entries: dict[str, T], name: str) -> T:
    if name not in entries:
        raise ParamsError(f"{section} has no entry {name!r}; it has {', '.join(entries)}")
    return entries[name]
