"""Writing the report: one HTML file without any resource outside itself."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

import spl
from spl.common.errors import DataError
from spl.common.files import write_text
from spl.common.versions import versions
from spl.config.experiment import Params
from spl.config.load import load_params
from spl.report.claims import claims_section, read_claims, summary_section
from spl.report.curves import HEIGHT, WIDTH
from spl.report.data import data_section, whose_pictures
from spl.report.figures import ablations_section, figures_section, grid_section
from spl.report.runs import costs_section, teachers_section, training_section
from spl.report.table1 import comparisons_section, metrics_section, table1_section
from spl.report.view import Folded, Prose, Section

DEVIATIONS = Path(spl.__file__).parent.parent / "docs" / "deviations.md"


def write_report(params_path: Path, *, results: Path, data: Path, out: Path) -> None:
    """Write tables, figures, claims, records and settings of a run onto one page that opens offline.

    Reads CSV, PNG and JSON files of `results` and `data`; nothing is measured here. Parts that the experiment does not
    have, and figures that have not been drawn, are left out with the reason.
    Raises: DataError naming every missing table.
    """
    params = load_params(params_path)
    _require_tables(params, results)
    claims, confidence = read_claims(results), params.evaluation.bootstrap.confidence
    sections = [
        summary_section(claims),
        table1_section(params, results),
        comparisons_section(params, results),
        figures_section(params, results, data),
        ablations_section(params, results),
        grid_section(params, results),
        claims_section(claims, confidence=confidence),
        metrics_section(params, results),
        costs_section(results),
        teachers_section(params, results),
        training_section(params, results),
        data_section(params, data),
        _settings(params_path),
        _deviations(DEVIATIONS),
    ]
    headline, explanation = whose_pictures(params)
    page = _template().render(
        headline=headline,
        explanation=explanation,
        facts=_facts(params_path, results, data, out),
        sections=[section for section in sections if section],
        width=WIDTH,
        height=HEIGHT,
    )
    write_text(out, page)


def _require_tables(params: Params, results: Path) -> None:
    names = ["table1", "comparisons", "metrics", "figure4", "claims", "cost", *(["grid"] if params.grid else [])]
    if missing := [str(path) for path in (results / f"{name}.csv" for name in names) if not path.is_file()]:
        raise DataError(
            f"the report needs {', '.join(missing)}. Build them first: snakemake --cores all -- {' '.join(missing)}"
        )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _facts(params_path: Path, results: Path, data: Path, out: Path) -> dict[str, str]:
    """Say when, by what code and how the page was made."""
    software = versions()
    commit = software.pop("commit")
    if commit == "unknown":
        code = "not a git repository"
    else:
        code = commit.removesuffix("+changes") + (" with uncommitted changes" if commit.endswith("+changes") else "")
    options = {"--params": params_path, "--results": results, "--data": data, "--out": out}
    command = " ".join(f"{name} {shlex.quote(str(path))}" for name, path in options.items())
    return {
        "Written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Git commit": code,
        "Versions": ", ".join([f"spl {spl.__version__}", *(f"{name} {version}" for name, version in software.items())]),
        "Command": f"python -m spl report {command}",
    }


def _settings(params_path: Path) -> Section:
    text = params_path.read_text(encoding="utf-8")
    return Section("settings", "Settings", (Folded(f"The parameter file, {params_path.name}, as it is", text),))


def _deviations(path: Path) -> Section:
    """Render the page that says where paper, released code and this project differ."""
    if not path.is_file():
        absent = Prose("docs/deviations.md is not beside this code; it comes with the repository.", "note")
        return Section("deviations", "Deviations", (absent,))
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"  # below the page's own headings
    rendered = Markup(markdown.renderer.render(tokens, markdown.options, {}))
    return Section("deviations", "Deviations", (Folded("What the paper says, its code does, and we do", rendered),))
