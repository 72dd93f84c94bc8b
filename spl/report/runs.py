"""Teachers, runs with their training curves, and the cost of filling an image."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from spl.analysis.render import group_of
from spl.analysis.table1 import origin_of
from spl.common.labels import method_title
from spl.common.printed import DASH, Cell, Table, count, duration, number, simple_table
from spl.common.tables import read_table
from spl.config.experiment import Run
from spl.report.curves import draw_curves, loss_colours
from spl.report.data import record_at
from spl.report.view import Figure, Prose, Section
from spl.steps.records import changed_settings
from spl.steps.settings import ReportSettings, RunSettings, Settings, TeacherSettings, needed_teachers


def machine_of(settings: ReportSettings, results: Path) -> dict[str, str]:
    """Return the processors that records and costs name, and the time of all steps as Snakemake has measured it."""
    records = [record_at(results / f"weights/{d}/{m}/seed{s}/run.json") for d, m, s in settings.runs()]
    devices = [record.get("cpu", "cpu") for record in records] + [*read_table(results / "cost.csv")["device"]]
    named = ", ".join(dict.fromkeys(name for name in devices if name != "cpu")) or DASH
    steps = [pd.read_csv(path, sep="\t")["s"].sum() for path in results.parent.glob("benchmarks/results/**/*.tsv")]
    return {
        "Hardware": f"{named}; {count(settings.threads, 'thread')} of arithmetic on the processor",
        "Time": f"{duration(sum(steps))} for {count(len(steps), 'step')}, one after the other" if steps else DASH,
    }


def costs_section(settings: ReportSettings, results: Path, plan: Path) -> Section:
    """Show the cost of filling one image by every method and, where `spl plan` has left it, a plan beside times."""
    costs = read_table(results / "cost.csv").to_dict("records")
    rows = [
        [
            method_title(row["method"]), f"{row['image_size']} px", number(row["parameters"] / 1e6, 3),
            number(float(row["gmacs"]), 2) if row["gmacs"] != "" else DASH,
            number(1000 * row["seconds_per_image"], 1), number(row["peak_memory_mib"], 1),
            f"{row['device']}, {count(row['threads'], 'thread')}",
        ]
        for row in costs
    ]  # fmt: skip
    head = ["method", "image", "parameters, 10⁶", "GMAC", "ms per image", "peak memory, MiB", "device"]
    lead = Prose("Filling one image: the median of several runs; memory is what building and filling add.")
    printed = simple_table(head, rows)
    lines = zip(printed.rows, costs, strict=True)
    printed = printed._replace(
        rows=tuple(line._replace(group=group_of(settings, row["method"])) for line, row in lines)
    )
    return Section("costs", "Costs", (lead, printed, *_planned(plan, results.parent / "benchmarks/results")))


def _planned(plan: Path, benchmarks: Path) -> tuple[Prose | Table, ...]:
    """Compare a plan with what Snakemake has measured, rule by rule."""
    rows = []
    for rule, jobs in read_table(plan).groupby("rule", sort=False) if plan.is_file() else ():
        files = [*benchmarks.glob(f"{rule}.tsv"), *benchmarks.glob(f"{rule}/**/*.tsv")]
        if files:
            measured = pd.concat([pd.read_csv(file, sep="\t") for file in files])
            times, memory = (jobs["seconds"].sum(), measured["s"].sum()), (jobs["memory_mib"], measured["max_rss"])
            rows.append(
                [str(rule), str(len(jobs)), *map(duration, times), *(number(column.max(), 0) for column in memory)]
            )
    head = ["rule", "jobs", "planned", "measured", "planned memory, MiB", "measured"]
    lead = Prose(
        "What spl plan had said, and what Snakemake has measured: all jobs of a rule together, and its largest one."
    )
    return (lead, simple_table(head, rows)) if rows else ()


def teachers_section(settings: ReportSettings, results: Path) -> Section:
    """Show the frozen pretext networks that runs learn from or that find objects."""
    rows = []
    for name in needed_teachers(settings):
        path, teacher = results / f"teachers/{name}/run.json", TeacherSettings.of(settings, teacher=name)
        record = record_at(path)
        rows.append([
            name, teacher.network.kind, "trained here" if teacher.pretext else "taken as it is",
            number(record.get("validation_map", math.nan), 3), _maybe(record, "steps"), _time(record),
            str(len(record["classes"])) if record.get("classes") else DASH, *_state(path, record, teacher),
        ])  # fmt: skip
    head = ["teacher", "kind", "origin", "validation mAP", "steps", "time", "classes", "code", "record"]
    part = simple_table(head, rows, heads=3) if rows else Prose("No run of this experiment learns from a teacher.")
    return Section("teachers", "Teachers", (part,))


def training_section(settings: ReportSettings, results: Path) -> Section:
    """Show a table of the runs of networks, and their losses."""
    runs = [run for run in settings.runs() if run.method in settings.network_methods]
    folders = {run: results / f"weights/{run.dataset}/{run.method}/seed{run.seed}" for run in runs}
    rows = [[settings.title_of(run.dataset), *_row(settings, run, folder)] for run, folder in folders.items()]
    head = ["dataset", "method", "seed", "origin", "learns from", "steps", "images seen", "time", "device", "code",
            "record"]  # fmt: skip
    lead = Prose(
        "A record is current if its settings are those of the parameter file; the code is the git commit that trained."
    )
    return Section("training", "Training", (lead, simple_table(head, rows, heads=5), *_curves(settings, folders)))


def _curves(settings: ReportSettings, folders: dict[Run, Path]) -> list[Figure]:
    """Draw log.csv of every run, a figure per dataset."""
    grouped: dict[str, dict[str, list[pd.DataFrame]]] = {}
    for run, folder in folders.items():
        if (path := folder / "log.csv").is_file():
            grouped.setdefault(settings.title_of(run.dataset), {}).setdefault(run.method, []).append(read_table(path))
    colours = loss_colours(log for methods in grouped.values() for logs in methods.values() for log in logs)
    return [draw_curves(dataset, of_dataset, colours) for dataset, of_dataset in grouped.items()]


def _row(design: ReportSettings, run: Run, folder: Path) -> list[str | Cell]:
    settings = RunSettings.of(design, **run._asdict())
    path, record = folder / "run.json", record_at(folder / "run.json")
    device = f"{record['device']} × {record['processes']}" if "device" in record else DASH
    return [
        method_title(run.method), str(run.seed), origin_of(design, run.dataset, run.method), _learns_from(settings),
        _maybe(record, "steps"), _maybe(record, "images_seen"), _time(record), device,
        *_state(path, record, settings),
    ]  # fmt: skip


def _learns_from(run: RunSettings) -> str:
    """Name the networks that a run learns from beside images and masks."""
    return ", ".join([*(f"teacher {name}" for name in run.teachers), *["VGG"] * bool(run.vgg_file())]) or DASH


def _state(path: Path, record: dict[str, Any], settings: Settings) -> tuple[str, Cell]:
    """Say which code made a result and whether it was made with the current settings."""
    if not record:
        return DASH, Cell("missing", look="not-supported")
    changed = changed_settings(path, settings)
    return record.get("versions", {}).get("commit", DASH)[:12], Cell(
        "differs", tuple(changed), look="not-supported words"
    ) if changed else Cell("current")


def _maybe(record: dict[str, Any], key: str) -> str:
    return f"{record[key]:,}" if key in record else DASH


def _time(record: dict[str, Any]) -> str:
    return duration(record["seconds"]) if "seconds" in record else DASH
