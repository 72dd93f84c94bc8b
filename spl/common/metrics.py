"""The table of metrics: how each is called, printed and read. No torch: tables, figures and the report need it too."""

from enum import StrEnum
from typing import NamedTuple


class Group(StrEnum):
    """Where a metric is measured and shown."""

    TABLE_1 = "Table 1"
    """Of `per_image.csv`, as the paper defines it."""
    PER_IMAGE = "per image"
    """Of `per_image.csv`, beside the paper's."""
    PERCEPTUAL = "perceptual"
    """By networks, of every image."""
    PER_SET = "per set"
    """By networks, of all images together."""
    OBJECTS = "objects"
    """Of partly hidden objects, by the detector."""


class Metric(NamedTuple):
    """A metric as tables print it."""

    name: str
    label: str
    decimals: int
    higher_is_better: bool | None
    """None if neither is better."""
    group: Group
    part_of: str = ""
    """The metric of `evaluation.perceptual.metrics` that brings it, if that has another name."""

    @property
    def title(self) -> str:
        """The label with an arrow to what is better."""
        return self.label + {True: " ↑", False: " ↓", None: ""}[self.higher_is_better]


_ALL = (
    Metric("ssim", "SSIM", 3, True, Group.TABLE_1),
    Metric("psnr", "PSNR", 2, True, Group.TABLE_1),
    Metric("mae", "MAE", 4, False, Group.TABLE_1),
    Metric("mae_rgb", "MAE, RGB", 4, False, Group.PER_IMAGE),
    Metric("ssim_gaussian", "SSIM, Gaussian", 3, True, Group.PER_IMAGE),
    Metric("psnr_hole", "PSNR, hole", 2, True, Group.PER_IMAGE),
    Metric("mae_hole", "MAE, hole", 4, False, Group.PER_IMAGE),
    Metric("lpips", "LPIPS", 4, False, Group.PERCEPTUAL),
    Metric("fid", "FID", 2, False, Group.PER_SET),
    Metric("kid", "KID", 4, False, Group.PER_SET),
    Metric("kid_sd", "KID, sd of subsets", 4, None, Group.PER_SET, part_of="kid"),
    Metric("recall", "recall", 3, True, Group.OBJECTS),
    Metric("confidence", "confidence", 3, True, Group.OBJECTS),
)

METRICS = {metric.name: metric for metric in _ALL}
"""In the order of columns; those of Table 1 in the paper's order and with its decimals.

A column of `per_image.csv` needs no entry: it prints under its own name.
"""

PAPER_METRICS = tuple(metric.name for metric in _ALL if metric.group is Group.TABLE_1)


def metric_of(name: str) -> Metric:
    """Return the entry of a metric; a further column of `per_image.csv` has its own name and four decimals."""
    return METRICS.get(name) or Metric(name, name, 4, None, Group.PER_IMAGE)
