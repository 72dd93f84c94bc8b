"""The worked example of CONTRIBUTING.md, followed to the letter: its method and its metric stand in the tables."""

import os
import re
import sys

import pandas as pd
import pytest

from tests.conftest import REPOSITORY, bare
from tests.workflow.conftest import Clone, copy_repository, shrink

FILE = re.compile(r"`([\w/.]+\.(?:py|yaml))`:\n")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def apply_diff(text: str, diff: str) -> str:
    """Apply a change without line numbers: what it shows of the old text has to be there once."""
    old = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] in " -")
    new = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] in " +")
    assert text.count(old) == 1, f"expected once:\n{old}"
    return text.replace(old, new)


def follow(text: str, clone: Clone) -> None:
    """Write every file, make every change and run every command of a text, in its order."""
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        if kind == "sh":
            for command in content.splitlines():
                clone.run("bash", "-c", command)
            continue
        path = clone.folder / FILE.findall(text[: block.start()])[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if kind == "python" else apply_diff(path.read_text(), content))
        if path.name == "params.yaml":
            clone.set_params(tiny)


def tiny(raw: dict) -> None:
    """Leave one dataset, a classical fill and the example, at the smallest sizes."""
    bare(shrink(raw))["detection"] = None
    raw["datasets"].pop("places2")
    raw["methods"] = {name: raw["methods"][name] for name in ("telea", "unet")}
    raw["methods"]["unet"]["training"] |= {"epochs": 1, "batch_size": 4}
    raw["evaluation"]["perceptual"]["metrics"] = []


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A copy of the repository in which the example was followed."""
    root = tmp_path_factory.mktemp("contributing")
    copy_repository(root / "clone")
    clone = Clone(root / "clone", root / "cache")
    clone.env |= {"VIRTUAL_ENV": sys.prefix, "PYTHONPATH": os.fspath(clone.folder)}
    clone.run("cp", "presets/demo.yaml", "params.yaml")
    text = (REPOSITORY / "CONTRIBUTING.md").read_text().partition("## A worked example")[2]
    follow(text, clone)
    return clone.folder


def test_the_method_stands_in_table_1(example):
    table = pd.read_csv(example / "results/table1.csv")
    assert set(table["method"]) >= {"telea", "unet"}
    assert table.loc[table["method"] == "unet", "ours"].notna().all()


def test_the_metric_stands_beside_the_others(example):
    further = pd.read_csv(example / "results/further_metrics.csv")
    worst = further.loc[further["metric"] == "worst_pixel", "value"]
    assert len(worst) > 0
    assert worst.between(0, 1).all()
