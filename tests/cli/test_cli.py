"""The command line is quick to answer and speaks plainly."""

import subprocess
import sys

import pytest
import torch

from spl import cli
from spl.models.rn import build_rn
from spl.released.layouts.rn import RN_RULES
from tests.released.fabricate import method, release, small, without_values, write_params


def spl(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "spl", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )


def run_here(monkeypatch, *arguments):
    """Run a command in this process, which saves importing torch again, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["spl", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize("command", [(), ("train",), ("inpaint",), ("fetch",), ("prepare",), ("weights",)])
def test_help_explains_and_names_the_options(command):
    done = spl(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_help_on_weights_gives_an_example(command):
    done = spl("weights", command, "--help")
    assert done.returncode == 0
    assert f"Example: spl weights {command} checkpoint_paris.pth" in done.stdout


def test_help_and_the_settings_never_import_torch():
    code = (
        "import sys, spl.cli, spl.steps.slices, spl.inventory.stale;"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
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
        (
            ("weights", "convert", "none.pth", "--dataset", "paris", "--method", "rn", "--out", "run"),
            "none.pth not found: expected the weights of the released RN, documented at https://github.com/",
        ),
        (
            ("weights", "convert", "none.pth", "--dataset", "paris", "--method", "telea", "--out", "run"),
            "methods.telea has no weights; those that have: ",
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


@pytest.mark.parametrize("arguments", [("stale", "everything"), ("nonsense",), ("train",), ("weights", "inspect")])
def test_misuse_exits_with_2(arguments):
    assert spl(*arguments).returncode == 2


def test_inspecting_weights_that_fit_ends_with_0(tmp_path):
    with torch.device("meta"):
        network = build_rn()
    torch.save(without_values(network, RN_RULES), tmp_path / "rn.pth")
    done = spl("weights", "inspect", str(tmp_path / "rn.pth"))
    assert done.returncode == 0
    assert "looks like  the released RN" in done.stdout
    assert "fits        yes, the published RN" in done.stdout
    assert "documented  https://github.com/" in done.stdout


def test_inspecting_weights_that_do_not_fit_ends_with_1(tmp_path, monkeypatch, capsys):
    path = release("rn", small("rn", tmp_path), tmp_path / "files")
    assert run_here(monkeypatch, "weights", "inspect", path) == 1
    told = capsys.readouterr()
    assert "fits        no, the published RN" in told.out
    assert "of another shape: " in told.out
    assert told.err == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [("<html>quota exceeded</html>", "is a web page"), ("half a file", "is damaged"), (None, "does not exist")],
)
def test_inspecting_what_cannot_be_read_ends_with_1_and_one_line(tmp_path, monkeypatch, capsys, content, message):
    if content:
        (tmp_path / "rn.pth").write_text(content)
    assert run_here(monkeypatch, "weights", "inspect", tmp_path / "rn.pth") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"CheckpointError: {tmp_path / 'rn.pth'} ")
    assert message in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("command", ["convert", "train"])
def test_released_weights_become_a_run(tmp_path, monkeypatch, capsys, command):
    path = release("ec", small("ec", tmp_path), tmp_path / "files")
    params = tmp_path / "params.yaml"
    released = {"paris": path} if command == "train" else {}
    write_params(params, {"ec": method("ec", **released)})
    verb = ("weights", "convert", path) if command == "convert" else ("train",)
    options = ("--dataset", "paris", "--method", "ec", "--params", params, "--out", tmp_path / "run")
    assert run_here(monkeypatch, *verb, *options) == 0
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["run.json", "weights.safetensors"]
    assert run_here(monkeypatch, "weights", "inspect", tmp_path / "run" / "weights.safetensors") == 0
    assert f"yes, the ec of {tmp_path / 'run' / 'run.json'}" in capsys.readouterr().out


def test_released_weights_that_do_not_fit_leave_nothing(tmp_path, monkeypatch, capsys):
    path = release("rn", small("rn", tmp_path), tmp_path / "files")
    write_params(tmp_path / "params.yaml", {"spl": method("spl")})
    options = ("--dataset", "paris", "--method", "spl", "--params", tmp_path / "params.yaml", "--out", tmp_path / "run")
    assert run_here(monkeypatch, "weights", "convert", path, *options) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"CheckpointError: {path} does not fit: expected the released SPL layout")
    assert "that look like the released RN" in told.err
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".*"))
