"""A server of the page as a user starts it, and a browser that reaches nothing else."""

import re
import shutil
import signal
import subprocess
import sys

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def start_server(tmp_path_factory):
    """A function that starts `spl web` and returns the process, its address, and its folder for temporary files."""
    started = []

    def start(*options):
        folder = tmp_path_factory.mktemp("served")
        process = subprocess.Popen(
            [sys.executable, "-m", "spl", "web", "--port", "0", *map(str, options)],
            cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process, re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0], folder

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        process.stdout.close()


def environment(folder):
    import os

    from tests.conftest import REPOSITORY

    return os.environ | {"TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(REPOSITORY)}


@pytest.fixture(scope="session")
def browser():
    if BROWSER is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
