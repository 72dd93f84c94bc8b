"""Has a change moved a trained number further than another seed does? Run the same seeds before and after.

    snakemake --cores all results/table1.csv     # seeds: [1, 2, 3] in params.yaml; in a clone of the base and here
    python benchmarks/seeds.py ../base . --dataset paris

Prints for every method the mean PSNR of each seed in both workspaces, the change of their mean, and the spread over
the seeds before: the largest minus the smallest.
"""

import argparse
from pathlib import Path

from spl.common.tables import read_table


def main() -> None:
    """Compare all methods that both workspaces have evaluated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--dataset", default="paris")
    arguments = parser.parse_args()
    before, after = (
        means(folder / "results/eval" / arguments.dataset) for folder in (arguments.before, arguments.after)
    )
    for method in sorted(before.keys() & after.keys()):
        old, new = before[method], after[method]
        moved = sum(new) / len(new) - sum(old) / len(old)
        shown = [" ".join(f"{value:.2f}" for value in values) for values in (old, new)]
        print(
            f"{method:16} before {shown[0]}  after {shown[1]}  moved {moved:+.2f}  spread {max(old) - min(old):.2f} dB"
        )


def means(folder: Path) -> dict[str, list[float]]:
    """Return the mean PSNR of every seed by method."""
    methods = {path.parent.parent.name for path in folder.glob("*/seed*/per_image.csv")}
    files = {method: sorted(folder.glob(f"{method}/seed*/per_image.csv")) for method in methods}
    return {method: [read_table(path)["psnr"].mean() for path in paths] for method, paths in files.items()}


if __name__ == "__main__":
    main()
