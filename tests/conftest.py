"""What every test may use: the repository's presets, and small worlds drawn once per session."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small tensors lose by threads

settings.register_profile("spl", deadline=None, max_examples=50)
settings.load_profile("spl")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def raw_params() -> dict:
    """The demo's parameters as a plain dict, to change and write."""
    return yaml.safe_load((REPOSITORY / "presets/demo.yaml").read_text())


@pytest.fixture
def write_params(tmp_path):
    """A function that writes a dict as a parameter file and returns its path."""

    def write(raw: dict, name: str = "params.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(raw, sort_keys=False))
        return path

    return write


@pytest.fixture
def demo_params():
    from spl.params import load_params

    return load_params(REPOSITORY / "presets/demo.yaml")
