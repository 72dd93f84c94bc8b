"""Threads of every rule, and the other rows of the table of rules. No torch here: the Snakefile imports this module."""

import csv
from pathlib import Path

from spl.config.experiment import Params

with Path(__file__).with_name("rules.csv").open(newline="", encoding="utf-8") as _file:
    RULES = {row["rule"]: row for row in csv.DictReader(_file)}
"""By rule: threads (none: those of the arithmetic), seconds for starting, milliseconds per image or mask, memory."""

LOADERS = 4
"""Processes that load data for a training on a GPU."""


def threads_of(params: Params, rule: str, dataset: str | None = None) -> int:
    """Return the threads of a rule; going through the images of a real data set takes many."""
    threads = int(RULES[rule]["threads"] or params.threads)
    source = params.datasets[dataset].source if dataset else params.masks.source
    return 1 if threads > 8 and source.kind == "miniature" else threads
