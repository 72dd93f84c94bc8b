"""The command line is quick to answer and speaks plainly."""

import subprocess
import sys

import pytest
import torch

from spl.models.rn import build_rn
from spl.released.layouts.rn import RN_RULES
from tests.released.fabricate import method, release, small, without_values, write_params


@pytest.mark.parametrize(
    "command", [(), ("train-method",), ("inpaint",), ("fetch-images",), ("draw-figure",), ("weights",)]
)
def test_help_explains_and_names_the_options(spl, command):
    ended = spl(*command, "--help")
    assert ended.status == 0
    assert "Usage:" in ended.out


@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_help_on_weights_gives_an_example(spl, command):
    assert f"Example: spl weights {command} checkpoint_paris.pth" in spl("weights", command, "--help").out


def test_help_and_the_settings_never_import_torch():
    code = (
        "import sys, spl.cli, spl.steps.settings, spl.inventory.verify;"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_a_training_without_a_teacher_imports_neither_timm_nor_torchvision():
    code = "import sys, spl.training.train_method; sys.exit('timm' in sys.modules or 'torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stale", "--params", "none.yaml"), "none.yaml does not exist"),
        (("train-method", "--dataset", "pariss", "--method", "spl"), "datasets has no entry 'pariss'; it has places2"),
        (("evaluate-method", "--dataset", "paris", "--method", "spll"), "methods has no entry 'spll'; it has telea"),
        (
            ("prepare-images", "--dataset", "paris", "--source", "none.json", "--out", "x"),
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
def test_wrong_input_gives_one_clear_error_and_exit_code_1(repository, tmp_path, spl, arguments, message):
    if "--params" not in arguments:
        arguments = (*arguments, "--params", str(repository / "presets/demo.yaml"))
    ended = spl(*arguments, cwd=tmp_path)
    assert ended.status == 1
    assert message in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_process_ends_with_the_same_error_and_exit_code(tmp_path):
    command = [sys.executable, "-m", "spl", "stale", "--params", "none.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 1
    assert done.stderr == "ParamsError: none.yaml does not exist. Copy a preset: cp presets/demo.yaml params.yaml\n"


@pytest.mark.parametrize(
    ("out", "told"),
    [("file", "file: File exists"), ("file/below", "Not a directory"), ("a" * 300, "File name too long")],
)
def test_a_path_that_cannot_be_written_gives_one_line(tmp_path, spl, out, told):
    (tmp_path / "file").write_text("mine")
    ended = spl("masks", "generate", "--count", "1", "--out", out, cwd=tmp_path)
    assert ended.status == 1
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_messages_do_not_pass_on_codes_that_a_terminal_obeys(tmp_path, spl):
    ended = spl("stale", "--params", "\x1b[2Jé.yaml", cwd=tmp_path)
    assert r"\x1b[2Jé.yaml does not exist" in ended.err


@pytest.mark.parametrize("arguments", [("why",), ("nonsense",), ("train-method",), ("weights", "inspect")])
def test_misuse_exits_with_2(spl, arguments):
    assert spl(*arguments).status == 2


def test_inspecting_weights_that_fit_ends_with_0(spl, tmp_path):
    with torch.device("meta"):
        network = build_rn()
    torch.save(without_values(network, RN_RULES), tmp_path / "rn.pth")
    ended = spl("weights", "inspect", tmp_path / "rn.pth")
    assert ended.status == 0
    assert "looks like  the released RN" in ended.out
    assert "fits        yes, the published RN" in ended.out
    assert "documented  https://github.com/" in ended.out


def test_inspecting_weights_that_do_not_fit_ends_with_1(tmp_path, spl):
    path = release("rn", small("rn", tmp_path), tmp_path / "files")
    told = spl("weights", "inspect", path)
    assert told.status == 1
    assert "fits        no, the published RN" in told.out
    assert "of another shape: " in told.out
    assert told.err == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [("<html>quota exceeded</html>", "is a web page"), ("half a file", "is damaged"), (None, "does not exist")],
)
def test_inspecting_what_cannot_be_read_ends_with_1_and_one_line(tmp_path, spl, content, message):
    if content:
        (tmp_path / "rn.pth").write_text(content)
    told = spl("weights", "inspect", tmp_path / "rn.pth")
    assert told.status == 1
    assert told.out == ""
    assert told.err.startswith(f"CheckpointError: {tmp_path / 'rn.pth'} ")
    assert message in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("command", ["convert", "train-method"])
def test_released_weights_become_a_run(tmp_path, spl, command):
    path = release("ec", small("ec", tmp_path), tmp_path / "files")
    params = tmp_path / "params.yaml"
    released = {"paris": path} if command == "train-method" else {}
    write_params(params, {"ec": method("ec", **released)})
    verb = ("weights", "convert", path) if command == "convert" else ("train-method",)
    options = ("--dataset", "paris", "--method", "ec", "--params", params, "--out", tmp_path / "run")
    assert spl(*verb, *options).status == 0
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["run.json", "weights.safetensors"]
    told = spl("weights", "inspect", tmp_path / "run" / "weights.safetensors")
    assert f"yes, the ec of {tmp_path / 'run' / 'run.json'}" in told.out
    assert told.status == 0


def test_released_weights_that_do_not_fit_leave_nothing(tmp_path, spl):
    path = release("rn", small("rn", tmp_path), tmp_path / "files")
    write_params(tmp_path / "params.yaml", {"spl": method("spl")})
    options = ("--dataset", "paris", "--method", "spl", "--params", tmp_path / "params.yaml", "--out", tmp_path / "run")
    told = spl("weights", "convert", path, *options)
    assert told.status == 1
    assert told.err.startswith(f"CheckpointError: {path} does not fit: expected the released SPL layout")
    assert "that look like the released RN" in told.err
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("preset", "method", "number"),
    [("demo", "rn", None), ("paper", "rn", 28.37), ("paper", "spl_released", 29.38), ("paper", "ec", None)],
)
def test_an_evaluation_knows_the_papers_number_where_the_data_are_the_papers(
    repository, monkeypatch, spl, preset, method, number
):
    told = {}
    monkeypatch.setattr("spl.evaluation.evaluate_method.evaluate_method", lambda settings, **given: told.update(given))
    params = repository / f"presets/{preset}.yaml"
    assert spl("evaluate-method", "--dataset", "paris", "--method", method, "--params", params).status == 0
    assert told["paper_psnr"] == number
