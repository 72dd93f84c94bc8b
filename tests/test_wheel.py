"""What is installed from a wheel needs no checkout."""

import os
import subprocess
import sys
import zipfile

import pytest

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
