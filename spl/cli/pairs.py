"""Commands that hand a test to another program, and take what it has filled."""

import json
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
    layout: Annotated[
        Literal["plain", "lama", "mat", "iopaint"], typer.Option(help="What the other program takes.")
    ] = "plain",
    pairs: opt.Pairs = paths.PAIRS,
    images: opt.Images = paths.IMAGES,
    masks: opt.Masks = paths.MASKS,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Write the inputs and masks of a dataset for another program to fill, with hashes and a README.

    Example: spl pairs export --dataset paris --layout lama --out for_lama
    """
    from spl.evaluation.export_pairs import export_pairs

    settings = PairSettings.of(load_params(params), dataset=dataset)
    export_pairs(settings, out, layout, pairs=settings.at(pairs), images=settings.at(images), masks=masks)


def score(
    composited: Annotated[list[Path], typer.Option(help="A folder of filled images; of two, differences are told.")],
    pairs: Annotated[
        Path | None, typer.Option(help="The pairs that were filled, such as data/pairs/paris.csv.")
    ] = None,
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
    from spl.analysis.render import print_table1, short
    from spl.analysis.score import SHOWN, as_dataset, published_pairs, score
    from spl.evaluation.external import FolderPairs

    experiment = load_params(params)
    settings = TableSettings.of(experiment)
    if pairs and not images and not masks:
        dataset = pairs.stem
        test = published_pairs(pairs, PairSettings.of(experiment, dataset=dataset))
    elif images and masks and not pairs:
        dataset, test = images.resolve().name, FolderPairs(images, masks, hole=hole)
        settings = as_dataset(test, settings, dataset)
    else:
        raise typer.BadParameter("expected either --pairs, or --images and --masks")
    settings, table, signed = score(composited[:2], settings, dataset, test, composite=composite)
    if as_json:
        rows = json.loads(table[SHOWN].to_json(orient="records", double_precision=15))
        print(json.dumps({"rows": rows, **signed}, indent=2))
    else:
        print(print_table1(table, short, short).to_markdown(), signed["signature"], sep="\n")
