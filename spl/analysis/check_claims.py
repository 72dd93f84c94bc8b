"""The paper's claims, one by one, against the measurements of this run."""

from collections.abc import Iterator
from itertools import groupby, product, starmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from spl.analysis.claims_page import read_claims, to_page
from spl.analysis.evidence import MASK_RATIOS, Evidence, evidence_files, read_evidence, run_files, seeds_of
from spl.analysis.paper import LAYOUTS, SUBJECTS, Basis, Claim, images_of, paper_claims, printed_lead, set_of
from spl.analysis.signature import sign, write_signed
from spl.analysis.statistics import Estimate, Kind, estimate_ratio
from spl.analysis.table1 import Cell, Origin, compare, draws_of, origin_of, paired_differences
from spl.analysis.verdicts import LEAST_TRAININGS, Verdict, holm, judge, needed, p_value
from spl.common.files import write_text
from spl.common.labels import method_title
from spl.common.metrics import METRICS, PAPER_METRICS
from spl.steps.records import read_record, take_all, write_record
from spl.steps.settings import GROUND_TRUTH, ClaimSettings

OF_LEAD = ("low", "high", "method_low", "method_high", "n_images", "n_seeds")
"""Columns that describe a lead, named as in comparisons.csv."""

COLUMNS = ["claim", "text", "source", "kind", "on", "about", "dataset", "metric", "mask_ratio", "subject", "rival",
           "paper", "difference", *OF_LEAD, "p", "p_holm", "verdict", "reason", "needed", "images_seen",
           "signature"]  # fmt: skip

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
    images_seen: dict[tuple[str, str], int | None]
    """In training, by dataset and method; None, or absent, where it is not known."""


def check_claims(settings: ClaimSettings, *, results: Path, data: Path, out: Path) -> None:
    """Write the claims with their verdicts to `out` (.csv), and as a page beside it (.md).

    Reads `results`/eval, `results`/detections and the records of `results`/weights, and of `data` the pairs and masks.
    A difference is positive where the claim holds; a verdict rests on `low` and `high`, over images, if it is about
    these weights, and on `method_low` and `method_high`, over trainings, if it is about the method.
    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds, searched = seeds_of(settings), settings.detection.datasets if settings.detection else ()
    runs = run_files(results, seeds)
    inputs = take_all([
        *evidence_files(results, seeds),
        *runs.values(),
        *(results / f"detections/{d}/{m}.csv" for d in searched for m in (GROUND_TRUTH, *_searched(settings, d))),
        *(data / f"pairs/{dataset}.csv" for dataset in searched),
        *([data / "masks/masks.csv"] if searched else []),
    ])  # fmt: skip
    measured = Measured(
        settings,
        read_evidence(results, seeds),
        {dataset: _find_objects(settings, dataset, results / "detections", data) for dataset in searched},
        {cell: read_record(path).get("images_seen") for cell, path in runs.items()},
    )
    rows: list[Row] = []
    for name, claim in paper_claims().items():
        if claim.basis is Basis.ALL_LEADS:
            rows += [_summary(settings, rows, name, d, s) for d in _datasets(settings) for s in _subjects(settings)]
            continue
        for _, family in groupby(_comparisons(settings, claim), key=lambda pair: pair.dataset):
            rows += _judge_together(settings, claim, [row for pair in family for row in _rows(measured, name, pair)])
    outputs = {"claims": out, "page": out.with_suffix(".md")}
    write_signed(out, pd.DataFrame(rows, columns=COLUMNS), sign(settings, results, seeds, measured.evidence))
    write_text(outputs["page"], to_page(read_claims(out), settings))
    write_record(out.with_suffix(".json"), settings, inputs, outputs)


def _find_objects(settings: ClaimSettings, dataset: str, detections: Path, data: Path) -> dict[str, list[np.ndarray]]:
    from spl.analysis.objects import match_occluded_objects  # it alone needs torch

    size = settings.datasets[dataset].image_size
    methods = _searched(settings, dataset)
    return match_occluded_objects(dataset, methods, detections=detections, data=data, image_size=size)


def _searched(settings: ClaimSettings, dataset: str) -> list[str]:
    return settings.methods_of(dataset, settings.unlimited)


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


def _lacks(measured: Measured, claim: Claim, pair: Comparison) -> str:
    """Say why a comparison cannot be made: what this run does not have, or trainings of unequal effort."""
    settings = measured.settings
    if claim.basis is Basis.ABLATION and settings.ablations is None:
        return "There are no ablations."
    if claim.basis is Basis.OBJECTS and settings.detection is None:
        return "Object detection is off."
    if pair.dataset not in settings.datasets:
        return f"There is no dataset {pair.dataset}. {settings.left_out.get(pair.dataset, '')}".rstrip()
    papers = [method for method in settings.methods_of(pair.dataset) if not settings.apart(method)]
    if missing := [method for method in pair[1:] if method not in papers]:
        why = [settings.absent(pair.dataset, method) for method in missing if method in settings.methods]
        return f"There is no {' and no '.join(missing)}. {'; '.join(why)}".rstrip("; ")
    seen = [measured.images_seen.get((pair.dataset, method)) for method in pair[1:]]
    known, factor = [count for count in seen if count], settings.verdicts.effort_factor
    if len(known) == 2 and max(known) > factor * min(known):
        return f"Images seen in training differ by more than a factor of {factor:g}."
    return ""


def _images_seen(measured: Measured, pair: Comparison) -> str:
    seen = [measured.images_seen.get((pair.dataset, method)) for method in pair[1:]]
    return " and ".join(f"{count:,}" if count else "unknown" for count in seen)


def _leads(measured: Measured, pair: Comparison) -> Iterator[Finding]:
    """Measure the lead of one method over another in every metric and mask ratio."""
    dataset, subject, rival = pair
    for metric, ratio in product(PAPER_METRICS, MASK_RATIOS):
        lead = compare(measured.evidence, measured.settings, Cell(metric, subject, dataset, ratio), rival)
        paper = printed_lead(measured.settings, metric, dataset, ratio, subject, rival)
        yield Finding(metric, ratio, lead if METRICS[metric].higher_is_better else lead.negated(), paper)


def _object_leads(measured: Measured, pair: Comparison) -> Iterator[Finding]:
    """Measure the leads in recall and confidence, per half-hidden object."""
    (dataset, subject, rival), objects = pair, measured.objects
    counts = np.array([len(found) for found in objects[dataset][subject]], float)
    for metric in OBJECT_METRICS:
        draws = draws_of(measured.settings, f"{metric}/{subject}-{rival}/{dataset}/all")
        yield Finding(metric, "all", estimate_ratio(_object_sums(measured, metric, pair), counts, draws))


OBJECT_METRICS = {"recall": lambda scores: (scores > 0).sum(), "confidence": np.sum}
"""Of the objects of an image, added up."""


def _object_sums(measured: Measured, metric: str, pair: Comparison) -> np.ndarray:
    """Return by how much the subject is ahead in every image, over its objects."""
    ours, theirs = (measured.objects[pair.dataset][method] for method in pair[1:])
    add = OBJECT_METRICS[metric]
    return np.array([add(own) - add(other) for own, other in zip(ours, theirs, strict=True)], float)


MEASURES = {Basis.LEAD: _leads, Basis.ABLATION: _leads, Basis.OBJECTS: _object_leads}


def _better_fill(measured: Measured, metric: str, pair: Comparison) -> str:
    """Name a classical fill of all images that the subject is not ahead of on the whole dataset, if there is one.

    PatchMatch is not asked for: an extra package, and no part of the floor.
    """
    settings, (dataset, subject, _) = measured.settings, pair
    whole = len(measured.evidence[dataset, subject].pairs)
    for fill in settings.unlimited if metric in OBJECT_METRICS else settings.table_methods:
        in_floor = (
            settings.methods[fill].recipe != "patchmatch" and origin_of(settings, dataset, fill) is Origin.CLASSICAL
        )
        if not in_floor or len(measured.evidence[dataset, fill].pairs) < whole:
            continue
        if metric in OBJECT_METRICS:
            lead = _object_sums(measured, metric, pair._replace(rival=fill)).sum()
        else:
            cell = Cell(metric, subject, dataset, "all")
            lead = paired_differences(measured.evidence, settings, cell, fill).values.mean()
            lead *= 1 if METRICS[metric].higher_is_better else -1
        if lead <= 0:
            return fill
    return ""


def _head(settings: ClaimSettings, name: str, dataset: str, subject: str) -> Row:
    about = images_of(settings, dataset) if dataset in settings.datasets else ""
    text, source, kind, *_ = paper_claims()[name]
    head = {"claim": name, "text": text, "source": source, "kind": kind, "on": set_of(settings, dataset)}
    return head | {"about": about, "dataset": dataset, "subject": subject}


def _rows(measured: Measured, name: str, pair: Comparison) -> Iterator[Row]:
    """Yield the findings on a claim, each with the `lead` behind it; what cannot be tested has its verdict."""
    settings, claim = measured.settings, paper_claims()[name]
    row = _head(settings, name, pair.dataset, pair.subject) | {"rival": pair.rival}
    row["images_seen"] = _images_seen(measured, pair)
    if lacks := _lacks(measured, claim, pair):
        yield row | {"verdict": Verdict.NOT_TESTABLE, "reason": lacks}
        return
    for metric, mask_ratio, lead, paper in MEASURES[claim.basis](measured, pair):
        found = row | {"metric": metric, "mask_ratio": mask_ratio, "paper": paper, "lead": lead}
        found |= {"difference": lead.mean} | {name: getattr(lead, name) for name in OF_LEAD}
        reason = "" if lead.n_images else "No suitable test images."
        if fill := _better_fill(measured, metric, pair):
            reason = f"{method_title(pair.subject)} is not ahead of a classical fill, {method_title(fill)}."
        yield found | ({"verdict": Verdict.NOT_TESTABLE, "reason": reason} if reason else {})


def _judge_together(settings: ClaimSettings, claim: Claim, rows: list[Row]) -> list[Row]:
    """Judge the findings on a claim and a dataset: Holm's adjustment is for their number."""
    bootstrap, tested = settings.evaluation.bootstrap, [row for row in rows if "verdict" not in row]
    margins = [getattr(settings.verdicts.margins, row["metric"]) if claim.at_least else 0.0 for row in tested]
    p = [p_value(row["lead"], claim.kind, margin=margin) for row, margin in zip(tested, margins, strict=True)]
    tests = max(1, int(np.isfinite(p).sum()))
    for row, margin, own, adjusted in zip(tested, margins, p, holm(p), strict=True):
        verdict = judge(row["lead"].mean + margin, adjusted, confidence=bootstrap.confidence)
        row |= {"p": own, "p_holm": adjusted, "verdict": verdict}
        if verdict is Verdict.UNDECIDED:
            row["reason"] = _why_undecided(row, margin)
            power = settings.verdicts.power
            row["needed"] = needed(row["lead"], claim.kind, bootstrap, margin=margin, power=power, tests=tests)
    return rows


def _why_undecided(row: Row, margin: float) -> str:
    if row["kind"] is Kind.METHOD and row["n_seeds"] < LEAST_TRAININGS:
        return "Fewer than three trainings."
    if np.isnan(row["p"]):
        return "Too few images for an interval."
    low, high = row["lead"].interval(row["kind"])
    if low <= -margin <= high:
        return f"Interval contains {-margin if margin else 0:g}."
    return "Not after correction for the number of comparisons."


def _summary(settings: ClaimSettings, rows: list[Row], name: str, dataset: str, subject: str) -> Row:
    """Judge a dataset by all its comparisons with Table 1's methods."""
    parts = [row for row in rows if (row["claim"], row["dataset"], row["subject"]) == ("ahead", dataset, subject)]
    found = [part["verdict"] for part in parts]
    order = (Verdict.NOT_SUPPORTED, Verdict.NOT_TESTABLE, Verdict.UNDECIDED, Verdict.SUPPORTED)
    counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in order)
    lacks = dict.fromkeys(part["reason"] for part in parts if part["verdict"] is Verdict.NOT_TESTABLE)
    return _head(settings, name, dataset, subject) | {
        "verdict": next(verdict for verdict in order if verdict in found),
        "reason": " ".join([f"Of {len(parts)} comparisons of {paper_claims()[name].kind}: {counts}.", *lacks]),
        "n_images": max((part.get("n_images", 0) for part in parts), default=0) or None,
    }
