"""The command line is quick to answer and speaks plainly."""

import subprocess
import sys

import pytest


def spl(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "spl", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )


@pytest.mark.parametrize("command", [(), ("train",), ("inpaint",), ("fetch",), ("prepare",)])
def test_help_explains_and_names_the_options(command):
    done = spl(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_help_and_the_settings_never_import_torch():
    code = "import sys, spl.cli, spl.settings, spl.stale; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stale", "train", "--params", "none.yaml"), "none.yaml does not exist"),
        (("train", "--dataset", "pariss", "--method", "spl"), "datasets has no entry 'pariss'; it has places2"),
        (("evaluate", "--dataset", "paris", "--method", "spll"), "methods has no entry 'spll'; it has telea"),
        (
            ("prepare", "images", "--dataset", "paris", "--source", "none.json", "--folder", "x"),
            "none.json does not exist",
        ),
    ],
)
def test_wrong_input_gives_one_clear_error_and_exit_code_1(repository, tmp_path, arguments, message):
    if "--params" not in arguments:
        arguments = (*arguments, "--params", str(repository / "params.yaml"))
    done = spl(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("stale", "everything"), ("nonsense",), ("train",)])
def test_misuse_exits_with_2(arguments):
    assert spl(*arguments).returncode == 2
