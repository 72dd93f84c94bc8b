"""A whole set of masks: binarised, polarity checked, grouped into six bins by measured hole ratio."""

import hashlib
import sys
import zipfile
from collections import Counter
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np

from spl.common.errors import DataError
from spl.common.files import write_rows
from spl.common.shards import Row, Shard, resumable_folder, run_shards
from spl.data.images import read_raw
from spl.data.masks import RATIO_BINS, encode_mask, measure_mask, ratio_bin
from spl.sources.listing import Listed, Listing
from spl.sources.raw_files import Place
from spl.steps.records import take, write_record
from spl.steps.settings import MaskSettings

FACTS = ("file", "source", "width", "height", "hole_ratio", "ratio_bin", "touches_border", "rejected", "sha256")
COLUMNS = (*FACTS, *Place._fields)


def group_masks(settings: MaskSettings, source: Path, folder: Path, *, workers: int) -> None:
    """Binarise all masks and group them by hole ratio at their stored size.

    Writes `masks.csv`, one row a mask, rejected ones with the reason and without a file; `binary/*.zip`, which hold
    the others (PNG, 1 bit, white = hole); and `record.json` with the counts per bin and per size. `folder` appears at
    once or not at all; a killed call goes on where it was.
    Raises: DataError if a file is no readable image, the measured ratios contradict the declared polarity or no mask
        is usable.
    """
    inputs, listing, hole = take(source=source), Listing(source), settings.hole
    paths = [row.path for row in listing]
    names = hashlib.sha256("\n".join(paths).encode()).hexdigest()
    key = {"hole": hole, "raw": str(listing.folder), "masks": names}
    with resumable_folder(folder, key, inputs=[listing.folder]) as temporary:
        (temporary / "binary").mkdir(exist_ok=True)
        work = partial(_group_shard, listing.folder, temporary, hole)
        shown = {"total": len(paths), "what": "group masks", "unit": "mask"}
        rows = list(chain.from_iterable(run_shards(listing, work, temporary, workers=workers, **shown)))
        masks = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        rejected = Counter(mask["rejected"] for mask in masks if mask["rejected"])
        reasons = "; ".join(f"{count:,}: {reason}" for reason, count in rejected.most_common())
        _check_polarity(masks, hole, listing.folder, reasons)
        write_rows(temporary / "masks.csv", [COLUMNS, *rows])
        per_bin = Counter(mask["ratio_bin"] for mask in masks)
        if rejected:
            share = f"{rejected.total():,} of {len(masks):,} masks of {listing.folder}"
            print(f"{share} are left out ({reasons}); see {folder / 'masks.csv'}", file=sys.stderr)
        write_record(
            temporary / "record.json",
            settings,
            inputs,
            {"masks": temporary / "masks.csv"},
            masks_per_bin={name: per_bin[name] for name in RATIO_BINS},
            rejected=dict(rejected.most_common()),
            sizes=dict(Counter(f"{mask['width']}x{mask['height']}" for mask in masks).most_common()),
        )


def _group_shard(raw: Path, folder: Path, hole: str, shard: Shard) -> list[Row]:
    """Measure some masks and store the usable ones in one .zip, uncompressed: thousands of small files are slow."""
    container = f"binary/{shard.first:06d}.zip"
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as stored:
        rows = [
            _group(raw, Listed(*row), f"{number:06d}.png", container, stored, hole)
            for number, row in enumerate(shard.rows, shard.first)
        ]
    (folder / container).write_bytes(content.getbuffer())
    return rows


def _group(raw: Path, listed: Listed, file: str, container: str, stored: zipfile.ZipFile, hole: str) -> Row:
    """Measure one mask and store it, if it is usable."""
    mask, reason = measure_mask(read_raw(raw, listed), raw / listed.path, hole)
    ratio = np.count_nonzero(mask) / mask.size
    name = ratio_bin(ratio)
    rejected = reason or ("" if name else "no hole" if ratio == 0 else "hole ratio over 0.6")
    border = bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
    measured = (listed.path, mask.shape[1], mask.shape[0], round(ratio, 6))
    if rejected:
        return ("", *measured, "", border, rejected, "", *Place("", 0, 0, 0))
    content = encode_mask(mask)
    stored.writestr(zipfile.ZipInfo(file), content)
    assert stored.fp is not None
    place = Place(container, stored.fp.tell() - len(content), len(content), 0)
    return (file, *measured, name, border, "", hashlib.sha256(content).hexdigest(), *place)


def _check_polarity(masks: list[dict[str, str]], hole: str, raw: Path, reasons: str) -> None:
    """Reject a set if most of its masks only make sense the other way round, or none can be used."""
    ratios = np.array([float(mask["hole_ratio"]) for mask in masks])
    usable, inverted = (ratios > 0) & (ratios <= 0.6), (ratios > 0.4) & (ratios < 1)
    if not any(mask["file"] for mask in masks) and not inverted.any():
        raise DataError(
            f"{raw}: none of {len(masks):,} masks can be used ({reasons}); their hole ratios lie in "
            f"[{ratios.min():.3f}, {ratios.max():.3f}], expected (0, 0.6]"
        )
    if (inverted & ~usable).sum() > usable.sum():
        other = "black" if hole == "white" else "white"
        raise DataError(
            f"{raw}: with holes declared {hole}, {(~usable).sum()} of {len(ratios)} masks miss more than 60 % of the "
            f"image; the other way round they would not. "
            f"If holes are {other}, set masks.hole: {other} in params.yaml."
        )
