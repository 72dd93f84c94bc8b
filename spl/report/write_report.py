"""Writing the report: one HTML file without any resource outside itself."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

import spl
from spl.analysis.claims_page import read_claims
from spl.analysis.paper import titled
from spl.common.errors import DataError
from spl.common.files import write_text
from spl.common.versions import versions
from spl.report.claims import claims_section, others_section, summary_section
from spl.report.data import data_section, headline_of
from spl.report.figures import ablations_section, figures_section, grid_section
from spl.report.first_screen import first_screen
from spl.report.runs import costs_section, machine_of, teachers_section, training_section
from spl.report.table1 import comparisons_section, metrics_section, table1_section
from spl.report.view import Folded, Prose, Section
from spl.steps.records import take_all, write_record
from spl.steps.settings import ReportSettings, drawn_figures, needed_teachers

DOCS = Path(spl.__file__).parent.parent / "docs"


def write_report(settings: ReportSettings, params_file: Path, *, results: Path, data: Path, out: Path) -> None:
    """Write tables, figures, claims, records and the parameter file of a run onto one page that opens offline.

    Reads CSV, PNG and JSON files of `results` and `data`; nothing is measured here. Parts that the experiment does not
    have, and figures that have not been drawn, are left out with the reason.
    Raises: DataError naming every missing table.
    """
    _require_tables(settings, results)
    inputs = take_all([params_file, *_shown(settings, results, data)])
    claims = titled(read_claims(results / "claims.csv"), settings)
    sections = [
        summary_section(claims),
        table1_section(settings, results),
        comparisons_section(settings, results),
        figures_section(settings, results),
        ablations_section(settings, results),
        grid_section(settings, results),
        claims_section(claims, settings),
        others_section(claims),
        metrics_section(settings, results),
        costs_section(settings, results, params_file.with_name("plan.csv")),
        teachers_section(settings, results),
        training_section(settings, results),
        data_section(settings, data),
        _parameters(params_file),
        _page("study", "Does a learned prior help?", "Controlled trainings in the miniature world and on photographs"),
        _page("deviations", "Deviations", "Paper, released code and this project compared"),
    ]
    headline, explanation = headline_of(settings)
    page = _template().render(
        headline=headline, explanation=explanation, answers=first_screen(settings, claims, data),
        facts=_facts(params_file) | machine_of(settings, results), sections=list(filter(None, sections)),
    )  # fmt: skip
    write_text(out, page)
    write_record(out.with_suffix(".json"), settings, inputs, {"page": out})


def _shown(settings: ReportSettings, results: Path, data: Path) -> Iterator[Path]:
    """Yield the files that the page shows, if they are there."""
    files = _tables(settings, results)
    names = (*drawn_figures(settings), *(f"examples_{dataset}" for dataset in settings.datasets))
    files += [results / f"figures/{name}.png" for name in names]
    files += [data / f"prepared/{dataset}/record.json" for dataset in settings.datasets]
    files += [data / f"pairs/{dataset}{ending}" for dataset in settings.datasets for ending in (".csv", ".json")]
    files += [data / "masks/record.json"]
    files += [results / f"teachers/{teacher}/run.json" for teacher in needed_teachers(settings)]
    for run in settings.runs():
        folder = results / f"weights/{run.dataset}/{run.method}/seed{run.seed}"
        files += [folder / "run.json", folder / "log.csv"]
    yield from (file for file in files if file.is_file())


def _tables(settings: ReportSettings, results: Path) -> list[Path]:
    names = ["table1", "comparisons", "further_metrics", "ablations", "claims", "cost"]
    return [results / f"{name}.csv" for name in names + ["grid"] * bool(settings.grid)]


def _require_tables(settings: ReportSettings, results: Path) -> None:
    if missing := [str(path) for path in _tables(settings, results) if not path.is_file()]:
        raise DataError(
            f"the report needs {', '.join(missing)}. Build them first: snakemake --cores all -- {' '.join(missing)}"
        )


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")


def _facts(params_file: Path) -> dict[str, str]:
    """Return date and code of the page, and the command that makes all that it shows."""
    software = versions()
    commit = software.pop("commit").replace("+changes", " with uncommitted changes")
    other = "" if params_file.name == "params.yaml" else f"--configfile {shlex.quote(params_file.name)} "
    return {
        "Written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Git commit": "not a git repository" if commit == "unknown" else commit,
        "Versions": ", ".join(f"{name} {version}" for name, version in software.items()),
        "Command": f"snakemake {other}--cores all all",
    }


def _parameters(file: Path) -> Section:
    text = file.read_text(encoding="utf-8")
    return Section("settings", "Settings", (Folded(f"The parameter file, {file.name}, as it is", text),))


def _page(name: str, title: str, summary: str) -> Section:
    """Render a page of the documentation; its images stay there."""
    path = DOCS / f"{name}.md"
    if not path.is_file():
        absent = Prose(f"docs/{name}.md is not beside this code; it comes with the repository.", "note")
        return Section(name, title, (absent,))
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"  # below the page's own headings
    rendered = Markup(markdown.renderer.render(tokens, markdown.options, {}))
    return Section(name, title, (Folded(summary, rendered),))
