"""Commands that hand a test to another program, and measure what it has filled."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from spl.cli import options as opt
from spl.config.load import load_params
from spl.steps import paths
from spl.steps.settings import PairSettings, TableSettings

pairs = typer.Typer(help="Hand pairs of image and mask to another program.", no_args_is_help=True)


@pairs.command("export")
def export(
    dataset: opt.DatasetName,
    out: opt.OutFolder,
    layout: Annotated[Literal["plain", "lama", "mat", "iopaint"], typer.Option(help="Of its input.")] = "plain",
    data: opt.Data = paths.DATA,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Write the images and masks of a dataset's pairs for another program to fill, with hashes and a README.

    Example: spl pairs export --dataset paris --layout lama --out for_lama
    """
    from spl.evaluation.export_pairs import export_pairs

    export_pairs(PairSettings.of(load_params(params), dataset=dataset), data, out, layout)


def score(
    composited: Annotated[list[Path], typer.Option(help="A folder of filled images; given twice, two are compared.")],
    pairs: Annotated[Path | None, typer.Option(help="What was filled: data/pairs/….csv of an experiment.")] = None,
    images: Annotated[Path | None, typer.Option(help="In place of --pairs: a folder of true images.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Beside --images: a folder of masks of the same names.")] = None,
    hole: Annotated[Literal["white", "black"], typer.Option(help="What is missing in the masks of --masks.")] = "white",
    composite: Annotated[bool, typer.Option("--composite", help="Take the holes alone from filled images.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same for scripts.")] = False,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Measure images that any program has filled, as Table 1 does: metrics, intervals, signature.

    Example: spl score --composited filled --pairs data/pairs/paris.csv
    """
    from spl.analysis.score import score
    from spl.evaluation.external import FolderPairs, published_pairs

    if len(composited) > 2 or (not pairs) != bool(images and masks) or (pairs and (images or masks)):
        raise typer.BadParameter("expected one or two --composited, and either --pairs, or --images and --masks")
    experiment, dataset = load_params(params), pairs.stem if pairs else Path(images or "").resolve().name
    if pairs:
        test = published_pairs(PairSettings.of(experiment, dataset=dataset), pairs.absolute().parents[1])
    else:
        test = FolderPairs(Path(images or ""), Path(masks or ""), hole=hole)
    print(score(composited, test, TableSettings.of(experiment), dataset, composite=composite)[as_json])
