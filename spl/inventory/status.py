"""What an experiment needs from elsewhere: what is here, how the rest is had, what its lack blocks. No torch."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from spl.common.errors import ParamsError
from spl.config.experiment import ImageSource, MiniatureMasks, Params, Registered, Supplied
from spl.config.grid import grid_points
from spl.config.registry import RegisteredFile, Source, source_of
from spl.config.teachers import MiniaturePretext, TeacherDetector, TorchvisionDetector
from spl.sources.metric_weights import FILES
from spl.sources.verify import SUMS, recorded
from spl.steps.settings import (
    RunSettings,
    TeacherSettings,
    drawn_figures,
    first_runs,
    needed_teachers,
    supplied_teacher_file,
)

FileState = Literal["missing", "partly downloaded", "present"]
State = Literal["missing", "partly here", "present", "drawn"]

STATES: tuple[State, ...] = ("missing", "partly here", "present", "drawn")
"""In the order in which they are shown."""

WIDTH = 118
"""Characters in a line."""

LISTED = 4
"""How many names of a folder are shown."""

Cells = set[tuple[str, str]]
"""Dataset and method of some runs."""


@dataclass(frozen=True)
class FileStatus:
    """A file, or a folder that a person fills."""

    path: Path
    state: FileState
    size: int | None
    """Bytes that are here, of a `.part` too; None for a folder and for what is missing."""
    published: int | None = None
    """Bytes there have to be, if that is known."""
    known_by: str = ""
    """How one sees that it is the right one; empty for files of one's own."""
    by_hand: bool = True


@dataclass(frozen=True)
class SourceStatus:
    """A source that the experiment needs, with those of its files that it needs."""

    name: str
    title: str
    files: tuple[FileStatus, ...] = ()
    """Empty for what is drawn here."""
    holds: tuple[str, ...] = ()
    """What else lies in its folder, where something is missing or any name will do."""
    by_hand: str = ""
    """What a person does where the workflow cannot download it."""
    target: str = ""
    """What the workflow downloads it for."""
    checked: Literal["never"] | date | None = None
    """When its addresses were last tried; None for files of one's own and what is drawn here."""
    blocks: tuple[str, ...] = ()
    """What cannot be had without it, or without those of its files that are missing."""

    @property
    def state(self) -> State:
        """Whether all of it is here."""
        if not self.files:
            return "drawn"
        if all(file.state == "present" for file in self.files):
            return "present"
        return "missing" if all(file.state == "missing" for file in self.files) else "partly here"


class _Weight(NamedTuple):
    """One reason why a weight file is needed."""

    path: Path
    key: str
    """Which parameter names it."""
    blocks: str
    found: Path | None = None
    """Where it lies under another name that will do."""


def status(params: Params, registry: dict[str, Source]) -> list[SourceStatus]:
    """Look for everything that an experiment needs from elsewhere: pictures, masks, weights; missing ones come first.

    Raises: ParamsError if a source is named that is not registered; DataError if a SHA256SUMS is not one.
    """
    found = [*_pictures(params, registry), *_weights(params, registry)]
    return sorted(found, key=lambda source: STATES.index(source.state))


def render(sources: list[SourceStatus]) -> str:
    """Write the status as plain text: a summary in one line, then a block for each source."""
    return "\n\n".join([_summary(sources), *map(_block, sources)])


# What is needed ------------------------------------------------------------------------------------


def _pictures(params: Params, registry: dict[str, Source]) -> Iterator[SourceStatus]:
    """Yield the sources of pictures and masks; a registered one once, with everything that is made from it."""
    registered: dict[str, list[tuple[str, str]]] = {}
    for key, what, source, blocks in _needed_pictures(params):
        match source:
            case Registered(name=name) if name in registry:
                registered.setdefault(name, []).append((key, blocks))
            case Registered(name=name):
                raise ParamsError(f"{key}.source.name: the registry has no {name!r}; it has {', '.join(registry)}")
            case Supplied(path=path):
                folder, by_hand = Path(path), f"Place the {what} in {path}, or change {key}.source in params.yaml."
                yield SourceStatus(
                    key.removeprefix("datasets."), f"{what}, one's own", (_folder(folder),), _names(folder), by_hand,
                    blocks=(blocks,),
                )  # fmt: skip
            case _:
                yield SourceStatus(key.removeprefix("datasets."), what, blocks=(blocks,))
    for name, reasons in registered.items():
        source, key = registry[name], reasons[0][0]
        files = [_registered_file(source, file) for file in source.files] or [_folder(Path(source.folder))]
        yield _registered(name, source, files, [blocks for _, blocks in reasons], key.replace("datasets.", "images/"))


def _needed_pictures(
    params: Params,
) -> Iterator[tuple[str, str, ImageSource | MiniatureMasks | MiniaturePretext, str]]:
    """Yield every set of pictures and the masks: its parameter, what it is, where it is from, what it blocks."""
    for name, dataset in params.datasets.items():
        cells = {(name, method) for method in params.methods_of(name)}
        blocks = "; ".join([f"dataset {name}: its columns of Table 1", *_figures(params, cells)])
        yield f"datasets.{name}", f"pictures of the dataset {name}", dataset.source, blocks
    yield "masks", "irregular masks", params.masks.source, "masks: every training and all of Table 1"
    taught = [name for name in needed_teachers(params) if TeacherSettings.of(params, teacher=name).pretext]
    if params.pretext and taught:
        yield "pretext", "labelled pictures for teachers", params.pretext, f"teachers {', '.join(taught)}"


def _weights(params: Params, registry: dict[str, Source]) -> Iterator[SourceStatus]:
    """Yield the sources of weights, registered ones with those of their files that are needed."""
    needs: dict[Path, list[_Weight]] = {}
    for weight in _needed_weights(params):
        needs.setdefault(weight.path, []).append(weight)
    homes = {path: _home(registry, path) for path in needs}
    for name, source in registry.items():
        held = [needs[path] for path, home in homes.items() if home == name]
        if held:
            known = {file.name: file for file in source.files}
            files = [
                _registered_file(source, known.get(weight.path.name) or _unlisted(weight.path), weight.found)
                for weight, *_ in held
            ]
            lacking = [weights for file, weights in zip(files, held, strict=True) if file.state != "present"]
            blocks = [weight.blocks for weights in lacking or held for weight in weights]
            yield _registered(name, source, files, blocks, f"weights/{name}")
    for path, home in homes.items():
        if home is None:
            by_hand = f"Place it there, or change {needs[path][0].key} in params.yaml."
            file, blocks = _file(needs[path][0].found or path), tuple(weight.blocks for weight in needs[path])
            yield SourceStatus(str(path), "weights of one's own", (file,), by_hand=by_hand, blocks=blocks)


def _home(registry: dict[str, Source], path: Path) -> str | None:
    """Return the source that has a file; of those without a list, the one in whose folder it lies."""
    unlisted = (name for name, source in registry.items() if not source.files and Path(source.folder) == path.parent)
    return source_of(registry, path) or next(unlisted, None)


def _unlisted(path: Path) -> RegisteredFile:
    return RegisteredFile(name=path.name, mirrors=(), bytes=None)


def _needed_weights(params: Params) -> Iterator[_Weight]:
    """Yield every weight file that the parameters name and a run, a metric or the detector needs."""
    runs = {(run.dataset, run.method): run for run in first_runs(params)}
    yield from _teachers(params, runs)
    for (dataset, method), run in runs.items():
        if run.released:
            blocks = "; ".join([f"cell {method} on {dataset}", *_figures(params, {(dataset, method)})])
            for path in run.released_files():
                yield _Weight(path, f"methods.{method}.weights.{dataset}", blocks)
    for vgg in dict.fromkeys(file for run in runs.values() if (file := run.vgg_file())):
        trained = {cell for cell, run in runs.items() if run.vgg_file() == vgg}
        yield _Weight(Path(vgg), "perceptual_network", f"perceptual losses: {_trainings(params, trained)}")
    folder = Path(params.evaluation.perceptual.folder)
    for metric in params.evaluation.perceptual.metrics:
        for file in FILES[metric]:
            blocks = f"{metric.upper()}; all else goes on without it"
            yield _Weight(folder / file.names[0], "evaluation.perceptual.folder", blocks, file.find(folder))


def _teachers(params: Params, runs: dict[tuple[str, str], RunSettings]) -> Iterator[_Weight]:
    """Yield the files of the teachers that somebody needs and of the detector."""
    detector = params.detection.detector if params.detection else None
    if isinstance(detector, TorchvisionDetector):
        yield _Weight(Path(detector.path), "detection.detector.path", f"detector: {_detections(params)}")
    for name, teacher in params.teachers.items():
        if not (path := supplied_teacher_file(teacher)):
            continue
        taught = {cell for cell, run in runs.items() if run.teacher and run.teacher.teacher == name}
        if taught:
            yield _Weight(Path(path), f"teachers.{name}", f"teacher {name}: {_trainings(params, taught)}")
        if isinstance(detector, TeacherDetector) and detector.teacher == name:
            yield _Weight(Path(path), f"teachers.{name}", f"detector: {_detections(params)}")


# In the reader's words -----------------------------------------------------------------------------


def _trainings(params: Params, cells: Cells) -> str:
    """Name methods, the datasets too where it is not all of a method's, and the figures that show them."""
    words = []
    for method in params.methods:
        here = [dataset for dataset in params.datasets if (dataset, method) in cells]
        run = [dataset for dataset in params.datasets if method in params.methods_of(dataset)]
        if here:
            words.append(method if here == run else f"{method} on {', '.join(here)}")
    methods = f"{'method' if len(words) == 1 else 'methods'} {', '.join(words)}"
    return "; ".join([methods, *_figures(params, cells)])


def _figures(params: Params, cells: Cells) -> list[str]:
    """Name the figures that show one of the cells; empty if none does."""
    return _figure_names([name for name, shown in _shown(params).items() if shown & cells])


def _figure_names(names: list[str]) -> list[str]:
    numbers = [name.removeprefix("fig") for name in names if name != "grid"]
    words = [f"{'figure' if len(numbers) == 1 else 'figures'} {', '.join(numbers)}"] if numbers else []
    return words + ["the grid search"] * ("grid" in names)


def _shown(params: Params) -> dict[str, Cells]:
    """Return the cells that each figure shows; figure 2 shows none."""
    shown = {
        name: set(seen.filled + seen.guided)
        for name, seen in (params.figures.shown() if params.figures else {}).items()
    }
    if ablations := params.ablations:
        shown["fig4"] = {(ablations.dataset, method) for method in (ablations.reference, *ablations.methods)}
    if grid := params.grid:
        shown["grid"] = {(dataset, m) for dataset in params.datasets for m in (grid.method, *grid_points(params))}
    return {name: shown.get(name, set()) for name in drawn_figures(params)}


def _detections(params: Params) -> str:
    """Say what is made from the objects that a detector finds."""
    figures = [name for name in drawn_figures(params) if name in ("fig1", "fig3")]
    return "; ".join([*_figure_names(figures), "the claims about objects"])


# What is here --------------------------------------------------------------------------------------


def _registered(name: str, source: Source, files: list[FileStatus], blocks: list[str], record: str) -> SourceStatus:
    whole = bool(source.files) and all(file.state == "present" for file in files)
    known = {file.name for file in source.files} | {file.path.name for file in files}
    return SourceStatus(
        name=name,
        title=source.title,
        files=tuple(files),
        holds=() if whole else tuple(name for name in _names(Path(source.folder)) if name not in known),
        by_hand=source.by_hand,
        target=f"data/sources/{record}.json",
        checked=source.checked,
        blocks=tuple(dict.fromkeys(blocks)),
    )


def _registered_file(source: Source, file: RegisteredFile, found: Path | None = None) -> FileStatus:
    folder = Path(source.folder)
    hashes = {"sha256": file.sha256, "md5": file.md5, "git hash": file.git_blob}
    published = [kind for kind, value in hashes.items() if value]
    known_by = "no hash published"
    if published:
        known_by = f"{' and '.join(published)} published"
    elif file.name in recorded(folder):
        known_by = "sha256 recorded on first use"
    return _file(found or folder / file.name, file.bytes, known_by, by_hand=not file.mirrors)


def _file(path: Path, published: int | None = None, known_by: str = "", *, by_hand: bool = True) -> FileStatus:
    part = path.with_name(f"{path.name}.part")
    if path.is_file():
        return FileStatus(path, "present", path.stat().st_size, published, known_by, by_hand)
    if part.is_file():
        return FileStatus(path, "partly downloaded", part.stat().st_size, published, known_by, by_hand)
    return FileStatus(path, "missing", None, published, known_by, by_hand)


def _folder(path: Path) -> FileStatus:
    return FileStatus(path, "present" if _names(path) else "missing", None)


def _names(folder: Path) -> tuple[str, ...]:
    """List what lies in a folder beside the notes of downloads."""
    if not folder.is_dir():
        return ()
    notes = (".part", ".part.json", ".lock", SUMS)
    names = (path.name for path in folder.iterdir())
    return tuple(sorted(name for name in names if not name.startswith(".") and not name.endswith(notes)))


# As text -------------------------------------------------------------------------------------------


def _summary(sources: list[SourceStatus]) -> str:
    names = {state: [source.name for source in sources if source.state == state] for state in STATES}
    here = len(names["present"]) + len(names["drawn"])
    parts = [f"{here} of {len(sources)} sources are here"]
    parts += [f"{state}: {', '.join(names[state])}" for state in ("missing", "partly here") if names[state]]
    return "; ".join(parts)


def _block(source: SourceStatus) -> str:
    if source.state == "drawn":
        return f"{source.name}: {source.title}: drawn, nothing to fetch"
    lines = [f"{source.name}: {source.state}", *_wrapped("", source.title)]
    for file in source.files:
        lines += _wrapped("", f"{file.path}: {_described(file)}")
    if source.holds:
        more = len(source.holds) - LISTED
        lines += _wrapped("there is", ", ".join(source.holds[:LISTED]) + (f" and {more} more" if more > 0 else ""))
    label = "needed for" if source.state == "present" else "blocks"
    for blocks in source.blocks:
        lines += _wrapped(label, blocks)
    if source.state != "present":
        lines += _wrapped("get it", _how(source))
    if source.checked is not None:
        lines += _wrapped("checked", str(source.checked))
    return "\n".join(lines)


def _wrapped(label: str, text: str) -> list[str]:
    """Break a text into indented lines; an address or a path stays whole."""
    text = f"{label}: {text}" if label else text
    return textwrap.wrap(
        text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _described(file: FileStatus) -> str:
    size = _size(file.size) if file.size is not None else ""
    if file.state != "present" and file.known_by:
        whole = _size(file.published) if file.published else "size not published"
        size = f"{size} of {whole}" if size and file.published else size or whole
    return ", ".join(filter(None, [file.state, size, file.known_by]))


def _how(source: SourceStatus) -> str:
    lacking = [file for file in source.files if file.state != "present"]
    if all(file.by_hand for file in lacking):
        return f"by hand. {source.by_hand}"
    return f"snakemake --cores all -- {source.target} downloads it. If that fails: {source.by_hand}"


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
