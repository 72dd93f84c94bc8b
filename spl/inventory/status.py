"""External files of an experiment: which are present, how to get the rest, and what is blocked without them.

Imports no torch.
"""

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from spl.common.errors import ParamsError
from spl.config.experiment import ImageSource, MiniatureMasks, Params, Registered, Supplied
from spl.config.grid import grid_points
from spl.config.left_out import without_left_out
from spl.config.registry import Source, source_of
from spl.config.teachers import MiniaturePretext, TeacherDetector, TorchvisionDetector
from spl.sources.metric_weights import FILES
from spl.sources.verify import is_note
from spl.steps.paths import IMAGES, WEIGHTS
from spl.steps.settings import RunSettings, TeacherSettings, first_runs, needed_teachers, supplied_teacher_file

WRAPPER = textwrap.TextWrapper(
    118, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)
"""Lines of at most 118 characters in which addresses and paths stay whole."""

Cell = tuple[str, str]
"""Dataset and method of a run."""


class State(StrEnum):
    """Presence of a file or of a whole source, in the order in which sources are shown."""

    MISSING = "missing"
    PARTLY = "partly here"
    PRESENT = "present"
    DRAWN = "drawn"


@dataclass(frozen=True)
class Need:
    """One reason why files of a source are needed."""

    parameter: str
    """Dotted path of the value in params.yaml that names the source."""
    source: str
    """Name of the source."""
    registered: Source | None
    """The source's entry in the registry; None for own files and for what is drawn here."""
    paths: tuple[Path, ...]
    """Files, or a folder; empty for what is drawn here."""
    cells: set[Cell]
    """Runs that are blocked without the files."""
    other: str = ""
    """Anything else that is."""


@dataclass(frozen=True)
class SourceStatus:
    """A source that the experiment needs, with the files that it needs of it."""

    name: str
    """Name in the registry; for own files the dataset, or the path of the file."""
    needs: tuple[Need, ...]
    files: dict[Path, State]
    """Empty for what is drawn here."""

    @property
    def state(self) -> State:
        """Whether all files are here."""
        states = set(self.files.values())
        return State.DRAWN if not states else states.pop() if len(states) == 1 else State.PARTLY

    @property
    def blocking(self) -> list[Need]:
        """The needs that are not met; all of them if everything is here."""
        unmet = [need for need in self.needs if any(self.files[path] != State.PRESENT for path in need.paths)]
        return unmet or list(self.needs)


def status(params: Params, registry: dict[str, Source]) -> list[SourceStatus]:
    """Look for everything that an experiment needs from elsewhere: images, masks, weights; missing ones come first.

    Raises: ParamsError if a source is named that is not registered.
    """
    grouped: dict[tuple[str, bool], list[Need]] = {}
    for need in [*_image_needs(params, registry), *_weight_needs(params, registry)]:
        grouped.setdefault((need.source, need.registered is None), []).append(need)
    found = [
        SourceStatus(name, tuple(needs), {path: _state(path) for need in needs for path in need.paths})
        for (name, _), needs in grouped.items()
    ]
    return sorted(found, key=lambda source: list(State).index(source.state))


def _image_needs(params: Params, registry: dict[str, Source]) -> Iterator[Need]:
    """Yield the need for the images of every dataset, for masks, and for the labelled images of teachers."""
    everything = {(dataset, method) for dataset in params.datasets for method in params.methods_of(dataset)}
    needed: list[tuple[str, ImageSource | MiniatureMasks | MiniaturePretext, set[Cell]]] = []
    for name, dataset in params.datasets.items():
        needed.append((f"datasets.{name}", dataset.source, {cell for cell in everything if cell[0] == name}))
    needed.append(("masks", params.masks.source, everything))
    taught = {(run.dataset, run.method) for run in first_runs(params) if any(t.pretext for t in run.taught)}
    if params.pretext and any(TeacherSettings.of(params, teacher=name).pretext for name in needed_teachers(params)):
        needed.append(("pretext", params.pretext, taught))
    for parameter, place, cells in needed:
        name, source, paths = parameter.removeprefix("datasets."), None, tuple[Path, ...]()
        if isinstance(place, Supplied):
            paths = (Path(place.path),)
        elif isinstance(place, Registered):
            name, source = place.name, registry.get(place.name)
            if source is None:
                known = ", ".join(registry)
                raise ParamsError(f"{parameter}.source.name: the registry has no {name!r}; it has {known}")
            paths = tuple(Path(source.folder) / file.name for file in source.files) or (Path(source.folder),)
        yield Need(parameter, name, source, paths, cells)


def _weight_needs(params: Params, registry: dict[str, Source]) -> Iterator[Need]:
    """Yield the need for every weight file that the parameters name and a run, a metric or the detector uses."""
    runs = first_runs(params)
    detector, needed = params.detection.detector if params.detection else None, list[tuple[str, Path, set[Cell], str]]()
    objects = "detected objects and the claims about them"
    if isinstance(detector, TorchvisionDetector):
        needed.append(("detection.detector.path", Path(detector.path), set(), objects))
    for name, teacher in params.teachers.items():
        taught = {(run.dataset, run.method) for run in runs if name in run.teachers}
        finds_objects = isinstance(detector, TeacherDetector) and detector.teacher == name
        if (path := supplied_teacher_file(teacher)) and (taught or finds_objects):
            needed.append((f"teachers.{name}", Path(path), taught, objects if finds_objects else ""))
    for run in runs:
        cell = {(run.dataset, run.method)}
        needed += [(f"methods.{run.method}.weights.{run.dataset}", path, cell, "") for path in run.released_files()]
        filled = getattr(run.recipe, "composited", {}).values()  # by another program
        needed += [(f"methods.{run.method}.composited.{run.dataset}", Path(folder), cell, "") for folder in filled]
        if vgg := run.vgg_file():
            needed.append(("perceptual_network", Path(vgg), cell, ""))
    folder, metrics = Path(params.evaluation.perceptual.folder), params.evaluation.perceptual.metrics
    files = [(metric, file) for metric in metrics for file in FILES[metric]]
    needed += [("evaluation.perceptual.folder", folder / file.names[0], set(), m.upper()) for m, file in files]
    renamed = {folder / file.names[0]: file.find(folder) for _, file in files}
    unlisted = {Path(source.folder): name for name, source in registry.items() if not source.files}
    for parameter, path, cells, other in needed:
        name = source_of(registry, path) or unlisted.get(path.parent) or str(path)
        yield Need(parameter, name, registry.get(name), (renamed.get(path) or path,), cells, other)


def without_missing(params: Params, registry: dict[str, Source]) -> Params:
    """Leave out the datasets and runs whose files only a person can bring, and has not: all if SPL_OFFLINE is set.

    Nothing is where missing files shall stop the work, where no dataset would remain, and where something was made of
    the files before.
    """
    found, offline = dict[str, str](), "SPL_OFFLINE" in os.environ
    for need in [*_image_needs(params, registry), *_weight_needs(params, registry)]:
        section = need.parameter.partition(".")[0]
        downloaded = {file.name for file in need.registered.files if file.mirrors} if need.registered else set()
        lacking = [path for path in need.paths if _state(path) == State.MISSING]
        lacking = [path for path in lacking if offline or path.name not in downloaded]
        for dataset, method in sorted(need.cells) if lacking else ():
            run = RunSettings.of(params, dataset=dataset, method=method)
            if section == "datasets" and need.registered and not run.at(IMAGES).exists():
                found[dataset] = f"images missing: {lacking[0]}"
            elif section == "methods" and dataset not in found and not (run.at(WEIGHTS) / "run.json").exists():
                what = "filled images" if ".composited." in need.parameter else "weights"
                found.setdefault(f"{dataset}/{method}", f"{what} missing: {lacking[0]}")
    if params.missing_files == "stop" or params.left_out or params.datasets.keys() <= found.keys():
        return params
    return without_left_out(params.model_copy(update={"left_out": found}))


def _state(path: Path) -> State:
    """Look for a file that may be partly downloaded, or for a folder with anything but the notes of downloads in it."""
    if path.is_file() or (path.is_dir() and any(not is_note(file.name) for file in path.iterdir())):
        return State.PRESENT
    return State.PARTLY if path.with_name(f"{path.name}.part").is_file() else State.MISSING


# As text -------------------------------------------------------------------------------------------


def render(sources: list[SourceStatus], params: Params) -> str:
    """Write the status as plain text: a summary in one line, then a block for each source."""
    names = {state: [source.name for source in sources if source.state == state] for state in State}
    here = len(names[State.PRESENT]) + len(names[State.DRAWN])
    parts = [f"{here} of {len(sources)} sources are here"]
    parts += [f"{state}: {', '.join(names[state])}" for state in (State.MISSING, State.PARTLY) if names[state]]
    return "\n\n".join(["; ".join(parts), *(_block(source, params) for source in sources)])


def to_json(sources: list[SourceStatus], params: Params) -> str:
    """Write the status for scripts: a list with an object for every source."""
    rows = [{
        "source": source.name, "state": source.state, "files": {str(file): is_ for file, is_ in source.files.items()},
        "size": source.needs[0].registered and source.needs[0].registered.size,
        "licence": source.needs[0].registered and source.needs[0].registered.licence,
        "blocks": _blocked(source, params),
        "get_it": "" if source.state in (State.PRESENT, State.DRAWN) else _instruction(source),
    } for source in sources]  # fmt: skip
    return json.dumps(rows, indent=2)


def _block(source: SourceStatus, params: Params) -> str:
    if source.state == State.DRAWN:
        return f"{source.name}: drawn, nothing to fetch"
    registered = source.needs[0].registered
    lines = [f"{registered.title}{f' ({registered.size})' if registered.size else ''}"] if registered else []
    lines += [f"licence: {registered.licence}"] if registered else []
    lines += [f"{path}: {state}" for path, state in source.files.items()]
    lines.append(f"{'needed for' if source.state == State.PRESENT else 'blocks'}: {_blocked(source, params)}")
    if source.state != State.PRESENT:
        lines.append(f"get it: {_instruction(source)}")
    return "\n".join([f"{source.name}: {source.state}", *map(WRAPPER.fill, lines)])


def _blocked(source: SourceStatus, params: Params) -> str:
    """Name runs, a dataset or method as a whole if all of its runs are blocked; then figures, then anything else."""
    cells = {cell for need in source.blocking for cell in need.cells}
    all_cells = [(dataset, method) for dataset in params.datasets for method in params.methods_of(dataset)]
    words = [d for d in params.datasets if cells >= {cell for cell in all_cells if cell[0] == d}]
    rest = [cell for cell in all_cells if cell in cells and cell[0] not in words]
    for method in dict.fromkeys(method for _, method in rest):
        here = [dataset for dataset, own in rest if own == method]
        everywhere = here == [dataset for dataset, own in all_cells if own == method]
        words.append(method if everywhere else f"{method} on {', '.join(here)}")
    figures = [name.replace("fig", "figure ") for name, shown in _shown(params).items() if shown & cells]
    others = dict.fromkeys(need.other for need in source.blocking)
    return "; ".join(filter(None, [", ".join(words), ", ".join(figures), ", ".join(filter(None, others))]))


def _shown(params: Params) -> dict[str, set[Cell]]:
    """Return the runs that each figure shows; figure 2 shows none."""
    figures = params.figures.shown() if params.figures else {}
    shown = {name: set(seen.filled + seen.priors) for name, seen in figures.items()}
    if ablations := params.ablations:
        shown["fig4"] = {(ablations.dataset, method) for method in (ablations.reference, *ablations.methods)}
    if grid := params.grid:
        shown["grid"] = {(dataset, m) for dataset in params.datasets for m in (grid.method, *grid_points(params))}
    return dict(sorted(shown.items()))


def _instruction(source: SourceStatus) -> str:
    """Tell how to get the files that are missing."""
    need = source.needs[0]
    if need.registered is None:
        return f"place it there, or change {need.parameter} in params.yaml."
    lacking = {path.name for path, state in source.files.items() if state != State.PRESENT}
    if not any(file.mirrors for file in need.registered.files if file.name in lacking):
        return f"by hand. {need.registered.by_hand}"
    is_weights = need.registered.kind == "weights"
    target = f"weights/{source.name}" if is_weights else need.parameter.replace("datasets.", "images/")
    return f"snakemake --cores all -- data/sources/{target}.json. If that fails: {need.registered.by_hand}"
