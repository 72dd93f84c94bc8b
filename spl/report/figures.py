"""Embedded figures with their captions, and the numbers behind Figure 4 and the grid search."""

from pathlib import Path

import pandas as pd
from PIL import Image

from spl.analysis.evidence import MASK_RATIOS
from spl.common.labels import RATIO_TITLES, method_title
from spl.common.metrics import METRICS, PAPER_METRICS
from spl.common.printed import DASH, Cell, Row, Table, interval, number
from spl.common.tables import as_numbers, read_table
from spl.report.table1 import standing
from spl.report.view import Figure, Part, Prose, Section, embed
from spl.steps.settings import ReportSettings, figure_sections


def figures_section(settings: ReportSettings, results: Path) -> Section:
    """Embed the paper's figures and the examples; one that is not there is named with the reason."""
    sections, parts = figure_sections(settings), list[Part]()
    titles = {name: f"Figure {name.removeprefix('fig')}" for name in sections if name != "grid"}
    if absent := [title for name, title in titles.items() if not sections[name]]:
        parts.append(Prose(f"Not part of this experiment: {', '.join(absent)} (null in the parameter file).", "note"))
    titles = {name: title for name, title in titles.items() if sections[name]}
    if settings.figures:
        titles |= {f"examples_{dataset}": f"Examples, {dataset}" for dataset in settings.datasets}
    parts += [_embed(title, results / f"figures/{name}.png") for name, title in titles.items()]
    return Section("figures", "Figures", tuple(parts))


def ablations_section(settings: ReportSettings, results: Path) -> Section:
    """Show the numbers of figure 4."""
    title, ablations, table = "Figure 4 in numbers", settings.ablations, read_table(results / "ablations.csv")
    if ablations is None or table.empty:
        return Section("ablations", title, (Prose("This experiment has no ablations (ablations: null)."),))
    lead = Prose(
        f"Ablations of {method_title(ablations.reference)} on {ablations.dataset}. Below each mean "
        "stands the paired difference to the reference with its interval over images and seeds, undecided "
        "if that contains 0. The last column is where the paper puts the ablation."
    )
    numeric = ("value", "difference", "difference_low", "difference_high")
    table = table.assign(**{column: as_numbers(table[column]) for column in numeric})
    cells = table.set_index(["metric", "method", "mask_ratio"]).to_dict("index")
    lines = []
    for metric in PAPER_METRICS:
        for method in dict.fromkeys(table["method"]):
            found = [cells[metric, method, ratio] for ratio in MASK_RATIOS]
            order = Cell(found[0]["paper_order"] or DASH, look="left")
            shown = (*(_ablated(cell, metric) for cell in found), order)
            lines.append(Row((Cell(method_title(method)),), shown, group=METRICS[metric].title))
    head = (Cell("method"), *(Cell(RATIO_TITLES[ratio]) for ratio in MASK_RATIOS), Cell("paper", look="left"))
    return Section("ablations", title, (lead, Table((head,), tuple(lines))))


def grid_section(settings: ReportSettings, results: Path) -> Section | None:
    """Show the grid search; None if the experiment has none."""
    if settings.grid is None:
        return None
    table = read_table(results / "grid.csv")
    weights = list(dict.fromkeys(weight for block in settings.grid.points for weight in block))
    head = ["dataset", "rank", *weights, *(METRICS[metric].title for metric in PAPER_METRICS), "ΔPSNR to own weights"]
    numeric = [
        *PAPER_METRICS,
        "psnr_low",
        "psnr_high",
        "psnr_difference",
        "psnr_difference_low",
        "psnr_difference_high",
    ]
    table = table.assign(**{column: as_numbers(table[column]) for column in numeric})
    lines = []
    for row in table.sort_values(["dataset", "rank"], kind="stable").to_dict("records"):
        means = [Cell(number(row[m], METRICS[m].decimals + 1)) for m in PAPER_METRICS]
        low, high = row["psnr_difference_low"], row["psnr_difference_high"]
        change = Cell(number(row["psnr_difference"], 3, signed=True), interval(low, high, 3, signed=True))
        values = [Cell(f"{row[weight]:g}") for weight in weights]
        lines.append(Row((Cell(row["dataset"]),), (Cell(str(row["rank"])), *values, *means, change)))
    lead = (
        f"Loss weights of {method_title(settings.grid.method)} (paper section 3.4), compared on validation images; "
        "rank by PSNR, the best first. A row without a difference has the method's own weights."
    )
    picture = _embed("Grid search", results / "figures/grid.png")
    return Section("grid", "Grid search", (Prose(lead), Table((tuple(map(Cell, head)),), tuple(lines)), picture))


def _ablated(cell: dict, metric: str) -> Cell:
    decimals, low, high = METRICS[metric].decimals, cell["difference_low"], cell["difference_high"]
    if pd.isna(cell["difference"]):
        return Cell(number(cell["value"], decimals))
    look, word = standing(metric, low, high)
    between = " ".join(interval(low, high, decimals + 1, signed=True))
    notes = (f"{word}: {number(cell['difference'], decimals + 1, signed=True)} {between}",)
    return Cell(number(cell["value"], decimals), notes, look=look)


def _embed(title: str, path: Path) -> Figure | Prose:
    """Embed a PNG with the caption that it keeps as its description."""
    if not path.is_file():
        return Prose(f"{title} has not been drawn: snakemake --cores all -- {path}", "note")
    with Image.open(path) as image:
        caption = image.info.get("Description", "")
    return Figure(title, embed(path.read_bytes(), "png"), caption)
