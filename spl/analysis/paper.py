"""What the paper prints and claims, and the data that it does so about."""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import pandas as pd

from spl.common.metrics import METRICS
from spl.config.experiment import Params
from spl.steps.settings import TableSettings

ROWS = {"mfe": "MFE", "rfr": "RFR", "rn": "RN", "spl": "Ours"}
"""Printed names of the rows of Table 1."""

ROW_OF = {row: row for row in ROWS} | {"spl_released": "spl"}
"""The row that a method is compared with."""

LAYOUTS = {"places2": ("places365", "places365_flat"), "celeba": ("celeba",), "paris": ("paris",)}
"""Layouts of the archives of the paper's datasets."""

ABLATION_ORDER = {"spl_no_prior": "worse", "spl_detector": "between", "spl_concat": "worse"}
"""Where section 4.4 puts an ablation: worse than SPL, or between SPL and SPL without semantic supervision."""

SUBJECTS = ("spl", "spl_released")
"""Methods that the claims are about."""

RIVALS = ("rn", "rfr", "mfe")


class Images(StrEnum):
    """Origin of a dataset's images."""

    MINIATURE = "miniature world"
    PAPER = "paper's images"
    OTHER = "other images"


class Basis(Enum):
    """Measurement that a claim is checked by."""

    LEAD = auto()
    """Paired differences of Table 1's metrics, as in Table 1."""
    GROWTH = auto()
    """The growth of these differences from 20-40 % to 40-60 %."""
    ABLATION = auto()
    """Paired differences on the dataset of the ablations, as in figure 4."""
    OBJECTS = auto()
    """Partly hidden objects that the detector finds again."""
    ALL_LEADS = auto()
    """All comparisons of the claim `ahead` on a dataset together."""


class Claim(NamedTuple):
    """A claim of the paper: its subject is ahead of the rivals."""

    text: str
    source: str
    basis: Basis
    rivals: tuple[str, ...] = RIVALS
    subject: str | None = None
    """Of an ablation; None is the method that the ablations vary."""


CLAIMS = {
    "ahead": Claim(
        "SPL is ahead of RN, RFR and MFE in all three metrics.", "section 4.3, Table 1", Basis.LEAD
    ),
    "state_of_the_art": Claim(
        "SPL is the state of the art: ahead in every column of the dataset.", "abstract, section 5, Table 1",
        Basis.ALL_LEADS,
    ),
    "larger_holes": Claim(
        "SPL's lead over RN, RFR and MFE is larger at 40–60 % than at 20–40 %.", "Table 1; not said in words",
        Basis.GROWTH,
    ),
    "ahead_of_edges": Claim(
        "SPL restores complex scenes better than EdgeConnect; the paper shows it by images.",
        "sections 1 and 4.5, figures 1 and 5", Basis.LEAD, ("ec",),
    ),
    "more_objects": Claim(
        "SPL's images contain more complete objects, detected more confidently, than those of other methods.",
        "sections 1 and 4.2, figures 1 and 3", Basis.OBJECTS, (*RIVALS, "ec"),
    ),
    "supervision": Claim(
        "Without semantic supervision (w/o S) SPL is significantly worse.", "section 4.4, figure 4",
        Basis.ABLATION, ("spl_no_prior",),
    ),
    "detector_helps": Claim(
        "Supervision by a detection network helps too: better than none.", "section 4.4, figure 4",
        Basis.ABLATION, ("spl_no_prior",), "spl_detector",
    ),
    "multilabel_helps_more": Claim(
        "The multi-label network is at least as good a teacher as the detection network.", "section 4.4, figure 4",
        Basis.ABLATION, ("spl_detector",),
    ),
    "concatenation": Claim(
        "Concatenation in SPADE's place is worse in all three metrics.", "section 4.4, figure 4",
        Basis.ABLATION, ("spl_concat",),
    ),
}  # fmt: skip
"""In the order of the page."""


def paper_table() -> pd.DataFrame:
    """Return the paper's Table 1: metric, method, dataset, mask_ratio, value."""
    with (files("spl.analysis") / "table1_paper.csv").open() as file:
        return pd.read_csv(file)


def printed(metric: str, method: str, dataset: str, mask_ratio: str) -> float | None:
    """Return the number of Table 1 that a method's is compared with; None if there is none."""
    return _cells().get((metric, ROW_OF.get(method, ""), dataset, mask_ratio))


def printed_lead(metric: str, dataset: str, mask_ratio: str, subject: str, rival: str) -> float | None:
    """Return the lead of one method over another by the numbers of Table 1, positive if better; None if it has none."""
    ours, theirs = (printed(metric, method, dataset, mask_ratio) for method in (subject, rival))
    if ours is None or theirs is None:
        return None
    lead = round(ours - theirs, 4)
    return lead if METRICS[metric].higher_is_better else -lead


def images_of(design: TableSettings | Params, dataset: str) -> Images:
    """Return the origin of a dataset's images: the paper's have its size, and are of the split that it evaluates."""
    entry, split = design.datasets[dataset], design.evaluation.split
    if entry.source.kind == "miniature":
        return Images.MINIATURE
    is_papers = entry.layout.kind in LAYOUTS.get(dataset, ()) and entry.image_size == 256 and split == "test"
    return Images.PAPER if is_papers else Images.OTHER


@cache
def _cells() -> Mapping[tuple[str, str, str, str], float]:
    """Return the paper's Table 1 by metric, row, dataset and mask ratio."""
    return paper_table().set_index(["metric", "method", "dataset", "mask_ratio"])["value"].to_dict()
