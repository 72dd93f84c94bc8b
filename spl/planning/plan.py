"""The jobs of an experiment, and what each takes: the one source of every rule's resources."""

import heapq
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from spl.common.tables import read_table
from spl.config.experiment import MiniatureImages, MiniatureMasks, Params, Registered
from spl.config.methods import ECRecipe, NetworkMethod
from spl.config.registry import Source, source_of
from spl.config.teachers import TeacherDetector, TrainedTeacher
from spl.planning.devices import Device
from spl.planning.rules import LOADERS, RULES, threads_of
from spl.planning.work import Costs, Work
from spl.steps import paths
from spl.steps.settings import (
    GROUND_TRUTH,
    Architecture,
    PerceptualSettings,
    RunSettings,
    drawn_figures,
    needed_teachers,
    weight_files,
)

UNKNOWN = 10_000
"""Images of a set that nobody has listed yet."""
MASKS = 12_000
GB_SECONDS = 50
"""Of a download."""
BYTES_PER_PIXEL = 1.7
"""Of a photograph as PNG."""
AFTER = {
    "prepare_images": ["fetch_images"], "smooth_images": ["prepare_images"], "group_masks": ["fetch_masks"],
    "pair_masks": ["prepare_images", "group_masks"], "train_teacher": ["fetch_pretext", "fetch_weights"],
    "train_method": ["fetch_weights", "smooth_images", "prepare_images", "group_masks", "train_teacher"],
    "evaluate_method": ["train_method", "pair_masks"], "measure_perceptual": ["evaluate_method"],
    "export_priors": ["train_method", "pair_masks"], "detect_objects": ["evaluate_method", "train_teacher"],
    "table1": ["evaluate_method"], "further_metrics": ["measure_perceptual"], "compare_ablations": ["evaluate_method"],
    "compare_grid": ["evaluate_method"], "check_claims": ["evaluate_method", "detect_objects"],
    "draw_examples": ["evaluate_method"], "draw_figure": ["export_priors", "detect_objects", "compare_ablations"],
    "write_report": ["table1", "further_metrics", "check_claims", "draw_figure", "draw_examples", "measure_cost"],
}  # fmt: skip
"""Rules that a rule waits for, as far as they are about the same data set, method and teacher."""


class Job(NamedTuple):
    """One call of a rule."""

    rule: str
    wildcards: dict[str, str | int]
    threads: int
    gpu: int
    seconds: float
    memory_mib: float
    gpu_mib: float = 0
    disk_mb: float = 0
    teachers: Sequence[str] = ()
    """That it learns from."""

    @property
    def mem_mb(self) -> int:
        """Memory to ask for: a quarter more, in steps of 100 MB."""
        return 100 * math.ceil(1.25 * 1.048576 * self.memory_mib / 100)

    @property
    def runtime(self) -> int:
        """Minutes to ask for: half as much again, and ten."""
        return math.ceil(1.5 * self.seconds / 60) + 10

    @property
    def place(self) -> str:
        """The wildcards as one word each."""
        return " ".join(f"{name}={value}" for name, value in sorted(self.wildcards.items()))

    def waits_for(self, other: "Job") -> bool:
        """Tell whether the other job has to be done before."""
        if other.rule == "train_teacher" and self.rule == "train_method":
            return other.wildcards["teacher"] in self.teachers
        shared = self.wildcards.keys() & other.wildcards.keys()
        return other.rule in AFTER.get(self.rule, ()) and all(self.wildcards[k] == other.wildcards[k] for k in shared)


class Planner:
    """Answers for one experiment on one device."""

    def __init__(self, params: Params, registry: dict[str, Source], device: Device, *, timed: bool = False) -> None:
        self.params, self.registry, self.device = params, registry, device
        self.costs = Costs(device, timed=timed)

    def jobs(self) -> list[Job]:
        """Return all jobs."""
        return [self._job(rule, wildcards) for rule, wildcards in self._calls()]

    def _calls(self) -> Iterator[tuple[str, dict[str, Any]]]:
        params, shown = self.params, self.params.figures
        runs = [run._asdict() for run in params.runs()]
        sets = [{"dataset": name} for name in params.datasets]
        trained = [run for run in runs if run["method"] in params.network_methods]
        settings = [RunSettings.of(params, **run) for run in trained]
        teachers = needed_teachers(params)
        weights = {source_of(self.registry, file) for file in weight_files(params)} - {None}
        searched = params.detection.datasets if params.detection else ()
        calls = {
            "fetch_images": sets,
            "prepare_images": sets,
            "smooth_images": [{"dataset": name} for name in sorted({run.dataset for run in settings if run.structure})],
            "fetch_masks": [{}],
            "group_masks": [{}],
            "pair_masks": sets,
            "fetch_pretext": [{}] * any(isinstance(params.teachers[name], TrainedTeacher) for name in teachers),
            "fetch_weights": [{"source": name} for name in sorted(map(str, weights))],
            "train_teacher": [{"teacher": name} for name in teachers],
            "train_method": trained,
            "evaluate_method": runs,
            "measure_perceptual": runs if params.evaluation.perceptual.metrics else [],
            "export_priors": [
                {"dataset": dataset, "method": method}
                for dataset, method in (shown.priors() if shown else ())
                if not params.absent(dataset, method)
            ],
            "detect_objects": [
                {"dataset": dataset, "method": method}
                for dataset in searched
                for method in [GROUND_TRUTH, *params.methods_of(dataset, params.table_methods)]
            ],
            "draw_figure": [{"figure": name} for name in drawn_figures(params)],
            "draw_examples": sets if shown else [],
            "compare_grid": [{}] * bool(params.grid),
        }
        rest = ["table1", "further_metrics", "compare_ablations", "check_claims", "measure_cost", "write_report"]
        for rule, places in (calls | {rule: [{}] for rule in rest}).items():
            yield from ((rule, wildcards) for wildcards in places)

    def _job(self, rule: str, wildcards: dict[str, Any]) -> Job:
        row, params = RULES[rule], self.params
        dataset = params.datasets.get(wildcards.get("dataset", ""))
        units = self._units(row["per"], wildcards)
        area = (dataset.image_size / 64) ** 2 if dataset and row["scales"] == "yes" else 1
        threads = threads_of(params, rule, wildcards.get("dataset"))
        seconds = float(row["seconds"]) + units * float(row["milliseconds"]) / 1000 * area / threads
        job = Job(rule, wildcards, threads, 0, seconds, float(row["mem_mb"]) + units * 0.0005)
        added = getattr(self, f"_{rule}", None)
        return added(job) if added else job

    @cache  # noqa: B019 (a planner lives as long as its process)
    def _images(self, name: str) -> tuple[int, int]:
        """Return the number of training images and of evaluated images of a data set."""
        dataset, manifest = self.params.datasets[name], Path(str(paths.IMAGES).format(dataset=name))
        if isinstance(source := dataset.source, MiniatureImages):
            train, test = source.train, source.test
        elif isinstance(source, Registered) and (counts := self.registry[source.name].images):
            train, test = counts.get("train", UNKNOWN), counts.get("test", UNKNOWN)
        elif manifest.is_file():
            splits = read_table(manifest)["split"].value_counts()
            train, test = int(splits.get("train", 0)) + dataset.validation, int(splits.get("test", 0))
        else:
            train, test = UNKNOWN, UNKNOWN // 10
        return train - dataset.validation, dataset.validation if self.params.evaluation.split == "validation" else test

    def _units(self, per: str, wildcards: dict[str, Any]) -> int:
        """Return how many images or masks a job goes through."""
        params, name = self.params, wildcards.get("dataset")
        if per == "mask":
            source = params.masks.source
            drawn = 6 * source.per_bin if isinstance(source, MiniatureMasks) else 0
            return drawn or MASKS
        if per == "pretext image":
            return params.pretext.train + params.pretext.val if params.pretext else 0
        if name is None:
            return sum(self._units(per, run._asdict()) for run in params.runs()) if per else 0
        train, test = self._images(name)
        counts = {
            "image": train + test,
            "training image": train,
            "test image": test * params.evaluation.masks_per_image,
        }
        return counts.get(per, 0)

    def _on(self, job: Job, pieces: float, work: Sequence[Work], **more: Any) -> Job:
        """Add some equal pieces of a network's work to a job."""
        if not work:
            return job._replace(**more)
        peak = max(each.peak_mib for each in work)
        seconds = job.seconds + pieces * sum(each.seconds for each in work) / len(work)
        if self.device.kind == "gpu":
            memory = 3000 + 300 * (job.threads - self.params.threads)
            return job._replace(gpu=1, seconds=seconds, memory_mib=memory, gpu_mib=1500 + 1.2 * peak, **more)
        return job._replace(seconds=seconds, memory_mib=job.memory_mib + 2 * peak, **more)

    # What a rule takes beside its row of the table ----------------------------------------------------

    def _fetch_images(self, job: Job) -> Job:
        source = self.params.datasets[str(job.wildcards["dataset"])].source
        return job if isinstance(source, MiniatureImages) else self._downloaded(job, getattr(source, "name", None))

    def _fetch_masks(self, job: Job) -> Job:
        source = self.params.masks.source
        return job if isinstance(source, MiniatureMasks) else self._downloaded(job, getattr(source, "name", None))

    def _fetch_weights(self, job: Job) -> Job:
        return self._downloaded(job, str(job.wildcards["source"]))

    def _downloaded(self, job: Job, source: str | None) -> Job:
        size = re.match(r"([\d.]+) (GB|MB)", (source and self.registry[source].size) or "")
        gb = float(size[1]) / (1 if size[2] == "GB" else 1000) if size else 0
        return job._replace(seconds=30 + GB_SECONDS * gb, disk_mb=1000 * gb)

    def _prepare_images(self, job: Job) -> Job:
        dataset = self.params.datasets[str(job.wildcards["dataset"])]
        stay = dataset.layout.kind.startswith("places365") and dataset.image_size == 256 and dataset.crop is None
        return job if stay else self._stored(job, "image")

    def _smooth_images(self, job: Job) -> Job:
        return self._stored(job, "training image")

    def _stored(self, job: Job, per: str) -> Job:
        pixels = self.params.datasets[str(job.wildcards["dataset"])].image_size ** 2
        return job._replace(disk_mb=self._units(per, job.wildcards) * pixels * BYTES_PER_PIXEL / 1e6)

    def _train_teacher(self, job: Job) -> Job:
        teacher = self.params.teachers[str(job.wildcards["teacher"])]
        if not isinstance(teacher, TrainedTeacher) or not self.params.pretext:
            return job
        steps = teacher.training.epochs * max(1, self.params.pretext.train // teacher.training.batch_size)
        return self._on(job, steps, self.costs.teaching(teacher))

    def _train_method(self, job: Job) -> Job:
        run = RunSettings.of(self.params, **job.wildcards)
        if not isinstance(recipe := run.recipe, NetworkMethod):
            return job  # released weights are converted
        training, works = recipe.training, self.costs.training(run)
        stages = [training.epochs]
        if isinstance(recipe, ECRecipe):
            edge, canny = recipe.training.edge_epochs, recipe.training.canny_epochs
            stages = [edge, canny, training.epochs - edge - canny]
        train, _ = self._images(run.dataset)
        steps_per_epoch = max(1, train // training.batch_size)
        if self.device.kind == "gpu":
            job = job._replace(threads=job.threads + LOADERS)
        for epochs, work in zip(stages, works, strict=True):
            job = self._on(job, epochs * steps_per_epoch, [work])._replace(memory_mib=job.memory_mib)
        disk = 4 * max(work.weights_mib for work in works)
        return self._on(job, 0, works, teachers=run.teachers, disk_mb=disk)

    def _evaluate_method(self, job: Job) -> Job:
        job = self._stored(job, "test image")
        return self._filled(job, self._units("test image", job.wildcards))

    def _export_priors(self, job: Job) -> Job:
        clusters = self.params.figures and self.params.figures.clusters
        return self._filled(job, clusters.images if clusters else 0)

    def _filled(self, job: Job, images: int) -> Job:
        built = Architecture.of(self.params, str(job.wildcards["dataset"]), str(job.wildcards["method"]))
        batch = self.params.evaluation.batch_size
        return self._on(job, math.ceil(images / batch), self.costs.filling(built, batch))

    def _measure_perceptual(self, job: Job) -> Job:
        if not PerceptualSettings.of(self.params, **job.wildcards).networks:
            return job._replace(seconds=float(RULES[job.rule]["seconds"]))
        return self._on(job, 0, [Work(0, 2000, 0)])

    def _detect_objects(self, job: Job) -> Job:
        is_small = self.params.detection and isinstance(self.params.detection.detector, TeacherDetector)
        return self._on(job, 0, [Work(0, 50 if is_small else 2000, 0)])

    def _measure_cost(self, job: Job) -> Job:
        sizes = {dataset.image_size: name for name, dataset in self.params.datasets.items()}
        works = [
            self.costs.filling(Architecture.of(self.params, name, method), 1)
            for name in sizes.values()
            for method in self.params.table_methods
        ]
        return self._on(job, 6 * len(works), [work for found in works for work in found])


def elapsed(jobs: Sequence[Job], *, cores: int, gpus: int) -> float:
    """Return the seconds until all jobs are done, each started as soon as what it waits for, cores and GPUs allow.

    The longest first. A job that may use more cores than there are takes longer in proportion.
    """
    before = [{i for i, other in enumerate(jobs) if job.waits_for(other)} for job in jobs]
    waiting = sorted(range(len(jobs)), key=lambda i: -jobs[i].seconds)
    needs = [(min(job.threads, cores), min(job.gpu, gpus)) for job in jobs]
    running, done, now = list[tuple[float, int]](), set[int](), 0.0
    while waiting or running:
        for i in list(waiting):
            if before[i] <= done and needs[i][0] <= cores and needs[i][1] <= gpus:
                waiting.remove(i)
                cores, gpus = cores - needs[i][0], gpus - needs[i][1]
                heapq.heappush(running, (now + jobs[i].seconds * jobs[i].threads / needs[i][0], i))
        now, i = heapq.heappop(running)
        cores, gpus = cores + needs[i][0], gpus + needs[i][1]
        done.add(i)
    return now
