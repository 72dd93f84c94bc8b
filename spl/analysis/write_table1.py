"""Table 1 in all its forms."""

from pathlib import Path

import pandas as pd

from spl.analysis.evidence import evidence_files, read_evidence, run_files, seeds_of
from spl.analysis.paper import not_the_papers
from spl.analysis.render import RELEASED_MARK, print_table1, short, short_paper, to_metrics
from spl.analysis.table1 import build_table, compare_methods
from spl.common.files import write_json, write_text
from spl.common.tables import write_table
from spl.config.methods import NetworkMethod, SPLRecipe
from spl.steps.records import read_record, take_all, write_record
from spl.steps.settings import TableSettings


def write_table1(settings: TableSettings, *, results: Path, out: Path) -> None:
    """Write Table 1 to `out` (.csv), .md and .tex; beside it metrics.json, comparisons.csv and the record.

    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds = seeds_of(settings, settings.table_methods)
    runs, evidence = run_files(results, seeds), read_evidence(results, seeds)
    inputs = take_all([*evidence_files(results, seeds), *runs.values()])
    table = build_table(evidence, settings)
    seen = {cell: read_record(path).get("images_seen") for cell, path in runs.items()}
    table["images_seen"] = pd.array([*map(seen.get, zip(table["dataset"], table["method"], strict=True))], "Int64")
    references = [name for name in settings.table_methods if not isinstance(settings.methods[name], SPLRecipe)]
    outputs = {
        "table": out, "markdown": out.with_suffix(".md"), "latex": out.with_suffix(".tex"),
        "metrics": out.with_name("metrics.json"), "comparisons": out.with_name("comparisons.csv"),
    }  # fmt: skip
    write_table(out, table)
    write_table(outputs["comparisons"], compare_methods(evidence, settings, references))
    note, printed = _note(settings), print_table1(table, short, short_paper)
    write_text(outputs["markdown"], f"{note}\n\n{printed.to_markdown()}")
    write_text(outputs["latex"], f"% {note}\n{printed.to_latex()}")
    write_json(outputs["metrics"], to_metrics(table))
    write_record(out.with_suffix(".json"), settings, inputs, outputs)


def _note(settings: TableSettings) -> str:
    confidence, split = settings.evaluation.bootstrap.confidence, settings.evaluation.split
    sizes = ", ".join(f"{name} {dataset.image_size} px" for name, dataset in settings.datasets.items())
    spread = f" (standard deviation over {len(settings.seeds)} seeds)" if len(settings.seeds) > 1 else ""
    least = settings.evaluation.bootstrap.least_images
    note = f"Mean ± half of the {confidence:.0%} bootstrap interval over {split} images, none below {least}{spread}"
    note += f"; {sizes}."
    recipes = [settings.methods[name] for name in settings.table_methods]
    if any(isinstance(recipe, NetworkMethod) and recipe.weights for recipe in recipes):
        note += f" {RELEASED_MARK} the authors' released weights; the other networks were trained here."
    if settings.left_out:
        note += f" Left out: {'; '.join(f'{name}: {why}' for name, why in settings.left_out.items())}."
    if other := not_the_papers(settings):
        note += f" Not the paper's: {other}. There its rows are printed for orientation, a gap to them means nothing."
    return note
