"""Table 1 in the paper's shape, and as nested JSON for `dvc metrics`."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from spl.analysis.evidence import MASK_RATIOS
from spl.analysis.paper import ROW_OF, ROWS
from spl.analysis.table1 import Origin
from spl.common.labels import RATIO_TITLES, method_title
from spl.common.metrics import metric_of
from spl.common.printed import Cell, Row, Table, interval, lines_of, number
from spl.config.experiment import Design

RELEASED_MARK = "†"
"""Behind cells of released weights, of a reference too."""

Show = Callable[[dict[str, Any]], Cell]
"""Print a record of the table."""


def group_of(design: Design, method: str, title: str = "") -> str:
    """Return the title of the lines that a method's is among: what the paper does not have stands apart."""
    return ", ".join(filter(None, (title, design.apart(method))))


def print_table1(table: pd.DataFrame, design: Design, ours: Show, papers: Show) -> Table:
    """Lay out metric x method against dataset x mask ratio; the paper's row stands below each of ours."""
    datasets, rows, table = list(dict.fromkeys(table["dataset"])), [], table.assign(of_some=of_some(table))
    columns = table[["dataset", "mask_ratio"]].drop_duplicates()
    for metric, block in table.groupby("metric", sort=False):
        for method, records in lines_of(block, "method", columns):
            title = group_of(design, method, metric_of(str(metric)).title)
            rows.append(Row((Cell(method_title(method)),), tuple(map(ours, records)), group=title))
            if any(pd.notna(record["paper"]) for record in records):
                label = Cell(f"paper: {ROWS[ROW_OF[method]]}")
                rows.append(Row((label,), tuple(map(papers, records)), "paper", title))
    head = (
        (Cell(""), *(Cell(dataset, span=len(MASK_RATIOS)) for dataset in datasets)),
        (Cell("method", look="left"), *(Cell(RATIO_TITLES[ratio]) for _ in datasets for ratio in MASK_RATIOS)),
    )
    return Table(head, tuple(rows))


def short(record: dict[str, Any]) -> Cell:
    """Print our value with half its interval and, in parentheses, its standard deviation over seeds."""
    decimals = metric_of(record["metric"]).decimals
    if pd.isna(record["origin"]):
        return Cell(record["status"].partition(":")[0])
    text, notes = number(record["ours"], decimals), []
    if pd.notna(record["ours_low"]) and not math.isinf(record["ours"]):
        notes = [f"± {number((record['ours_high'] - record['ours_low']) / 2, decimals)}"]
        notes += [f"({number(record['seed_sd'], decimals)})"] * pd.notna(record["seed_sd"])
    notes += n_of(record)
    is_released = record["origin"] in (Origin.RELEASED, Origin.REFERENCE) and record["n_images"]
    return Cell(text, tuple(notes), RELEASED_MARK if is_released else "")


def of_some(table: pd.DataFrame) -> pd.Series:
    """Tell which rows are of fewer images than others of their dataset, metric and mask ratio."""
    return table["n_images"] < table.groupby(["dataset", "metric", "mask_ratio"])["n_images"].transform("max")


def n_of(record: dict[str, Any]) -> tuple[str, ...]:
    """Print the number of images as the note of a cell, if it is `of_some`."""
    return (f"n = {number(record['n_images'], 0)}",) * bool(record["of_some"] and record["n_images"] > 0)


def short_paper(record: dict[str, Any]) -> Cell:
    """Print the paper's value with our gap to it, its interval and its verdict, where they can be compared."""
    decimals, notes = metric_of(record["metric"]).decimals, ()
    if pd.notna(record["gap_low"]):
        limits = interval(record["gap_low"], record["gap_high"], decimals, signed=True)
        notes = (f"gap {number(record['gap'], decimals, signed=True)}", *limits, record["gap_verdict"])
    return Cell(number(record["paper"], decimals), notes)


def to_metrics(table: pd.DataFrame) -> dict[str, dict]:
    """Nest our PSNR over all mask ratios by method and dataset: few enough for a column each in `dvc exp show`."""
    nested: dict[str, dict] = {}
    for row in table[(table["metric"] == "psnr") & (table["mask_ratio"] == "all")].to_dict("records"):
        if math.isfinite(row["ours"]):
            nested.setdefault(row["method"], {})[row["dataset"]] = round(row["ours"], 4)
    return {"psnr": nested}
