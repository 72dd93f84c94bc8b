"""Embedded figures with their captions, and the numbers behind Figure 4 and the grid search."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from spl.analysis.evidence import MASK_RATIOS
from spl.analysis.paper import titled
from spl.analysis.statistics import Kind
from spl.analysis.verdicts import LEAST_TRAININGS
from spl.common.labels import RATIO_TITLES, method_title
from spl.common.metrics import METRICS, PAPER_METRICS, metric_of
from spl.common.printed import DASH, Cell, Row, Table, interval, lines_of, number, simple_table
from spl.common.tables import read_table
from spl.report.table1 import signatures, standing
from spl.report.view import Figure, Part, Prose, Section, embed
from spl.steps.settings import ReportSettings, figure_sections


def figures_section(settings: ReportSettings, results: Path) -> Section:
    """Embed the paper's figures and the examples; one that is not there is named with the reason."""
    sections, parts = figure_sections(settings), list[Part]()
    titles = {name: f"Figure {name.removeprefix('fig')}" for name in sections if name != "grid"}
    for name, title in titles.items():
        why = settings.left_out.get(f"figures/{name}", "it is null in the parameter file")
        parts += [Prose(f"{title} is not part of this experiment: {why}.", "note")] * (not sections[name])
    titles = {name: title for name, title in titles.items() if sections[name]}
    if settings.figures:
        titles |= {f"examples_{dataset}": f"Examples, {settings.title_of(dataset)}" for dataset in settings.datasets}
    parts += [_embed(title, results / f"figures/{name}.png") for name, title in titles.items()]
    return Section("figures", "Figures", tuple(parts) or (Prose("This experiment has no figures.", "note"),))


def ablations_section(settings: ReportSettings, results: Path) -> Section:
    """Show the numbers of figure 4."""
    numbers = ("value", "difference", "difference_low", "difference_high", "method_low", "method_high")
    table = titled(read_table(results / "ablations.csv", numbers=numbers), settings)
    title, ablations = "Figure 4 in numbers", settings.ablations
    if ablations is None or table.empty:
        return Section("ablations", title, (Prose("This experiment has no ablations (ablations: null)."),))
    lead = Prose(
        f"Ablations of {method_title(ablations.reference)} on {settings.title_of(ablations.dataset)}. Below each mean "
        f"stands the paired difference to the reference with its interval over images, about {Kind.WEIGHTS}, and what "
        f"the trainings say about {Kind.METHOD}: undecided below three, or if the interval over them contains 0. "
        "Intervals are not adjusted for their number. The last column is where the paper puts the ablation."
    )
    lines = []
    for metric, block in table.groupby("metric", sort=False):
        for method, records in lines_of(block, "method", pd.DataFrame({"mask_ratio": [*MASK_RATIOS]})):
            cells = (*map(_ablated, records), Cell(records[0]["paper_order"] or DASH, look="left"))
            lines.append(Row((Cell(method_title(method)),), cells, group=metric_of(str(metric)).title))
    head = (Cell("method"), *(Cell(RATIO_TITLES[ratio]) for ratio in MASK_RATIOS), Cell("paper", look="left"))
    return Section("ablations", title, (lead, Table((head,), tuple(lines)), *signatures(table)))


def grid_section(settings: ReportSettings, results: Path) -> Section | None:
    """Show the grid search; None if the experiment has none."""
    if settings.grid is None:
        return None
    differences = ("psnr_difference", "psnr_difference_low", "psnr_difference_high")
    table = titled(read_table(results / "grid.csv", numbers=(*PAPER_METRICS, *differences)), settings)
    weights = list(dict.fromkeys(weight for block in settings.grid.points for weight in block))
    head = ["dataset", "rank", *weights, *(METRICS[metric].title for metric in PAPER_METRICS), "ΔPSNR to own weights"]
    lines = []
    for row in table.sort_values(["dataset", "rank"], kind="stable").to_dict("records"):
        means = [number(row[m], METRICS[m].decimals + 1) for m in PAPER_METRICS]
        change, low, high = (row[name] for name in differences)
        change = Cell(number(change, 3, signed=True), interval(low, high, 3, signed=True))
        lines.append([row["dataset"], str(row["rank"]), *(f"{row[weight]:g}" for weight in weights), *means, change])
    lead = (
        f"Loss weights of {method_title(settings.grid.method)} (paper section 3.4), compared on validation images; "
        "rank by PSNR, the best first. Intervals are over images, of these trainings only. A row without a difference "
        "has the method's own weights."
    )
    drawn = _embed("Grid search", results / "figures/grid.png")
    return Section("grid", "Grid search", (Prose(lead), simple_table(head, lines), *signatures(table), drawn))


def _ablated(record: dict[str, Any]) -> Cell:
    metric = record["metric"]
    decimals = metric_of(metric).decimals
    value = Cell(number(record["value"], decimals))
    if pd.isna(record["difference"]):
        return value
    low, high = (
        record[f"method_{end}"] if record["n_seeds"] >= LEAST_TRAININGS else math.nan for end in ("low", "high")
    )
    look, word = standing(metric, low, high)
    ends = (record["difference_low"], record["difference_high"]), (low, high)
    weights, method = (" ".join(interval(*pair, decimals + 1, signed=True)) for pair in ends)
    difference = number(record["difference"], decimals + 1, signed=True)
    notes = (f"{difference} {weights} ({Kind.WEIGHTS})", f"{word} {method} ({Kind.METHOD})".replace("  ", " "))
    return value._replace(notes=notes, look=look)


def _embed(title: str, path: Path) -> Figure | Prose:
    """Embed a PNG with the caption that it keeps as its description."""
    if not path.is_file():
        return Prose(f"{title} has not been drawn: snakemake --cores all -- {path}", "note")
    with Image.open(path) as image:
        caption = image.info.get("Description", "")
    return Figure(title, embed(path.read_bytes(), "png"), caption)
