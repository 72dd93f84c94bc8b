"""Perceptual metrics of one evaluation: LPIPS of every filled image, FID and KID of them all."""

import csv
from pathlib import Path
from typing import Any

from spl.common.files import write_rows
from spl.common.shards import resumable_folder
from spl.config.base import counted
from spl.config.experiment import PerceptualMetric
from spl.sources.metric_weights import missing_files, present_files, require_published, too_few
from spl.steps.records import take, write_record
from spl.steps.settings import PerceptualSettings

COLUMNS = ("image", "hole_ratio", "ratio_bin")
ONE_SUBSET = "Up to 1000 images make one subset, whose estimate has no deviation."


def measure_perceptual(
    settings: PerceptualSettings, *, evaluation: Path, images: Path, out: Path, device: str | None, workers: int = 1
) -> None:
    """Measure the filled images of one evaluation against the prepared ones; FID and KID with their first masks only.

    Reads per_image.csv and composited/ of the folder `evaluation`, the images beside the manifest `images` and the
    published networks in the settings' folder; writes LPIPS per image to `out` and the rest to a record beside it.
    A metric that is not available is empty there, with the reason. A killed call goes on after the last whole batch.
    Raises: CheckpointError if a weight file is damaged or another one, DataError if an image is missing or was
    replaced.
    """
    per_image = evaluation / "per_image.csv"
    weights, metrics = Path(settings.perceptual.folder), settings.perceptual.metrics
    inputs = take(per_image=per_image, images=images, **present_files(metrics, weights))
    require_published(metrics, weights)  # a damaged file should not end a long measurement
    with per_image.open(newline="", encoding="utf-8") as file:
        table = [tuple(row[name] for name in COLUMNS) for row in csv.DictReader(file)]
    n_images = len({image for image, *_ in table})
    unavailable = find_obstacles(metrics, weights, count=n_images)
    found: dict[str, Any] = {}
    available: list[PerceptualMetric] = [metric for metric in metrics if metric not in unavailable]
    if available:
        # PyTorch takes seconds to import, for every run of a study: only if there is something to measure.
        from spl.evaluation.perceptual import ImagePairs, compute_perceptual
        from spl.tensors.device import pick_device

        where, parts = pick_device(device), out.with_name(f".{out.stem}.parts")
        key = [counted(settings), {name: file["sha256"] for name, file in inputs.items()}, str(where)]
        with resumable_folder(parts, key) as finished:
            pairs = ImagePairs(per_image, images)
            found = compute_perceptual(settings, available, pairs, finished, device=where, workers=workers)
        parts.rmdir()
        found["device"] = str(where)
        if "kid" in available and found["kid_sd"] is None:
            unavailable["kid_sd"] = ONE_SUBSET
    distances = found.pop("lpips", [""] * len(table))
    write_rows(out, [(*COLUMNS, "lpips"), *((*row, distance) for row, distance in zip(table, distances, strict=True))])
    results = {"fid": None, "kid": None, "kid_sd": None, "n_images": n_images} | found
    write_record(out.with_suffix(".json"), settings, inputs, {"distances": out}, unavailable=unavailable, **results)


def find_obstacles(metrics: tuple[PerceptualMetric, ...], weights: Path, *, count: int) -> dict[str, str]:
    """Return the reason by metric for those that are not available for `count` images."""
    reasons = {}
    for metric in metrics:
        few = "" if metric == "lpips" else too_few(metric, count)
        if found := " ".join(filter(None, [missing_files(metric, weights), few])):
            reasons[metric] = found
    return reasons
