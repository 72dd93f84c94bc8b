"""Table 1 in all its forms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spl.analysis.evidence import evidence_files, read_evidence, run_files, seeds_of
from spl.analysis.gap import describe_gaps
from spl.analysis.paper import not_the_papers, titled
from spl.analysis.render import RELEASED_MARK, print_table1, short, short_paper, to_metrics
from spl.analysis.signature import describe, sign, write_signed
from spl.analysis.table1 import Origin, build_table, compare_methods
from spl.common.files import write_json, write_text
from spl.config.methods import ExternalFill, NetworkMethod, SPLRecipe
from spl.steps.records import read_record, take_all, write_record
from spl.steps.settings import TableSettings


def write_table1(settings: TableSettings, *, results: Path, out: Path) -> None:
    """Write Table 1 to `out` (.csv), .md and .tex; beside it metrics, comparisons, signatures and the record.

    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds = seeds_of(settings, settings.table_methods)
    runs = run_files(results, seeds)
    inputs = take_all([*evidence_files(results, seeds), *runs.values()])
    evidence = read_evidence(results, seeds)
    table, signed = build_table(evidence, settings), sign(settings, results, seeds, evidence)
    records = {cell: read_record(path) for cell, path in runs.items()}
    of_rows = [records.get(cell, {}) for cell in zip(table["dataset"], table["method"], strict=True)]
    table["images_seen"] = pd.array([record.get("images_seen") for record in of_rows], "Int64")
    other = pd.Series([_has_other_teacher(record) for record in of_rows])
    table.loc[other & table["paper"].notna() & (table["status"] == Origin.TRAINED), "status"] += ", other teacher"
    references = [name for name in settings.table_methods if not isinstance(settings.methods[name], SPLRecipe)]
    outputs = {
        "table": out, "markdown": out.with_suffix(".md"), "latex": out.with_suffix(".tex"),
        "metrics": out.with_name("metrics.json"), "comparisons": out.with_name("comparisons.csv"),
        "signatures": out.with_name("signatures.json"),
    }  # fmt: skip
    write_signed(out, table, signed)
    write_signed(outputs["comparisons"], compare_methods(evidence, settings, references), signed)
    note = f"{_note(settings)} {describe_gaps(table, settings)}".rstrip()
    printed = print_table1(titled(table, settings), settings, short, short_paper)
    lines = [describe(settings.title_of(dataset), own) for dataset, own in signed.items()]
    write_text(outputs["markdown"], "\n\n".join([note, printed.to_markdown().rstrip(), *lines]) + "\n")
    write_text(outputs["latex"], f"% {note}\n{printed.to_latex()}" + "".join(f"% {line}\n" for line in lines))
    write_json(outputs["metrics"], to_metrics(table))
    write_json(outputs["signatures"], signed)
    write_record(out.with_suffix(".json"), settings, inputs, outputs)


def _has_other_teacher(record: Mapping[str, Any]) -> bool:
    """Tell from a run's record whether another network than the paper's supervised its prior."""
    teacher = record.get("settings", {}).get("teacher")
    return bool(teacher) and teacher["network"]["kind"] != "tresnet_released"


def _note(settings: TableSettings) -> str:
    confidence, split = settings.evaluation.bootstrap.confidence, settings.evaluation.split
    sizes = ", ".join(
        f"{settings.title_of(name)} {dataset.image_size} px" for name, dataset in settings.datasets.items()
    )
    spread = f" (standard deviation over {len(settings.seeds)} seeds)" if len(settings.seeds) > 1 else ""
    least = settings.evaluation.bootstrap.least_images
    note = f"Mean ± half of the {confidence:.0%} bootstrap interval over {split} images, none below {least}{spread}"
    note += f"; {sizes}."
    recipes = [settings.methods[name] for name in settings.table_methods]
    if any(isinstance(recipe, NetworkMethod) and recipe.weights for recipe in recipes):
        note += f" {RELEASED_MARK} the authors' released weights; the other networks were trained here."
    if external := [f"{name} ({r.citation})" for name, r in settings.methods.items() if isinstance(r, ExternalFill)]:
        note += f" {Origin.EXTERNAL.capitalize()}, filled by another program: {', '.join(external)}."
    if settings.left_out:
        note += f" Left out: {'; '.join(f'{name}: {why}' for name, why in settings.left_out.items())}."
    if other := not_the_papers(settings):
        note += f" Not the paper's data, so its numbers do not stand beside ours: {other}."
    return note
