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
from tests.filling.fabricate import GREY, write_grey
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
def environment(tmp_path_factory):
    """An environment's folder, and a function that installs a package with what it needs there, all from uv's cache."""
    folder = tmp_path_factory.mktemp("small")
    known = {f"{found.name}=={found.version}\n" for found in distributions() if not found.name.startswith("spl")}
    (folder / "versions.txt").write_text("".join(sorted(known)))
    uv, python = str(Path(sys.executable).with_name("uv")), folder / "venv/bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True, timeout=60)

    def install(package):
        command = [uv, "pip", "install", "--offline", "--python", python, "--constraint", folder / "versions.txt"]
        done = subprocess.run([*command, package], capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"uv's cache lacks a package of the small installation: {' '.join(done.stderr.split())[-300:]}")
        installed = {path.name for path in (folder / "venv").glob("lib/*/site-packages/*")}
        assert not installed & {"torch", "pandas", "snakemake", "dvc", "matplotlib", "timm", "requests"}

    return folder, install


@pytest.fixture(scope="module")
def small(wheel, environment):
    """A function that runs `spl` in an environment with the wheel and what it needs."""
    folder, install = environment
    install(wheel)

    def run(*arguments):
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(folder / "venv/bin/spl"), *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def photograph(tmp_path):
    """Pixels and their hole, and options that name their files."""
    pixels, hole = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8), np.zeros((48, 64), bool)
    hole[10:20, 10:30] = True
    Image.fromarray(pixels).save(tmp_path / "image.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    return pixels, hole, [f"--{name}={tmp_path / name}.png" for name in ("image", "mask", "out")]


def test_it_fills_an_image_without_torch(small, photograph, tmp_path):
    pixels, hole, words = photograph
    for method in ("telea", "navier_stokes", "biharmonic"):
        done = small("inpaint", *words, "--method", method)
        assert (done.returncode, done.stderr) == (0, f"filled 1 image: {tmp_path / 'out.png'}\n")
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png"))[~hole], pixels[~hole])
    for network in (("--weights", tmp_path), ("--model", "big-lama", "--fetch")):
        done = small("inpaint", *words, *network)
        assert (done.returncode, done.stderr[:26], done.stderr.count("\n")) == (1, "this command needs torch. ", 1)
    assert "Usage: spl" in small("--help").stdout


def test_it_fills_by_an_exported_network_without_torch(small, environment, wheel, photograph, tmp_path):
    pixels, hole, words = photograph
    file = write_grey(tmp_path / "grey.onnx", **{"spl.format": "1", "spl.image_size": "32"})
    done = small("inpaint", *words, "--weights", file)
    assert (done.returncode, done.stderr[:69]) == (
        1,
        "this command needs onnxruntime. Install the wheel with its extra onnx",
    )
    environment[1](f"{wheel}[onnx]")
    done = small("inpaint", *words, "--weights", file)
    assert (done.returncode, done.stderr) == (0, f"filled 1 image: {tmp_path / 'out.png'}\n")
    filled = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.array_equal(filled[~hole], pixels[~hole])
    assert np.median(filled[hole]) == GREY
