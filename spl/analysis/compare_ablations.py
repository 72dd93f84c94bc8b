"""The numbers of figure 4: every ablation, and by how much it differs from the method that it varies."""

from itertools import product
from pathlib import Path

import pandas as pd

from spl.analysis.evidence import MASK_RATIOS, Seeds, evidence_files, read_evidence
from spl.analysis.paper import ABLATION_ORDER
from spl.analysis.signature import sign, write_signed
from spl.analysis.table1 import Cell, compare, summarise
from spl.common.metrics import PAPER_METRICS
from spl.steps.records import take_all, write_record
from spl.steps.settings import AblationSettings

COLUMNS = ["metric", "method", "dataset", "mask_ratio", "value", "low", "high", "n_images", "n_seeds", "seed_sd",
           "seed_values", "difference", "difference_low", "difference_high", "method_low", "method_high",
           "paper_order", "signature"]  # fmt: skip


def compare_ablations(settings: AblationSettings, *, results: Path, out: Path) -> None:
    """Write one row for every metric, method and mask ratio; without ablations, the header.

    `difference` is the method minus the reference, image by image; `difference_low` and `difference_high` are its
    interval over images, of these weights, `method_low` and `method_high` that over trainings, of the method;
    `seed_values` are the means of the seeds, separated by spaces.
    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds, rows = _seeds(settings), []
    inputs, found = take_all(evidence_files(results, seeds)), read_evidence(results, seeds)
    for dataset, methods in seeds.items():
        reference = next(iter(methods))
        for metric, mask_ratio, method in product(PAPER_METRICS, MASK_RATIOS, methods):
            cell = Cell(metric, method, dataset, mask_ratio)
            own = summarise(found, settings, cell)
            row = cell._asdict() | own.columns()
            row["seed_values"] = " ".join(f"{mean:.6f}" for mean in own.seed_means)
            if method != reference:
                row |= compare(found, settings, cell, reference).difference_columns()
                row["paper_order"] = ABLATION_ORDER.get(method)
            rows.append(row)
    write_signed(out, pd.DataFrame(rows, columns=COLUMNS), sign(settings, results, seeds, found))
    write_record(out.with_suffix(".json"), settings, inputs, {"ablations": out})


def _seeds(settings: AblationSettings) -> Seeds:
    """Return the seeds of the reference and of its ablations, in this order; nothing without ablations."""
    ablations = settings.ablations
    if ablations is None:
        return {}
    methods = (ablations.reference, *ablations.methods)
    return {ablations.dataset: {method: settings.seeds_of(ablations.dataset, method) for method in methods}}
