"""The paper's claims with the verdicts of this run, as a summary and claim by claim."""

import pandas as pd

from spl.analysis.claims_page import by_claim, claim_table, explanation, summary_table, warnings
from spl.report.view import Prose, Section


def summary_section(claims: pd.DataFrame) -> Section:
    """Count the verdicts, for every claim and in all."""
    parts = (*(Prose(text, "warning") for text in warnings(claims)), summary_table(claims))
    return Section("verdicts", "Verdicts on the paper's claims", parts)


def claims_section(claims: pd.DataFrame, *, confidence: float) -> Section:
    """Show every claim with the comparisons that it rests on."""
    tables = [
        claim_table(rows)._replace(caption=f"{text} Paper: {source}.") for (text, source), rows in by_claim(claims)
    ]
    return Section("claims", "Claims in detail", (Prose(explanation(confidence)), *tables))
