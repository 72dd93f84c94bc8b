"""The paper's claims, one by one, against the measurements of this run."""

from collections.abc import Iterator
from itertools import product, starmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from spl.analysis.claims_page import read_claims, to_page
from spl.analysis.evidence import MASK_RATIOS, Evidence, evidence_files, read_evidence, seeds_of
from spl.analysis.paper import LAYOUTS, SUBJECTS, Basis, Claim, images_of, paper_claims, printed_lead
from spl.analysis.statistics import Estimate, difference_of_differences, estimate_ratio
from spl.analysis.table1 import Cell, compare, draws_of
from spl.analysis.verdicts import Verdict, judge, needed
from spl.common.files import write_text
from spl.common.metrics import METRICS, PAPER_METRICS
from spl.common.tables import write_table
from spl.config.methods import NetworkMethod
from spl.steps.records import take_all, write_record
from spl.steps.settings import GROUND_TRUTH, ClaimSettings

COLUMNS = ["claim", "text", "source", "about", "dataset", "metric", "mask_ratio", "subject", "rival", "paper",
           "difference", "low", "high", "n_images", "n_seeds", "verdict", "reason", "one_seed", "needed"]  # fmt: skip

Row = dict[str, Any]

Objects = dict[str, dict[str, list[np.ndarray]]]
"""By dataset and method, the confidence in each half-hidden object of an image; 0 where it was not found again."""


class Comparison(NamedTuple):
    """Two methods on a dataset."""

    dataset: str
    subject: str
    rival: str


class Finding(NamedTuple):
    """A measured lead of a subject over its rival, positive where the claim holds."""

    metric: str
    mask_ratio: str
    lead: Estimate
    paper: float | None = None
    """The same by the paper's Table 1."""


class Measured(NamedTuple):
    """An experiment and its results."""

    settings: ClaimSettings
    evidence: Evidence
    objects: Objects


def check_claims(settings: ClaimSettings, *, results: Path, data: Path, out: Path) -> None:
    """Write the claims with their verdicts to `out` (.csv), and as a page beside it (.md).

    Reads `results`/eval and `results`/detections, and of `data` the pairs and masks. A difference is positive where
    the claim holds; its interval is over images and seeds. `one_seed` names the compared networks with a single seed.
    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds, searched = seeds_of(settings), settings.detection.datasets if settings.detection else ()
    inputs = take_all([
        *evidence_files(results, seeds),
        *(results / f"detections/{d}/{m}.csv" for d in searched for m in (GROUND_TRUTH, *settings.table_methods)),
        *(data / f"pairs/{dataset}.csv" for dataset in searched),
        *([data / "masks/masks.csv"] if searched else []),
    ])  # fmt: skip
    objects = {dataset: _find_objects(settings, dataset, results / "detections", data) for dataset in searched}
    measured = Measured(settings, read_evidence(results, seeds), objects)
    rows: list[Row] = []
    for name, claim in paper_claims().items():
        if claim.basis is Basis.ALL_LEADS:
            rows += [_summary(settings, rows, name, d, s) for d in _datasets(settings) for s in _subjects(settings)]
            continue
        for pair in _comparisons(settings, claim):
            row = _head(settings, name, pair.dataset, pair.subject) | {"rival": pair.rival}
            if lacks := _lacks(settings, claim, pair):
                rows.append(row | {"verdict": Verdict.NOT_TESTABLE, "reason": lacks})
            else:
                findings = MEASURES[claim.basis](measured, pair)
                rows += [row | _judged(settings, claim, pair, finding) for finding in findings]
    outputs = {"claims": out, "page": out.with_suffix(".md")}
    write_table(out, pd.DataFrame(rows, columns=COLUMNS))
    write_text(outputs["page"], to_page(read_claims(out), settings.evaluation.bootstrap.confidence))
    write_record(out.with_suffix(".json"), settings, inputs, outputs)


def _find_objects(settings: ClaimSettings, dataset: str, detections: Path, data: Path) -> dict[str, list[np.ndarray]]:
    from spl.analysis.objects import match_occluded_objects  # it alone needs torch

    size = settings.datasets[dataset].image_size
    return match_occluded_objects(dataset, settings.table_methods, detections=detections, data=data, image_size=size)


def _datasets(settings: ClaimSettings) -> list[str]:
    """Return the paper's datasets, present or not, and those of one's own."""
    return list(dict.fromkeys([*LAYOUTS, *settings.datasets]))


def _subjects(settings: ClaimSettings) -> list[str]:
    return [name for name in SUBJECTS if name in settings.table_methods] or ["spl"]


def _comparisons(settings: ClaimSettings, claim: Claim) -> Iterator[Comparison]:
    """Yield the comparisons of a claim, whether or not this run has them."""
    datasets, subjects, ablations = _datasets(settings), _subjects(settings), settings.ablations
    if claim.basis is Basis.ABLATION:
        datasets = [ablations.dataset if ablations else "paris"]
        subjects = [claim.subject or (ablations.reference if ablations else "spl")]
    elif claim.basis is Basis.OBJECTS:
        datasets = [*settings.detection.datasets] if settings.detection else ["places2"]
    yield from starmap(Comparison, product(datasets, subjects, claim.rivals))


def _lacks(settings: ClaimSettings, claim: Claim, pair: Comparison) -> str:
    """Name the part of the experiment that a comparison needs and this run does not have."""
    if claim.basis is Basis.ABLATION and settings.ablations is None:
        return "There are no ablations."
    if claim.basis is Basis.OBJECTS and settings.detection is None:
        return "Object detection is off."
    if pair.dataset not in settings.datasets:
        return f"There is no dataset {pair.dataset}."
    missing = [method for method in pair[1:] if method not in settings.methods_of(pair.dataset)]
    return f"There is no {' and no '.join(missing)}." if missing else ""


def _leads(measured: Measured, pair: Comparison) -> Iterator[Finding]:
    """Measure the lead of one method over another in every metric and mask ratio."""
    dataset, subject, rival = pair
    for metric, ratio in product(PAPER_METRICS, MASK_RATIOS):
        lead = compare(measured.evidence, measured.settings, Cell(metric, subject, dataset, ratio), rival)
        paper = printed_lead(metric, dataset, ratio, subject, rival)
        yield Finding(metric, ratio, _in_favour(metric, lead), paper)


def _growing_leads(measured: Measured, pair: Comparison) -> Iterator[Finding]:
    """Measure by how much a lead grows from 20-40 % to 40-60 %, in every metric."""
    (dataset, subject, rival), (settings, evidence, _) = pair, measured
    for metric in PAPER_METRICS:
        large, small = (
            (evidence[dataset, subject].select(metric, ratio), evidence[dataset, rival].select(metric, ratio))
            for ratio in ("40-60", "20-40")
        )
        draws = draws_of(settings, f"{metric}/{subject}-{rival}/{dataset}/growth")
        growth = difference_of_differences(large, small, draws)
        at_large, at_small = (printed_lead(metric, dataset, r, subject, rival) for r in ("40-60", "20-40"))
        paper = None if at_large is None or at_small is None else round(at_large - at_small, 4)
        yield Finding(metric, "40-60", _in_favour(metric, growth), paper)


def _object_leads(measured: Measured, pair: Comparison) -> Iterator[Finding]:
    """Measure the leads in recall and confidence, per half-hidden object."""
    (dataset, subject, rival), (settings, _, objects) = pair, measured
    found = list(zip(objects[dataset][subject], objects[dataset][rival], strict=True))
    counts = np.array([len(ours) for ours, _ in found], float)
    leads = {
        "recall": [(ours > 0).sum() - (theirs > 0).sum() for ours, theirs in found],
        "confidence": [ours.sum() - theirs.sum() for ours, theirs in found],
    }
    for metric, sums in leads.items():
        draws = draws_of(settings, f"{metric}/{subject}-{rival}/{dataset}/all")
        yield Finding(metric, "all", estimate_ratio(np.array(sums, float), counts, draws))


MEASURES = {
    Basis.LEAD: _leads, Basis.ABLATION: _leads, Basis.GROWTH: _growing_leads, Basis.OBJECTS: _object_leads
}  # fmt: skip


def _in_favour(metric: str, estimate: Estimate) -> Estimate:
    """Turn a difference so that positive is better."""
    return estimate if METRICS[metric].higher_is_better else estimate.negated()


def _head(settings: ClaimSettings, name: str, dataset: str, subject: str) -> Row:
    about = images_of(settings, dataset) if dataset in settings.datasets else ""
    text, source, *_ = paper_claims()[name]
    return {"claim": name, "text": text, "source": source, "about": about, "dataset": dataset, "subject": subject}


def _judged(settings: ClaimSettings, claim: Claim, pair: Comparison, finding: Finding) -> Row:
    """Judge a finding."""
    metric, mask_ratio, lead, paper = finding
    verdict = judge(lead)
    row = {"metric": metric, "mask_ratio": mask_ratio, "paper": paper, "verdict": verdict}
    row |= {"n_images": lead.n_images, "n_seeds": lead.n_seeds}
    if verdict is Verdict.NOT_TESTABLE:
        return row | {"reason": "No suitable test images."}
    row |= {"difference": lead.mean, "low": lead.combined_low, "high": lead.combined_high}
    row["one_seed"] = " ".join(method for method in pair[1:] if _has_one_seed(settings, claim, pair.dataset, method))
    if verdict is Verdict.UNDECIDED:
        row["reason"] = "Too few images for an interval." if np.isnan(lead.combined_low) else "Interval contains 0."
        row["needed"] = needed(lead, settings.evaluation.bootstrap.confidence)
    return row


def _has_one_seed(settings: ClaimSettings, claim: Claim, dataset: str, method: str) -> bool:
    """Tell whether the variance over a method's seeds is not known; objects are looked for with the first seed only."""
    is_network = isinstance(settings.methods[method], NetworkMethod)
    return is_network and (claim.basis is Basis.OBJECTS or len(settings.seeds_of(dataset, method)) == 1)


def _summary(settings: ClaimSettings, rows: list[Row], name: str, dataset: str, subject: str) -> Row:
    """Judge a dataset by all its comparisons with Table 1's methods."""
    parts = [row for row in rows if (row["claim"], row["dataset"], row["subject"]) == ("ahead", dataset, subject)]
    found = [part["verdict"] for part in parts]
    order = (Verdict.NOT_SUPPORTED, Verdict.NOT_TESTABLE, Verdict.UNDECIDED, Verdict.SUPPORTED)
    counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in order)
    lacks = dict.fromkeys(part["reason"] for part in parts if part["verdict"] is Verdict.NOT_TESTABLE)
    return _head(settings, name, dataset, subject) | {
        "verdict": next(verdict for verdict in order if verdict in found),
        "reason": " ".join([f"Of {len(parts)} comparisons: {counts}.", *lacks]),
        "n_images": max((part.get("n_images", 0) for part in parts), default=0) or None,
    }
