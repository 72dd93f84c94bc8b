"""Software and processor that make a result."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import spl


def versions() -> dict[str, str]:
    """Return the versions that can move a number, and the git commit of this code if it is a checkout."""
    found = {name: _version(name) for name in ("torch", "torchvision", "timm", "numpy", "scikit-image")}
    return {"commit": _commit(), "spl": spl.__version__, "python": platform.python_version(), **found}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def cpu() -> str:
    """Return the name of this machine's processor: networks trained on another one differ in the last digits."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _commit() -> str:
    """Return the checked-out commit, with `+changes` if files differ; `unknown` where git knows no such file."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        # An installed package may lie inside a checkout of something else.
        subprocess.run([*git, "ls-files", "--error-unmatch", Path(__file__).name], capture_output=True, check=True)
        command = [*git, "describe", "--always", "--abbrev=40", "--dirty=+changes"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
