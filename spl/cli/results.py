"""Commands that turn evidence into tables, figures and the report; seconds each, no network involved."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli.options import DATA, PARAMS, RESULTS, Data, DatasetName, ParamsFile, Results
from spl.config.load import load_params
from spl.steps import report_slices as slices

table = typer.Typer(help="Aggregate the evidence into tables.", no_args_is_help=True)
figure = typer.Typer(help="Draw the paper's figures from tables, pictures and kept priors.", no_args_is_help=True)

Evidence = Annotated[Path, typer.Option(help="Folder of the per-image results.")]
Stem = Annotated[Path, typer.Option("--out", help="Where to draw, without the ending: .pdf and .png are written.")]
Table = Annotated[Path, typer.Option("--table", help="The table to draw.")]


@table.command()
def table1(
    evidence: Evidence = RESULTS / "eval",
    out: Annotated[Path, typer.Option(help="Folder for table1.csv, .md, .tex, .json, comparisons.csv.")] = RESULTS,
    params: ParamsFile = PARAMS,
) -> None:
    """Write Table 1, and the paired differences between methods."""
    from spl.analysis.write_table1 import write_table1

    write_table1(load_params(params), evidence, out)


@table.command()
def ablations(
    evidence: Evidence = RESULTS / "eval",
    out: Annotated[Path, typer.Option(help="The table to write.")] = RESULTS / "figure4.csv",
    params: ParamsFile = PARAMS,
) -> None:
    """Write the numbers of Figure 4: every ablation beside the method it varies."""
    from spl.analysis.ablations import write_ablations

    write_ablations(slices.ablation_settings(load_params(params)), evidence, out)


@table.command()
def grid(
    evidence: Evidence = RESULTS / "eval",
    out: Annotated[Path, typer.Option(help="The table to write.")] = RESULTS / "grid.csv",
    params: ParamsFile = PARAMS,
) -> None:
    """Write the grid search (section 3.4): every point and its distance to the method's own loss weights."""
    from spl.analysis.grid import write_grid

    write_grid(slices.grid_settings(load_params(params)), evidence, out)


@table.command()
def metrics(
    results: Results = RESULTS,
    out: Annotated[Path, typer.Option(help="The table to write.")] = RESULTS / "metrics.csv",
    params: ParamsFile = PARAMS,
) -> None:
    """Write the metrics beside the paper's: hole-only, Gaussian SSIM, LPIPS, FID, KID."""
    from spl.analysis.further_metrics import write_further

    write_further(load_params(params), results, out)


@table.command()
def claims(
    results: Results = RESULTS,
    data: Data = DATA,
    out: Annotated[Path, typer.Option(help="Folder for claims.csv and claims.md.")] = RESULTS,
    params: ParamsFile = PARAMS,
) -> None:
    """Check what the paper claims, one by one: supported, not supported, undecided or not testable."""
    from spl.analysis.claims import write_claims

    write_claims(load_params(params), results, data, out)


@figure.command()
def fig1(
    results: Results = RESULTS, data: Data = DATA, out: Stem = RESULTS / "figures/fig1", params: ParamsFile = PARAMS
) -> None:
    """Draw Figure 1: one picture, several methods, what a detector finds, and the prior."""
    from spl.figures.fig1 import draw_fig1

    draw_fig1(slices.figure1_settings(load_params(params)), results=results, data=data, stem=out)


@figure.command()
def fig2(out: Stem = RESULTS / "figures/fig2", params: ParamsFile = PARAMS) -> None:
    """Draw Figure 2: the architecture, from the network itself."""
    from spl.figures.fig2 import draw_fig2

    draw_fig2(slices.figure2_settings(load_params(params)), stem=out)


@figure.command()
def fig3(
    results: Results = RESULTS, data: Data = DATA, out: Stem = RESULTS / "figures/fig3", params: ParamsFile = PARAMS
) -> None:
    """Draw Figure 3: methods side by side on pictures of every dataset."""
    from spl.figures.fig3 import draw_fig3

    draw_fig3(slices.figure3_settings(load_params(params)), results=results, data=data, stem=out)


@figure.command()
def fig4(
    numbers: Table = RESULTS / "figure4.csv", out: Stem = RESULTS / "figures/fig4", params: ParamsFile = PARAMS
) -> None:
    """Draw Figure 4: the ablations as bars."""
    from spl.figures.fig4 import draw_fig4

    draw_fig4(slices.ablation_settings(load_params(params)), numbers, out)


@figure.command()
def fig5(
    results: Results = RESULTS, data: Data = DATA, out: Stem = RESULTS / "figures/fig5", params: ParamsFile = PARAMS
) -> None:
    """Draw Figure 5: semantic priors beside edges."""
    from spl.figures.fig5 import draw_fig5

    draw_fig5(slices.figure5_settings(load_params(params)), results=results, data=data, stem=out)


@figure.command("grid")
def draw_grid(
    numbers: Table = RESULTS / "grid.csv", out: Stem = RESULTS / "figures/grid", params: ParamsFile = PARAMS
) -> None:
    """Draw the grid search."""
    from spl.figures.grid import draw_grid as draw

    draw(slices.grid_settings(load_params(params)), numbers, out)


@figure.command()
def examples(
    dataset: DatasetName,
    evidence: Evidence = RESULTS / "eval",
    data: Data = DATA,
    out: Annotated[Path | None, typer.Option(help="The picture to write.")] = None,
    params: ParamsFile = PARAMS,
) -> None:
    """Draw input, each method and ground truth for a few test images."""
    from spl.figures.examples import draw_examples

    draw_examples(
        slices.example_settings(load_params(params), dataset),
        evidence=evidence,
        pairs=data / f"pairs/{dataset}.csv",
        images=data / f"prepared/{dataset}/manifest.csv",
        masks=data / "masks/masks.csv",
        picture=out or RESULTS / f"figures/examples_{dataset}.png",
    )


def report(
    results: Results = RESULTS,
    data: Data = DATA,
    out: Annotated[Path, typer.Option(help="The page to write.")] = RESULTS / "report.html",
    params: ParamsFile = PARAMS,
) -> None:
    """Write everything onto one page that opens offline."""
    from spl.report.write import write_report

    write_report(params, results=results, data=data, out=out)
