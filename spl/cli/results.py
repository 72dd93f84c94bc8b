"""Commands that turn evidence into tables, figures and the report; seconds each, no network involved."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt
from spl.config.load import load_params
from spl.steps import paths
from spl.steps.settings import (
    AblationSettings,
    ClaimSettings,
    ExampleSettings,
    FigureSettings,
    FurtherSettings,
    GridSettings,
    ReportSettings,
    TableSettings,
)


def table1(
    results: opt.Results = paths.RESULTS, out: opt.Out = paths.TABLE1, params: opt.ParamsFile = opt.PARAMS
) -> None:
    """Write Table 1, and the paired differences between methods."""
    from spl.analysis.write_table1 import write_table1

    write_table1(TableSettings.of(load_params(params)), results=results, out=out)


def further_metrics(
    results: opt.Results = paths.RESULTS, out: opt.Out = paths.FURTHER_METRICS, params: opt.ParamsFile = opt.PARAMS
) -> None:
    """Write the metrics beside the paper's: hole-only, Gaussian SSIM, LPIPS, FID, KID."""
    from spl.analysis.further_metrics import write_further_metrics

    write_further_metrics(FurtherSettings.of(load_params(params)), results=results, out=out)


def compare_ablations(
    results: opt.Results = paths.RESULTS, out: opt.Out = paths.ABLATIONS, params: opt.ParamsFile = opt.PARAMS
) -> None:
    """Write the numbers of Figure 4: every ablation beside the method it varies."""
    from spl.analysis.compare_ablations import compare_ablations

    compare_ablations(AblationSettings.of(load_params(params)), results=results, out=out)


def compare_grid(
    results: opt.Results = paths.RESULTS, out: opt.Out = paths.GRID, params: opt.ParamsFile = opt.PARAMS
) -> None:
    """Write the grid search (section 3.4): every point and its distance to the method's own loss weights."""
    from spl.analysis.compare_grid import compare_grid

    compare_grid(GridSettings.of(load_params(params)), results=results, out=out)


def check_claims(
    results: opt.Results = paths.RESULTS,
    data: opt.Data = paths.DATA,
    out: opt.Out = paths.CLAIMS,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Check what the paper claims, one by one: supported, not supported, undecided or not testable."""
    from spl.analysis.check_claims import check_claims

    check_claims(ClaimSettings.of(load_params(params)), results=results, data=data, out=out)


def study(
    results: opt.Results = paths.RESULTS,
    table: Annotated[Path, typer.Option(help="Means of single runs, as they are committed.")] = paths.STUDY,
    figure: Annotated[Path | None, typer.Option(help="An SVG to draw the contrasts into.")] = None,
    todo: Annotated[bool, typer.Option("--todo", help="Only print the evaluations that the table lacks.")] = False,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Add the runs of a study to its table, and print the contrasts that the parameters fix.

    Example: spl study --params presets/study_1.yaml --results study/results
    """
    from spl.analysis.paper import titled
    from spl.common.progress import say
    from spl.figures.study import draw_study
    from spl.planning.study import add_runs, contrasts, missing_runs, read_runs, study_of

    experiment = load_params(params)
    if todo:
        left = missing_runs(experiment, read_runs(table))
        print(*(paths.RESULTS / run.evaluation for run in left))
        if not left:
            say("every run is in the table: nothing is left to do")
    else:
        metrics, runs = study_of(experiment).metrics, add_runs(experiment, results, table)
        found = contrasts(experiment, runs, metrics)
        if figure:
            confidence = experiment.evaluation.bootstrap.confidence
            draw_study(titled(found, experiment), metric=metrics[0], confidence=confidence, out=figure)
        print(found.to_string(index=False, float_format="{:+.4f}".format))


def draw_figure(
    figure: Annotated[str, typer.Option(help="fig1, fig2, fig3, fig4, fig5 or grid.")],
    results: opt.Results = paths.RESULTS,
    data: opt.Data = paths.DATA,
    out: opt.Out = paths.FIGURE,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Draw one of the paper's figures, or the grid search, from tables, images and kept priors.

    Example: spl draw-figure --figure fig3
    """
    from spl.figures.draw_figure import draw_figure

    settings = FigureSettings.of(load_params(params), figure=figure)
    draw_figure(settings, results=results, data=data, out=settings.at(out))


def draw_examples(
    dataset: opt.DatasetName,
    results: opt.Results = paths.RESULTS,
    data: opt.Data = paths.DATA,
    out: opt.Out = paths.EXAMPLES,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Draw input, each method and ground truth for a few test images."""
    from spl.figures.draw_examples import draw_examples

    settings = ExampleSettings.of(load_params(params), dataset=dataset)
    draw_examples(settings, results=results, data=data, out=settings.at(out))


def write_report(
    results: opt.Results = paths.RESULTS,
    data: opt.Data = paths.DATA,
    out: opt.Out = paths.REPORT,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Write everything onto one page that opens offline."""
    from spl.report.write_report import write_report

    write_report(ReportSettings.of(load_params(params)), params, results=results, data=data, out=out)
