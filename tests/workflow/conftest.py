"""A small world for end-to-end tests: the demo's code paths at the smallest sizes, in a clone of this repository."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY, bare, read_raw


def shrink(raw: dict) -> dict:
    """Make the demo's parameters tiny: sizes and steps, never other code paths."""
    raw["datasets"].pop("celeba")
    for dataset in raw["datasets"].values():
        dataset["image_size"] = 32
        dataset["source"] |= {"train": 8, "test": 6}
    raw["masks"]["source"]["per_bin"] = 2
    raw["pretext"] |= {"train": 8, "val": 4}
    raw["teachers"]["multilabel"] |= {"image_size": 32, "layers": [1, 1, 1, 1], "width": 0.125}
    raw["teachers"]["detector"] |= {"image_size": 32, "depth": 0.1, "width": 0.125}
    for teacher in raw["teachers"].values():
        teacher["training"] |= {"batch_size": 4, "epochs": 1}
    for name in ("navier_stokes", "biharmonic"):
        raw["methods"].pop(name)
    sizes = {
        "rn": {"width": 4, "blocks": 1},
        "spl": {"width": 4, "semantic_blocks": 1, "fusion_blocks": 1},
        "rfr": {"width": 8, "rounds": 2},
        "mfe": {"width": 8, "blocks": 1},
        "ec": {"width": 4, "blocks": 1},
    }
    for method in raw["methods"].values():
        if size := sizes.get(method["recipe"]):
            method["model"] |= size
            method["training"] |= {"batch_size": 4, "epochs": 2, "per_dataset": {}}
    raw["methods"]["ec"]["training"] |= {"edge_epochs": 1, "canny_epochs": 0}
    raw["evaluation"]["bootstrap"] |= {"samples": 100, "least_images": 2}
    raw["detection"]["min_score"] = 0.01  # so that a detector that has hardly been trained finds something
    raw["figures"] |= {"examples": 2, "clusters": {"number": 2, "scope": "set", "images": 4}}
    raw["figures"]["fig3"]["images"] = {"places2": 1, "paris": 1}
    raw["figures"]["fig5"]["images"] = 1
    return raw


def gather(raw: dict) -> dict:
    """Do everything on one dataset, with one ablation and without RFR."""
    raw["datasets"].pop("places2")
    for name in ("spl_no_prior", "spl_concat", "rfr"):
        raw["methods"].pop(name)
    for figure in ("fig1", "fig3"):
        raw["figures"][figure]["methods"].remove("rfr")
    raw["ablations"]["methods"] = ["spl_detector"]
    raw["detection"]["datasets"] = ["paris"]
    raw["evaluation"]["masks_per_image"] = 2
    for figure in ("fig1", "fig2", "fig5"):
        raw["figures"][figure]["dataset"] = "paris"
    raw["figures"]["fig3"] |= {"images": {"paris": 2}, "detections": "paris"}
    return raw


def thin_out(raw: dict) -> dict:
    """Leave one dataset and two networks, without teachers, figures and detections."""
    bare(raw)["detection"] = None
    raw["datasets"].pop("places2")
    raw["methods"] = {name: raw["methods"][name] for name in ("rn", "spl")}
    raw["methods"]["spl"]["losses"]["lambda_prior"] = 0.0
    return raw


class Clone:
    """A working copy in a folder of its own, and the commands a user would type there."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        scripts = str(Path(sys.executable).parent)
        self.env = os.environ | {
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(cache),
            "DVC_SITE_CACHE_DIR": str(cache / "dvc"),
            "DVC_NO_ANALYTICS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def run(self, *command: str, ok: bool = True) -> str:
        """Run a command and return what it printed; fail with its output if it did not end as expected."""
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=1800)
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, f"{' '.join(command)} ended with {done.returncode}:\n{output}{self.logs()}"
        return output

    @contextmanager
    def inactive(self) -> Iterator[str]:
        """Take the programs of Python's environment off the PATH, as where it is not active; yield their folder."""
        before = self.env
        self.env = before | {"PATH": "/usr/bin:/bin"}
        try:
            yield f"{Path(sys.executable).parent}/"
        finally:
            self.env = before

    def logs(self) -> str:
        """Return the ends of all rule logs, for failures."""
        files = sorted((self.folder / "logs").rglob("*.log"))
        return "".join(f"\n== {file.relative_to(self.folder)}\n{file.read_text()[-1500:]}" for file in files)

    def dry_run(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule `snakemake -n` plans."""
        if "--" not in arguments:
            arguments = ("--", *arguments)
        return planned_jobs(self.run("snakemake", "-n", "--quiet", "reason", *arguments))

    def snakemake(self, params: str, *arguments: str, ok: bool = True) -> str:
        """Run the repository's workflow in a folder that is no clone, with a parameter file of its own."""
        where = ("--snakefile", str(REPOSITORY / "Snakefile"), "--profile", str(REPOSITORY / "profiles/default"))
        return self.run("snakemake", *where, "--cores", "2", "--configfile", params, *arguments, ok=ok)

    def set_params(self, change) -> None:
        """Change params.yaml by a function of its dict."""
        path = self.folder / "params.yaml"
        raw = read_raw(path)
        change(raw)
        path.write_text(yaml.safe_dump(raw, sort_keys=False))

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", message)


def planned_jobs(output: str) -> dict[str, int]:
    """Read the table of jobs that Snakemake prints; empty when there is nothing to be done."""
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}
    jobs.pop("total", None)
    return jobs


def copy_repository(folder: Path) -> None:
    """Copy what git tracks or would track, as it is in the working tree, with the demo's parameters."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    shutil.copy2(folder / "presets/demo.yaml", folder / "params.yaml")


def make_copy(folder: Path, *changes: Callable[[dict], dict]) -> Clone:
    """Copy the working tree, with the demo's parameters after some changes."""
    copy_repository(folder)
    clone = Clone(folder, folder.with_name(f"{folder.name}.cache"))
    for change in changes:
        clone.set_params(change)
    return clone


def make_clone(root: Path, *changes: Callable[[dict], dict]) -> Clone:
    """Clone the working tree with tiny parameters, changed further, and commit them."""
    clone = make_copy(root / "clone", shrink, *changes)
    clone.run("git", "init", "-q", "-b", "main")
    clone.commit("tiny parameters")
    return clone


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Clone:
    """A clone in which Snakemake has built everything; that of $SPL_BUILT, where tools/mutations.py has made one."""
    if folder := os.environ.get("SPL_BUILT"):
        return Clone(Path(folder), Path(folder) / ".cache")
    clone = make_clone(tmp_path_factory.mktemp("built"), gather)
    clone.run("snakemake", "--cores", "2", "all")
    return clone


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory) -> Clone:
    """A small clone in which `dvc repro` has built everything."""
    clone = make_clone(tmp_path_factory.mktemp("reproduced"), thin_out)
    clone.run("dvc", "repro")
    return clone
