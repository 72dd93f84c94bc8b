"""Networks for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt

export = typer.Typer(help="Take a network out of torch.", no_args_is_help=True)


@export.command("onnx")
def export_onnx(
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    weights: Annotated[Path | None, typer.Option(help="Folder of a finished run.")] = None,
    model: Annotated[
        str | None, typer.Option(help="In its place big-lama, migan or miniature[:paris/rn], as in spl inpaint.")
    ] = None,
    fetch: opt.Fetch = False,
) -> None:
    """Write a network as an ONNX file, which `spl inpaint --weights` and other programs fill by without torch.

    It takes and gives 8 bits, and is kept once onnxruntime has filled by it what torch fills, within one level.

    Example: spl export onnx --weights results/weights/paris/spl/seed1 --out spl.onnx

    Example: spl export onnx --model migan --out migan.onnx
    """
    from spl.filling.pretrained import PRETRAINED

    known = model is None or model in PRETRAINED or model.partition(":")[0] == "miniature"
    if (weights is None) == (model is None) or not known or out.suffix != ".onnx":
        models = ", ".join([*PRETRAINED, "miniature[:DATASET/METHOD]"])
        raise typer.BadParameter(f"expected one of --weights FOLDER, --model {models}, and --out FILE.onnx")
    from spl.filling.export_onnx import export_onnx
    from spl.filling.networks import find_run

    export_onnx(find_run(weights or model or "", fetch or opt.consent), out)
    print(f"exported and verified: {out}")
