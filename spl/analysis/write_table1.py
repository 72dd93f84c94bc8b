"""Table 1 in all its forms."""

from pathlib import Path

from spl.analysis.evidence import evidence_files, read_evidence, seeds_of
from spl.analysis.render import RELEASED_MARK, to_latex, to_markdown, to_metrics
from spl.analysis.table1 import build_table, cell_statuses, compare_methods
from spl.common.files import atomic, write_json, write_text
from spl.config.experiment import Design
from spl.config.methods import NetworkMethod, SPLRecipe
from spl.steps.records import take_all, write_record
from spl.steps.settings import TableSettings

PAPER_LAYOUTS = {"places2": ("places365", "places365_flat"), "celeba": ("celeba",), "paris": ("paris",)}


def write_table1(settings: TableSettings, *, results: Path, out: Path) -> None:
    """Write Table 1 to `out` (.csv), .md and .tex; beside it metrics.json, comparisons.csv and the record.

    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    seeds = seeds_of(settings, settings.table_methods)
    inputs, evidence = take_all(evidence_files(results, seeds)), read_evidence(results, seeds)
    table = build_table(evidence, settings, cell_statuses(settings))
    references = [name for name in settings.table_methods if not isinstance(settings.methods[name], SPLRecipe)]
    comparisons = compare_methods(evidence, settings, references)
    note = _note(settings)
    outputs = {
        "table": out, "markdown": out.with_suffix(".md"), "latex": out.with_suffix(".tex"),
        "metrics": out.with_name("metrics.json"), "comparisons": out.with_name("comparisons.csv"),
    }  # fmt: skip
    for name, rows in (("table", table), ("comparisons", comparisons)):
        with atomic(outputs[name]) as temporary:
            rows.round(6).to_csv(temporary, index=False)
    write_text(outputs["markdown"], to_markdown(table, note))
    write_text(outputs["latex"], to_latex(table, note))
    write_json(outputs["metrics"], to_metrics(table))
    write_record(out.with_suffix(".json"), settings, inputs, outputs)


def is_papers(design: Design, dataset: str, split: str) -> bool:
    """Tell whether a dataset is one of the paper's, at the paper's size, and evaluated on the paper's split."""
    entry = design.datasets[dataset]
    is_archive = entry.source.kind != "miniature" and entry.layout.kind in PAPER_LAYOUTS.get(dataset, ())
    return is_archive and entry.image_size == 256 and split == "test"


def _note(settings: TableSettings) -> str:
    confidence, split = settings.evaluation.bootstrap.confidence, settings.evaluation.split
    sizes = ", ".join(f"{name} {dataset.image_size} px" for name, dataset in settings.datasets.items())
    spread = f" (standard deviation over {len(settings.seeds)} trainings)" if len(settings.seeds) > 1 else ""
    note = f"Mean ± half of the {confidence:.0%} bootstrap interval over {split} images{spread}; {sizes}."
    recipes = [settings.methods[name] for name in settings.table_methods]
    if any(isinstance(recipe, NetworkMethod) and recipe.weights for recipe in recipes):
        note += f" {RELEASED_MARK} the authors' released weights; the other networks were trained here."
    other = [dataset for dataset in settings.datasets if not is_papers(settings, dataset, split)]
    if not other:
        return note
    return (
        f"{note} The pictures of {', '.join(other)} are not the paper's (another source, layout, size or split): its "
        "rows are printed for orientation, a gap to them means nothing."
    )
