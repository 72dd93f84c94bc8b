"""The data behind the numbers: images, masks, pairs, and their sources."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spl.analysis.paper import Images, images_of, not_the_papers
from spl.common.printed import DASH, Cell, count, simple_table
from spl.config.experiment import Supplied
from spl.config.methods import ExternalFill
from spl.data.masks import RATIO_BINS
from spl.report.view import Part, Prose, Section
from spl.steps.records import read_record
from spl.steps.settings import ReportSettings

BINS = [f"{int(low)}–{high} %" for low, high in (ratio.split("-") for ratio in RATIO_BINS)]


def headline_of(settings: ReportSettings) -> tuple[str, str]:
    """Return a headline and a few sentences about the origin of this run's images and masks."""
    kinds = {images_of(settings, dataset) for dataset in settings.datasets}
    if kinds == {Images.MINIATURE}:
        return "Demo on the miniature world", (
            "Every number below was measured on drawn images, not on photographs. They show that the machinery works "
            "and how methods compare in this small world; they are not the paper's numbers."
        )
    if kinds == {Images.PAPER}:
        return "The paper's data", (
            "Images, masks, crop, sizes, and the rule of the pairs are the paper's, in the published numbers; which "
            "mask meets which image is another draw."
        )
    headline = "Mixed data" if len(kinds) > 1 else "Data that are not the paper's"
    text = (
        f"Not the paper's: {not_the_papers(settings)}. Only numbers on the paper's data can be compared with its own."
    )
    return headline, text


def data_section(settings: ReportSettings, data: Path) -> Section:
    """Count images, masks and pairs."""
    rows = []
    for name, dataset in settings.datasets.items():
        prepared, pairs = record_at(data / f"prepared/{name}/record.json"), record_at(data / f"pairs/{name}.json")
        images, per_bin = prepared.get("images", {}), pairs.get("pairs_per_bin", {})
        rows.append([
            Cell(settings.title_of(name), (f"in paths: {name}", images_of(settings, name))), f"{dataset.image_size} px",
            f"{dataset.crop} px" if dataset.crop else DASH,
            *(f"{images[split]:,}" if split in images else DASH for split in ("train", "validation", "test")),
            *(f"{per_bin[ratio]:,}" if ratio in per_bin else DASH for ratio in RATIO_BINS),
            str(pairs.get("changed_bin_by_resizing", DASH)),
        ])  # fmt: skip
    head = ["dataset", "size", "crop", "train", "validation", "test", *BINS, "changed bin"]
    lead = (
        f"Images by split, and the fixed image–mask pairs of the {settings.evaluation.split} images by hole ratio "
        f"(drawn {settings.evaluation.pairs}, the same for every method). The last column counts masks whose ratio "
        "falls into another bin at the network's size; they stay in the bin of their stored size."
    )
    masks = _masks(record_at(data / "masks/record.json"))
    return Section("data", "Data", (Prose(lead), simple_table(head, rows), *_citations(settings, data), *masks))


def _citations(settings: ReportSettings, data: Path) -> Iterator[Prose]:
    """Cite the sources of images and masks: those that a person names for their own, or the registry's."""
    images = {name: (dataset.source, f"images/{name}") for name, dataset in settings.datasets.items()}
    for name, (source, record) in (images | {"masks": (settings.masks.source, "masks")}).items():
        known = record_at(data / f"sources/{record}.json")
        if text := source.citation if isinstance(source, Supplied) else known.get("citation"):
            yield Prose(f"{settings.title_of(name)}: {text}")
    yield from (Prose(f"{name}: {m.citation}") for name, m in settings.methods.items() if isinstance(m, ExternalFill))


def _masks(record: dict[str, Any]) -> tuple[Part, ...]:
    if not record:
        return (Prose("There is no record of the masks.", "note"),)
    per_bin, rejected = record["masks_per_bin"], record["rejected"]
    listed = "; ".join(f"{count(number_of, 'mask')}: {reason}" for reason, number_of in rejected.items())
    row: list[str | Cell] = ["masks", *(f"{per_bin[ratio]:,}" for ratio in RATIO_BINS), f"{sum(per_bin.values()):,}"]
    return simple_table(["", *BINS, "all"], [row], caption="Masks"), Prose(f"Left out: {listed or 'none'}.")


def record_at(path: Path) -> dict[str, Any]:
    """Read a record; empty if there is none."""
    return read_record(path) if path.is_file() else {}
