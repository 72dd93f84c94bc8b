"""Commands about weight files."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt
from spl.config.load import load_params
from spl.steps.settings import RunSettings

weights = typer.Typer(help="Look at weight files, and convert what authors have released.", no_args_is_help=True)


@weights.command("inspect")
def inspect_weights(file: Annotated[Path, typer.Argument(help="A weight file, released or of this project.")]) -> None:
    """Tell what a weight file is and whether it fits; the exit status is 1 if it does not.

    Example: spl weights inspect checkpoint_paris.pth
    """
    from spl.released.inspect import inspect_weights as look

    found = look(file)
    print(found.report)
    if not found.fits:
        raise typer.Exit(1)


@weights.command("convert")
def convert_weights(
    source: Annotated[Path, typer.Argument(help="The released file, or the folder of a checkpoint of several.")],
    dataset: opt.DatasetName,
    method: opt.MethodName,
    out: Annotated[Path, typer.Option(help="Folder for weights.safetensors and run.json; a run there is replaced.")],
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Convert released weights to safetensors, with a record of their origin that `spl inpaint` reads, too.

    Example: spl weights convert checkpoint_paris.pth --dataset paris --method rfr --params presets/paper.yaml
    --out weights/rfr
    """
    from spl.released.convert import convert_released

    convert_released(RunSettings.of_released(load_params(params), source, dataset=dataset, method=method), out)
