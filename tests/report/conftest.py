"""A fabricated run, made once and copied for those who change it."""

import shutil

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.report.fabricate import fabricate, reduce, write_page


@pytest.fixture(scope="session")
def fabricated(tmp_path_factory):
    """A run with its report; only to be read."""
    root = tmp_path_factory.mktemp("run")
    params = root / "params.yaml"
    raw = yaml.safe_load((REPOSITORY / "presets/demo.yaml").read_text())
    params.write_text(yaml.safe_dump(reduce(raw), sort_keys=False) + "# <script>alert('verbatim & escaped')</script>\n")
    fabricate(params, root)
    write_page(params, results=root / "results", data=root / "data", out=root / "report.html")
    return root


@pytest.fixture
def run(fabricated, tmp_path):
    """A copy to change, as the arguments of `write_page`."""
    root = shutil.copytree(fabricated, tmp_path / "run", ignore=shutil.ignore_patterns("report.html"))
    folders = {"results": root / "results", "data": root / "data"}
    return {"params_path": root / "params.yaml", **folders, "out": root / "report.html"}
