"""All metrics beside Table 1's: the usual MAE and SSIM, the hole alone, and the perceptual ones."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spl.analysis.evidence import MASK_RATIOS, Measured, evidence_files, read_evidence, require_same_rows, seeds_of
from spl.analysis.signature import sign, write_signed
from spl.analysis.table1 import finite_mean
from spl.common.metrics import METRICS, PAPER_METRICS, Group
from spl.common.tables import as_numbers, read_table
from spl.steps.records import read_record, take_all, write_record
from spl.steps.settings import FurtherSettings

COLUMNS = ["dataset", "method", "mask_ratio", "metric", "value", "low", "high", "n_images", "n_seeds", "seed_sd",
           "status", "reason", "signature"]  # fmt: skip

Rows = Iterator[dict[str, Any]]


class Availability(StrEnum):
    """Whether a metric has a value."""

    MEASURED = "measured"
    NOT_AVAILABLE = "not available"


def write_further_metrics(settings: FurtherSettings, *, results: Path, out: Path) -> None:
    """Write one row for every dataset, method, mask ratio and metric, from `results`/eval and `results`/perceptual.

    Intervals are of the bootstrap over images; FID and KID are of all images only and have none. Where a metric is
    not available, `reason` says why.
    Raises: DataError if two evaluations on a dataset saw other images or masks.
    """
    seeds, rows = seeds_of(settings), []
    files = evidence_files(results, seeds)
    perceptual = [results / "perceptual" / _run(file) for file in files if settings.evaluation.perceptual.metrics]
    inputs = take_all([*files, *perceptual])
    for (dataset, method), measured in (evidence := read_evidence(results, seeds)).items():
        runs = [f"{dataset}/{method}/seed{seed}" for seed in seeds[dataset][method]]
        further = [name for name in measured.metrics if name not in PAPER_METRICS]
        found = [*_image_rows(measured, further, settings, f"{dataset}/{method}", {})]
        if settings.evaluation.perceptual.metrics:
            found += _perceptual_rows(measured, results, runs, settings)
        rows += [{"dataset": dataset, "method": method} | row for row in found]
    write_signed(out, pd.DataFrame(rows, columns=COLUMNS), sign(settings, results, seeds, evidence))
    write_record(out.with_suffix(".json"), settings, inputs, {"metrics": out})


def _run(per_image: Path) -> str:
    """Return `<dataset>/<method>/seed<seed>.csv` of an evaluation."""
    return "/".join(per_image.parts[-4:-1]) + ".csv"


def _image_rows(
    measured: Measured, metrics: Sequence[str], settings: FurtherSettings, name: str, reasons: dict[str, str]
) -> Rows:
    """Summarise metrics of single images."""
    for metric in metrics:
        for mask_ratio in MASK_RATIOS:
            found = finite_mean(measured.select(metric, mask_ratio), settings, f"{metric}/{name}/{mask_ratio}")
            reason = reasons.get(metric) or ("" if found.n_images else "no images")
            yield {"mask_ratio": mask_ratio, "metric": metric, **found.columns(), **_availability(reason)}


def _perceptual_rows(measured: Measured, results: Path, runs: list[str], settings: FurtherSettings) -> Rows:
    """Summarise the results of `spl measure-perceptual` for the runs of one method on one dataset."""
    paths = [results / "perceptual" / f"{run}.csv" for run in runs]
    tables, records = [read_table(path) for path in paths], [read_record(path.with_suffix(".json")) for path in paths]
    for path, run, table in zip(paths, runs, tables, strict=True):
        require_same_rows(path, table, results / "eval" / run / "per_image.csv", measured.pairs, columns=["image"])
    reasons = {metric: why for record in records for metric, why in record["unavailable"].items()}
    for metric in METRICS.values():
        name, wanted = metric.name, metric.part_of or metric.name
        if wanted not in settings.evaluation.perceptual.metrics:
            continue
        if metric.group is Group.PERCEPTUAL:
            stack = np.stack([as_numbers(table[name]) for table in tables])
            yield from _image_rows(Measured(measured.pairs, {name: stack}), [name], settings, runs[0], reasons)
        else:
            reason = reasons.get(wanted) or reasons.get(name, "")
            values = np.array([np.nan if reason else record[name] for record in records], float)
            n_images = measured.pairs["image"].nunique()
            yield {
                "mask_ratio": "all", "metric": name, "value": values.mean(), "n_images": n_images,
                "n_seeds": len(runs), "seed_sd": values.std(ddof=1) if len(runs) > 1 else None,
                **_availability(reason),
            }  # fmt: skip


def _availability(reason: str) -> dict[str, str]:
    return {"status": Availability.NOT_AVAILABLE if reason else Availability.MEASURED, "reason": reason}
