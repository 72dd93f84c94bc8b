"""Running the page's server on this machine."""

import os
import signal
import socket
import webbrowser
from collections.abc import Sequence

import uvicorn

from spl.common.errors import DataError
from spl.web.app import Limits, build_app
from spl.web.fills import list_choices
from spl.web.sessions import Sessions

HOST = "127.0.0.1"
GRACE_SECONDS = 1
"""For answers that are on their way when the server ends."""


def serve(port: int, weights: Sequence[str], limits: Limits, *, open_page: bool = False) -> None:
    """Serve the page on this machine alone until Ctrl-C or SIGTERM; its temporary files are gone then.

    Port 0 is any free one. Raises: DataError if the port is taken, or `weights` are not there.
    """
    choices = list_choices(weights)
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise DataError(f"port {port}: {os.strerror(error.errno or 0)}. Choose another: --port {port + 1}") from None
    address, sessions = f"http://{HOST}:{listening.getsockname()[1]}", Sessions()
    config = uvicorn.Config(
        build_app(choices, sessions, limits), log_level="critical", access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(f"spl web: {address}  (Ctrl-C ends it)", flush=True)
        if open_page:
            webbrowser.open(address)
        uvicorn.Server(config).run([listening])
    except KeyboardInterrupt:
        pass
    finally:
        sessions.close_all()
    os._exit(0)  # a fill that is running would be waited for
