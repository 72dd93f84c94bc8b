"""Contradictions between sections of `params.yaml`: names, kinds, sizes."""

from collections.abc import Iterable, Iterator

from spl.config.experiment import Params
from spl.config.grid import grid_points
from spl.config.methods import ECRecipe, ExternalFill, NetworkMethod, SPLRecipe, TrainedMethod
from spl.config.releases import RELEASES
from spl.config.teachers import (
    ReleasedYOLO,
    TeacherDetector,
    TrainedTeacher,
    TrainedYOLO,
)

RESERVED = {
    ("datasets", "teachers"): "it is the folder of the teachers' training in checkpoints",
    ("methods", "ground_truth"): "it stands for the uncorrupted images in results/detections",
}


def contradictions(params: Params) -> list[str]:
    """List what contradicts each other, each with its dotted path."""
    checks = (_seeds, _reserved, _named_datasets, _sizes, _needs, _ablations, _grid, _splits, _detection, _study,
              _figures)  # fmt: skip
    return [fault for check in checks for fault in check(params)]


def _seeds(params: Params) -> Iterator[str]:
    if len(set(params.seeds)) < len(params.seeds):
        yield f"seeds: duplicates are not allowed, got {list(params.seeds)}"


def _reserved(params: Params) -> Iterator[str]:
    for (section, name), reason in RESERVED.items():
        if name in getattr(params, section):
            yield f"{section}.{name}: this name is reserved, {reason}; choose another"


def _named_datasets(params: Params) -> Iterator[str]:
    for name, method in params.methods.items():
        if isinstance(method, TrainedMethod):
            named = method.training.per_dataset
            yield from _known(f"methods.{name}.training.per_dataset", named, "datasets", params.datasets)
        if isinstance(method, ExternalFill):
            yield from _known(f"methods.{name}.composited", method.composited, "datasets", params.datasets)
        if isinstance(method, NetworkMethod):
            yield from _known(f"methods.{name}.weights", method.weights, "datasets", params.datasets)
            if method.weights and method.recipe not in RELEASES:
                yield f"methods.{name}.weights: no released layout of the recipe {method.recipe} is known"


def _sizes(params: Params) -> Iterator[str]:
    for name, method in params.methods.items():
        if not isinstance(method, NetworkMethod):
            continue
        perceptual = params.perceptual_network if method.perceptual_layers else None
        names = (method.prior_teacher, perceptual and perceptual.teacher)
        detector = any(isinstance(params.teachers.get(name or ""), TrainedYOLO | ReleasedYOLO) for name in names)
        for key, dataset in params.datasets.items():
            sizes = f"but datasets.{key}.image_size is {dataset.image_size}"
            if dataset.image_size % (step := method.multiple_of(dataset.image_size)):
                yield f"methods.{name} takes image sizes that are multiples of {step}, {sizes}"
            if detector and dataset.image_size % 16 and name in params.methods_of(key):
                yield f"methods.{name} learns from a YOLOv5, which takes multiples of 16, {sizes}"


def _needs(params: Params) -> Iterator[str]:
    for name, teacher in params.teachers.items():
        if isinstance(teacher, TrainedTeacher) and params.pretext is None:
            yield f"teachers.{name} is trained here, so pretext must say on what; it is null"
    for name, method in params.methods.items():
        if isinstance(method, SPLRecipe) and method.teacher is not None:
            yield from _known(f"methods.{name}.teacher", [method.teacher], "teachers", params.teachers)
            if method.oracle and isinstance(params.teachers.get(method.teacher), TrainedYOLO | ReleasedYOLO):
                yield f"methods.{name}.oracle: a YOLOv5 cannot be kept among the weights of an oracle"
        if isinstance(method, NetworkMethod) and params.datasets.keys() - method.weights.keys():
            if method.perceptual_layers and params.perceptual_network is None:
                yield f"methods.{name} has perceptual losses, so perceptual_network must say which network; it is null"
            if method.extra_target == "structure" and params.structure is None:
                yield f"methods.{name} learns from smoothed images, so structure must say how; it is null"
    if teacher := params.perceptual_network and params.perceptual_network.teacher:
        yield from _known("perceptual_network.teacher", [teacher], "teachers", params.teachers)


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
    else:
        for name in params.methods.keys() & grid_points(params).keys():
            yield f"methods.{name}: this name is that of a point of the grid; choose another"
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


def _study(params: Params) -> Iterator[str]:
    if params.study is None:
        return
    yield from _known("study.contrasts", params.study.contrasts, "datasets", params.datasets)
    for arm, methods in params.study.arms.items():
        yield from _known(f"study.arms.{arm}", methods, "methods", params.network_methods)
    for dataset, pairs in params.study.contrasts.items():
        yield from _known(f"study.contrasts.{dataset}", dict.fromkeys(sum(pairs, ())), "study.arms", params.study.arms)


def _figures(params: Params) -> Iterator[str]:
    if (figures := params.figures) is None:
        return
    one, two, three, five = figures.fig1, figures.fig2, figures.fig3, figures.fig5
    if (one or five) and figures.clusters is None:
        yield "figures.clusters: must say how the priors of figures 1 and 5 are clustered; it is null"
    detected = params.detection.datasets if params.detection else ()
    for name, figure, searched in (("fig1", one, one and (one.dataset,)), ("fig3", three, three and three.detected)):
        if figure:
            yield from _known(f"figures.{name}.methods", figure.methods, "the methods of Table 1", params.table_methods)
            for method in filter(params.limit_of, figure.methods):
                yield f"figures.{name}.methods: {method} fills only some of the images (methods.{method}.images)"
            for dataset in set(searched or ()) - set(detected):
                yield f"figures.{name} shows detections on {dataset}, which detection.datasets does not have"
    for name, figure in (("fig1", one), ("fig2", two), ("fig5", five)):
        if figure:
            yield from _known(f"figures.{name}.dataset", [figure.dataset], "datasets", params.datasets)
    if three:
        yield from _known("figures.fig3", [*three.images, *three.detected], "datasets", params.datasets)
    for key, method in (
        ("fig1.prior", one and one.prior),
        ("fig2.method", two and two.method),
        ("fig5.prior", five and five.prior),
    ):
        if method:
            yield from _recipe(params, f"figures.{key}", method, SPLRecipe)
    if five:
        yield from _recipe(params, "figures.fig5.edges", five.edges, ECRecipe)
    for dataset, method in figures.priors():
        if method in params.methods and dataset in params.datasets and method not in params.methods_of(dataset):
            why = params.absent(dataset, method) or "it is an ablation"
            yield f"figures: {method} is not run on {dataset}: {why}"


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
