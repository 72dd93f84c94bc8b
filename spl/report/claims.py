"""The paper's claims with the verdicts of this run, as a summary and claim by claim."""

import pandas as pd

from spl.analysis.claims_page import APART, COUNTED, by_claim, claim_table, explanation, summary_table
from spl.analysis.paper import Sets
from spl.report.contrasts import draw_contrasts, main_contrasts
from spl.report.table1 import signatures
from spl.report.view import Part, Prose, Section
from spl.steps.settings import ReportSettings


def summary_section(claims: pd.DataFrame) -> Section:
    """Count the verdicts of every claim on the paper's datasets, and draw the main contrasts."""
    return Section("verdicts", "Verdicts on the paper's claims", _summary(claims[claims["on"] == Sets.PAPER]))


def claims_section(claims: pd.DataFrame, settings: ReportSettings) -> Section:
    """Show every claim with the comparisons that it rests on."""
    lead = (Prose(text) for text in explanation(settings))
    return Section("claims", "Claims in detail", (*lead, *_tables(claims[claims["on"] == Sets.PAPER])))


def others_section(claims: pd.DataFrame) -> Section | None:
    """Show the same on datasets that are not the paper's; None if there is none."""
    others = claims[claims["on"] == Sets.OTHER]
    if others.empty:
        return None
    return Section("others", f"On {Sets.OTHER}", (Prose(APART), *_summary(others), *_tables(others)))


def _summary(claims: pd.DataFrame) -> tuple[Part, ...]:
    contrasts = main_contrasts(claims)
    drawn = [] if contrasts.empty else [draw_contrasts(contrasts)]
    return Prose(COUNTED), summary_table(claims), *drawn


def _tables(claims: pd.DataFrame) -> list[Part]:
    tables = (
        claim_table(rows)._replace(caption=f"{text} Paper: {source}. Verdicts are about {kind}.")
        for (text, source, kind), rows in by_claim(claims)
    )
    return [*tables, *signatures(claims)]
