"""The paper's claims with the verdicts of this run, as a summary and claim by claim."""

from pathlib import Path

import pandas as pd

from spl.data.tables import read_table
from spl.evaluation.claims_page import VERDICTS, WORLDS
from spl.evaluation.evidence import as_numbers
from spl.figures.style import dataset_title
from spl.labels import DECIMALS, RATIO_TITLES, method_title, metric_title
from spl.report.view import Cell, Counts, Heading, Part, Prose, Row, Section, Table, count, interval, number

UNDECIDED = "The interval contains 0."
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
        counts = rows_of_claim["verdict"].value_counts()
        cells = [Cell(str(n), look=look(verdict) if n else "none") for verdict in VERDICTS for n in [counts.get(verdict, 0)]]
        heads = (Cell(rows_of_claim["text"].iloc[0]), Cell(rows_of_claim["source"].iloc[0]))
        rows.append(Row(heads, tuple(cells)))
    head = (tuple(Cell(text) for text in ("claim", "in the paper", *VERDICTS)),)
    totals = claims["verdict"].value_counts()
    return Section(
        "verdicts",
        "Verdicts on the paper's claims",
        (
            Counts({verdict: int(totals.get(verdict, 0)) for verdict in VERDICTS}),
            *(Prose(text, "warning") for about, text in WORLDS.items() if (claims["about"] == about).any()),
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


def look(verdict: str) -> str:
    """Return the CSS class of a verdict."""
    return verdict.replace(" ", "-")


def _table(rows: pd.DataFrame) -> Table:
    """Lay the comparisons of a claim out: who is compared where by row, metric and hole ratio by column."""
    columns = [pair for pair in dict.fromkeys(zip(rows["metric"], rows["mask_ratio"], strict=True)) if pair[0]]
    lines = []
    for (dataset, subject, rival), group in rows.groupby(["dataset", "subject", "rival"], sort=False):
        heads = (
            Cell(dataset_title(dataset), tuple(filter(None, dict.fromkeys(group["about"])))),
            Cell(method_title(subject), (f"against {method_title(rival)}",) if rival else ()),
        )
        cells = {(row["metric"], row["mask_ratio"]): row for row in group.to_dict("records")}
        if whole := cells.get(("", "")):
            verdict = Cell(whole["verdict"], look=look(whole["verdict"]), span=max(len(columns), 1))
            lines.append(Row(heads, (verdict, Cell(whole["reason"], look="words"))))
        else:
            found = tuple(_compared(cells.get(column)) for column in columns)
            lines.append(Row(heads, (*found, Cell(_remarks(group), look="words"))))
    titles = [f"{metric_title(metric)} {RATIO_TITLES[ratio]}" for metric, ratio in columns] or ["verdict"]
    return Table((tuple(Cell(text) for text in ("dataset", "method", *titles, "remarks")),), tuple(lines))


def _compared(row: dict | None) -> Cell:
    if row is None:
        return Cell("")
    verdict = row["verdict"]
    if pd.isna(row["difference"]):
        return Cell(verdict, look=look(verdict))
    decimals = DECIMALS[row["metric"]] + 1
    notes = (*interval(row["low"], row["high"], decimals, signed=True), verdict)
    if pd.notna(row["paper"]):
        notes += (f"paper {number(row['paper'], decimals, signed=True)}",)
    if row["needed"]:
        notes += (f"needs {row['needed']}",)
    return Cell(number(row["difference"], decimals, signed=True), notes, look=look(verdict))


def _remarks(group: pd.DataFrame) -> str:
    """Say how much evidence there is, and what qualifies it."""
    evidence = f"{count(group['n_images'].max(), 'image')}, {count(group['n_seeds'].max(), 'training')}."
    if group["n_images"].isna().all():
        evidence = ""
    reasons = dict.fromkeys(reason.replace(UNDECIDED, "").strip() for reason in group["reason"])
    return " ".join(filter(None, [evidence, *reasons]))
