"""Settings of each step: a small frozen object, with one canonical JSON string.

A rule passes the string as its `params:`, so that Snakemake runs a step again when something counts that has changed.
The command gets the object and never `Params`, so it cannot read what is not in it, and writes it into its record. No
torch here: the Snakefile imports this module.
"""

# Every step has wildcards of its own.
# pyright: reportIncompatibleMethodOverride=false

from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, ValidationError

from spl.common.errors import ParamsError
from spl.common.files import canonical_json
from spl.config import experiment, methods, teachers
from spl.config.base import Name, Strict, counted
from spl.config.experiment import Design, Params
from spl.config.registry import Source, load_registry, source_of
from spl.config.releases import released_files

VGG_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
"""torchvision's names; they end in the start of the file's sha256."""

GROUND_TRUTH = "ground_truth"
"""Stands in the place of a method where the uncorrupted images are meant."""


class From(NamedTuple):
    """Mark of a field: the dotted path of the value in params.yaml."""

    path: str


class Settings(Strict):
    """The values that the results of a step depend on."""

    step: ClassVar[str]
    """The rule, and the command that it calls."""
    wildcards: ClassVar[tuple[str, ...]] = ()
    """The fields that tell the step's results apart."""

    @classmethod
    def of(cls, params: Params, **wildcards: Any) -> Self:
        """Take the fields that are no wildcards from an experiment.

        A field is the value at the path that it declares (`From`), or that of its name in the entry of the dataset
        that a wildcard names, or the section of its name. A field `run` is the run that the wildcards name.
        Raises: ParamsError if there is no such entry, or params.yaml says that the experiment has no such part.
        """
        dataset = wildcards.get("dataset")
        entry = pick(params, f"datasets.{dataset}") if dataset else None
        found = {name: value for name, value in wildcards.items() if name in cls.model_fields}
        if "run" in cls.model_fields:
            found["run"] = RunSettings.of(params, **wildcards)
        for name, field in cls.model_fields.items():
            path = next((mark.path for mark in field.metadata if isinstance(mark, From)), name)
            if name not in found:
                found[name] = getattr(entry, name) if hasattr(entry, name) else pick(params, path.format(**wildcards))
        try:
            return cls(**found)
        except ValidationError as error:
            nulls = [str(fault["loc"][0]) for fault in error.errors() if fault["input"] is None]
            raise ParamsError(f"{', '.join(nulls)} is null in params.yaml: there is no {cls.step}") from None

    def identity(self) -> dict[str, Any]:
        """Return the wildcards, the step's own or those of its run: which of its results this is."""
        owner = getattr(self, "run", self)
        return {name: getattr(owner, name) for name in self.wildcards}

    def at(self, path: Path) -> Path:
        """Put the wildcards into a path of `spl.steps.paths`."""
        text = str(path)
        for name, value in ({"seed": getattr(self, "seed", None)} | self.identity()).items():
            text = text.replace(f"{{{name}}}", str(value))
        return Path(text)


def canonical(settings: Strict) -> str:
    """Return what counts of some settings as one canonical JSON string."""
    return canonical_json(counted(settings))


def pick(params: Params, path: str) -> Any:
    """Return the value at a dotted path.

    Raises: ParamsError if a section has no such entry, or is null.
    """
    value, way = params, ""
    for key in path.split("."):
        if value is None:
            raise ParamsError(f"{way} is null in params.yaml")
        if isinstance(value, dict):
            if key not in value:
                raise ParamsError(f"{way} has no entry {key!r}; it has {', '.join(value)}")
            value = value[key]
        else:
            value = getattr(value, key)
        way = f"{way}.{key}".lstrip(".")
    return value


# Data --------------------------------------------------------------------------------------------


class ImageSourceSettings(Settings):
    """Raw images of one dataset and their split."""

    step = "fetch_images"
    wildcards = ("dataset",)
    dataset: str
    seed: int
    source: experiment.ImageSource
    layout: experiment.Layout


class MaskSourceSettings(Settings):
    """Raw masks."""

    step = "fetch_masks"
    seed: int
    source: Annotated[experiment.MaskSource, From("masks.source")]
    glob: Annotated[str, From("masks.glob")]


class PretextSettings(Settings):
    """The labelled images that teachers are trained on."""

    step = "fetch_pretext"
    seed: int
    pretext: teachers.MiniaturePretext


class WeightSourceSettings(Settings):
    """Files of a registered source that the experiment reads."""

    step = "fetch_weights"
    wildcards = ("source",)
    source: str
    files: tuple[str, ...]

    @classmethod
    def of(cls, params: Params, *, source: str, registry: dict[str, Source] | None = None) -> Self:
        """Take those files of the source that the experiment reads, or all if it reads none.

        Raises: ParamsError if the registry, by default the package's, has no such source of weights.
        """
        registry = registry or load_registry()
        known = {name: entry for name, entry in registry.items() if entry.kind == "weights"}
        if source not in known:
            raise ParamsError(f"the registry's weights has no entry {source!r}; it has {', '.join(known)}")
        needed = {Path(file).name for file in weight_files(params) if source_of(registry, file) == source}
        return cls(
            source=source,
            files=tuple(file.name for file in known[source].files if file.name in needed or not needed),
        )


class ImageSettings(Settings):
    """Prepared images of one dataset, beside its raw images."""

    step = "prepare_images"
    wildcards = ("dataset",)
    dataset: str
    seed: int
    crop: int | None
    image_size: int
    validation: int
    skip_unreadable: int


class SmoothingSettings(Settings):
    """Smoothed training images of one dataset."""

    step = "smooth_images"
    wildcards = ("dataset",)
    dataset: str
    image_size: int
    structure: experiment.Smoothing


class MaskSettings(Settings):
    """Grouped masks."""

    step = "group_masks"
    hole: Annotated[Literal["white", "black"], From("masks.hole")]


class PairSettings(Settings):
    """Pairs of mask and test image."""

    step = "pair_masks"
    wildcards = ("dataset",)
    dataset: str
    seed: int
    image_size: int
    split: Annotated[str, From("evaluation.split")]
    pairs: Annotated[str, From("evaluation.pairs")]
    masks_per_image: Annotated[int, From("evaluation.masks_per_image")]


# Networks ----------------------------------------------------------------------------------------


class TeacherSettings(Settings):
    """A frozen pretext network; `pretext` and `threads` only if it is trained here."""

    step = "train_teacher"
    wildcards = ("teacher",)
    teacher: str
    seed: int
    network: Annotated[teachers.Teacher, From("teachers.{teacher}")]
    pretext: teachers.MiniaturePretext | None
    threads: int | None

    @classmethod
    def of(cls, params: Params, *, teacher: str) -> Self:
        """Take the teacher's own seed if it has one, and leave out what is not trained here."""
        settings = super().of(params, teacher=teacher)
        if (seed := getattr(settings.network, "seed", None)) is not None:
            settings = settings.model_copy(update={"seed": seed})
        if isinstance(settings.network, teachers.TrainedTeacher):
            return settings
        return settings.model_copy(update={"pretext": None, "threads": None})


class RunSettings(Settings):
    """A method on a dataset, overrides resolved: a training, released weights, or a classical fill.

    The last four are absent where nothing is trained, or where the recipe does not learn from them.
    """

    step = "train_method"
    wildcards = ("dataset", "method", "seed")
    dataset: str
    method: str
    seed: int
    image_size: int
    recipe: Annotated[methods.Network | methods.Recipe, Field(union_mode="left_to_right")]
    """A network alone where nothing is trained: that comes first, since the recipe of LaMa asks for no more."""
    released: methods.ReleasedWeights | None = None
    teacher: TeacherSettings | None = None
    """Of the semantic prior."""
    perceptual: TeacherSettings | experiment.PerceptualVGG | None = None
    """Network of perceptual and style losses."""
    structure: SmoothingSettings | None = None
    threads: int | None = None

    @classmethod
    def of(cls, params: Params, *, dataset: str, method: str, seed: int | None = None) -> Self:
        """Take a run, with the dataset's overrides applied to the method's recipe; without a seed, the first.

        Raises: ParamsError if the dataset, the method or the seed is not in params.yaml.
        """
        entry, recipe = pick(params, f"datasets.{dataset}"), pick(params, f"methods.{method}")
        if why := params.absent(dataset, method):
            raise ParamsError(f"{method} on {dataset} is left out: {why}")
        seeds = params.seeds_of(dataset, method)
        if seed is not None and seed not in seeds:
            raise ParamsError(
                f"{method} on {dataset} is not run with the seed {seed}, but with {', '.join(map(str, seeds))}"
            )
        named = {"dataset": dataset, "method": method, "seed": seeds[0] if seed is None else seed}
        run = cls(**named, image_size=entry.image_size, recipe=methods.without_training(recipe))
        if isinstance(recipe, methods.ExternalFill):
            own = {"composited": {dataset: recipe.composited[dataset]}}
            return run.model_copy(update={"recipe": recipe.model_copy(update=own)})
        if isinstance(recipe, methods.ClassicalFill):
            return run
        if isinstance(released := recipe.weights.get(dataset), methods.ReleasedWeights):
            return run.model_copy(update={"released": released})
        perceptual = params.perceptual_network if recipe.perceptual_layers else None
        if isinstance(perceptual, experiment.PerceptualTeacher):
            perceptual = TeacherSettings.of(params, teacher=perceptual.teacher)
        smoothed = recipe.extra_target == "structure"
        learnt_from = {
            "recipe": recipe.model_copy(update={"training": recipe.training.resolve(dataset), "weights": {}}),
            "teacher": TeacherSettings.of(params, teacher=recipe.prior_teacher) if recipe.prior_teacher else None,
            "perceptual": perceptual,
            "structure": SmoothingSettings.of(params, dataset=dataset) if smoothed else None,
            "threads": params.threads,
        }
        return run.model_copy(update=learnt_from)

    @classmethod
    def of_released(cls, params: Params, path: Path, *, dataset: str, method: str) -> Self:
        """Take a run whose weights are those at `path`, whatever params.yaml says about it.

        Raises: ParamsError if the dataset or the method is not in params.yaml, or the method has no weights.
        """
        recipe = pick(params, f"methods.{method}")
        if isinstance(recipe, methods.NoNetwork):
            raise ParamsError(f"methods.{method} has no weights; those that have: {', '.join(params.network_methods)}")
        weights = {dataset: methods.ReleasedWeights(source="released", path=str(path))}
        named = params.methods | {method: recipe.model_copy(update={"weights": weights})}
        return cls.of(params.model_copy(update={"methods": named}), dataset=dataset, method=method)

    @property
    def taught(self) -> list[TeacherSettings]:
        """Pretext networks that the run learns from."""
        return [known for known in (self.teacher, self.perceptual) if isinstance(known, TeacherSettings)]

    @property
    def teachers(self) -> list[str]:
        """Names of the pretext networks that the run learns from."""
        return sorted({teacher.teacher for teacher in self.taught})

    def vgg_file(self) -> str | None:
        """Return the torchvision file that the perceptual losses need, if any."""
        if not isinstance(self.perceptual, experiment.PerceptualVGG):
            return None
        layers = methods.RECIPES[self.recipe.recipe].perceptual_layers
        assert layers is not None
        return f"{self.perceptual.folder}/{VGG_FILES[layers.network]}"

    def released_files(self) -> list[Path]:
        """Return the files of the released weights; empty for a run that is trained here."""
        return released_files(self.recipe.recipe, self.released.path) if self.released else []


class Architecture(Strict):
    """A method as it is built for images of one size, for its cost and its drawing."""

    method: str
    image_size: int
    recipe: methods.NoNetwork | methods.Network
    teacher: teachers.Teacher | None
    """The one that a prior is adapted to."""
    released: bool

    @classmethod
    def of(cls, params: "Params | FigureSettings", dataset: str, method: str) -> Self:
        """Take a method as it is built for a dataset."""
        recipe, teacher = params.methods[method], None
        released = isinstance(recipe, methods.NetworkMethod) and dataset in recipe.weights
        if isinstance(recipe, methods.NetworkMethod) and recipe.prior_teacher and not released:
            teacher = params.teachers[recipe.prior_teacher]
        return cls(
            method=method,
            image_size=params.datasets[dataset].image_size,
            recipe=methods.without_training(recipe),
            teacher=teacher,
            released=released,
        )


# Evidence ----------------------------------------------------------------------------------------


class EvaluationSettings(Settings):
    """One evaluation: a run, the protocol's batch, and the version of the metrics."""

    step = "evaluate_method"
    wildcards = RunSettings.wildcards
    run: RunSettings
    batch_size: Annotated[int, From("evaluation.batch_size")]
    metrics: Annotated[int, From("evaluation.metrics")]
    threads: int


class PerceptualSettings(Settings):
    """Metrics of one evaluation that compare features of networks."""

    step = "measure_perceptual"
    wildcards = RunSettings.wildcards
    dataset: str
    method: str
    seed: int
    perceptual: Annotated[experiment.Perceptual, From("evaluation.perceptual")]
    networks: tuple[str, ...]
    """Weight files that are there: when one arrives, a metric becomes available."""
    subset_seed: Annotated[int, From("seed")]
    threads: int

    @classmethod
    def of(cls, params: Params, *, dataset: str, method: str, seed: int | None = None) -> Self:
        """Take the metrics of a run; without a seed, of the first."""
        run = RunSettings.of(params, dataset=dataset, method=method, seed=seed)
        networks = tuple(sorted(file.name for file in Path(params.evaluation.perceptual.folder).glob("*.pth")))
        return super().of(params, **run.identity(), networks=networks)


class PriorSettings(Settings):
    """Kept semantic priors or edges of a method's first run."""

    step = "export_priors"
    wildcards = ("dataset", "method")
    run: RunSettings
    images: Annotated[int, From("figures.clusters.images")]
    threads: int


class DetectionSettings(Settings):
    """Objects found in the uncorrupted images of a dataset, and in those that methods have filled."""

    step = "detect_objects"
    wildcards = ("dataset",)
    dataset: str
    seeds: dict[Name, int]
    """Of the run of every method whose images are searched."""
    detector: TeacherSettings | teachers.TorchvisionDetector
    min_score: Annotated[float, From("detection.min_score")]
    threads: int

    @classmethod
    def of(cls, params: Params, *, dataset: str) -> Self:
        """Take the detector, and the first run of every method of Table 1 that fills all images.

        Raises: ParamsError if the experiment has no detector.
        """
        detector = pick(params, "detection.detector")
        if isinstance(detector, teachers.TeacherDetector):
            detector = TeacherSettings.of(params, teacher=detector.teacher)
        methods = params.methods_of(dataset, params.unlimited)
        seeds = {method: params.seeds_of(dataset, method)[0] for method in methods}
        return super().of(params, dataset=dataset, seeds=seeds, detector=detector)


# Tables and figures ---------------------------------------------------------------------------------
# Seconds each, so these depend on whole sections.


class CostSettings(Settings):
    """The table of costs: every method once for every image size."""

    step = "measure_cost"
    methods: tuple[Architecture, ...]

    @classmethod
    def of(cls, params: Params) -> Self:
        """Take the methods of Table 1 but external ones, those that the paper does not have last."""
        datasets = {dataset.image_size: name for name, dataset in reversed(params.datasets.items())}
        cells = sorted(product(datasets.values(), params.table_methods), key=lambda cell: bool(params.apart(cell[1])))
        built = [Architecture.of(params, *cell) for cell in cells]
        return cls(methods=tuple(method for method in built if not isinstance(method.recipe, methods.ExternalFill)))


class TableSettings(Settings, Design):
    """Table 1."""

    step = "table1"
    masks: experiment.Masks
    evaluation: experiment.Evaluation
    verdicts: experiment.Verdicts


class FurtherSettings(TableSettings):
    """The metrics beside Table 1's."""

    step = "further_metrics"


class AblationSettings(TableSettings):
    """The numbers of Figure 4."""

    step = "compare_ablations"


class GridSettings(TableSettings):
    """The grid search."""

    step = "compare_grid"


class ClaimSettings(TableSettings):
    """The paper's claims."""

    step = "check_claims"
    detection: teachers.Detection | None


class FigureSettings(TableSettings):
    """One of the paper's figures, or the drawing of the grid search."""

    step = "draw_figure"
    wildcards = ("figure",)
    figure: str
    detection: teachers.Detection | None
    teachers: dict[Name, teachers.Teacher]
    figures: experiment.Figures


class ExampleSettings(Settings, Design):
    """The example images of one dataset."""

    step = "draw_examples"
    wildcards = ("dataset",)
    dataset: str
    figures: experiment.Figures


class ReportSettings(Settings, Params):
    """The report, which shows everything."""

    step = "write_report"


def _kinds(kind: type[Settings]) -> list[type[Settings]]:
    return [kind, *(deeper for own in kind.__subclasses__() for deeper in _kinds(own))]


STEPS = {kind.step: kind for kind in _kinds(Settings)[1:]}
"""By the name of the rule."""


# Needs of an experiment ---------------------------------------------------------------------------


def supplied_teacher_file(teacher: teachers.Teacher) -> str | None:
    """Return the file that a person has to supply for a teacher, if any."""
    match teacher:
        case teachers.ReleasedTResNet(path=path) | teachers.ReleasedYOLO(path=path):
            return path
        case teachers.TimmTeacher(weights=str(path)):
            return path
    return None


def first_runs(params: Params) -> list[RunSettings]:
    """Return every method on every dataset with its first seed: other seeds need nothing else."""
    return [RunSettings.of(params, dataset=d, method=m) for d in params.datasets for m in params.methods_of(d)]


def needed_teachers(params: Params) -> list[str]:
    """Return the teachers that some run learns from or that find objects."""
    names = {teacher for run in first_runs(params) for teacher in run.teachers}
    if params.detection and isinstance(params.detection.detector, teachers.TeacherDetector):
        names.add(params.detection.detector.teacher)
    return sorted(names)


def weight_files(params: Params) -> list[str]:
    """Return the weight files that training, evaluation and detection cannot do without."""
    runs = first_runs(params)
    files: list[str | Path | None] = [supplied_teacher_file(params.teachers[name]) for name in needed_teachers(params)]
    files += [run.vgg_file() for run in runs]
    files += [file for run in runs for file in run.released_files()]
    if params.detection and isinstance(params.detection.detector, teachers.TorchvisionDetector):
        files.append(params.detection.detector.path)
    return sorted({str(file) for file in files if file})


def figure_sections(params: Params | FigureSettings) -> dict[str, Strict | None]:
    """Return the section that describes each figure, by the figure's name; None if the experiment does not have it."""
    if params.figures is None:
        return {}
    sections = {name: section for name, section in params.figures if name.startswith("fig")}
    return dict(sorted((sections | {"fig4": params.ablations, "grid": params.grid}).items()))


def drawn_figures(params: Params | FigureSettings) -> list[str]:
    """Return the names of the figures that the experiment has."""
    return [name for name, section in figure_sections(params).items() if section]
