"""A copy of the repository with an experiment for a cluster: tiny, but for trainings long enough to be hit."""

import sys
from pathlib import Path

from tests.workflow.conftest import make_copy, shrink, thin_out


def last(raw: dict) -> dict:
    """Let the two trainings last a minute or so."""
    for method in raw["methods"].values():
        method["training"]["epochs"] = 400
    return raw


if __name__ == "__main__":
    make_copy(Path(sys.argv[1]), shrink, thin_out, last)
