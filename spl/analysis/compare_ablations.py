"""The numbers of figure 4: every ablation, and by how much it differs from the method that it varies."""

from pathlib import Path

import pandas as pd

from spl.analysis.evidence import MASK_RATIOS, METRICS, Seeds, evidence_files, read_evidence
from spl.analysis.table1 import compare, summarise
from spl.common.files import atomic
from spl.steps.records import take_all, write_record
from spl.steps.settings import AblationSettings

PAPER_ORDER = {"spl_no_prior": "worse", "spl_detector": "between", "spl_concat": "worse"}
"""Where section 4.4 puts an ablation: worse than SPL, or between SPL and SPL without semantic supervision."""

COLUMNS = ["metric", "method", "dataset", "mask_ratio", "value", "low", "high", "n_images", "n_seeds", "seed_sd",
           "seed_values", "difference", "difference_low", "difference_high", "paper_order"]  # fmt: skip


def compare_ablations(settings: AblationSettings, *, results: Path, out: Path) -> None:
    """Write one row for every metric, method and mask ratio; without ablations, the header.

    `difference` is the method minus the reference, image by image, with its interval over images and trainings;
    `seed_values` are the means of the single trainings, parted by blanks.
    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds, rows = _seeds(settings), []
    inputs, found = take_all(evidence_files(results, seeds)), read_evidence(results, seeds)
    for dataset, metric, mask_ratio, method in (
        (d, x, r, m) for d in seeds for x in METRICS for r in MASK_RATIOS for m in seeds[d]
    ):
        reference = next(iter(seeds[dataset]))
        values = found[dataset, method].select(metric, mask_ratio)
        own = summarise(values, settings, f"{metric}/{method}/{dataset}/{mask_ratio}")
        row = {
            "metric": metric, "method": method, "dataset": dataset, "mask_ratio": mask_ratio,
            "value": own.mean, "low": own.low, "high": own.high,
            "n_images": own.n_images, "n_seeds": own.n_seeds, "seed_sd": own.seed_sd,
            "seed_values": " ".join(f"{own_mean:.6f}" for own_mean in own.seed_means),
        }  # fmt: skip
        if method != reference:
            difference = compare(found, settings, (metric, method, dataset, mask_ratio), reference)
            row |= {
                "difference": difference.mean,
                "difference_low": difference.combined_low,
                "difference_high": difference.combined_high,
                "paper_order": PAPER_ORDER.get(method),
            }
        rows.append(row)
    with atomic(out) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).round(6).to_csv(temporary, index=False)
    write_record(out.with_suffix(".json"), settings, inputs, {"ablations": out})


def _seeds(settings: AblationSettings) -> Seeds:
    """Return the seeds of the reference and of its ablations, in this order; nothing without ablations."""
    ablations = settings.ablations
    if ablations is None:
        return {}
    methods = (ablations.reference, *ablations.methods)
    return {ablations.dataset: {method: settings.seeds_of(ablations.dataset, method) for method in methods}}
