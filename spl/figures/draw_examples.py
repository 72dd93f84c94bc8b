"""The example picture of a dataset: input, each method, ground truth, for hole ratios from small to large."""

from pathlib import Path

from spl.common.files import atomic
from spl.common.labels import method_title
from spl.common.tables import read_table
from spl.data.pair_masks import spread_over_hole_ratios
from spl.data.stored import FilledImages, GroupedMasks, PreparedImages
from spl.figures.pictures import picture_grid, show, whiten
from spl.figures.style import SMALL
from spl.steps.records import take_all, write_record
from spl.steps.settings import ExampleSettings


def draw_examples(settings: ExampleSettings, *, results: Path, data: Path, out: Path) -> None:
    """Draw one row per example: the input with a white hole, every method with its PSNR, the ground truth."""
    dataset = settings.dataset
    pairs, masks = data / f"pairs/{dataset}.csv", data / "masks/masks.csv"
    images = data / f"prepared/{dataset}/manifest.csv"
    folders = {
        method: results / f"eval/{dataset}/{method}/seed{settings.seeds_of(dataset, method)[0]}"
        for method in settings.table_methods
    }
    inputs = take_all([pairs, images, masks, *(folder / "per_image.csv" for folder in folders.values())])
    table = read_table(pairs)
    rows = spread_over_hole_ratios(table["hole_ratio"].to_numpy(), settings.figures.examples)
    psnr = {m: read_table(folder / "per_image.csv")["psnr"] for m, folder in folders.items()}
    filled = [FilledImages(folder / "per_image.csv") for folder in folders.values()]
    truths, holes = PreparedImages(images, names=table["image"]), GroupedMasks(masks, names=table["mask"])
    columns = ["Input", *map(method_title, folders), "Ground truth"]
    figure, axes = picture_grid(len(rows), len(columns), width=1.2 * len(columns), top=0.18, below=0.15)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title)
    for line, row in zip(axes, rows, strict=True):
        truth = truths.pixels(row)
        hole = holes.hole(row, truth.shape[0])
        pictures = [images.pixels(table["image"][row]) for images in filled]
        captions = [f"{table['hole_ratio'][row]:.0%} missing"]
        captions += [f"{values[row]:.1f} dB" for values in psnr.values()] + [""]
        for axis, pixels, caption in zip(line, [whiten(truth, hole), *pictures, truth], captions, strict=True):
            show(axis, pixels)
            axis.set_xlabel(caption, fontsize=SMALL, labelpad=1)
    with atomic(out) as temporary:
        figure.savefig(temporary)
    write_record(out.with_suffix(".json"), settings, inputs, {"examples": out})
