"""Do a study's intervals say what they should? The share of resampled sets of seeds whose interval covers 0.

    python benchmarks/resample_seeds.py --params presets/study_2.yaml --contrast random random_2

Takes two arms from the committed table of runs: two that must not differ, or one with a planted effect and one without.
`k of n` are sets of k of the n seeds, all or 500; `n with replacement` are 500 sets of n seeds that may repeat.
docs/study.md says what to expect of either.
"""

import argparse
import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from spl.config.load import load_params
from spl.planning.study import compared_runs, contrast, read_runs, sides, study_of
from spl.steps import paths

SETS = 500
LEAST = 3
"""Seeds that an interval is taken of."""


def shares_covering(ours: np.ndarray, theirs: np.ndarray, confidence: float) -> dict[str, float]:
    """Return the share of sets of seeds whose interval covers 0, by how these are taken.

    Shapes: (teachers, seeds) each.
    """

    def share(sets: Iterable[Sequence[int] | np.ndarray]) -> float:
        found = [contrast(ours[:, list(seeds)], theirs[:, list(seeds)], confidence) for seeds in sets]
        return float(np.mean([each.method_low <= 0 <= each.method_high for each in found]))

    n, rng = ours.shape[1], np.random.default_rng(0)
    shares = {}
    for k in range(LEAST, n + 1):
        few = math.comb(n, k) <= SETS
        drawn = combinations(range(n), k) if few else (rng.choice(n, k, replace=False) for _ in range(SETS))
        shares[f"{k} of {n}"] = share(drawn)
    return shares | {f"{n} with replacement": share(rng.integers(n, size=(SETS, n)))}


def main() -> None:
    """Print a row for every dataset, metric and epoch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("presets/study_2.yaml"))
    parser.add_argument("--runs", type=Path, default=paths.STUDY, help="means of single runs")
    parser.add_argument("--contrast", nargs=2, required=True, metavar="ARM", help="two arms of the study")
    arguments = parser.parse_args()
    params, (first, second) = load_params(arguments.params), arguments.contrast
    study = study_of(params)
    if unknown := {first, second} - study.arms.keys():
        parser.error(f"{arguments.params} has no arm {min(unknown)}; it has {', '.join(study.arms)}")
    rows = []
    for (dataset, epoch), runs in compared_runs(params, read_runs(arguments.runs)).groupby(["dataset", "epoch"]):
        for metric in study.metrics:
            ours, theirs = sides(study, runs, metric, (first, second))
            if ours.shape[1] >= LEAST:
                shares = shares_covering(ours, theirs, params.evaluation.bootstrap.confidence)
                rows.append({"dataset": dataset, "metric": metric, "epoch": epoch} | shares)
    if not rows:
        parser.error(
            f"{arguments.runs} has fewer than {LEAST} seeds of both {first} and {second} of {arguments.params}"
        )
    print(f"share of sets of seeds whose interval of {first} − {second} covers 0")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
