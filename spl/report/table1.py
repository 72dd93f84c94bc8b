"""Table 1, the paired comparisons behind it, and the metrics that the paper does not print."""

from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pandas as pd

from spl.analysis.further_metrics import Availability
from spl.analysis.gap import describe_gaps
from spl.analysis.paper import not_the_papers, titled
from spl.analysis.render import Show, group_of, n_of, of_some, print_table1, short_paper
from spl.analysis.signature import signature_lines
from spl.analysis.statistics import Kind
from spl.common.labels import method_title
from spl.common.metrics import METRICS, PAPER_METRICS, metric_of
from spl.common.printed import DASH, Cell, Row, Table, interval, lines_of, number
from spl.common.tables import read_table
from spl.config.experiment import Design
from spl.config.methods import SPLRecipe
from spl.report.view import Prose, Section
from spl.steps.settings import ReportSettings


def table1_section(settings: ReportSettings, results: Path) -> Section:
    """Show Table 1 with every cell's interval and status, and the paper's row below each of ours."""
    numbers = ("ours", "ours_low", "ours_high", "paper", "gap", "gap_low", "gap_high", "seed_sd")
    table = titled(read_table(results / "table1.csv", numbers=numbers), settings)
    marks = dict(zip(table["status"].unique(), ascii_lowercase, strict=False))
    higher = table["metric"].isin([name for name in PAPER_METRICS if METRICS[name].higher_is_better])
    apart = table["method"].map(settings.apart)
    aside = " and ".join(filter(None, apart.unique()))
    quality = table["ours"].where(higher, -table["ours"]).mask(of_some(table) | (apart != ""))
    best = quality.groupby([table[name] for name in ("metric", "dataset", "mask_ratio")]).transform("max")
    table = table.assign(mark=table["status"].map(marks), best=quality == best)
    parts = [Prose(
        f"Mean over the {settings.evaluation.split} images, and its {settings.evaluation.bootstrap.confidence:.0%} "
        f"bootstrap interval over images, none below {settings.evaluation.bootstrap.least_images}. "
        f"The best of each column is bold{f', {aside} aside' * bool(aside)}. "
        + " ".join(f"({mark}) {status}." for status, mark in marks.items())
    )]  # fmt: skip
    if gaps := describe_gaps(table, settings):
        parts.append(Prose(
            "The paper's own row stands in italics below the method it belongs to, with our gap to it where the two "
            f"can be compared. {gaps}"
        ))  # fmt: skip
    if other := not_the_papers(settings):
        parts.append(Prose(f"Not the paper's data, so its numbers do not stand beside ours: {other}.", "warning"))
    return Section("table1", "Table 1", (*parts, print_table1(table, settings, _ours, short_paper), *signatures(table)))


def signatures(table: pd.DataFrame) -> list[Prose]:
    """Show the signatures below a table."""
    return [Prose(line, "note") for line in signature_lines(table)]


def _ours(record: dict[str, Any]) -> Cell:
    decimals = metric_of(record["metric"]).decimals
    notes = interval(record["ours_low"], record["ours_high"], decimals)
    if pd.notna(record["seed_sd"]):
        notes += (f"sd {number(record['seed_sd'], decimals)} of {record['n_seeds']}",)
    if record["n_infinite"]:
        notes += (f"and {record['n_infinite']} × ∞",)
    notes += n_of(record)
    return Cell(number(record["ours"], decimals), notes, record["mark"], "best" if record["best"] else "")


def comparisons_section(settings: ReportSettings, results: Path) -> Section:
    """Show by how much the SPL methods differ from each other method, over all hole ratios."""
    table = read_table(results / "comparisons.csv", numbers=("difference", "low", "high", "method_low", "method_high"))
    table, tables = titled(table[table["mask_ratio"] == "all"], settings), []
    for method in settings.table_methods:
        if isinstance(settings.methods[method], SPLRecipe) and (table["method"] == method).any():
            rows = table[table["method"] == method]
            title = f"{method_title(method)} minus"
            tables.append(_by_dataset(rows, settings, "reference", title, PAPER_METRICS, _difference))
    confidence, least = settings.evaluation.bootstrap.confidence, settings.evaluation.bootstrap.least_images
    lead = Prose(
        f"Mean per-image difference on the same image–mask pairs, all hole ratios, with its {confidence:.0%} interval "
        f"over images, not adjusted for the number of comparisons; the word is about {Kind.WEIGHTS}, undecided where "
        f"that interval contains 0 or there are fewer than {least} images. With several trainings the interval over "
        f"them stands below: it is about {Kind.METHOD}. results/comparisons.csv has every pair of methods and every "
        f"hole ratio: low and high are of {Kind.WEIGHTS}, method_low and method_high of {Kind.METHOD}."
    )
    shown = tables or [Prose("Nothing to compare.")]
    return Section("comparisons", "Paired comparisons", (lead, *shown, *signatures(table)))


def _by_dataset(rows: pd.DataFrame, design: Design, line: str, title: str, metrics: Sequence[str], show: Show) -> Table:
    """Lay out a line for every method in the column `line`, dataset by dataset, and a column for every metric."""
    lines = [
        Row((Cell(method_title(method)),), tuple(map(show, records)), group=group_of(design, method, str(dataset)))
        for dataset, block in rows.groupby("dataset", sort=False)
        for method, records in lines_of(block.assign(of_some=of_some(block)), line, pd.DataFrame({"metric": metrics}))
    ]
    head = (Cell(title), *(Cell(metric_of(metric).title) for metric in metrics))
    return Table((head,), tuple(lines))


def _difference(record: dict[str, Any]) -> Cell:
    if pd.isna(record["difference"]):
        return Cell(DASH)
    decimals = metric_of(record["metric"]).decimals + 1
    look, word = standing(record["metric"], record["low"], record["high"])
    notes = (*interval(record["low"], record["high"], decimals, signed=True), f"{word} ({Kind.WEIGHTS})")
    notes += tuple(
        f"{Kind.METHOD} {text}" for text in interval(record["method_low"], record["method_high"], decimals, signed=True)
    )
    return Cell(number(record["difference"], decimals, signed=True), notes + n_of(record), look=look)


def standing(metric: str, low: float, high: float) -> tuple[str, str]:
    """Return colour and word for a method whose difference to another has that interval."""
    if low > 0 or high < 0:
        return ("supported", "better") if (low > 0) == METRICS[metric].higher_is_better else ("not-supported", "worse")
    return "undecided", "undecided"


def metrics_section(settings: ReportSettings, results: Path) -> Section:
    """Show the metrics beside the paper's, over all hole ratios; what is not available says why."""
    table = read_table(results / "further_metrics.csv", numbers=("value", "low", "high"))
    shown = titled(table[table["mask_ratio"] == "all"], settings)
    parts = [Prose(
        "Metrics that the paper's Table 1 does not have, over all hole ratios, with their bootstrap interval over "
        "images; results/further_metrics.csv has 20–40 % and 40–60 % too. FID and KID are of all images and have no "
        "interval."
    )]  # fmt: skip
    absent = shown[shown["status"] == Availability.NOT_AVAILABLE]
    for reason, rows in absent.groupby("reason", sort=False):
        titles = ", ".join(metric_of(name).label for name in rows["metric"].unique())
        parts.append(Prose(f"{titles} {Availability.NOT_AVAILABLE}: {reason}", "note"))
    printed = _by_dataset(shown, settings, "method", "method", shown["metric"].unique(), _further)
    return Section("metrics", "Further metrics", (*parts, printed, *signatures(shown)))


def _further(record: dict[str, Any]) -> Cell:
    if record["status"] == Availability.NOT_AVAILABLE:
        return Cell(record["status"], look="absent")
    decimals = metric_of(record["metric"]).decimals
    return Cell(number(record["value"], decimals), interval(record["low"], record["high"], decimals) + n_of(record))
