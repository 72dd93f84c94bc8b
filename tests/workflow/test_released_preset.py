"""`presets/released.yaml` as it is: fabricated archives and weights of the true layouts and widths lead to Table 1."""

import contextlib
import re
import shlex
import shutil
import sys

import pandas as pd
import pytest

from spl.cli import main
from spl.config.load import load_params
from spl.config.registry import load_registry
from spl.inventory.status import without_missing
from spl.steps.settings import first_runs
from tests.conftest import REPOSITORY, read_raw
from tests.released.world import place_images, place_weights
from tests.workflow.conftest import Clone, planned_jobs

PRESET = REPOSITORY / "presets/released.yaml"
PAGE = (REPOSITORY / "docs/released.md").read_text()
STEPS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
"""The commands that the page tells to type, in their order."""

COMMAND = re.compile(r"^Shell command: python -m spl (.*) 2> ", re.MULTILINE)

PLACED = {"paris": None, "places2": ["rn"], "celeba": ["rfr", "spl_released", "ec"]}
"""Weights that a person has put into place, by dataset; None for all."""

HERE = {
    ("paris", "mfe"), ("paris", "rfr"), ("paris", "spl_released"), ("paris", "ec"), ("places2", "rn"),
    *((dataset, fill) for dataset in ("places2", "paris") for fill in ("telea", "navier_stokes", "biharmonic")),
}  # fmt: skip
"""Cells whose images and weights are there."""


class World:
    """A folder in which a person has put some files, and follows the page. Nothing is downloaded."""

    def __init__(self, folder):
        self.folder, self.plans = folder, []
        self.clone = Clone(folder, folder / ".cache")
        sources = place_images(folder, ("places2", "paris"), test=1)
        self.clone.env |= {"SPL_SOURCES": str(sources), "SPL_OFFLINE": "1"}
        place_weights(folder, load_params(PRESET), PLACED)

    def follow(self, step):
        """Do what a line of the page says; what Snakemake would run, runs in this process: torch is imported once."""
        program, *words = shlex.split(step)
        if program == "cp":
            shutil.copy(REPOSITORY / words[0], self.folder / words[1])
        elif program == "spl":
            self.run(words)
        else:
            *options, target = words
            self.plans.append(self.clone.snakemake("params.yaml", "-n", *options, "--", target))
            for command in COMMAND.findall(self.plans[-1]):
                self.run(shlex.split(command))

    def run(self, words):
        with contextlib.chdir(self.folder), pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["spl", *words])
            for name in ("SPL_SOURCES", "SPL_OFFLINE"):
                patch.setenv(name, self.clone.env[name])
            with pytest.raises(SystemExit) as ended:
                main()
        assert not ended.value.code, words


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("released"))


def test_the_page_makes_every_cell_whose_files_are_here_and_the_others_say_why_not(world):
    *steps, last = STEPS
    assert last == "snakemake --cores all --keep-going all"  # planned by test_snakefile
    for step in steps:
        world.follow(step)
    weights, table1 = map(planned_jobs, world.plans)
    assert weights == {"fetch_weights": 4, "train_method": 5, "weights": 1}
    assert table1 == {
        "fetch_images": 2, "prepare_images": 2, "fetch_masks": 1, "group_masks": 1, "pair_masks": 2,
        "evaluate_method": len(HERE), "table1": 1,
    }  # fmt: skip
    whole = pd.read_csv(world.folder / "results/table1.csv").query("mask_ratio == 'all' and metric == 'psnr'")
    status = {(row.dataset, row.method): row.status for row in whole.itertuples()}
    assert {cell for cell, why in status.items() if why in ("classical fill", "released weights")} == HERE
    assert set(whole.loc[whole["ours"].notna(), "n_images"]) == {1}
    assert status["paris", "rn"] == status["celeba", "rn"] == status["places2", "rfr"] == "not released"
    assert status["paris", "lama"] == status["paris", "migan"] == "not released"
    assert status["celeba", "telea"] == "images missing: data/raw/celeba/img_align_celeba.zip"
    left_out = {
        "celeba": "images missing: data/raw/celeba/img_align_celeba.zip",
        "places2/mfe": "weights missing: data/raw/weights/mfe/places2/EN.pkl",
        "places2/spl_released": "weights missing: data/raw/weights/spl/places2",
        "places2/ec": "weights missing: data/raw/weights/ec/places2/EdgeModel_gen.pth",
        "places2/lama": "weights missing: data/raw/weights/lama/places2/best.ckpt",
        "places2/big_lama": "weights missing: data/raw/weights/big_lama/places2/big-lama.zip",
        "places2/migan": "weights missing: data/raw/weights/migan/places2/migan_256_places2.pt",
        "figures/fig5": "ec on places2: weights missing: data/raw/weights/ec/places2/EdgeModel_gen.pth",
    }
    assert dict(re.findall(r"^left out: (\S+): (.*) \(spl status", world.plans[-1], re.MULTILINE)) == left_out
    world.follow("spl verify")
    page = (world.folder / "results/table1.md").read_text()
    assert all(f"{name}: {why}" in page for name, why in left_out.items())
    assert {status[tuple(name.split("/"))] for name in left_out if name.startswith("places2/")} < set(left_out.values())
    assert not (world.folder / "results/teachers").exists()


@pytest.mark.parametrize(("method", "dataset"), [("rn", "celeba"), ("rn", "paris"), ("rfr", "places2")])
def test_one_line_less_turns_a_cell_that_was_never_released_into_a_training(tmp_path, method, dataset):
    lines = [line for line in PRESET.read_text().splitlines() if f"to train {method.upper()} on" in line]
    (line,) = (line for line in lines if line.strip().startswith(f"{dataset}: {{source: not_released}}"))
    (tmp_path / "params.yaml").write_text(PRESET.read_text().replace(line, ""))
    params = load_params(tmp_path / "params.yaml")
    trained = [(run.method, run.dataset) for run in first_runs(params) if run.threads]
    assert trained == [(method, dataset)]


def test_the_methods_are_those_of_the_paper_preset_and_references():
    ours, papers = (read_raw(REPOSITORY / f"presets/{name}.yaml") for name in ("released", "paper"))
    for section in ("datasets", "masks", "evaluation", "verdicts", "seed", "seeds", "threads"):
        assert ours[section] == papers[section]
    params = load_params(PRESET)
    for name, method in ours["methods"].items():
        if not params.apart(name):
            assert method | {"weights": 0} == papers["methods"][name] | {"weights": 0}
    references = [name for name in params.methods if params.apart(name)]
    assert references == params.table_methods[-3:] == ["lama", "big_lama", "migan"]
    assert [run.dataset for run in first_runs(params) if run.method in references] == 3 * ["places2"]


# One file at a time is not right ------------------------------------------------------------------------------------


def test_a_missing_file_leaves_out_exactly_the_cells_that_hang_on_it(tmp_path, monkeypatch):
    """Every file of the preset in its turn: presence is all that counts before anything is read."""
    params, registry = load_params(PRESET), load_registry()
    monkeypatch.chdir(tmp_path)
    files = {file: {f"{run.dataset}/{run.method}": f"weights missing: {file}"}
             for run in first_runs(params) for file in run.released_files()}  # fmt: skip
    for name, dataset in params.datasets.items():
        source = registry[dataset.source.name]
        for file in source.files or ["x.zip"]:
            path = tmp_path.joinpath(source.folder, getattr(file, "name", file)).relative_to(tmp_path)
            files[path] = {name: f"images missing: {path if source.files else source.folder}"}
    for file in files:
        target = file if file.suffix else file / "Ours.pt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    monkeypatch.setenv("SPL_OFFLINE", "1")
    assert without_missing(params, registry) == params
    for file, left_out in files.items():
        target = file if file.suffix else file / "Ours.pt"
        target.unlink()
        found = without_missing(params, registry).left_out
        assert {name: why for name, why in found.items() if not name.startswith("figures/")} == left_out, file
        target.touch()


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


SPL, RFR = "data/raw/weights/spl/{}/Ours_{}.pt", "data/raw/weights/rfr/checkpoint_{}.pth"
FAULTS = {
    "damaged": (RFR, None, {"paris"}, "checkpoint_paris.pth is damaged"),
    "another method's": (SPL, RFR.format("paris", "paris"), {"paris"}, "Ours_paris.pt there: the released RFR"),
    "the same for two sets": (SPL, SPL.format("celeba", "celeba"), {"paris", "celeba"}, " are the same file"),
    "another set's": (RFR, RFR.format("celeba", "celeba"), {"paris", "celeba"}, " are the same file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_file_is_said_by_exactly_the_cells_that_hang_on_it(world, tmp_path, spl, fault):
    pattern, source, concerned, message = FAULTS[fault]
    shutil.copytree(world.folder / "data/raw/weights", tmp_path / "data/raw/weights")
    file = tmp_path / pattern.format("paris", "paris")
    shutil.copy(tmp_path / source, file) if source else truncate(file)
    for dataset in ("paris", "celeba"):
        method = "rfr" if pattern == RFR else "spl_released"
        ended = spl("train-method", "--params", PRESET, "--dataset", dataset, "--method", method, cwd=tmp_path)
        assert ended.status == (dataset in concerned), ended.err
        if ended.status:
            assert message in ended.err
            assert len(ended.err.splitlines()) == 1
