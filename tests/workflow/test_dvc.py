"""`dvc repro` builds what Snakemake builds, keeps it, and brings it back."""

import json
import os
import shutil

import pandas as pd
import pytest

from tests.conftest import read_raw, set_value
from tests.workflow.conftest import Clone


def test_a_second_call_has_nothing_to_do(reproduced):
    assert "Nothing to be done" in reproduced.run("snakemake", "--cores", "2", "all")
    assert "Running stage" not in reproduced.run("dvc", "repro")
    assert "up to date" in reproduced.run("dvc", "status")


def test_dvc_shows_the_metrics(reproduced):
    shown = json.loads(reproduced.run("dvc", "metrics", "show", "--json"))
    metrics = next(iter(shown.values()))["data"]["results/metrics.json"]["data"]
    table = pd.read_csv(reproduced.folder / "results/table1.csv")
    assert len(table) == 3 * len(("rn", "spl")) * 3
    assert table["ours"].notna().all()
    cell = table.query("metric == 'psnr' and method == 'spl' and dataset == 'paris' and mask_ratio == 'all'")
    assert metrics["psnr"]["spl"]["paris"] == pytest.approx(cell["ours"].item(), abs=1e-4)


def set_lr(raw):
    raw["methods"]["spl"]["training"]["per_dataset"] = {"paris": {"lr": 0.0005}}


@pytest.fixture
def copy(reproduced, tmp_path):
    """A copy of the reproduced clone, files and times alike, to change at will."""
    shutil.copytree(reproduced.folder, tmp_path / "copy", symlinks=True)
    return Clone(tmp_path / "copy", tmp_path / "cache")


def test_every_stage_depends_on_all_of_the_parameters(copy):
    """Seen to fail before: `perceptual_network` was no parameter of the stage `teachers`, which reads it."""
    copy.set_params(lambda raw: set_value(raw, "perceptual_network", {"kind": "vgg", "folder": "data/raw/vgg"}))
    stages = read_raw(copy.folder / "dvc.yaml")["stages"]
    assert json.loads(copy.run("dvc", "status", "--json")).keys() == stages.keys()


def test_old_weights_under_new_settings_are_found_stale_and_refused(reproduced, write_params, spl):
    # DVC can restore old files under new settings; without Snakemake's memory only the run record tells.
    raw = read_raw(reproduced.folder / "params.yaml")
    set_lr(raw)
    params = ("--params", write_params(raw))
    places = ("data", "results/weights")
    stale = {place: spl("stale", place, *params, cwd=reproduced.folder).out.split() for place in places}
    assert stale == {"data": [], "results/weights": ["results/weights/paris/spl/seed1/weights.safetensors"]}
    ended = spl("evaluate-method", "--dataset", "paris", "--method", "spl", *params, cwd=reproduced.folder)
    assert ended.status == 1
    assert "recipe.training.lr: was 0.002, is 0.0005" in ended.err


def test_clone_pull_and_sync_leave_nothing_to_do(reproduced, copy, tmp_path):
    remote = tmp_path / "remote"
    copy.run("dvc", "remote", "add", "--default", "store", str(remote))
    copy.run("dvc", "config", "remote.store.verify", "true")
    copy.run("git", "add", "-f", "dvc.lock")
    copy.commit("results")
    copy.run("dvc", "push")
    copy.run("git", "clone", "-q", str(copy.folder), str(tmp_path / "second"))
    second = Clone(tmp_path / "second", tmp_path / "cache2")
    assert [path.name for path in (second.folder / "results").iterdir()] == ["README.md"]
    second.run("workflow/sync.sh")
    assert second.dry_run("all") == {}
    assert "Running stage" not in second.run("dvc", "repro")
    table = (second.folder / "results/table1.csv").read_bytes()
    assert table == (reproduced.folder / "results/table1.csv").read_bytes()


def test_an_edited_result_is_made_again_and_not_recorded(copy):
    """Seen to fail before: `dvc repro` wrote the hash of the edited table into dvc.lock."""
    path = copy.folder / "results/eval/paris/rn/seed1/per_image.csv"
    before, times = path.read_bytes(), path.stat()
    path.write_bytes(before.replace(b"1", b"2"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.run("dvc", "repro", "evidence")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("where", "stage"), [((), "evidence"), (("--temp",), "weights")], ids=["in place", "in a temporary workspace"]
)
def test_an_experiment_retrains_what_it_touches_and_nothing_else(copy, where, stage):
    copy.run("git", "add", "-f", "dvc.lock")
    copy.commit("results")
    before = read_tree(copy.folder / "results/weights")
    with copy.inactive() as programs:
        copy.env["SHELL"] = "/bin/sh"  # Debian's runs the stage as a child; bash becomes it
        change = ("-S", "methods.rn.training.lr=0.001")
        copy.run(f"{programs}dvc", "exp", "run", "--name", "slower", *where, *change, stage)
    if where:
        copy.run("dvc", "exp", "apply", "slower")
    after = read_tree(copy.folder / "results/weights")
    changed = {path.split("/")[1] for path in before if path.endswith(".safetensors") and before[path] != after[path]}
    assert changed == {"rn"}
    record = json.loads(after["paris/rn/seed1/run.json"])
    assert record["settings"]["recipe"]["training"]["lr"] == 0.001


def read_tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
