"""The paper's claims, one by one, against what this run measured."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from spl.analysis.claims_page import to_page
from spl.analysis.evidence import (
    HIGHER_IS_BETTER,
    MASK_RATIOS,
    METRICS,
    Evidence,
    evidence_files,
    read_evidence,
    seeds_of,
)
from spl.analysis.statistics import Estimate, difference_of_differences, estimate_ratio
from spl.analysis.table1 import PAPER_NAMES, compare, paper_cells
from spl.analysis.verdicts import Verdict, judge, needed
from spl.analysis.write_table1 import PAPER_LAYOUTS, is_papers
from spl.common.files import atomic, write_text
from spl.common.labels import method_title
from spl.config.methods import NetworkMethod
from spl.steps.records import take_all, write_record
from spl.steps.settings import GROUND_TRUTH, ClaimSettings

SUBJECTS = ("spl", "spl_released")
RIVALS = ("rn", "rfr", "mfe")


class Claim(NamedTuple):
    """What the paper says, and where."""

    text: str
    source: str


CLAIMS = {
    "ahead": Claim("SPL is ahead of RN, RFR and MFE in all three metrics.", "section 4.3, Table 1"),
    "state_of_the_art": Claim(
        "SPL is the state of the art: ahead in every column of the dataset.", "abstract, section 5, Table 1"
    ),
    "larger_holes": Claim(
        "SPL's lead over RN, RFR and MFE is larger at 40–60 % than at 20–40 %.", "Table 1; not said in words"
    ),
    "ahead_of_edges": Claim(
        "SPL restores complex scenes better than EdgeConnect; the paper shows it by pictures.",
        "sections 1 and 4.5, figures 1 and 5",
    ),
    "more_objects": Claim(
        "SPL's pictures contain more complete objects, detected more confidently, than those of other methods.",
        "sections 1 and 4.2, figures 1 and 3",
    ),
    "supervision": Claim("Without semantic supervision (w/o S) SPL is significantly worse.", "section 4.4, figure 4"),
    "detector_helps": Claim("Supervision by a detection network helps too: better than none.", "section 4.4, figure 4"),
    "multilabel_helps_more": Claim(
        "The multi-label network is at least as good a teacher as the detection network.", "section 4.4, figure 4"
    ),
    "concatenation": Claim("Concatenation in SPADE's place is worse in all three metrics.", "section 4.4, figure 4"),
}
"""In the order of the page."""

ABLATIONS = {
    "supervision": (None, "spl_no_prior"),
    "detector_helps": ("spl_detector", "spl_no_prior"),
    "multilabel_helps_more": (None, "spl_detector"),
    "concatenation": (None, "spl_concat"),
}
"""Who is said to be ahead of whom; None is the method that the ablations vary."""

COLUMNS = ["claim", "text", "source", "about", "dataset", "metric", "mask_ratio", "subject", "rival", "paper",
           "difference", "low", "high", "n_images", "n_seeds", "verdict", "reason", "needed"]  # fmt: skip


class Finding(NamedTuple):
    """One measured instance of a claim; without an estimate, what this run lacks."""

    claim: str
    dataset: str
    subject: str
    rival: str
    metric: str = ""
    mask_ratio: str = ""
    estimate: Estimate | None = None
    paper: float | None = None
    lacks: str = ""


def check_claims(settings: ClaimSettings, *, results: Path, data: Path, out: Path) -> None:
    """Write the claims with their verdicts to `out` (.csv), and as a page beside it (.md).

    Reads `results`/eval and `results`/detections, and of `data` the pairs and masks. A difference is positive where
    the claim holds; its interval is over images and trainings.
    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds, searched = seeds_of(settings), settings.detection.datasets if settings.detection else ()
    inputs = take_all([
        *evidence_files(results, seeds),
        *(results / f"detections/{d}/{m}.csv" for d in searched for m in (GROUND_TRUTH, *settings.table_methods)),
        *(data / f"pairs/{dataset}.csv" for dataset in searched),
        *([data / "masks/masks.csv"] if searched else []),
    ])  # fmt: skip
    evidence = read_evidence(results, seeds)
    findings = [
        *_compared(settings, evidence),
        *_ablated(settings, evidence),
        *_detected(settings, results / "detections", data),
    ]
    rows = [_row(settings, finding) for finding in findings]
    rows += [_summary(settings, rows, d, subject) for d in _datasets(settings) for subject in _subjects(settings)]
    rows.sort(key=lambda row: list(CLAIMS).index(row["claim"]))
    table = pd.DataFrame(rows, columns=COLUMNS).round(6)
    outputs = {"claims": out, "page": out.with_suffix(".md")}
    with atomic(out) as temporary:
        table.to_csv(temporary, index=False)
    write_text(outputs["page"], to_page(table, confidence=settings.evaluation.bootstrap.confidence))
    write_record(out.with_suffix(".json"), settings, inputs, outputs)


def _datasets(settings: ClaimSettings) -> list[str]:
    """Return the paper's datasets, present or not, and those of one's own."""
    return [*PAPER_LAYOUTS, *(dataset for dataset in settings.datasets if dataset not in PAPER_LAYOUTS)]


def _subjects(settings: ClaimSettings) -> list[str]:
    return [name for name in SUBJECTS if name in settings.table_methods] or ["spl"]


def _compared(settings: ClaimSettings, evidence: Evidence) -> Iterator[Finding]:
    """Compare SPL with the other methods, as Table 1 does."""
    for claim, rivals in (("ahead", RIVALS), ("larger_holes", RIVALS), ("ahead_of_edges", ("ec",))):
        for dataset in _datasets(settings):
            for subject, rival in ((s, r) for s in _subjects(settings) for r in rivals):
                if lacks := _lacks(settings, dataset, subject, rival):
                    yield Finding(claim, dataset, subject, rival, lacks=lacks)
                elif claim == "larger_holes":
                    yield from _growing_leads(evidence, settings, dataset, subject, rival)
                else:
                    yield from _leads(claim, evidence, settings, dataset, subject, rival)


def _ablated(settings: ClaimSettings, evidence: Evidence) -> Iterator[Finding]:
    """Compare the ablations, as figure 4 does."""
    ablations = settings.ablations
    for claim, (ahead, behind) in ABLATIONS.items():
        subject = ahead or (ablations.reference if ablations else "spl")
        if ablations is None:
            yield Finding(claim, "paris", subject, behind, lacks="This run has no ablations.")
        elif lacks := _lacks(settings, ablations.dataset, subject, behind):
            yield Finding(claim, ablations.dataset, subject, behind, lacks=lacks)
        else:
            yield from _leads(claim, evidence, settings, ablations.dataset, subject, behind)


def _detected(settings: ClaimSettings, detections: Path, data: Path) -> Iterator[Finding]:
    """Compare how many of the half-hidden objects are found again, and how surely, per object."""
    subjects = _subjects(settings)
    if settings.detection is None:
        for subject, rival in ((s, r) for s in subjects for r in (*RIVALS, "ec")):
            yield Finding("more_objects", "places2", subject, rival, lacks="This run looks for no objects.")
        return
    from spl.analysis.objects import match_occluded_objects  # it alone needs torch

    for dataset in settings.detection.datasets:
        present = [name for name in (*subjects, *RIVALS, "ec") if name in settings.table_methods]
        size = settings.datasets[dataset].image_size
        found = match_occluded_objects(dataset, present, detections=detections, data=data, image_size=size)
        for subject, rival in ((s, r) for s in subjects for r in (*RIVALS, "ec")):
            if lacks := _lacks(settings, dataset, subject, rival):
                yield Finding("more_objects", dataset, subject, rival, lacks=lacks)
                continue
            pairs = list(zip(found[subject], found[rival], strict=True))
            counts = np.array([len(ours) for ours, _ in pairs], float)
            sums = {
                "recall": np.array([(ours > 0).sum() - (theirs > 0).sum() for ours, theirs in pairs], float),
                "confidence": np.array([ours.sum() - theirs.sum() for ours, theirs in pairs], float),
            }
            for metric, differences in sums.items():
                name = f"{metric}/{subject}-{rival}/{dataset}/all"
                bootstrap = settings.evaluation.bootstrap
                estimate = estimate_ratio(differences, counts, bootstrap, seed=settings.seed, name=name)
                yield Finding("more_objects", dataset, subject, rival, metric, "all", estimate)


def _leads(
    claim: str, evidence: Evidence, settings: ClaimSettings, dataset: str, subject: str, rival: str
) -> Iterator[Finding]:
    """Measure the lead of one method over another in every metric and mask ratio."""
    for metric in METRICS:
        for mask_ratio in MASK_RATIOS:
            lead = _in_favour(metric, compare(evidence, settings, (metric, subject, dataset, mask_ratio), rival))
            paper = _papers_lead(metric, dataset, mask_ratio, subject, rival)
            yield Finding(claim, dataset, subject, rival, metric, mask_ratio, lead, paper)


def _growing_leads(
    evidence: Evidence, settings: ClaimSettings, dataset: str, subject: str, rival: str
) -> Iterator[Finding]:
    """Measure by how much a lead grows from 20-40 % to 40-60 %, in every metric."""
    for metric in METRICS:
        large, small = (
            (evidence[dataset, subject].select(metric, ratio), evidence[dataset, rival].select(metric, ratio))
            for ratio in ("40-60", "20-40")
        )
        name = f"{metric}/{subject}-{rival}/{dataset}/growth"
        growth = difference_of_differences(large, small, settings.evaluation.bootstrap, seed=settings.seed, name=name)
        at_large, at_small = (_papers_lead(metric, dataset, ratio, subject, rival) for ratio in ("40-60", "20-40"))
        paper = None if at_large is None or at_small is None else round(at_large - at_small, 4)
        yield Finding("larger_holes", dataset, subject, rival, metric, "40-60", _in_favour(metric, growth), paper)


def _in_favour(metric: str, estimate: Estimate) -> Estimate:
    """Turn a difference so that positive is better."""
    return estimate if HIGHER_IS_BETTER[metric] else estimate.negated()


def _papers_lead(metric: str, dataset: str, mask_ratio: str, subject: str, rival: str) -> float | None:
    """Return the same lead by the numbers of the paper's Table 1; None where it has none."""
    printed = paper_cells()
    ours, theirs = (printed.get((metric, PAPER_NAMES.get(name, ""), dataset, mask_ratio)) for name in (subject, rival))
    if ours is None or theirs is None:
        return None
    lead = round(ours - theirs, 4)
    return lead if HIGHER_IS_BETTER[metric] else -lead


def _lacks(settings: ClaimSettings, dataset: str, *methods: str) -> str:
    """Name what a comparison needs and this run does not have."""
    if dataset not in settings.datasets:
        return f"This run has no dataset {dataset}."
    missing = [method for method in methods if method not in settings.methods_of(dataset)]
    return f"This run has no {' and no '.join(missing)}." if missing else ""


def _row(settings: ClaimSettings, finding: Finding) -> dict[str, Any]:
    """Judge a finding and write it as a row."""
    row = _head(settings, finding.claim, finding.dataset, finding.subject) | {
        "rival": finding.rival, "metric": finding.metric, "mask_ratio": finding.mask_ratio, "paper": finding.paper
    }  # fmt: skip
    estimate = finding.estimate
    if estimate is None:
        return row | {"verdict": "not testable", "reason": finding.lacks}
    row |= {"n_images": estimate.n_images, "n_seeds": estimate.n_seeds}
    if math.isnan(estimate.mean):
        return row | {"verdict": "not testable", "reason": "No image of this run can show it."}
    verdict = judge(estimate)
    return row | {
        "difference": estimate.mean, "low": estimate.combined_low, "high": estimate.combined_high,
        "verdict": verdict, "reason": _caveats(settings, finding, estimate, verdict),
        "needed": needed(estimate, settings.evaluation.bootstrap.confidence) if verdict == "undecided" else "",
    }  # fmt: skip


def _head(settings: ClaimSettings, claim: str, dataset: str, subject: str) -> dict[str, Any]:
    return {
        "claim": claim, "text": CLAIMS[claim].text, "source": CLAIMS[claim].source, "about": _about(settings, dataset),
        "dataset": dataset, "subject": subject,
    }  # fmt: skip


def _about(settings: ClaimSettings, dataset: str) -> str:
    """Say whose pictures a verdict is about."""
    if dataset not in settings.datasets:
        return ""
    if settings.datasets[dataset].source.kind == "miniature":
        return "miniature world"
    return "paper's pictures" if is_papers(settings, dataset, settings.evaluation.split) else "other pictures"


def _caveats(settings: ClaimSettings, finding: Finding, estimate: Estimate, verdict: Verdict) -> str:
    """Say why a difference is undecided, and what its interval does not contain."""
    found = []
    if verdict == "undecided":
        unknown = math.isnan(estimate.combined_low)
        found.append("Too few images for an interval." if unknown else "Interval contains 0.")
    if finding.claim == "larger_holes" and finding.paper is not None and finding.paper <= 0:
        found.append("By the paper's own numbers it is not so.")
    compared = (finding.subject, finding.rival)
    single = [
        method_title(method)
        for method in compared
        if isinstance(settings.methods[method], NetworkMethod)
        and (finding.claim == "more_objects" or len(settings.seeds_of(finding.dataset, method)) == 1)
    ]
    if single:
        found.append(f"Spread over trainings not known: one of {', one of '.join(single)}.")
    return " ".join(found)


def _summary(settings: ClaimSettings, rows: list[dict[str, Any]], dataset: str, subject: str) -> dict[str, Any]:
    """Judge a dataset by all its comparisons with Table 1's methods."""
    parts = [r for r in rows if (r["claim"], r["dataset"], r["subject"]) == ("ahead", dataset, subject)]
    counts = {v: sum(part["verdict"] == v for part in parts) for v in ("not supported", "not testable", "undecided")}
    verdict = next((verdict for verdict, count in counts.items() if count), "supported")
    listed = [f"{count} {name}" for name, count in (counts | {"supported": len(parts) - sum(counts.values())}).items()]
    lacks = dict.fromkeys(part["reason"] for part in parts if part["verdict"] == "not testable")
    reason = " ".join([f"Of {len(parts)} comparisons: {', '.join(listed)}.", *lacks])
    images = max((part.get("n_images", 0) for part in parts), default=0)
    row = _head(settings, "state_of_the_art", dataset, subject) | {"verdict": verdict, "reason": reason}
    return row | ({"n_images": images} if images else {})
