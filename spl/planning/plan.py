"""What each job of an experiment takes on a device: the one source of every rule's resources."""

import csv
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

from spl.common.tables import read_table
from spl.config.experiment import MiniatureImages, MiniatureMasks, Params
from spl.config.methods import TrainedMethod
from spl.config.registry import Source
from spl.evaluation.meter import MIB
from spl.planning.devices import Device
from spl.planning.graph import Job
from spl.planning.work import Costs, Work
from spl.steps import paths
from spl.steps.settings import Architecture, RunSettings

UNKNOWN = {"train": 10_000, "test": 1000, "masks": 12_000}
"""Images and masks of sets that nobody has counted yet."""
GB_SECONDS = 50
"""Of a download."""
BYTES_PER_PIXEL = 1.7
"""Of a photograph as PNG."""
LOADER_MIB = 300
"""Of a process that loads data for a training on a GPU."""
SLOW_FILLS = {"biharmonic": (4.5e-6, 0.001), "patchmatch": (1.4e-5, 0.0003)}
"""Seconds and MiB of a fill, by pixel of the image; every thread fills one."""
HOST_MIB, CONTEXT_MIB = 3000, 1500
"""Memory of a process that uses a GPU, and what the libraries take there."""

with Path(__file__).with_name("rules.csv").open(newline="", encoding="utf-8") as _file:
    RULES = {row["rule"]: row for row in csv.DictReader(_file)}


NOTHING = Work(0, 0, 0)


class Planner:
    """Answers for one experiment on one device."""

    def __init__(self, params: Params, registry: dict[str, Source], device: Device, *, timed: bool = False) -> None:
        self.params, self.registry, self.device, self.costs = params, registry, device, Costs(device, timed=timed)

    def plan(self, job: Job) -> Job:
        """Return a job with what it takes: its row of the table of rules, and the work of its network."""
        row, dataset = RULES[job.rule], self.params.datasets.get(job.wildcards.get("dataset", ""))
        size, units = dataset.image_size if dataset else 64, self._units(row["per"], job.wildcards)
        each = float(row["milliseconds"]) / 1000 / job.threads * ((size / 64) ** 2 if row["scales"] == "yes" else 1)
        seconds, memory, gb = float(row["seconds"]) + units * each, float(row["mem_mb"]), 0.0
        gpu_mib = float(row["gpu_mib"]) * bool(units or not row["per"])
        stay = job.rule == "prepare_images" and size == 256 and "places365" in str(dataset)  # where the raw ones lie
        if row["stored"] == "yes" and not stay:
            gb = units * size**2 * BYTES_PER_PIXEL / 1e9
        if job.rule.startswith("fetch_"):
            gb = self._download(job.wildcards)
            seconds += gb * GB_SECONDS
        elif job.rule in ("train_method", "evaluate_method", "export_priors"):
            work = self._network(job)
            seconds, memory, gpu_mib = seconds + work.seconds, memory + 2 * work.peak_mib, work.peak_mib
            gb += work.weights_mib * MIB / 1e9
        job = job._replace(seconds=seconds, memory_mib=memory + units * 0.0005, disk_gb=gb)
        if not job.gpu:
            return job
        host = job.gpu * HOST_MIB + job.threads * LOADER_MIB
        return job._replace(memory_mib=host, gpu_mib=CONTEXT_MIB + 1.2 * gpu_mib / job.gpu)

    def _network(self, job: Job) -> Work:
        """Return the work of all steps of a training, with what its state and weights take on disk, or of all fills."""
        named: dict[str, Any] = {name: int(value) if name == "seed" else value for name, value in job.wildcards.items()}
        run, evaluation = RunSettings.of(self.params, **named), self.params.evaluation
        if job.rule == "train_method":
            if not isinstance(recipe := run.recipe, TrainedMethod):
                return NOTHING  # released weights are converted
            stages = self.costs.training(run)
            epochs = sum(epochs * work.seconds for epochs, work in stages)
            largest = max((work for _, work in stages), key=lambda work: work.peak_mib)
            steps = max(1, self._images(run.dataset)[0] // recipe.training.batch_size)
            return Work(steps * epochs, recipe.training.processes * largest.peak_mib, 4 * largest.weights_mib)
        work = self.costs.filling(Architecture.of(self.params, run.dataset, run.method), evaluation.batch_size)
        clusters = self.params.figures and self.params.figures.clusters
        images = (
            clusters.images if clusters and job.rule == "export_priors" else self._units("test image", job.wildcards)
        )
        if run.recipe.recipe in SLOW_FILLS:
            (each, mib), pixels = SLOW_FILLS[run.recipe.recipe], run.image_size**2
            return Work(images * each * pixels / job.threads, job.threads * mib * pixels, 0)
        return Work(math.ceil(images / evaluation.batch_size) * work.seconds, work.peak_mib, 0) if work else NOTHING

    def _download(self, wildcards: dict[str, str]) -> float:
        """Return the gigabytes of a source, as far as the registry tells."""
        dataset = wildcards.get("dataset")
        source = self.params.datasets[dataset].source if dataset else self.params.masks.source
        name = wildcards.get("source") or getattr(source, "name", None)
        size = re.match(r"([\d.]+) (GB|MB)", (name and self.registry[name].size) or "")
        return float(size[1]) / {"GB": 1, "MB": 1000}[size[2]] if size else 0

    @cache  # noqa: B019 (a planner lives as long as its process)
    def _images(self, name: str) -> tuple[int, int]:
        """Return the number of training images and of evaluated images of a data set."""
        dataset, manifest = self.params.datasets[name], Path(str(paths.IMAGES).format(dataset=name))
        source, counts = dataset.source, dict[str, int](UNKNOWN)
        if isinstance(source, MiniatureImages):
            counts |= {"train": source.train, "test": source.test}
        elif known := self.registry[source.name].images if source.kind == "registered" else None:
            counts |= known
        elif manifest.is_file():
            counts |= read_table(manifest)["split"].replace("validation", "train").value_counts().to_dict()
        is_tuned = self.params.evaluation.split == "validation"
        return counts["train"] - dataset.validation, dataset.validation if is_tuned else counts["test"]

    def _units(self, per: str, wildcards: dict[str, str]) -> int:
        """Return how many images or masks a job goes through."""
        params, pretext = self.params, self.params.pretext
        match per:
            case "mask":
                masks = params.masks.source
                return 6 * masks.per_bin if isinstance(masks, MiniatureMasks) else UNKNOWN["masks"]
            case "pretext image":
                return pretext.train + pretext.val if pretext else 0
            case "lesson":
                training = getattr(params.teachers[wildcards["teacher"]], "training", None)
                return pretext.train * training.epochs if pretext and training else 0
            case "test image" if "dataset" not in wildcards:
                return sum(self._units(per, {"dataset": run.dataset, "method": run.method}) for run in params.runs())
            case "":
                return 0
        train, test = self._images(wildcards["dataset"])
        evaluated, measured = (
            min(test, params.limit_of(wildcards.get("method", "")) or test) * params.evaluation.masks_per_image,
            any(Path(params.evaluation.perceptual.folder).glob("*.pth")),
        )
        return {
            "image": train + test,
            "training image": train,
            "test image": evaluated,
            "searched image": test * (1 + len(params.methods_of(wildcards["dataset"], params.unlimited))),
            "feature image": evaluated * measured,
        }[per]
