"""The claims in words: tables and sentences of the Markdown page and of the report, from the columns of claims.csv."""

from pathlib import Path
from typing import Any

import pandas as pd

from spl.analysis.paper import Images, Sets, titled
from spl.analysis.signature import signature_lines
from spl.analysis.statistics import Kind
from spl.analysis.verdicts import Verdict
from spl.common.labels import RATIO_TITLES, method_title
from spl.common.metrics import metric_of
from spl.common.printed import Cell, Table, count, interval, number, simple_table
from spl.common.tables import read_table
from spl.steps.settings import ClaimSettings, ReportSettings

WARNINGS = {
    Images.MINIATURE: "The verdicts are about the miniature world with its small networks; they say nothing about the "
    "paper's results.",
    Images.OTHER: "Some images are not the paper's (another source, layout, size or split), and verdicts about them "
    "say little about the paper's results.",
}

COUNTED = (
    "How many comparisons of each claim have which verdict. A comparison is of two methods, in one metric and one "
    "column of hole ratios. They share images and trainings, so their number is no strength of evidence."
)

APART = "None of these data sets is the paper's. What holds on them enters no count above."

NUMBERS = ("paper", "difference", "low", "high", "method_low", "method_high", "n_images", "n_seeds", "p_holm")


def read_claims(path: Path) -> pd.DataFrame:
    """Read claims.csv; empty numbers are NaN."""
    return read_table(path, numbers=NUMBERS)


def to_page(claims: pd.DataFrame, settings: ClaimSettings | ReportSettings) -> str:
    """Write a summary of all claims, then every claim with its comparisons; other images at the end."""
    claims = titled(claims, settings)
    parts = ["# The paper's claims", *explanation(settings), *(f"**{text}**" for text in warnings(claims))]
    parts += signature_lines(claims)
    for sets, block in claims.groupby("on", sort=False):
        parts += [f"# On {sets}", APART] * (sets == Sets.OTHER)
        parts += [COUNTED, summary_table(block).to_markdown().rstrip()]
        for (title, source, kind), rows in by_claim(block):
            parts += [f"## {title}", f"Paper: {source}. Verdicts are about {kind}."]
            parts.append(claim_table(rows).to_markdown(between="<br>").rstrip())
    return "\n\n".join(parts) + "\n"


def by_claim(claims: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """Return text, source and kind of every claim, each with its comparisons."""
    return list(claims.groupby(["text", "source", "kind"], sort=False))


def explanation(settings: ClaimSettings | ReportSettings) -> list[str]:
    """Explain kinds, numbers and verdicts, a paragraph each."""
    bootstrap, demands = settings.evaluation.bootstrap, settings.verdicts
    margins = ", ".join(f"{metric_of(name).label} {margin:g}" for name, margin in demands.margins)
    limited = ", ".join(method_title(name) for name in settings.methods if settings.limit_of(name))
    return [
        f"A verdict is about {Kind.WEIGHTS} or about {Kind.METHOD}. About {Kind.WEIGHTS}: would other test images say "
        "the same? One training suffices, because nothing is said about another one; the interval is of the bootstrap "
        f"over images. About {Kind.METHOD}: would other trainings say the same? The interval is Student's t over K "
        "paired trainings, with K − 1 degrees of freedom and the images' variance added; no verdict rests on fewer "
        f"than three. Below {bootstrap.least_images} images there is neither interval nor verdict.",
        "A difference is positive where the claim holds; below it stands the same by the paper's numbers, where the "
        f"data are its. It is decided if its two-sided p is below {1 - bootstrap.confidence:.2g}, adjusted (Holm) for "
        f"all comparisons of the claim on the data set. Printed {bootstrap.confidence:.0%} intervals are not adjusted: "
        "one that excludes 0 may still be undecided. “At least as good” is not worse by a margin "
        f"({margins}: about a tenth of SPL's lead over RN in Table 1). An undecided comparison says how many images "
        f"or trainings would decide it with {demands.power:.0%} power, if the difference stays as measured.",
        "Not testable are: what is not there; a method that is not ahead of every classical fill on the data set, in "
        "the metric and over all hole ratios; and networks of which one saw more than "
        f"{demands.effort_factor:g} times as many images in training. What released weights have seen is unknown and "
        "hinders nothing." + f" A fill of only some images does not count there: {limited}." * bool(limited),
    ]


def warnings(claims: pd.DataFrame) -> list[str]:
    """Return the caveats that a reader of the verdicts has to know."""
    return [text for images, text in WARNINGS.items() if (claims["about"] == images).any()]


def summary_table(claims: pd.DataFrame) -> Table:
    """Count the verdicts on the comparisons of every claim."""
    rows = []
    for head, block in by_claim(claims):
        found = {verdict: int((block["verdict"] == verdict).sum()) for verdict in Verdict}
        cells = [Cell(str(n), look=look(verdict) if n else "none") for verdict, n in found.items()]
        rows.append([*(Cell(text, look="words") for text in head), *cells])
    return simple_table(["claim", "in the paper", "comparisons about", *Verdict], rows, heads=3)


def claim_table(rows: pd.DataFrame) -> Table:
    """Lay out the comparisons of a claim: a line for each pair of methods and metric, hole ratios by column."""
    ratios = [ratio for ratio in RATIO_TITLES if (rows["mask_ratio"] == ratio).any()]
    lines = []
    for _, pair in rows.groupby(["dataset", "subject", "rival"], sort=False):
        first = pair.to_dict("records")[0]
        about, rival = first["about"], first["rival"]
        heads = [
            Cell(first["dataset"], (about,) if about else ()),
            Cell(method_title(first["subject"]), (f"against {method_title(rival)}",) if rival else ()),
        ]
        remark = first["reason"] * (not first["metric"])
        if first["images_seen"]:
            remark += f" Images seen in training: {first['images_seen']}."
        for metric, records in pair.groupby("metric", sort=False):
            found = {record["mask_ratio"]: _comparison(record) for record in records.to_dict("records")}
            cells = [found.get(ratio, Cell("")) for ratio in ratios]
            if not metric:
                verdict = f"{first['verdict']} ({first['kind']})"
                cells = [Cell(verdict, look=f"{look(first['verdict'])} left", span=max(len(ratios), 1))]
            elif len(found) > 1 and len({*found.values()}) == 1:  # none can be tested, and for one reason
                cells = [found.popitem()[1]._replace(look=f"{look(Verdict.NOT_TESTABLE)} left", span=len(ratios))]
            label = Cell(metric_of(str(metric)).label)  # without an arrow: positive is better here
            lines.append([*heads, label, *cells, Cell(remark.strip(), look="words")])
            heads, remark = [Cell(""), Cell("")], ""  # said once for all metrics
    columns = [RATIO_TITLES[ratio] for ratio in ratios] or ["verdict"]
    return simple_table(["dataset", "method", "metric", *columns, Cell("remarks", look="left")], lines, heads=3)


def look(verdict: str) -> str:
    """Return the CSS class of a verdict."""
    return verdict.replace(" ", "-")


def _comparison(record: dict[Any, Any]) -> Cell:
    """Print one comparison, with the reason where neither interval nor need says it."""
    verdict, reason = record["verdict"], record["reason"]
    worded = f"{verdict} ({record['kind']})"
    if verdict == Verdict.NOT_TESTABLE:
        return Cell(worded, (reason,), look=look(verdict))
    decimals, p = metric_of(record["metric"]).decimals + 1, record["p_holm"]
    own = "method_" * (record["kind"] == Kind.METHOD)
    notes = interval(record[f"{own}low"], record[f"{own}high"], decimals, signed=True)
    tested = "" if pd.isna(p) else f", p {'< 0.001' if p < 0.001 else number(p, 3)}"
    notes += (worded, f"{count(record['n_images'], 'image')}, {count(record['n_seeds'], 'training')}{tested}")
    if pd.notna(record["paper"]):
        notes += (f"paper {number(record['paper'], decimals, signed=True)}",)
    notes += (f"needs {record['needed']}",) if record["needed"] else ()
    return Cell(number(record["difference"], decimals, signed=True), notes, look=look(verdict))
