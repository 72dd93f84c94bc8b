"""Commands that begin an experiment."""

from pathlib import Path
from typing import Annotated

import typer

init = typer.Typer(help="Write the parameter file of an experiment of one's own.", no_args_is_help=True)


@init.command("photos")
def init_photos(
    images: Annotated[Path, typer.Option(help="The folder of photographs; it is only read.")],
    out: Annotated[Path, typer.Option(help="The parameter file to write.")] = Path("photos.yaml"),
) -> None:
    """Fit presets/photos.yaml to your folder of photographs and to this machine, and print the next command.

    Example: spl init photos --images ~/Pictures/garden
    """
    from spl.inventory.photos import fit_to_photos

    print(fit_to_photos(images, out))
