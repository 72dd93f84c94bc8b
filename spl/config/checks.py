"""What has to hold between the sections of `params.yaml`: names that exist, kinds that fit, sizes that divide."""

from collections.abc import Iterable, Iterator

from spl.config.experiment import Params, TeacherPerception
from spl.config.methods import ECRecipe, NetworkMethod, SPLRecipe
from spl.config.teachers import (
    RandomTResNet,
    ReleasedTResNet,
    ReleasedYOLO,
    TeacherDetector,
    TrainedTeacher,
    TrainedTResNet,
    TrainedYOLO,
)


def contradictions(params: Params) -> list[str]:
    """List what contradicts each other, each with its dotted path."""
    checks = (_seeds, _sizes, _teachers, _ablations, _grid, _splits, _detection, _figures)
    return [fault for check in checks for fault in check(params)]


def _seeds(params: Params) -> Iterator[str]:
    if len(set(params.seeds)) < len(params.seeds):
        yield f"seeds: every seed once, got {list(params.seeds)}"


def _sizes(params: Params) -> Iterator[str]:
    for name, method in params.methods.items():
        if not isinstance(method, NetworkMethod):
            continue
        for key, dataset in params.datasets.items():
            if dataset.image_size % (step := method.multiple_of(dataset.image_size)):
                yield (
                    f"methods.{name} takes image sizes that are multiples of {step}, "
                    f"but datasets.{key}.image_size is {dataset.image_size}"
                )


def _teachers(params: Params) -> Iterator[str]:
    for name, teacher in params.teachers.items():
        if isinstance(teacher, TrainedTeacher) and params.pretext is None:
            yield f"teachers.{name} is trained here, so pretext must say on what; it is null"
    for name, method in params.methods.items():
        if isinstance(method, SPLRecipe) and method.teacher is not None:
            yield from _known(f"methods.{name}.teacher", [method.teacher], "teachers", params.teachers)
            if isinstance(params.teachers.get(method.teacher), TrainedYOLO | ReleasedYOLO):
                for key, dataset in params.datasets.items():
                    if dataset.image_size % 16 and name in params.methods_of(key):
                        yield (
                            f"methods.{name}.teacher is a YOLOv5, which takes multiples of 16, "
                            f"but datasets.{key}.image_size is {dataset.image_size}"
                        )
    if isinstance(params.perception, TeacherPerception):
        teacher = params.teachers.get(params.perception.teacher)
        if not isinstance(teacher, TrainedTResNet | ReleasedTResNet | RandomTResNet):
            yield f"perception.teacher: must be a TResNet of teachers, got {params.perception.teacher!r}"


def _ablations(params: Params) -> Iterator[str]:
    if params.ablations is None:
        return
    ablations = params.ablations
    yield from _known("ablations.dataset", [ablations.dataset], "datasets", params.datasets)
    yield from _known("ablations.methods", ablations.methods, "methods", params.methods)
    yield from _known("ablations.reference", [ablations.reference], "methods", params.methods)
    if ablations.reference in ablations.methods:
        yield f"ablations.methods: {ablations.reference!r} is the reference that the others are compared with"


def _grid(params: Params) -> Iterator[str]:
    if params.grid is None:
        return
    method = params.methods.get(params.grid.method)
    if not isinstance(method, SPLRecipe):
        yield from _recipe(params, "grid.method", params.grid.method, SPLRecipe)
    elif method.teacher is None and any(any(block.get("lambda_prior", ())) for block in params.grid.points):
        yield f"grid.points: methods.{params.grid.method}.teacher is null, so lambda_prior must stay 0.0"
    if params.evaluation.split != "validation":
        yield "grid: weights are chosen on validation images, so evaluation.split must be validation"


def _splits(params: Params) -> Iterator[str]:
    if params.evaluation.split == "validation":
        for name, dataset in params.datasets.items():
            if not dataset.validation:
                yield f"datasets.{name}.validation: evaluation.split is validation, so some images must be held out"


def _detection(params: Params) -> Iterator[str]:
    if params.detection is None:
        return
    yield from _known("detection.datasets", params.detection.datasets, "datasets", params.datasets)
    if isinstance(params.detection.detector, TeacherDetector):
        teacher = params.detection.detector.teacher
        if not isinstance(params.teachers.get(teacher), TrainedYOLO | ReleasedYOLO):
            yield f"detection.detector.teacher: must be a YOLOv5 of teachers, got {teacher!r}"


def _figures(params: Params) -> Iterator[str]:
    figures = params.figures
    detected = params.detection.datasets if params.detection else ()
    with_detections = (
        ("fig1", figures.fig1, figures.fig1 and figures.fig1.dataset),
        ("fig3", figures.fig3, figures.fig3 and figures.fig3.detections),
    )
    for name, figure, dataset in with_detections:
        if figure:
            yield from _known(f"figures.{name}.methods", figure.methods, "the methods of Table 1", params.table_methods)
            if dataset not in detected:
                yield f"figures.{name} shows detections on {dataset}, which detection.datasets does not have"
    for name, figure in (("fig1", figures.fig1), ("fig2", figures.fig2), ("fig5", figures.fig5)):
        if figure:
            yield from _known(f"figures.{name}.dataset", [figure.dataset], "datasets", params.datasets)
    if figures.fig3:
        named = [*figures.fig3.images, figures.fig3.detections]
        yield from _known("figures.fig3", named, "datasets", params.datasets)
    priors = (
        ("fig1.prior", figures.fig1 and figures.fig1.prior),
        ("fig2.method", figures.fig2 and figures.fig2.method),
        ("fig5.prior", figures.fig5 and figures.fig5.prior),
    )
    for key, method in priors:
        if method:
            yield from _recipe(params, f"figures.{key}", method, SPLRecipe)
    if figures.fig5:
        yield from _recipe(params, "figures.fig5.edges", figures.fig5.edges, ECRecipe)
    for dataset, method in figures.guided():
        if method in params.methods and dataset in params.datasets and method not in params.methods_of(dataset):
            yield f"figures: {method} is an ablation, which is not run on {dataset}"


def _recipe(params: Params, where: str, method: str, kind: type[SPLRecipe] | type[ECRecipe]) -> Iterator[str]:
    if not isinstance(params.methods.get(method), kind):
        name = "spl" if kind is SPLRecipe else "ec"
        absent = "" if method in params.methods else ", which methods does not have"
        yield f"{where}: must be a method with the recipe {name}, got {method!r}{absent}"


def _known(where: str, names: Iterable[str], section: str, entries: Iterable[str]) -> Iterator[str]:
    known = list(entries)
    for name in names:
        if name not in known:
            yield f"{where}: {section} has no {name!r}; it has {', '.join(known)}"
