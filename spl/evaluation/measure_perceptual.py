"""Perceptual metrics of one evaluation: LPIPS of every filled picture, FID and KID of them all."""

from pathlib import Path
from typing import Any

from spl.common.files import atomic
from spl.common.tables import read_table
from spl.config.experiment import PerceptualMetric
from spl.sources.metric_weights import missing_files, present_files, require_published, too_few
from spl.steps.records import take, write_record
from spl.steps.settings import PerceptualSettings

ONE_SUBSET = "Up to 1000 images make one subset, whose estimate has no deviation."


def measure_perceptual(
    settings: PerceptualSettings, *, evaluation: Path, images: Path, out: Path, device: str | None
) -> None:
    """Measure the filled pictures of one evaluation against the prepared ones.

    Reads per_image.csv and composited/ of the folder `evaluation`, the pictures beside the manifest `images` and the
    published networks in the settings' folder; writes LPIPS per image to `out` and the rest to a record beside it.
    Metrics that cannot be had are empty there, with the reason.
    Raises: CheckpointError if a weight file is damaged or another one, DataError if a picture is missing or was
    replaced.
    """
    per_image = evaluation / "per_image.csv"
    weights, metrics = Path(settings.perceptual.folder), settings.perceptual.metrics
    inputs = take(per_image=per_image, images=images, **present_files(metrics, weights))
    require_published(metrics, weights)  # a damaged file should not end a long measurement
    table = read_table(per_image)[["image", "hole_ratio", "ratio_bin"]]
    unavailable = find_obstacles(metrics, weights, count=len(table))
    found: dict[str, Any] = {}
    available: list[PerceptualMetric] = [metric for metric in metrics if metric not in unavailable]
    if available:
        # PyTorch takes seconds to import, for every run of a study: only where there is something to look through.
        from spl.evaluation.perceptual import FilledPictures, look

        pictures = FilledPictures(per_image, images)
        found = look(settings, available, pictures, device)
        if "kid" in available and found["kid_sd"] is None:
            unavailable["kid_sd"] = ONE_SUBSET
    table["lpips"] = found.pop("lpips", None)
    with atomic(out) as temporary:
        table.to_csv(temporary, index=False)
    results = {"fid": None, "kid": None, "kid_sd": None, "n_images": len(table)} | found
    write_record(out.with_suffix(".json"), settings, inputs, {"distances": out}, unavailable=unavailable, **results)


def find_obstacles(metrics: tuple[PerceptualMetric, ...], weights: Path, *, count: int) -> dict[str, str]:
    """Say for every metric that cannot be had of `count` images why not."""
    reasons = {}
    for metric in metrics:
        found = [missing_files(metric, weights), "" if metric == "lpips" else too_few(metric, count)]
        reasons[metric] = " ".join(filter(None, found))
    return {metric: reason for metric, reason in reasons.items() if reason}
