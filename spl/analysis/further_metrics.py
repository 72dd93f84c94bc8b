"""All metrics beside Table 1's: the usual MAE and SSIM, the hole alone, and those that look through networks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spl.analysis.evidence import (
    MASK_RATIOS,
    Measured,
    as_numbers,
    evidence_files,
    read_evidence,
    require_same_rows,
    seeds_of,
)
from spl.analysis.table1 import summarise
from spl.common.files import atomic
from spl.common.tables import read_table
from spl.steps.records import read_record, take_all, write_record
from spl.steps.settings import FurtherSettings

PER_IMAGE = ("mae_rgb", "ssim_gaussian", "psnr_hole", "mae_hole")

PER_SET = {"fid": ("fid",), "kid": ("kid", "kid_sd")}
"""What the record of a whole set of pictures says by metric; kid_sd is the deviation over KID's subsets."""

COLUMNS = ["dataset", "method", "mask_ratio", "metric", "value", "low", "high", "n_images", "n_seeds", "seed_sd",
           "status"]  # fmt: skip

Rows = Iterator[dict[str, Any]]


def write_further_metrics(settings: FurtherSettings, *, results: Path, out: Path) -> None:
    """Write one row for every dataset, method, mask ratio and metric, from `results`/eval and `results`/perceptual.

    Intervals are of the bootstrap over images; FID and KID are of all images only and have none. A metric that could
    not be measured says why not.
    Raises: DataError if two evaluations on a dataset saw other images or masks.
    """
    seeds, rows = seeds_of(settings), []
    files = evidence_files(results, seeds)
    inputs = take_all([*files, *(results / "perceptual" / _run(file) for file in files)])
    for (dataset, method), measured in read_evidence(results, seeds).items():
        runs = [f"{dataset}/{method}/seed{seed}" for seed in seeds[dataset][method]]
        found = [*_image_rows(measured, PER_IMAGE, settings, f"{dataset}/{method}", {})]
        if settings.evaluation.perceptual.metrics:
            found += _perceptual_rows(measured, results, runs, settings)
        rows += [{"dataset": dataset, "method": method} | row for row in found]
    with atomic(out) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).round(6).to_csv(temporary, index=False)
    write_record(out.with_suffix(".json"), settings, inputs, {"metrics": out})


def _run(per_image: Path) -> str:
    """Return `<dataset>/<method>/seed<seed>.csv` of an evaluation."""
    return "/".join(per_image.parts[-4:-1]) + ".csv"


def _image_rows(
    measured: Measured, metrics: tuple[str, ...], settings: FurtherSettings, name: str, reasons: dict[str, str]
) -> Rows:
    """Summarise metrics that every image has."""
    for metric in metrics:
        for mask_ratio in MASK_RATIOS:
            found = summarise(measured.select(metric, mask_ratio), settings, f"{metric}/{name}/{mask_ratio}")
            why = reasons.get(metric) or ("" if found.n_images else "no images")
            yield {
                "mask_ratio": mask_ratio, "metric": metric, "value": found.mean, "low": found.low, "high": found.high,
                "n_images": found.n_images, "n_seeds": found.n_seeds, "seed_sd": found.seed_sd, "status": _status(why),
            }  # fmt: skip


def _perceptual_rows(measured: Measured, results: Path, runs: list[str], settings: FurtherSettings) -> Rows:
    """Summarise what `spl measure-perceptual` found in the runs of one method on one dataset."""
    metrics = settings.evaluation.perceptual.metrics
    paths = [results / "perceptual" / f"{run}.csv" for run in runs]
    tables, records = [read_table(path) for path in paths], [read_record(path.with_suffix(".json")) for path in paths]
    for path, run, table in zip(paths, runs, tables, strict=True):
        require_same_rows(path, table, results / "eval" / run / "per_image.csv", measured.pairs, columns=["image"])
    reasons = {metric: why for record in records for metric, why in record["unavailable"].items()}
    if "lpips" in metrics:
        distances = np.stack([as_numbers(table["lpips"]) for table in tables])
        lpips = Measured(measured.pairs, {"lpips": distances})
        yield from _image_rows(lpips, ("lpips",), settings, runs[0], reasons)
    for metric in metrics:
        for name in PER_SET.get(metric, ()):
            why = reasons.get(metric) or reasons.get(name, "")
            values = np.array([np.nan if why else record[name] for record in records], float)
            yield {
                "mask_ratio": "all", "metric": name, "value": values.mean(), "n_images": len(measured.pairs),
                "n_seeds": len(runs), "seed_sd": values.std(ddof=1) if len(runs) > 1 else None, "status": _status(why),
            }  # fmt: skip


def _status(why: str) -> str:
    return f"not available: {why}" if why else "measured"
