"""Table 1, the paired comparisons behind it, and the metrics that the paper does not print."""

from pathlib import Path
from string import ascii_lowercase

import pandas as pd

from spl.analysis.evidence import HIGHER_IS_BETTER, MASK_RATIOS, METRICS, as_numbers
from spl.analysis.render import PAPER_TITLES
from spl.analysis.table1 import PAPER_NAMES
from spl.analysis.write_table1 import is_papers
from spl.common.labels import DECIMALS, RATIO_TITLES, method_title, metric_title
from spl.common.tables import read_table
from spl.config.methods import SPLRecipe
from spl.report.view import Cell, Heading, Part, Prose, Row, Section, Table, interval, number
from spl.steps.settings import ReportSettings

FURTHER = {
    "mae_rgb": ("MAE, RGB ↓", 4),
    "ssim_gaussian": ("SSIM, Gaussian ↑", 3),
    "psnr_hole": ("PSNR, hole ↑", 2),
    "mae_hole": ("MAE, hole ↓", 4),
    "lpips": ("LPIPS ↓", 4),
    "fid": ("FID ↓", 2),
    "kid": ("KID ↓", 4),
    "kid_sd": ("KID, sd of subsets", 4),
}
"""Titles and decimals in the order of the columns."""

NOT_AVAILABLE = "not available: "


def table1_section(settings: ReportSettings, results: Path) -> Section:
    """Show Table 1 with every cell's interval and status, and the paper's row below each of ours."""
    cells = _numbers(results / "table1.csv", ["ours", "ours_low", "ours_high", "paper", "gap", "n_images", "seed_sd"])
    marks = dict(zip(dict.fromkeys(cells["status"]), ascii_lowercase, strict=False))
    confidence = settings.evaluation.bootstrap.confidence
    text = (
        f"Mean over the {settings.evaluation.split} images, and its {confidence:.0%} bootstrap interval over images. "
        "The best of each column is bold. "
        + " ".join(f"({mark}) {status}." for status, mark in marks.items())
        + " The paper's own row stands in italics below the method it belongs to, with our gap to it."
    )
    parts: list[Part] = [Prose(text)]
    if other := [
        dataset for dataset in settings.datasets if not is_papers(settings, dataset, settings.evaluation.split)
    ]:
        parts.append(Prose(
            f"The pictures of {', '.join(other)} are not the paper's: there the paper's numbers are printed for "
            "orientation, and a gap to them means nothing.", "warning"
        ))  # fmt: skip
    return Section("table1", "Table 1", (*parts, _table1(cells, marks)))


def _table1(cells: pd.DataFrame, marks: dict[str, str]) -> Table:
    datasets, methods = list(dict.fromkeys(cells["dataset"])), list(dict.fromkeys(cells["method"]))
    columns = [(dataset, ratio) for dataset in datasets for ratio in MASK_RATIOS]
    known = cells.set_index(["metric", "method", "dataset", "mask_ratio"]).to_dict("index")
    rows = []
    for metric in METRICS:
        rows.append(Row((Cell(metric_title(metric), span=1 + len(columns)),), (), "group"))
        block = cells[cells["metric"] == metric].groupby(["dataset", "mask_ratio"])["ours"]
        best = (block.max() if HIGHER_IS_BETTER[metric] else block.min()).to_dict()
        for method in methods:
            found = [known[metric, method, *column] for column in columns]
            ours = [
                _ours(cell, marks, metric, is_best=cell["ours"] == best[column])
                for cell, column in zip(found, columns, strict=True)
            ]
            rows.append(Row((Cell(method_title(method)),), tuple(ours)))
            if any(pd.notna(cell["paper"]) for cell in found):
                label = f"paper: {PAPER_TITLES[PAPER_NAMES[method]]}"
                rows.append(Row((Cell(label),), tuple(_papers(cell, metric) for cell in found), "paper"))
    head = (
        (Cell(""), *(Cell(dataset, span=len(MASK_RATIOS)) for dataset in datasets)),
        (Cell("method"), *(Cell(RATIO_TITLES[ratio]) for _, ratio in columns)),
    )
    return Table(head, tuple(rows))


def _ours(cell: dict, marks: dict[str, str], metric: str, *, is_best: bool) -> Cell:
    decimals = DECIMALS[metric]
    notes = interval(cell["ours_low"], cell["ours_high"], decimals)
    if pd.notna(cell["seed_sd"]):
        notes += (f"sd {number(cell['seed_sd'], decimals)} of {cell['n_seeds']}",)
    if cell["n_infinite"]:
        notes += (f"and {cell['n_infinite']} × ∞",)
    return Cell(number(cell["ours"], decimals), notes, marks[cell["status"]], "best" if is_best else "")


def _papers(cell: dict, metric: str) -> Cell:
    if pd.isna(cell["paper"]):
        return Cell(number(cell["paper"], 0))
    decimals = DECIMALS[metric]
    notes = () if pd.isna(cell["gap"]) else (f"gap {number(cell['gap'], decimals, signed=True)}",)
    return Cell(number(cell["paper"], decimals), notes)


def comparisons_section(settings: ReportSettings, results: Path) -> Section:
    """Show by how much the SPL methods differ from each other method, over all hole ratios."""
    table = _numbers(results / "comparisons.csv", ["difference", "combined_low", "combined_high"])
    table = table[table["mask_ratio"] == "all"]
    tables = [
        _compared(table[table["method"] == method], method)
        for method in settings.table_methods
        if isinstance(settings.methods[method], SPLRecipe) and (table["method"] == method).any()
    ]
    lead = Prose(
        "Mean per-image difference on the same image–mask pairs, all hole ratios, with its "
        f"{settings.evaluation.bootstrap.confidence:.0%} interval over images and trainings. Where the interval "
        "contains 0 it is undecided which is better. results/comparisons.csv has every pair of methods and every hole "
        "ratio."
    )
    return Section("comparisons", "Paired comparisons", (lead, *(tables or [Prose("Nothing to compare.")])))


def _compared(rows: pd.DataFrame, method: str) -> Table:
    cells = rows.set_index(["reference", "dataset", "metric"]).to_dict("index")
    references, datasets = list(dict.fromkeys(rows["reference"])), list(dict.fromkeys(rows["dataset"]))
    columns = [(dataset, metric) for dataset in datasets for metric in METRICS]
    head = (
        (Cell(""), *(Cell(dataset, span=len(METRICS)) for dataset in datasets)),
        (Cell(f"{method_title(method)} minus"), *(Cell(metric_title(metric)) for _, metric in columns)),
    )
    lines = [
        Row((Cell(method_title(reference)),), tuple(_difference(cells.get((reference, *at)), at[1]) for at in columns))
        for reference in references
    ]
    return Table(head, tuple(lines))


def _difference(cell: dict | None, metric: str) -> Cell:
    if cell is None:
        return Cell(number(float("nan"), 0))
    low, high, decimals = cell["combined_low"], cell["combined_high"], DECIMALS[metric] + 1
    look, word = standing(metric, low, high)
    notes = (*interval(low, high, decimals, signed=True), word)
    return Cell(number(cell["difference"], decimals, signed=True), notes, look=look)


def standing(metric: str, low: float, high: float) -> tuple[str, str]:
    """Return colour and word for a method whose difference to another has that interval."""
    if low <= 0 <= high:
        return "undecided", "undecided"
    return ("supported", "better") if (low > 0) == HIGHER_IS_BETTER[metric] else ("not-supported", "worse")


def metrics_section(settings: ReportSettings, results: Path) -> Section:
    """Show the metrics beside the paper's, over all hole ratios; what is not available says why."""
    table = _numbers(results / "further_metrics.csv", ["value", "low", "high", "seed_sd"])
    shown = table[table["mask_ratio"] == "all"]
    present = list(dict.fromkeys(shown["metric"]))
    named = sorted(present, key=lambda metric: list(FURTHER).index(metric) if metric in FURTHER else len(FURTHER))
    parts: list[Part] = [Prose(
        "Metrics that the paper's Table 1 does not have, over all hole ratios, with their bootstrap interval over "
        "images; results/further_metrics.csv has 20–40 % and 40–60 % too. FID and KID are of all pictures and have no "
        "interval."
    )]  # fmt: skip
    for status, rows in shown[shown["status"].str.startswith(NOT_AVAILABLE)].groupby("status", sort=False):
        titles = ", ".join(_named(metric)[0].rstrip(" ↑↓") for metric in dict.fromkeys(rows["metric"]))
        parts.append(Prose(f"{titles} {status}", "note"))
    for dataset, rows in shown.groupby("dataset", sort=False):
        cells = {(r["method"], r["metric"]): r for r in rows.to_dict("records")}
        head = (tuple(Cell(text) for text in ("method", *(_named(metric)[0] for metric in named))),)
        lines = [
            Row((Cell(method_title(m)),), tuple(_further(cells.get((m, metric)), metric) for metric in named))
            for m in dict.fromkeys(rows["method"])
        ]
        parts += [Heading(str(dataset)), Table(head, tuple(lines))]
    return Section("metrics", "Further metrics", tuple(parts))


def _named(metric: str) -> tuple[str, int]:
    """Return a metric's title and decimals; one that is not known prints as it is."""
    return FURTHER.get(metric, (metric, 4))


def _further(row: dict | None, metric: str) -> Cell:
    if row is None:
        return Cell(number(float("nan"), 0))
    if row["status"].startswith(NOT_AVAILABLE):
        return Cell("not available", look="absent")
    decimals = _named(metric)[1]
    return Cell(number(row["value"], decimals), interval(row["low"], row["high"], decimals))


def _numbers(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a table whose empty cells in `columns` are NaN."""
    table = read_table(path)
    return table.assign(**{column: as_numbers(table[column]) for column in columns})
