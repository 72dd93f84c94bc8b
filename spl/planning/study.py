"""The study of the prior: means of single runs, kept in one table, and the contrasts of arms that a preset fixes."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from spl.analysis.evidence import DECLARED, MASK_RATIOS, read_evidence
from spl.analysis.signature import sign
from spl.analysis.statistics import NAN, Estimate, Kind
from spl.analysis.verdicts import needed
from spl.common.errors import DataError, ParamsError
from spl.common.files import canonical_json
from spl.common.tables import read_table, write_table
from spl.common.versions import versions
from spl.config.base import counted
from spl.config.experiment import Params, Study
from spl.config.methods import TrainedMethod
from spl.steps.settings import EvaluationSettings, TableSettings

KEY = ["dataset", "method", "seed", "epoch", "run"]
CONTRASTED = ["dataset", "metric", "epoch", "contrast", "difference", "low", "high", "seeds", "sd", "needed"]
COLUMNS = [*KEY, "mask_ratio", "n_images", *DECLARED, "signature", "commit"]


class StudyRun(NamedTuple):
    """A training as it was after some epochs."""

    dataset: str
    method: str
    seed: int
    epoch: int
    run: str
    """Start of the hash of all settings that decide it."""
    root: Path
    """Where `eval/` with its evaluation lies, relative to the results."""

    @property
    def evaluation(self) -> Path:
        """Per-image results, relative to the results."""
        return self.root / f"eval/{self.dataset}/{self.method}/seed{self.seed}/per_image.csv"


def study_of(params: Params) -> Study:
    """Return the study of an experiment.

    Raises: ParamsError if it has none.
    """
    if params.study is None:
        raise ParamsError("study is null in params.yaml: there is no study. presets/study_1.yaml has one")
    return params.study


def planned_runs(params: Params) -> Iterator[StudyRun]:
    """Yield every run that a contrast needs, at all of its epochs."""
    study = study_of(params)
    for dataset in study.contrasts:
        for method, seed in product(study.methods_of(dataset), params.seeds):
            settings = EvaluationSettings.of(params, dataset=dataset, method=method, seed=seed)
            decides = [counted(known) for known in (settings, params.datasets[dataset], params.masks)]
            run = hashlib.sha256(canonical_json([*decides, params.seed]).encode()).hexdigest()[:8]
            assert isinstance(settings.run.recipe, TrainedMethod)
            training = settings.run.recipe.training
            for epoch in training.kept_epochs:
                yield StudyRun(dataset, method, seed, epoch, run, Path(f"epochs/{epoch}"))
            yield StudyRun(dataset, method, seed, training.epochs, run, Path())


def read_runs(table: Path) -> pd.DataFrame:
    """Read the table of runs; without one there are none."""
    return read_table(table, numbers=DECLARED) if table.exists() else pd.DataFrame(columns=COLUMNS)


def missing_runs(params: Params, runs: pd.DataFrame) -> list[StudyRun]:
    """Return the runs that a contrast needs and the table has not."""
    known = set(runs[KEY].itertuples(index=False, name=None))
    return [run for run in planned_runs(params) if run[: len(KEY)] not in known]


def add_runs(params: Params, results: Path, table: Path) -> pd.DataFrame:
    """Add to the table, and return, the means of all evaluated runs that it lacks."""
    runs, facts = read_runs(table), {"commit": versions()["commit"]}
    rows, settings = list[dict[Any, Any]](runs.to_dict("records")), TableSettings.of(params)
    there = [run for run in missing_runs(params, runs) if (results / run.evaluation).is_file()]
    for root in sorted({run.root for run in there}):
        seeds: dict[str, dict[str, tuple[int, ...]]] = {}
        for run in filter(lambda run: run.root == root, there):
            of_methods = seeds.setdefault(run.dataset, {})
            of_methods[run.method] = (*of_methods.get(run.method, ()), run.seed)
        evidence = read_evidence(results / root, seeds)
        signed = sign(settings, results / root, seeds, evidence)
        for run, mask_ratio in product((run for run in there if run.root == root), MASK_RATIOS):
            measured, seed = evidence[run.dataset, run.method], seeds[run.dataset][run.method].index(run.seed)
            samples = {metric: measured.select(metric, mask_ratio) for metric in DECLARED}
            means = {metric: _mean(sample.values[seed]) for metric, sample in samples.items()}
            facts |= {"n_images": samples["psnr"].n_images, "signature": signed[run.dataset]["signature"]}
            rows.append(dict(zip(KEY, run, strict=False)) | {"mask_ratio": mask_ratio} | means | facts)
    runs = pd.DataFrame(rows, columns=pd.Index(COLUMNS)).sort_values([*KEY, "mask_ratio"], ignore_index=True)
    write_table(table, runs)
    return runs


def _mean(values: np.ndarray) -> float:
    """Average what is finite: an image without a fault has an infinite PSNR."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else NAN


def contrast(ours: np.ndarray, theirs: np.ndarray, confidence: float) -> Estimate:
    """Return ours minus theirs, paired by seed, on these test images, with Student's interval.

    It is over trainings, and where a side has several teachers over these, too; with one nothing is said about another
    one. The degrees of freedom are those of the smallest number, which is conservative. Shapes: (teachers, seeds).
    """
    by_seed = ours.mean(0) - theirs.mean(0)
    teachers = [side.mean(1) for side in (ours, theirs) if len(side) > 1]
    se_teachers = math.sqrt(sum(means.var(ddof=1) / len(means) for means in teachers))
    found = Estimate(float(by_seed.mean()), NAN, NAN, NAN, NAN, 0, se_teachers, tuple(by_seed.tolist()))
    freedom = min(map(len, [by_seed, *teachers])) - 1
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * found.error(Kind.METHOD)[0]
    return found._replace(method_low=found.mean - half, method_high=found.mean + half)


def sides(study: Study, runs: pd.DataFrame, metric: str, pair: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return a metric of both arms of a contrast, of the seeds that all of their methods have.

    `runs` are those of one dataset, epoch and mask ratio. Shapes: (teachers, seeds) each.
    """
    values = runs.pivot_table(index="method", columns="seed", values=metric)
    values = values.reindex([method for arm in pair for method in study.arms[arm]]).dropna(axis=1)
    ours, theirs = (values.loc[[*study.arms[arm]]].to_numpy(float) for arm in pair)
    return ours, theirs


def contrasts(params: Params, runs: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """Return every contrast that the runs allow, of the seeds that all methods of both arms have.

    Raises: DataError if evaluations on a dataset saw different pairs.
    """
    study, protocol, rows = study_of(params), params.evaluation.bootstrap, []
    for dataset, own in compared_runs(params, runs).groupby("dataset", sort=False):
        pairs = study.contrasts[str(dataset)]
        for metric, epoch, pair in product(metrics, sorted(own["epoch"].unique()), pairs):
            ours, theirs = sides(study, own[own["epoch"] == epoch], metric, pair)
            if not ours.size:
                continue
            found = contrast(ours, theirs, protocol.confidence)
            needs = ""
            if found.method_low <= 0 <= found.method_high:  # undecided
                needs = needed(found, Kind.METHOD, protocol, margin=0, power=params.verdicts.power, tests=1)
            named = (dataset, metric, epoch, " − ".join(pair))
            rows.append((*named, found.mean, found.method_low, found.method_high, found.n_seeds, found.seed_sd, needs))
    return pd.DataFrame(rows, columns=pd.Index(CONTRASTED))


def compared_runs(params: Params, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the runs that a contrast needs, on the masks that it is about.

    Raises: DataError if evaluations on a dataset saw different pairs.
    """
    planned = pd.DataFrame([run[: len(KEY)] for run in planned_runs(params)], columns=pd.Index(KEY))
    there = planned.merge(runs[runs["mask_ratio"] == study_of(params).mask_ratio], on=KEY)
    for dataset, different in there.groupby("dataset")["signature"].unique().items():
        if len(different) > 1:
            raise DataError(f"the runs on {dataset} saw different pairs: {', '.join(different)}. Delete the older rows")
    return there
