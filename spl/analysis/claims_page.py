"""The claims in words: tables and sentences of the Markdown page and of the report, from the columns of claims.csv."""

from pathlib import Path
from typing import Any

import pandas as pd

from spl.analysis.paper import Basis, Images, paper_claims
from spl.analysis.verdicts import Verdict
from spl.common.labels import RATIO_TITLES, method_title
from spl.common.metrics import metric_of
from spl.common.printed import Cell, Table, count, interval, number, simple_table
from spl.common.tables import read_table

WARNINGS = {
    Images.MINIATURE: "The verdicts are about the miniature world with its small networks; they say nothing about the "
    "paper's results.",
    Images.OTHER: "Some images are not the paper's (another source, layout, size or split), and verdicts about them "
    "say little about the paper's results.",
}

ONE_SEED = (
    "Where a method has one seed, a verdict is about that run. The variance over seeds is then unknown, and often "
    "larger than that over images: give seeds in params.yaml three values or more."
)


def read_claims(path: Path) -> pd.DataFrame:
    """Read claims.csv; empty numbers are NaN."""
    return read_table(path, numbers=("paper", "difference", "low", "high", "n_images", "n_seeds"))


def to_page(claims: pd.DataFrame, confidence: float) -> str:
    """Write a summary of all claims, then every claim with its comparisons."""
    parts = [
        "# The paper's claims",
        explanation(confidence),
        *(f"**{text}**" for text in warnings(claims)),
        summary_table(claims).to_markdown().rstrip(),
    ]
    for (title, source), rows in by_claim(claims):
        parts += [f"## {title}", f"Paper: {source}.", claim_table(rows).to_markdown(between="<br>").rstrip()]
    return "\n\n".join(parts) + "\n"


def by_claim(claims: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """Return text and source of every claim, each with its comparisons."""
    return list(claims.groupby(["text", "source"], sort=False))


def explanation(confidence: float) -> str:
    """Explain the numbers of a claim."""
    return (
        f"A difference is positive where the claim holds. Its {confidence:.0%} interval is over test images and, with "
        "several seeds, over seeds; a claim is supported or not if the interval lies wholly on one side of 0. "
        "Intervals are not corrected for the number of comparisons. Below stands the same difference by the paper's "
        "numbers, where it has them. An undecided comparison says what would decide it if the difference stays as "
        "measured and, where a method has one seed, if seeds do not differ."
    )


def warnings(claims: pd.DataFrame) -> list[str]:
    """Return the caveats that a reader of the verdicts has to know."""
    found = [text for images, text in WARNINGS.items() if (claims["about"] == images).any()]
    return found + [ONE_SEED] * bool((claims["one_seed"] != "").any())


def summary_table(claims: pd.DataFrame) -> Table:
    """Count the verdicts on the comparisons of every claim, and on all."""
    rows = []
    for head, block in [*by_claim(claims), (("All comparisons", ""), claims)]:
        found = {verdict: int((block["verdict"] == verdict).sum()) for verdict in Verdict}
        cells = [Cell(str(n), look=look(verdict) if n else "none") for verdict, n in found.items()]
        rows.append([*(Cell(text, look="words") for text in head), *cells])
    return simple_table(["claim", "in the paper", *Verdict], rows, heads=2)


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
        remark = _one_seed(first["one_seed"]) if first["metric"] else first["reason"]
        for metric, records in pair.groupby("metric", sort=False):
            found = {record["mask_ratio"]: _comparison(record) for record in records.to_dict("records")}
            cells = [found.get(ratio, Cell("")) for ratio in ratios]
            if not metric:
                cells = [Cell(first["verdict"], look=f"{look(first['verdict'])} left", span=max(len(ratios), 1))]
            label = Cell(metric_of(str(metric)).label)  # without an arrow: positive is better here
            lines.append([*heads, label, *cells, Cell(remark, look="words")])
            heads, remark = [Cell(""), Cell("")], ""  # said once for all metrics
    columns = [RATIO_TITLES[ratio] for ratio in ratios] or ["verdict"]
    return simple_table(["dataset", "method", "metric", *columns, Cell("remarks", look="left")], lines, heads=3)


def look(verdict: str) -> str:
    """Return the CSS class of a verdict."""
    return verdict.replace(" ", "-")


def _comparison(record: dict[Any, Any]) -> Cell:
    """Print one comparison, with the reason where that is not the interval."""
    verdict, reason = record["verdict"], (record["reason"],)
    if pd.isna(record["difference"]):
        return Cell(verdict, reason, look=look(verdict))
    decimals, paper = metric_of(record["metric"]).decimals + 1, record["paper"]
    seeds = f", {count(record['n_seeds'], 'seed')}" if record["n_seeds"] > 1 else ""
    notes = interval(record["low"], record["high"], decimals, signed=True) or reason
    notes += (f"{verdict}, {count(record['n_images'], 'image')}{seeds}",)
    if pd.notna(paper):
        grows = paper_claims()[record["claim"]].basis is not Basis.GROWTH or paper > 0
        notes += (f"paper {number(paper, decimals, signed=True)}{'' if grows else ', no growth'}",)
    if record["needed"]:
        notes += (f"needs {record['needed']}",)
    return Cell(number(record["difference"], decimals, signed=True), notes, look=look(verdict))


def _one_seed(methods: str) -> str:
    """Name the methods whose variance over seeds is unknown."""
    named = ", one of ".join(map(method_title, methods.split()))
    return f"One seed of {named}: variance over seeds unknown." if named else ""
