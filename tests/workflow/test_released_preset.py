"""`presets/released.yaml` as it is: fabricated archives and weights of the true layouts and widths lead to Table 1."""

import contextlib
import re
import shlex
import sys

import pandas as pd
import pytest

from spl.cli import main
from spl.config.load import load_params
from tests.conftest import REPOSITORY
from tests.released.world import place_images, place_weights
from tests.workflow.conftest import Clone, planned_jobs

PRESET = REPOSITORY / "presets/released.yaml"
COMMAND = re.compile(r"^Shell command: python -m spl (.*) 2> ", re.MULTILINE)
LEFT_OUT = re.compile(r"^left out: (\S+): (.*) \(spl status", re.MULTILINE)

HERE = {
    ("paris", "mfe"), ("paris", "rfr"), ("paris", "spl_released"), ("paris", "ec"), ("places2", "rn"),
    *((dataset, fill) for dataset in ("places2", "paris") for fill in ("telea", "navier_stokes", "biharmonic")),
}  # fmt: skip
"""Cells that can be made: Paris with all of its weights, and Places2 with RN's, which are of no other set."""


class Workplace:
    """A folder in which a person has put some files, and what Snakemake plans there. Nothing is downloaded."""

    def __init__(self, folder, sources):
        self.clone = Clone(folder, folder / ".cache")
        self.clone.env |= {"SPL_SOURCES": str(sources), "SPL_OFFLINE": "1"}

    def plan(self, target):
        self.output = self.clone.snakemake(str(PRESET), "-n", "--", target)
        return planned_jobs(self.output)

    def left_out(self):
        return dict(LEFT_OUT.findall(self.output))

    def carry_out(self):
        """Run the planned commands in this process, which saves importing torch again."""
        with contextlib.chdir(self.clone.folder), pytest.MonkeyPatch.context() as patch:
            for command in COMMAND.findall(self.output):
                patch.setattr(sys, "argv", ["spl", *shlex.split(command)])
                with pytest.raises(SystemExit) as ended:
                    main()
                assert not ended.value.code, command


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    params = load_params(PRESET)
    work = Workplace(folder, place_images(folder, ("places2", "paris"), test=1))
    placed = place_weights(folder, params, {"paris": None, "places2": ["rn"]})
    work.jobs = work.plan("results/table1.csv")
    work.carry_out()
    assert placed
    return work


def test_one_command_makes_every_cell_whose_files_are_here_and_trains_nothing(work):
    assert work.jobs == {
        "fetch_images": 2, "prepare_images": 2, "fetch_masks": 1, "group_masks": 1, "pair_masks": 2, "fetch_weights": 4,
        "train_method": 5, "evaluate_method": len(HERE), "table1": 1,
    }  # fmt: skip
    table = pd.read_csv(work.clone.folder / "results/table1.csv")
    whole = table[(table["mask_ratio"] == "all") & (table["metric"] == "psnr")].set_index(["dataset", "method"])
    assert set(whole.index[whole["ours"].notna()]) == HERE
    assert (whole.loc[sorted(HERE), "n_images"] == 1).all()
    assert whole.loc[("paris", "rn"), "status"] == "not released"
    assert whole.loc[("places2", "mfe"), "status"] == "weights missing: data/raw/weights/mfe/places2/EN.pkl"
    assert set(whole.loc["celeba", "status"]) == {
        "images missing: data/raw/celeba/img_align_celeba.zip",
        "not released",
    }
