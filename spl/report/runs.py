"""How the networks came about: teachers, trainings with their curves, and what filling a picture costs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spl.common.labels import method_title
from spl.common.tables import read_table
from spl.config.experiment import Run
from spl.figures.style import distinct_colours
from spl.report.curves import Curves, lay_out
from spl.report.view import DASH, Cell, Part, Prose, Section, count, duration, number, table
from spl.steps.records import changed_settings, read_record
from spl.steps.settings import ReportSettings, RunSettings, Settings, TeacherSettings, needed_teachers

NO_LOSS = ("step", "lr_factor")
"""The other columns of log.csv."""


def costs_section(results: Path) -> Section:
    """Show what filling one picture costs by every method."""
    rows = [
        [
            method_title(row["method"]), f"{row['image_size']} px", number(row["parameters"] / 1e6, 3),
            number(float(row["gmacs"]), 2) if row["gmacs"] != "" else DASH,
            number(1000 * row["seconds_per_image"], 1), number(row["peak_memory_mib"], 1),
            f"{row['device']}, {count(row['threads'], 'thread')}",
        ]
        for row in read_table(results / "cost.csv").to_dict("records")
    ]  # fmt: skip
    head = ["method", "image", "parameters, 10⁶", "GMAC", "ms per picture", "peak memory, MiB", "device"]
    lead = Prose("Filling one picture: the median of several runs; memory is what building and filling add.")
    return Section("costs", "Costs", (lead, table(head, rows)))


def teachers_section(settings: ReportSettings, results: Path) -> Section:
    """Show the frozen pretext networks that runs learn from or that find objects."""
    rows = []
    for name in needed_teachers(settings):
        path, teacher = results / f"teachers/{name}/run.json", TeacherSettings.of(settings, teacher=name)
        record = read_record(path) if path.is_file() else {}
        quality = record.get("validation_map")
        rows.append([
            name, teacher.network.kind, "trained here" if teacher.pretext else "taken as it is",
            DASH if quality is None else number(quality, 3), _maybe(record, "steps"), _time(record),
            str(len(record["classes"])) if record.get("classes") else DASH, *_state(path, teacher),
        ])  # fmt: skip
    head = ["teacher", "kind", "origin", "validation mAP", "steps", "time", "classes", "code", "record"]
    parts: list[Part] = [Prose("No run of this experiment learns from a teacher.")]
    if rows:
        parts = [table(head, rows, heads=3)]
    return Section("teachers", "Teachers", tuple(parts))


def training_section(settings: ReportSettings, results: Path) -> Section:
    """Show the losses of every training, and a table of the runs."""
    networks = [run for run in settings.runs() if run.method in settings.network_methods]
    runs = [(run, RunSettings.of(settings, **run._asdict())) for run in networks]
    folders = {run: results / f"weights/{run.dataset}/{run.method}/seed{run.seed}" for run, _ in runs}
    rows = [_row(run, learnt, folders[run]) for run, learnt in runs]
    head = ["dataset", "method", "seed", "origin", "learns from", "steps", "images seen", "time", "device", "code",
            "record"]  # fmt: skip
    lead = Prose(
        "A record is current if its settings are those of the parameter file; the code is the git commit that trained."
    )
    return Section("training", "Trainings", (lead, table(head, rows, heads=5), *_curves(folders)))


def _curves(folders: dict[Run, Path]) -> Iterator[Curves]:
    """Lay out log.csv of every run, a drawing per dataset; a loss has the same colour in all."""
    paths = {run: folder / "log.csv" for run, folder in folders.items()}
    logs = {run: read_table(path) for run, path in paths.items() if path.is_file()}
    names = list(dict.fromkeys(name for log in logs.values() for name in log.columns if name not in NO_LOSS))
    colours = dict(zip(names, distinct_colours(len(names)), strict=True))
    for dataset in dict.fromkeys(run.dataset for run in logs):
        of_dataset = {run: log for run, log in logs.items() if run.dataset == dataset}
        panels = [
            lay_out(method, [log for run, log in of_dataset.items() if run.method == method], colours)
            for method in dict.fromkeys(run.method for run in of_dataset)
        ]
        used = {name: colours[name] for name in names if any(name in log for log in of_dataset.values())}
        caption = (
            "Losses by optimiser step, logarithmic; one panel per method, all its seeds in the same colours. Methods "
            "weigh their losses differently, so lines cannot be compared between panels."
        )
        yield Curves(f"Training curves, {dataset}", tuple(panels), used, caption)


def _row(run: Run, settings: RunSettings, folder: Path) -> list[str | Cell]:
    path = folder / "run.json"
    record = read_record(path) if path.is_file() else {}
    device = f"{record['device']} × {record['processes']}" if "device" in record else DASH
    return [
        run.dataset, method_title(run.method), str(run.seed),
        "released weights" if settings.released else "trained here", _learns_from(settings), _maybe(record, "steps"),
        _maybe(record, "images_seen"), _time(record), device, *_state(path, settings),
    ]  # fmt: skip


def _learns_from(run: RunSettings) -> str:
    """Name the networks that a run learns from beside image and mask."""
    return ", ".join([*(f"teacher {name}" for name in run.teachers), *["VGG"] * bool(run.vgg_file())]) or DASH


def _state(path: Path, settings: Settings) -> tuple[str, Cell]:
    """Say which code made a result and whether it was made with the current settings."""
    if not path.is_file():
        return DASH, Cell("missing", look="not-supported")
    commit = read_record(path).get("versions", {}).get("commit", DASH)
    changed = changed_settings(path, settings)
    return commit[:12], Cell("differs", tuple(changed), look="not-supported words") if changed else Cell("current")


def _maybe(record: dict[str, Any], key: str) -> str:
    return f"{record[key]:,}" if key in record else DASH


def _time(record: dict[str, Any]) -> str:
    return duration(record["seconds"]) if "seconds" in record else DASH
