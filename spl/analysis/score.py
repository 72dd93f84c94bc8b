"""Folders of filled images by the means of Table 1, without a workflow."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from spl.analysis.evidence import MASK_RATIOS, NO_METRICS, Measured
from spl.analysis.paper import titled
from spl.analysis.render import print_table1, short
from spl.analysis.signature import sign_pairs
from spl.analysis.table1 import NO_IMAGES, Cell, build_table, compare
from spl.common.tables import as_numbers
from spl.config.experiment import Supplied
from spl.config.methods import ExternalFill
from spl.evaluation.external import FolderPairs, measure_folder
from spl.steps.settings import TableSettings
from spl.tensors.loaders import TestPairs

SHOWN = ["metric", "method", "mask_ratio", "ours", "ours_low", "ours_high", "n_images"]
"""Columns for scripts."""


def score(
    folders: Sequence[Path], pairs: TestPairs | FolderPairs, settings: TableSettings, dataset: str, *, composite: bool
) -> tuple[str, str]:
    """Measure folders of filled images as if they were methods, called as the folders, of an experiment's dataset.

    Of two the differences are told as well. Own pairs stand in the place of a dataset, each image being a batch.
    Returns a text for people and one in JSON. Raises: DataError as `measure_folder` does.
    """
    names = [folder.resolve().name for folder in folders]
    names = names if len({*names}) == len(names) else [str(folder) for folder in folders]
    fill, evaluation = ExternalFill(recipe="external", composited={dataset: "."}, citation="-"), settings.evaluation
    entry = settings.datasets.get(dataset) or next(iter(settings.datasets.values()))
    if isinstance(pairs, FolderPairs):
        own = {"source": Supplied(kind="supplied", path=dataset), "image_size": pairs.size, "crop": None}
        entry = entry.model_copy(update=own)
        evaluation = evaluation.model_copy(update={"split": "own", "batch_size": 1})
    sections = {"methods": dict.fromkeys(names, fill), "datasets": {dataset: entry}, "evaluation": evaluation}
    settings = settings.model_copy(update=sections | {"ablations": None, "left_out": {}})
    tables = [measure_folder(folder, pairs, composite=composite)[0] for folder in folders]
    metrics = [str(column) for column in tables[0] if column not in NO_METRICS]
    evidence = {
        (dataset, name): Measured(table, {metric: as_numbers(table[metric])[None] for metric in metrics})
        for name, table in zip(names, tables, strict=True)
    }
    table = build_table(evidence, settings, metrics)
    for metric, ratio in product(metrics, MASK_RATIOS) if len(names) > 1 else ():
        found = compare(evidence, settings, cell := Cell(metric, names[0], dataset, ratio), names[1])
        values = {"ours": found.mean, "ours_low": found.low, "ours_high": found.high, "n_images": found.n_images}
        row = cell._replace(method=" − ".join(names))._asdict() | values
        table.loc[len(table)] = row | ({"origin": "difference"} if found.n_images else {"status": NO_IMAGES})
    signed = sign_pairs(settings, dataset, pairs.table, seeds=[], devices=[])
    rows = json.loads(table[SHOWN].to_json(orient="records", double_precision=15))
    note = f"Mean ± half of its {evaluation.bootstrap.confidence:.0%} interval over images. {signed['signature']}"
    return f"{print_table1(titled(table, settings), settings, short, short).to_markdown()}\n{note}", json.dumps(
        {"rows": rows, **signed}
    )
