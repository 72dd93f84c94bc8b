"""Choice of the test images that a figure shows: by rule, never by hand."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from spl.common.errors import DataError
from spl.common.labels import method_title
from spl.config.experiment import Design
from spl.steps.settings import FigureSettings


def choose_images(
    table: pd.DataFrame, settings: FigureSettings, count: int, *, favoured: Collection[str] = ()
) -> list[str]:
    """Choose different images with large holes; the order of the table's rows does not matter.

    `figures.choice` of the settings is the rule: `median` takes the candidates whose PSNR is closest to the median of
    all candidates, `seeded` draws.

    Args:
        table: rows of per_image.csv of the figure's last method, those of images that may be shown.
        settings: the rule, its seed and the least hole ratio.
        count: number of images.
        favoured: the only candidates if there are enough of them.

    Raises: DataError if there are not enough candidates.
    """
    rule = settings.figures
    kept = table[table["hole_ratio"] >= rule.min_hole_ratio]
    if (preferred := kept[kept["image"].isin(favoured)]).shape[0] >= count:
        kept = preferred
    if len(kept) < count:
        raise DataError(
            f"a figure needs {count} images with a hole ratio of at least {rule.min_hole_ratio}, but of "
            f"{len(table)} images that may be shown only {len(kept)} can be taken. "
            "Lower figures.min_hole_ratio in params.yaml, or ask for fewer images."
        )
    kept = kept.sort_values("image", ignore_index=True)
    if rule.choice == "median":
        psnr = kept["psnr"].to_numpy()
        order = np.argsort(np.abs(psnr - np.median(psnr)), kind="stable")
    else:
        order = np.random.default_rng(settings.seed).permutation(len(kept))
    return list(kept["image"][order[:count]])


def deciding(design: Design, methods: Sequence[str]) -> str:
    """Return the method whose table images are chosen from: the last that the paper has, or else the last."""
    return max(reversed(methods), key=lambda method: not design.apart(method))


def name_methods(design: Design, methods: Sequence[str]) -> str:
    """Print methods for a caption, and which of them the paper does not have."""
    apart = "; ".join(f"{method_title(method)}: {why}" for method in methods if (why := design.apart(method)))
    return ", ".join(map(method_title, methods)) + (f" ({apart})" if apart else "")


def describe_choice(settings: FigureSettings, method: str, *, occluded: bool = False) -> str:
    """Print for a caption the rule by which images were chosen from the table of a method."""
    rule = settings.figures
    among = f"{settings.evaluation.split} images with a hole ratio of at least {rule.min_hole_ratio:.0%}"
    if occluded:
        among += " whose hole, if there are any, occludes at least half of an object"
    if rule.choice == "median":
        return f"Rule: of the {among}, those whose PSNR under {method_title(method)} is closest to the median."
    return f"Rule: drawn with the seed {settings.seed} from the {among}."
