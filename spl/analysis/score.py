"""Numbers of folders of filled images by the means of Table 1: rows, paired differences, signature."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from spl.analysis.evidence import NO_METRICS, Measured
from spl.analysis.signature import Signed, sign_pairs
from spl.analysis.table1 import build_table, compare_methods
from spl.common.progress import say
from spl.common.tables import as_numbers
from spl.config.experiment import Supplied
from spl.config.methods import ExternalFill
from spl.evaluation.evaluate_method import take_pairs
from spl.evaluation.external import FolderPairs, measure_folder
from spl.steps.records import require_current
from spl.steps.settings import PairSettings, TableSettings
from spl.tensors.loaders import TestPairs

SHOWN = ["metric", "method", "mask_ratio", "ours", "ours_low", "ours_high", "n_images"]
"""Columns for scripts."""


def published_pairs(pairs: Path, settings: PairSettings) -> TestPairs:
    """Return pairs of an experiment, with the images and masks that lie beside them in its folder of data.

    Raises: RecordError if they were drawn with other settings, for other images or masks, or edited.
    """
    require_current(pairs.with_suffix(".json"), settings, {})
    data = pairs.absolute().parents[1]
    places = pairs, data / f"prepared/{settings.dataset}/manifest.csv", data / "masks/masks.csv"
    take_pairs(*places)
    return TestPairs(*places, image_size=settings.image_size)


def as_dataset(pairs: FolderPairs, settings: TableSettings, name: str) -> TableSettings:
    """Return the settings of an experiment on two folders alone: its bootstrap, and no batches."""
    changes = {"source": Supplied(kind="supplied", path=name), "image_size": pairs.size, "crop": None}
    dataset = next(iter(settings.datasets.values())).model_copy(update=changes)
    evaluation = settings.evaluation.model_copy(update={"split": "folders", "batch_size": 1})
    return settings.model_copy(update={"datasets": {name: dataset}, "evaluation": evaluation})


def score(
    folders: Sequence[Path], settings: TableSettings, dataset: str, pairs: TestPairs | FolderPairs, *, composite: bool
) -> tuple[TableSettings, pd.DataFrame, Signed]:
    """Measure folders of filled images as methods, called as the folders, of a dataset of an experiment.

    Returns the settings of these methods, their rows of Table 1, with all metrics of per_image.csv and, of two folders,
    their differences, and the signature.
    Raises: DataError as `measure_folder` does.
    """
    names = [folder.resolve().name for folder in folders]
    names = names if len({*names}) == len(names) else [str(folder) for folder in folders]
    fill, evidence = ExternalFill(recipe="external", composited={dataset: "."}, citation="-"), {}
    one = {"datasets": {dataset: settings.datasets[dataset]}, "ablations": None, "left_out": {}}
    settings = settings.model_copy(update={"methods": dict.fromkeys(names, fill), **one})
    for name, folder in zip(names, folders, strict=True):
        table, told = measure_folder(folder, pairs, composite=composite)
        metrics = {str(metric): as_numbers(table[metric])[None] for metric in table if metric not in NO_METRICS}
        evidence[dataset, name] = Measured(table, metrics)
        if told:
            say(f"{folder}: {told}")
    metrics = [*evidence[dataset, names[0]].metrics]
    compared = compare_methods(evidence, settings, names[1:], metrics)
    compared = compared.rename(columns={"difference": "ours", "low": "ours_low", "high": "ours_high"})
    compared = compared.assign(method=compared["method"] + " − " + compared["reference"], origin="difference")
    table = pd.concat([build_table(evidence, settings, metrics), compared], ignore_index=True)
    return settings, table, sign_pairs(settings, dataset, pairs.table, seeds=[], devices=[])
