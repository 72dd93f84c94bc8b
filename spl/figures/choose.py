"""Which test pictures a figure shows: by rule, never by hand."""

from collections.abc import Collection
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from spl.common.errors import DataError
from spl.steps.settings import FigureSettings


class Choice(NamedTuple):
    """The rule by which a figure's images are chosen."""

    seed: int
    choice: str
    min_hole_ratio: float

    @classmethod
    def of(cls, settings: FigureSettings) -> Self:
        """Take the rule from a figure's settings."""
        return cls(settings.seed, settings.figures.choice, settings.figures.min_hole_ratio)


def choose_pictures(
    table: pd.DataFrame,
    choice: Choice,
    count: int,
    *,
    among: Collection[str] | None = None,
    favoured: Collection[str] = (),
    without: Collection[str] = (),
) -> list[str]:
    """Choose different pictures with large holes; the order of the table's rows does not matter.

    Args:
        table: per_image.csv of the figure's last method.
        choice: `median` takes the candidates whose PSNR is closest to the candidates' median, `seeded` draws.
        count: how many.
        among: only these are candidates; None for all.
        favoured: if enough candidates are among these, only those are.
        without: what the figure shows already.

    Raises: DataError if there are not enough candidates.
    """
    large = table[table["hole_ratio"] >= choice.min_hole_ratio]
    kept = large[~large["image"].isin(without)]
    if among is not None:
        kept = kept[kept["image"].isin(among)]
    if (preferred := kept[kept["image"].isin(favoured)]).shape[0] >= count:
        kept = preferred
    if len(kept) < count:
        raise DataError(
            f"a figure wants {count} pictures with a hole ratio of at least {choice.min_hole_ratio}, but of "
            f"{len(table)} test pictures only {len(kept)} can be taken. "
            "Lower figures.min_hole_ratio in params.yaml, or ask for fewer pictures."
        )
    kept = kept.sort_values("image", ignore_index=True)
    return list(kept["image"][ORDERS[choice.choice](kept, choice.seed)[:count]])


def _median(candidates: pd.DataFrame, seed: int) -> np.ndarray:
    """Sort by the distance to the median PSNR."""
    psnr = candidates["psnr"].to_numpy()
    return np.argsort(np.abs(psnr - np.median(psnr)), kind="stable")


def _seeded(candidates: pd.DataFrame, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(len(candidates))


ORDERS = {"median": _median, "seeded": _seeded}
