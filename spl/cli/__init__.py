"""The command line: one command for a person, a Snakemake rule, DVC, `torchrun` and a cluster.

Heavy libraries are imported inside the commands, so that `--help` and the light commands start at once.
"""

import sys
from typing import Annotated, NoReturn

import typer

from spl import __version__
from spl.cli import (
    data,
    evaluation,
    export,
    init,
    inpaint,
    inventory,
    masks,
    pairs,
    planning,
    results,
    training,
    web,
    weights,
)
from spl.common.errors import SPLError, advise
from spl.config.load import json_schema

app = typer.Typer(
    help="Reproduce SPL (IJCAI 2021). The workflow calls these commands: snakemake --cores all results/table1.csv",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    data.fetch_images, data.fetch_masks, data.fetch_pretext, data.fetch_weights,
    data.prepare_images, data.smooth_images, data.group_masks, data.pair_masks,
    training.train_teacher, training.train_method,
    evaluation.evaluate_method, evaluation.measure_perceptual, evaluation.export_priors, evaluation.detect_objects,
    evaluation.measure_cost, results.table1, results.further_metrics, results.compare_ablations, results.compare_grid,
    results.check_claims, results.study, results.draw_figure, results.draw_examples, results.write_report,
    inventory.status, inventory.verify, inventory.stale, inventory.why, inventory.signature,
    inventory.compare_reference, planning.plan, inpaint.inpaint, web.web, pairs.score,
):  # fmt: skip
    app.command()(command)  # a rule's command has its name, with dashes
app.add_typer(weights.weights, name="weights")
app.add_typer(masks.masks, name="masks")
app.add_typer(pairs.pairs, name="pairs")
app.add_typer(init.init, name="init")
app.add_typer(export.export, name="export")


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
def schema() -> None:
    """Print the JSON Schema of params.yaml."""
    print(json_schema(), end="")


EXTRAS = {
    "onnxruntime": "onnx (to fill) or export", "onnx": "export", "onnxscript": "export", "starlette": "web",
    "uvicorn": "web",
}  # fmt: skip
"""By package that may be missing; those of all other packages are named together."""


def main() -> None:
    """Run the command line; an error that a user can act on prints without a traceback."""
    sys.stdout.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    try:
        app()
    except SPLError as error:
        _fail(f"{type(error).__name__}: {error}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("spl"):
            raise
        extra = EXTRAS.get(error.name or "", "torch (to fill) or workflow (all)")
        _fail(f"this command needs {error.name}. Install the wheel with its extra {extra}")
    except OSError as error:
        if not error.errno:
            raise
        _fail(f"{error.filename or 'writing'}: {error.strerror}. {advise(error)}".rstrip())


def _fail(message: str) -> NoReturn:
    """End with a message, in which names of files cannot hold codes that a terminal would obey."""
    print("".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in message), file=sys.stderr)
    sys.exit(1)
