"""The paper's claims with the verdicts of this run, as a summary and claim by claim."""

import re
from pathlib import Path

import pandas as pd

from spl.analysis.claims_page import ONE_TRAINING, VERDICTS, WORLDS
from spl.analysis.evidence import as_numbers
from spl.common.labels import DECIMALS, RATIO_TITLES, method_title, metric_title
from spl.common.tables import read_table
from spl.report.view import Cell, Counts, Heading, Part, Prose, Row, Section, Table, count, interval, number

UNDECIDED = "Interval contains 0."
"""What the word undecided says already."""


def read_claims(results: Path) -> pd.DataFrame:
    """Read the claims; empty numbers are NaN."""
    table = read_table(results / "claims.csv")
    numeric = ("paper", "difference", "low", "high", "n_images", "n_seeds")
    return table.assign(**{column: as_numbers(table[column]) for column in numeric})


def summary_section(claims: pd.DataFrame) -> Section:
    """Count the verdicts, in all and for every claim."""
    by_claim = dict(list(claims.groupby("claim", sort=False)))
    rows = []
    for rows_of_claim in by_claim.values():
        counts = _counts(rows_of_claim)
        cells = [Cell(str(n), look=look(verdict) if n else "none") for verdict, n in counts.items()]
        heads = tuple(Cell(rows_of_claim[column].iloc[0], look="words") for column in ("text", "source"))
        rows.append(Row(heads, tuple(cells)))
    head = ((Cell("claim"), Cell("in the paper", look="left"), *map(Cell, VERDICTS)),)
    return Section(
        "verdicts",
        "Verdicts on the paper's claims",
        (
            Counts(_counts(claims)),
            *(Prose(text, "warning") for about, text in WORLDS.items() if (claims["about"] == about).any()),
            *([Prose(ONE_TRAINING, "warning")] if (claims["n_seeds"] == 1).any() else []),
            Table(head, tuple(rows)),
        ),
    )


def claims_section(claims: pd.DataFrame, *, confidence: float) -> Section:
    """Show every claim with the comparisons that it rests on."""
    lead = (
        "Every cell is a difference that is positive where the claim holds, its "
        f"{confidence:.0%} interval over images and trainings, the verdict, and the same difference by the paper's "
        "numbers where it has them. A claim is supported or not supported where the interval lies wholly on one side "
        "of 0. Intervals are not corrected for the number of comparisons."
    )
    parts: list[Part] = [Prose(lead)]
    for _, rows in claims.groupby("claim", sort=False):
        parts += [Heading(rows["text"].iloc[0]), Prose(f"Paper: {rows['source'].iloc[0]}.", "note"), _table(rows)]
    return Section("claims", "Claims in detail", tuple(parts))


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    """Count every verdict."""
    return {verdict: int((rows["verdict"] == verdict).sum()) for verdict in VERDICTS}


def look(verdict: str) -> str:
    """Return the CSS class of a verdict."""
    return verdict.replace(" ", "-")


def _table(rows: pd.DataFrame) -> Table:
    """Lay the comparisons of a claim out: who is compared where, and in which metric, by row; hole ratios by column."""
    ratios = [ratio for ratio in RATIO_TITLES if (rows["mask_ratio"] == ratio).any()]
    lines: list[Row] = []
    for (dataset, subject, rival), group in rows.groupby(["dataset", "subject", "rival"], sort=False):
        heads = (
            Cell(str(dataset), tuple(filter(None, dict.fromkeys(group["about"])))),
            Cell(method_title(str(subject)), (f"against {method_title(str(rival))}",) if rival else ()),
        )
        common = set.intersection(*({*_sentences(reason)} for reason in group["reason"]))
        remarks = " ".join(sentence for sentence in _sentences(group["reason"].iloc[0]) if sentence in common)
        for metric, of_metric in group.groupby("metric", sort=False):
            cells = {row["mask_ratio"]: row for row in of_metric.to_dict("records")}
            if metric:
                found = tuple(_compared(cells.get(ratio), common) for ratio in ratios)
            else:
                verdict = cells[""]["verdict"]
                found = (Cell(verdict, look=f"{look(verdict)} left", span=max(len(ratios), 1)),)
            title = Cell(metric_title(str(metric)).rstrip(" ↑↓") if metric else "")  # positive is better here
            lines.append(Row((*heads, title), (*found, Cell(remarks, look="words"))))
            heads, remarks = (Cell(""), Cell("")), ""  # said once for all metrics
    titles = [Cell(text, look="left") for text in ("dataset", "method", "metric")]
    titles += [Cell(RATIO_TITLES[ratio]) for ratio in ratios] or [Cell("verdict", look="left")]
    return Table(((*titles, Cell("remarks", look="left")),), tuple(lines))


def _compared(row: dict | None, common: set[str]) -> Cell:
    """Show one comparison; what its reason shares with the others stands among the remarks."""
    if row is None:
        return Cell("")
    verdict = row["verdict"]
    own = tuple(sentence for sentence in _sentences(row["reason"]) if sentence not in common)
    if pd.isna(row["difference"]):
        return Cell(verdict, own, look=look(verdict))
    decimals = DECIMALS[row["metric"]] + 1
    notes = interval(row["low"], row["high"], decimals, signed=True)
    notes += (f"{verdict}, {count(row['n_images'], 'image')}",)
    if pd.notna(row["paper"]):
        notes += (f"paper {number(row['paper'], decimals, signed=True)}",)
    if row["needed"]:
        notes += (f"needs {row['needed']}",)
    return Cell(number(row["difference"], decimals, signed=True), notes + own, look=look(verdict))


def _sentences(reason: str) -> list[str]:
    """Take a reason apart, without what the verdict says already."""
    return [sentence for sentence in re.split(r"(?<=\.) ", reason) if sentence not in ("", UNDECIDED)]
