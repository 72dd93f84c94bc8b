"""Examples of a dataset: input, each method, ground truth, for hole ratios from small to large."""

from pathlib import Path

from spl.common.files import atomic
from spl.common.labels import method_title
from spl.common.tables import read_table
from spl.data.pair_masks import spread_over_hole_ratios
from spl.figures.choose import name_methods
from spl.figures.images import Evidence, image_grid, show
from spl.figures.style import SMALL
from spl.steps.records import take_all, write_record
from spl.steps.settings import ExampleSettings


def draw_examples(settings: ExampleSettings, *, results: Path, data: Path, out: Path) -> None:
    """Draw one row per example: the input with a white hole, every method with its PSNR, the ground truth."""
    methods = settings.methods_of(settings.dataset, settings.table_methods)
    pairs = data / f"pairs/{settings.dataset}.csv"
    evidence = Evidence.of(settings, settings.dataset, methods, results=results, data=data)
    inputs = take_all([pairs, *evidence.files()])
    psnr = {method: evidence.table(method).set_index("image")["psnr"] for method in methods}
    filled_by_all = set.intersection(*(set(values.index) for values in psnr.values()))
    table = read_table(pairs).drop_duplicates("image")
    table = table[table["image"].isin(filled_by_all)].reset_index(drop=True)
    rows = spread_over_hole_ratios(table["hole_ratio"].to_numpy(), settings.figures.examples)
    titles = ["Input", *map(method_title, methods), "Ground truth"]
    figure, axes = image_grid(len(rows), len(titles), width=1.2 * len(titles), top=0.18, below=0.15)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title)
    for line, image, ratio in zip(axes, table["image"][rows], table["hole_ratio"][rows], strict=True):
        panes = [(evidence.masked(image), f"{ratio:.0%} missing")]
        panes += [(evidence.filled(image, method), f"{psnr[method][image]:.1f} dB") for method in methods]
        panes += [(evidence.truth(image), "")]
        for axis, (pixels, label) in zip(line, panes, strict=True):
            show(axis, pixels)
            axis.set_xlabel(label, fontsize=SMALL, labelpad=1)
    caption = (
        f"Images of {settings.title_of(settings.dataset)}: input, every method of Table 1 with its PSNR, and ground "
        f"truth, at equally spaced ranks of the hole ratio: {name_methods(settings, methods)}. "
        f"Shown: {', '.join(table['image'][rows])}."
    )
    with atomic(out) as temporary:
        figure.savefig(temporary, metadata={"Description": caption})
    write_record(out.with_suffix(".json"), settings, inputs, {"examples": out})
