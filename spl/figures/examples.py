"""The example picture of a dataset: input, each method, ground truth, for hole ratios from small to large."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from spl.data.images import read_rgb, resize_mask
from spl.data.masks import read_mask
from spl.data.tables import read_table
from spl.files import atomic
from spl.labels import method_title
from spl.settings import ExampleSettings

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def choose_rows(pairs: pd.DataFrame, count: int) -> list[int]:
    """Choose pairs by rule, never by hand: those at equally spaced ranks of the hole ratio."""
    order = pairs["hole_ratio"].to_numpy().argsort(kind="stable")
    ranks = (np.arange(count) + 0.5) / count * len(order)
    return [int(order[int(rank)]) for rank in ranks]


def draw_examples(
    settings: ExampleSettings, *, evidence: Path, pairs: Path, images: Path, masks: Path, picture: Path
) -> None:
    """Draw one row per example: the input with a white hole, every method with its PSNR, the ground truth."""
    table = read_table(pairs)
    rows = choose_rows(table, min(settings.examples, len(table)))
    results = {m: read_table(evidence / settings.dataset / m / "per_image.csv") for m in settings.methods}
    columns = ["Input", *(method_title(m) for m in settings.methods), "Ground truth"]
    figure, axes = plt.subplots(
        len(rows), len(columns), figsize=(1.35 * len(columns), 1.5 * len(rows)), squeeze=False, layout="constrained"
    )
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.03, wspace=0.01, hspace=0.01)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=9)
    for line, row in zip(axes, rows, strict=True):
        truth = read_rgb(images / table["image"][row])
        hole = resize_mask(read_mask(masks / table["mask"][row], "white"), truth.shape[0])
        name = Path(table["image"][row]).name
        filled = [read_rgb(evidence / settings.dataset / m / "composited" / name) for m in settings.methods]
        captions = [f"{table['hole_ratio'][row]:.0%} missing"]
        captions += [f"{results[m]['psnr'][row]:.1f} dB" for m in settings.methods] + [""]
        shown = [np.where(hole[..., None], 255, truth), *filled, truth]
        for axis, pixels, caption in zip(line, shown, captions, strict=True):
            axis.imshow(pixels, interpolation="nearest")
            axis.set_xlabel(caption, fontsize=7, labelpad=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
    with atomic(picture) as temporary:
        figure.savefig(temporary, dpi=200, bbox_inches="tight", pad_inches=0.03)
    plt.close(figure)
