"""Commands about what is on disk: what is missing, what is not right, where a file comes from."""

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt
from spl.config.experiment import Params
from spl.config.load import load_params
from spl.config.registry import SOURCES, load_registry
from spl.steps import paths


def _experiment(params: Path) -> Params:
    """Read the experiment as the workflow runs it here, without what is left out."""
    from spl.inventory.status import without_missing

    return without_missing(load_params(params), load_registry(Path(os.environ.get("SPL_SOURCES") or SOURCES)))


Places = Annotated[list[Path] | None, typer.Argument(help="Folders or records; data and results if not given.")]


def status(
    params: opt.ParamsFile = opt.PARAMS,
    registry: opt.SourcesFile = SOURCES,
    as_json: Annotated[bool, typer.Option("--json", help="The same for scripts.")] = False,
) -> None:
    """Show which raw files and weights are there, how the others are had, and what each missing one blocks.

    Example: spl status --params presets/paper.yaml
    """
    from spl.inventory.status import render, to_json
    from spl.inventory.status import status as look

    experiment = load_params(params)
    print((to_json if as_json else render)(look(experiment, load_registry(registry)), experiment))


def verify(places: Places = None, params: opt.ParamsFile = opt.PARAMS, workers: opt.Workers = 4) -> None:
    """Hash again all that records list, and say of every file what is wrong; the exit status is 1 if something is.

    A file is right, edited, missing, made with other settings or inputs, of an older format, or foreign: no step of
    this experiment makes it, which is no fault.

    Example: spl verify results/eval --workers 8
    """
    from spl.common.progress import progress
    from spl.inventory.verify import FAULTLESS, FOLDERS
    from spl.inventory.verify import verify as find

    counts = Counter[str]()
    for finding in (
        bar := progress(find(_experiment(params), places or FOLDERS, workers=workers), what="verify", unit="file")
    ):
        counts[finding.state] += 1
        if finding.state != "right":
            bar.write(f"{finding.path}: {finding.state} {finding.detail}".rstrip())
    print(", ".join(f"{count:,} {state}" for state, count in counts.most_common()) or "Nothing is there yet.")
    if counts.keys() - FAULTLESS:
        raise typer.Exit(1)


def stale(places: Places = None, params: opt.ParamsFile = opt.PARAMS) -> None:
    """List what has to be made again: results of other settings or inputs, edited ones, those of an older format.

    Example: snakemake --cores all --forcerun $(spl stale results/weights) -- weights
    """
    from spl.inventory.verify import FOLDERS, stale_results

    print(*stale_results(_experiment(params), places or FOLDERS))


def why(
    file: Annotated[Path, typer.Argument(help="A result, such as results/table1.csv.")],
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Show where a file comes from: the step that made it, what that read, and so on to raw data.

    Example: spl why results/table1.csv
    """
    from spl.inventory.verify import why as explain

    for line in explain(file, _experiment(params)):
        print(line)


def compare_reference(
    results: Annotated[Path, typer.Argument(help="A folder of results.")] = paths.RESULTS,
    reference: Annotated[Path, typer.Option(help="The folder to compare with.")] = paths.REFERENCE,
) -> None:
    """Show how far the default's numbers are from the reference: equal, within rounding, within a measured spread.

    The exit status is 1 if some are further away.

    Example: spl compare-reference results
    """
    from spl.analysis.reference import NEAR, compare, render

    compared = compare(results, reference)
    print(render(compared, results, reference))
    if not compared["distance"].isin(NEAR).all():
        raise typer.Exit(1)


def signature(
    results: Annotated[Path, typer.Argument(help="A folder of results, or its signatures.json.")] = paths.RESULTS,
    other: Annotated[Path | None, typer.Argument(help="Another one, to compare with.")] = None,
) -> None:
    """Show the signature of every dataset's numbers; of two results, say what differs.

    Numbers with equal signatures may be compared. The exit status is 1 if some differ.

    Example: spl signature results ../theirs/results
    """
    from spl.analysis.signature import describe, differences, read_signatures

    ours, theirs = read_signatures(results), read_signatures(other) if other else {}
    found = {dataset: differences(ours[dataset], theirs[dataset]) for dataset in ours if dataset in theirs}
    for dataset, signed in ours.items():
        told = (found.get(dataset, ["not there"]) or ["equal: may be compared"]) if other else []
        print(describe(dataset, signed), *told, sep="\n  ")
    if other and (any(found.values()) or not found):
        raise typer.Exit(1)
