"""Table 1 in all its forms."""

from pathlib import Path

from spl.analysis.evidence import read_evidence
from spl.analysis.render import RELEASED_MARK, to_latex, to_markdown, to_metrics
from spl.analysis.table1 import build_table, cell_statuses, compare_methods
from spl.common.files import atomic, write_json, write_text
from spl.config.experiment import Params
from spl.config.methods import NetworkMethod, SPLRecipe
from spl.steps.report_slices import table_settings

PAPER_LAYOUTS = {"places2": ("places365", "places365_flat"), "celeba": ("celeba",), "paris": ("paris",)}


def write_table1(params: Params, evidence_folder: Path, out: Path) -> None:
    """Write table1.csv, table1.md, table1.tex, table1.json and comparisons.csv to `out`.

    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    settings = table_settings(params)
    evidence = read_evidence(evidence_folder, settings.seeds)
    table = build_table(evidence, settings, cell_statuses(params))
    references = [name for name in settings.methods if not isinstance(params.methods[name], SPLRecipe)]
    comparisons = compare_methods(evidence, settings, references)
    note = _note(params)
    with atomic(out / "table1.csv") as temporary:
        table.round(6).to_csv(temporary, index=False)
    with atomic(out / "comparisons.csv") as temporary:
        comparisons.round(6).to_csv(temporary, index=False)
    write_text(out / "table1.md", to_markdown(table, note))
    write_text(out / "table1.tex", to_latex(table, note))
    write_json(out / "table1.json", to_metrics(table))


def is_papers(params: Params, dataset: str) -> bool:
    """Tell whether a dataset is one of the paper's, at the paper's size, and evaluated on the paper's split."""
    entry = params.datasets[dataset]
    is_archive = entry.source.kind != "miniature" and entry.layout.kind in PAPER_LAYOUTS.get(dataset, ())
    return is_archive and entry.image_size == 256 and params.evaluation.split == "test"


def _note(params: Params) -> str:
    confidence, split = params.evaluation.bootstrap.confidence, params.evaluation.split
    sizes = ", ".join(f"{name} {dataset.image_size} px" for name, dataset in params.datasets.items())
    spread = f" (standard deviation over {len(params.seeds)} trainings)" if len(params.seeds) > 1 else ""
    note = f"Mean ± half of the {confidence:.0%} bootstrap interval over {split} images{spread}; {sizes}."
    recipes = [params.methods[name] for name in params.table_methods]
    if any(isinstance(recipe, NetworkMethod) and recipe.weights for recipe in recipes):
        note += f" {RELEASED_MARK} the authors' released weights; the other networks were trained here."
    other = [dataset for dataset in params.datasets if not is_papers(params, dataset)]
    if not other:
        return note
    return (
        f"{note} The pictures of {', '.join(other)} are not the paper's (another source, layout, size or split): its "
        "rows are printed for orientation, a gap to them means nothing."
    )
