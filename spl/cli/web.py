"""The page in which one paints a hole and fills it."""

from typing import Annotated

import typer


def web(
    port: Annotated[int, typer.Option(min=0, max=65535, help="On this machine; 0 is any free one.")] = 7860,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="A network to offer: folder of a finished run, model.onnx, miniature:paris/rn; repeatable."),
    ] = None,
    max_megabytes: Annotated[int, typer.Option(min=1, help="The largest file that is taken.")] = 200,
    max_megapixels: Annotated[int, typer.Option(min=1, max=89, help="The largest image that is taken.")] = 50,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.", show_default=False)] = False,
) -> None:
    """Serve a page, on this machine alone, in which one paints a hole in an image and fills it.

    Example: spl web

    Example: spl web --weights results/weights/paris/spl/seed1 --open
    """
    from spl.web.app import Limits
    from spl.web.serve import serve

    serve(port, weights or [], Limits(max_megabytes * 10**6, max_megapixels * 10**6), open_page=open_page)
