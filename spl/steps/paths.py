"""Default paths of every step, for a person who names none (rules name the same in place), and of filled images.

A name in braces is a wildcard of the step.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

DATA = Path("data")
RESULTS = Path("results")
RELEASE = Path("dist")
REFERENCE = Path("docs/reference")
PLANS = Path(".snakemake/plan")
"""Copies of parameter files, each in a folder that its hash names, with the plan beside it."""

RAW_IMAGES = DATA / "sources/images/{dataset}.json"
RAW_MASKS = DATA / "sources/masks.json"
PRETEXT = DATA / "sources/pretext.json"
WEIGHT_FILES = DATA / "sources/weights/{source}.json"
PREPARED = DATA / "prepared/{dataset}"
IMAGES = PREPARED / "manifest.csv"
STRUCTURE = DATA / "structure/{dataset}"
GROUPED_MASKS = DATA / "masks"
MASKS = GROUPED_MASKS / "masks.csv"
PAIRS = DATA / "pairs/{dataset}.csv"

TEACHERS = RESULTS / "teachers"
TEACHER = TEACHERS / "{teacher}"
WEIGHTS = RESULTS / "weights/{dataset}/{method}/seed{seed}"
EVALUATION = RESULTS / "eval/{dataset}/{method}/seed{seed}"
PERCEPTUAL = RESULTS / "perceptual/{dataset}/{method}/seed{seed}.csv"
PRIORS = RESULTS / "priors/{dataset}/{method}.safetensors"
DETECTIONS = RESULTS / "detections/{dataset}"
COST = RESULTS / "cost.csv"
TABLE1 = RESULTS / "table1.csv"
FURTHER_METRICS = RESULTS / "further_metrics.csv"
ABLATIONS = RESULTS / "ablations.csv"
STUDY = Path("docs/study/runs.csv")
GRID = RESULTS / "grid.csv"
CLAIMS = RESULTS / "claims.csv"
FIGURE = RESULTS / "figures/{figure}.pdf"
EXAMPLES = RESULTS / "figures/examples_{dataset}.png"
REPORT = RESULTS / "report.html"


def composited_files(images: Iterable[str]) -> Iterator[str]:
    """Yield where an evaluation keeps the filled image of every row of its per_image.csv.

    >>> list(composited_files(["test/a.png", "test/b.png", "test/a.png"]))
    ['composited/a.png', 'composited/b.png', 'composited/2/a.png']
    """
    seen = Counter[str]()
    for image in images:
        seen[image] += 1
        yield f"composited/{f'{seen[image]}/' if seen[image] > 1 else ''}{Path(image).name}"
