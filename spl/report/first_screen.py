"""The first screen: what was asked, what was measured, what follows and what does not, in a few sentences each."""

from collections import Counter
from pathlib import Path

import pandas as pd

from spl.analysis.claims_page import warnings
from spl.analysis.paper import Sets
from spl.analysis.statistics import Kind
from spl.analysis.table1 import Origin, origin_of
from spl.analysis.verdicts import LEAST_TRAININGS, MORE_TRAININGS, Verdict
from spl.common.printed import count
from spl.common.tables import read_table
from spl.steps.settings import ReportSettings


def first_screen(settings: ReportSettings, claims: pd.DataFrame, data: Path) -> dict[str, list[str]]:
    """Return question, measurement, what follows and what does not, each as sentences from claims and pairs."""
    papers, follows, does_not = claims[claims["on"] == Sets.PAPER], list[str](), warnings(claims)
    for kind, rows in papers.groupby("kind", sort=False):
        if kind == Kind.WEIGHTS or rows["n_seeds"].max() >= LEAST_TRAININGS:
            follows.append(_counted(str(kind), rows))
        else:
            does_not.append(f"Nothing about a method: that takes {MORE_TRAININGS}, which no comparison has here.")
    does_not.append("Comparisons share images and trainings, so their number is no strength of evidence.")
    asked = f"Which of the paper's {count(papers['claim'].nunique(), 'claim')} about SPL hold here?"
    return {"Asked": [asked], "Measured": _measured(settings, data), "Follows": follows, "Does not follow": does_not}


def _measured(settings: ReportSettings, data: Path) -> list[str]:
    pairs = pd.concat(read_table(data / f"pairs/{name}.csv").assign(dataset=name) for name in settings.datasets)
    images, masks = (len(pairs[what].drop_duplicates()) for what in (["dataset", "image"], "mask"))
    named, further = settings.table_methods, ""
    methods, ablations = [*map(settings.apart, named)].count(""), len(settings.methods) - len(named)
    runs = Counter(origin_of(settings, run.dataset, run.method) for run in settings.runs())
    if methods < len(named):
        further = f" and, apart from these, {count(len(named) - methods, 'method')} that the paper does not have"
    return [
        f"{count(methods, 'method')} and {count(ablations, 'ablation')}{further} filled "
        f"{count(images, f'{settings.evaluation.split} image')} of {count(len(settings.datasets), 'data set')} through "
        f"{count(masks, 'mask')}, the same for every method.",
        f"{count(runs[Origin.TRAINED], 'training')}, {count(len(settings.seeds), 'seed')} for each network and data "
        f"set; {count(runs[Origin.RELEASED], 'set')} of released weights.",
    ]


def _counted(kind: str, rows: pd.DataFrame) -> str:
    """Count claims first, for a claim of many comparisons is one claim."""
    shares = (rows["verdict"] == Verdict.SUPPORTED).groupby(rows["claim"]).mean()
    every, none = (shares == 1).sum(), (shares == 0).sum()
    verdicts = ", ".join(f"{(rows['verdict'] == verdict).sum()} {verdict}" for verdict in Verdict)
    return (
        f"Would other {'trainings' if kind == Kind.METHOD else 'test images'} say the same? Of "
        f"{count(len(shares), 'claim')} about {kind} {every} is supported in every comparison, "
        f"{len(shares) - every - none} in some, {none} in none. Comparisons: {verdicts}."
    )
