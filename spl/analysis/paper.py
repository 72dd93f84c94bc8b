"""The facts of the paper: Table 1, its claims, and its datasets."""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import pandas as pd

from spl.analysis.statistics import Kind
from spl.common.metrics import METRICS
from spl.config.experiment import Design
from spl.steps.settings import ReportSettings, TableSettings

ROWS = {"mfe": "MFE", "rfr": "RFR", "rn": "RN", "spl": "Ours"}
"""Printed names of the rows of Table 1."""

ROW_OF = {row: row for row in ROWS} | {"spl_released": "spl"}
"""The row that a method is compared with."""

LAYOUTS = {"places2": ("places365", "places365_flat"), "celeba": ("celeba",), "paris": ("paris",)}
"""Layouts of the archives of the paper's datasets."""

SOURCES = {"places2": ("places365_easy", "places365_flat"), "celeba": ("celeba",), "paris": ("paris_streetview",)}
"""Their names in the registry; fetching refuses another number of images, or of masks, than the published one."""

ABLATION_ORDER = {"spl_no_prior": "worse", "spl_detector": "between", "spl_concat": "worse"}
"""Where section 4.4 puts an ablation: worse than SPL, or between SPL and SPL without semantic supervision."""

SUBJECTS = ("spl", "spl_released")
"""Methods that the claims are about."""


class Images(StrEnum):
    """Origin of a dataset's images and masks."""

    MINIATURE = "miniature world"
    PAPER = "paper's data"
    OTHER = "other data"


class Sets(StrEnum):
    """Whose datasets a comparison is on."""

    PAPER = "the paper's data sets"
    """Of its names, and in the layouts of its archives; the miniature world draws them too."""
    OTHER = "other images"


class Basis(StrEnum):
    """Measurement that a claim is checked by."""

    LEAD = "lead"
    """Paired differences of Table 1's metrics, as in Table 1."""
    ALL_LEADS = "all leads"
    """All comparisons of the claim `ahead` on a dataset together."""
    ABLATION = "ablation"
    """Paired differences on the dataset of the ablations, as in figure 4."""
    OBJECTS = "objects"
    """Half-hidden objects that the detector finds again."""


class Claim(NamedTuple):
    """A claim of the paper: its subject is ahead of the rivals."""

    text: str
    source: str
    kind: Kind
    at_least: bool
    """Whether being as good is enough: worse by less than a margin."""
    basis: Basis
    rivals: tuple[str, ...]
    subject: str
    """Of an ablation; empty for the method that the ablations vary."""


@cache
def paper_claims() -> dict[str, Claim]:
    """Return the paper's claims by name, in the order of the page."""
    rows = _read("paper_claims.csv").to_dict("records")
    return {
        r["claim"]: Claim(
            r["text"], r["source"], Kind(r["kind"]), r["hypothesis"] == "at least as good",
            Basis(r["basis"]), tuple(r["rivals"].split()), r["subject"],
        )
        for r in rows
    }  # fmt: skip


@cache
def paper_table() -> pd.DataFrame:
    """Return the paper's Table 1: metric, method, dataset, mask_ratio, value."""
    return _read("table1_paper.csv")


def printed(
    design: TableSettings | ReportSettings, metric: str, method: str, dataset: str, mask_ratio: str
) -> float | None:
    """Return the number of Table 1 that a method's is compared with; None if there is none, or the data are others."""
    if design.apart(method) or (dataset in design.datasets and images_of(design, dataset) is not Images.PAPER):
        return None
    return _cells().get((metric, ROW_OF.get(method, ""), dataset, mask_ratio))


@cache
def _cells() -> dict[Any, float]:
    return paper_table().set_index(["metric", "method", "dataset", "mask_ratio"])["value"].to_dict()


def printed_lead(
    design: TableSettings | ReportSettings, metric: str, dataset: str, mask_ratio: str, subject: str, rival: str
) -> float | None:
    """Return the lead of one method over another by the numbers of Table 1, positive if better; None if it has none."""
    ours, theirs = (printed(design, metric, method, dataset, mask_ratio) for method in (subject, rival))
    if ours is None or theirs is None:
        return None
    lead = round(ours - theirs, 4)
    return lead if METRICS[metric].higher_is_better else -lead


def images_of(design: TableSettings | ReportSettings, dataset: str) -> Images:
    """Return the origin of a dataset's images and masks."""
    if design.datasets[dataset].source.kind == "miniature":
        return Images.MINIATURE
    return Images.OTHER if differences(design, dataset) else Images.PAPER


def differences(design: TableSettings | ReportSettings, dataset: str) -> list[str]:
    """Name in what a dataset, its masks and its pairs' rule are not the paper's."""
    entry, masks, evaluation = design.datasets[dataset], design.masks, design.evaluation
    found: dict[str, tuple[object, tuple[object, ...]]] = {
        "source": (getattr(entry.source, "name", None), SOURCES.get(dataset, ())),
        "layout": (entry.layout.kind, LAYOUTS.get(dataset, ())),
        "crop": (entry.crop, (178 if dataset == "celeba" else None,)),
        "size": (entry.image_size, (256,)),
        "number of training images": ((entry.validation, entry.skip_unreadable), ((0, 0),)),
        "masks": ((getattr(masks.source, "name", None), masks.hole), (("nvidia_test_masks", "white"),)),
        "split": (evaluation.split, ("test",)),
        "rule of the pairs": (evaluation.pairs, ("uniform",)),
    }
    return [what for what, (ours, papers) in found.items() if ours not in papers]


def not_the_papers(design: TableSettings | ReportSettings) -> str:
    """Name the datasets that are not the paper's, with what differs; empty if all are."""
    found: dict[str, list[str]] = {}
    for dataset in design.datasets:
        if (images := images_of(design, dataset)) is not Images.PAPER:
            what = f" ({', '.join(differences(design, dataset))})" * (images is Images.OTHER)
            found.setdefault(images + what, []).append(design.title_of(dataset))
    return "; ".join(f"{', '.join(datasets)}: {what}" for what, datasets in found.items())


def titled(table: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Put the printed names of datasets into a table that is only printed from here on."""
    return table.assign(dataset=table["dataset"].map(design.title_of))


def set_of(design: Design, dataset: str) -> Sets:
    """Tell one of the paper's datasets, present or not, from another."""
    entry = design.datasets.get(dataset)
    is_papers = entry is None or entry.layout.kind in LAYOUTS.get(dataset, ())
    return Sets.PAPER if is_papers else Sets.OTHER


def _read(name: str) -> pd.DataFrame:
    with (files("spl.analysis") / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, keep_default_na=False)
