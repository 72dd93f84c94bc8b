"""What is installed from a wheel needs no checkout, and to fill an image little else."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.workflow.conftest import copy_repository


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the working tree, built without a network."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    copy_repository(source)
    pip(source, "wheel", "--no-build-isolation", "--wheel-dir", folder, ".")
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A function that runs `spl` from the wheel, in a folder far from the checkout."""
    folder, elsewhere = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("elsewhere")
    pip(elsewhere, "install", "--target", folder, wheel)
    env = os.environ | {
        "PYTHONPATH": str(folder),  # comes before the checkout, which the tests have installed
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",  # completion for the shell that is named
    }

    def run(*command):
        done = subprocess.run(command, cwd=elsewhere, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run(sys.executable, "-c", "import spl; print(spl.__file__)").startswith(str(folder))
    return lambda *arguments: run(str(folder / "bin/spl"), *map(str, arguments))


def pip(folder, command, *arguments):
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, *quiet, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "spl"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {name for name in listed if (REPOSITORY / name).is_file()}


def test_it_says_its_version(installed):
    assert installed("--version") == "spl 0.1.0\n"


def test_it_knows_the_registry_of_sources(installed):
    told = installed("status", "--params", REPOSITORY / "presets/paper.yaml")
    assert "places365" in told
    assert "missing" in told


def test_a_shell_completes_its_commands(installed):
    assert "_SPL_COMPLETE=complete_bash" in installed("--show-completion", "bash")


# --- The small installation -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(wheel, tmp_path_factory):
    """A function that runs `spl` in an environment with the wheel and what it needs, all from uv's cache."""
    folder = tmp_path_factory.mktemp("small")
    known = {f"{found.name}=={found.version}\n" for found in distributions() if not found.name.startswith("spl")}
    (folder / "versions.txt").write_text("".join(sorted(known)))
    uv, python = str(Path(sys.executable).with_name("uv")), folder / "venv/bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True, timeout=60)
    install = [uv, "pip", "install", "--offline", "--python", python, "--constraint", folder / "versions.txt", wheel]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"uv's cache lacks a package of the small installation: {' '.join(done.stderr.split())[-300:]}")

    def run(*arguments):
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(folder / "venv/bin/spl"), *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)

    installed = {path.name for path in (folder / "venv").glob("lib/*/site-packages/*")}
    assert not installed & {"torch", "pandas", "snakemake", "dvc", "matplotlib", "timm", "requests"}
    return run


def test_it_fills_an_image_without_torch(small, tmp_path):
    pixels, hole = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8), np.zeros((48, 64), bool)
    hole[10:20, 10:30] = True
    Image.fromarray(pixels).save(tmp_path / "image.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    words = (
        "inpaint",
        "--image",
        tmp_path / "image.png",
        "--mask",
        tmp_path / "mask.png",
        "--out",
        tmp_path / "out.png",
    )
    for method in ("telea", "navier_stokes", "biharmonic"):
        done = small(*words, "--method", method)
        assert (done.returncode, done.stderr) == (0, f"filled 1 image: {tmp_path / 'out.png'}\n")
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png"))[~hole], pixels[~hole])
    for network in (("--weights", tmp_path), ("--model", "big-lama", "--fetch")):
        done = small(*words, *network)
        assert (done.returncode, done.stderr[:26], done.stderr.count("\n")) == (1, "this command needs torch. ", 1)
    assert "Usage: spl" in small("--help").stdout
