"""The command line: one command for a person, a Snakemake rule, DVC, `torchrun` and a cluster.

Heavy libraries are imported inside the commands, so that `--help` and the light commands start at once.
"""

import sys
from typing import Annotated

import typer

from spl import __version__
from spl.cli import data, evaluation, inpaint, masks, results, training, weights
from spl.cli.options import PARAMS, ParamsFile
from spl.common.errors import SPLError, advise
from spl.config.load import json_schema, load_params

app = typer.Typer(
    help="Reproduce SPL (IJCAI 2021). The workflow calls these commands: snakemake --cores all results/table1.csv",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data.data, name="data")
app.add_typer(data.fetch, name="fetch")
app.add_typer(data.prepare, name="prepare")
app.add_typer(masks.masks, name="masks")
app.command()(training.train_teacher)
app.command()(training.train)
app.command()(evaluation.evaluate)
app.command()(evaluation.perceptual)
app.command()(evaluation.guidance)
app.command()(evaluation.detect)
app.command()(evaluation.cost)
app.add_typer(results.table, name="table")
app.add_typer(results.figure, name="figure")
app.command()(results.report)
app.command()(inpaint.inpaint)
app.add_typer(weights.weights, name="weights")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"spl {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Offer what belongs to no single command."""


@app.command()
def stale(
    stage: Annotated[str, typer.Argument(help="masks, data, teachers, train, evaluate or report")],
    params: ParamsFile = PARAMS,
) -> None:
    """List results whose record disagrees with params.yaml, for `snakemake --forcerun`."""
    from spl.inventory.stale import STAGES, stale_results

    if stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is not one of {', '.join(STAGES)}")
    print(" ".join(stale_results(load_params(params), stage)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of params.yaml."""
    print(json_schema(), end="")


def main() -> None:
    """Run the command line; an error that a user can act on prints without a traceback."""
    try:
        app()
    except SPLError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if (advice := advise(error)) is None:
            raise
        print(f"{error.filename or 'writing'}: {error.strerror}. {advice}", file=sys.stderr)
        sys.exit(1)
