"""Table 1 in all its forms."""

from pathlib import Path

from spl.config import Dataset, Params
from spl.evaluation.render import RELEASED_MARK, to_latex, to_markdown, to_metrics
from spl.evaluation.table1 import build_table, cell_statuses, compare_methods, paper_table, read_evidence
from spl.files import atomic, write_json, write_text
from spl.recipes import NetworkMethod, SPLRecipe
from spl.settings import table_settings

PAPER_LAYOUTS = {"places2": "places365", "celeba": "celeba", "paris": "paris"}


def write_table1(params: Params, evidence_folder: Path, out: Path) -> None:
    """Write table1.csv, table1.md, table1.tex, table1.json and comparisons.csv to `out`.

    Raises: DataError if the methods were not evaluated on the same pairs.
    """
    settings = table_settings(params)
    evidence = read_evidence(evidence_folder, settings)
    table = build_table(evidence, settings, cell_statuses(params), paper_table())
    references = [name for name, recipe in params.methods.items() if not isinstance(recipe, SPLRecipe)]
    comparisons = compare_methods(evidence, settings, references)
    note = _note(params)
    with atomic(out / "table1.csv") as temporary:
        table.round(6).to_csv(temporary, index=False)
    with atomic(out / "comparisons.csv") as temporary:
        comparisons.round(6).to_csv(temporary, index=False)
    write_text(out / "table1.md", to_markdown(table, note))
    write_text(out / "table1.tex", to_latex(table, note))
    write_json(out / "table1.json", to_metrics(table))


def _note(params: Params) -> str:
    confidence = params.evaluation.bootstrap.confidence
    sizes = ", ".join(f"{name} {dataset.image_size} px" for name, dataset in params.datasets.items())
    note = f"Mean ± half of the {confidence:.0%} bootstrap interval over test images; {sizes}."
    if any(isinstance(recipe, NetworkMethod) and recipe.weights for recipe in params.methods.values()):
        note += f" {RELEASED_MARK} the authors' released weights; the other networks were trained here."
    other = [name for name, dataset in params.datasets.items() if not _is_papers(name, dataset)]
    if not other:
        return note
    return (
        f"{note} The pictures of {', '.join(other)} are not the paper's (another source, layout or size): its rows are "
        "printed for orientation, a gap to them means nothing."
    )


def _is_papers(name: str, dataset: Dataset) -> bool:
    """Tell whether a dataset is one of the paper's, at the paper's size."""
    is_archive = dataset.source.kind == "supplied" and dataset.layout.kind == PAPER_LAYOUTS.get(name)
    return is_archive and dataset.image_size == 256
