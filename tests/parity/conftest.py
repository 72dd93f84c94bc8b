"""Parity with the original networks: any folder in the format of `../shared/parity` will do.

Names, sizes, seeds, tolerances and which part of an output is stored all come from the folder. `SPL_PARITY_DIR` names
another one.
"""

import copy
import importlib.util
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from spl.released.load import fill_released

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def parity_folder() -> Path:
    folder = Path(os.environ.get("SPL_PARITY_DIR", REPOSITORY.parent / "shared" / "parity"))
    if not (folder / "formula_weights.py").is_file():
        pytest.skip(f"no parity fixtures in {folder} (set SPL_PARITY_DIR)")
    return folder


@pytest.fixture(scope="session")
def formula_weights(parity_folder):
    spec = importlib.util.spec_from_file_location("formula_weights", parity_folder / "formula_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fixture(read_fixture, request):
    """The fixture that a module is named after: tests/parity/test_parity_<name>.py."""
    return read_fixture(request.module.__name__.rpartition("test_parity_")[2])


@pytest.fixture(scope="session")
def read_fixture(parity_folder, formula_weights):
    """A function: name of a fixture -> `Fixture`; skips by name where the folder has none."""

    def read(name: str) -> Fixture:
        if not (parity_folder / f"{name}.json").is_file():
            pytest.skip(f"no {name} fixture in {parity_folder}")
        return Fixture(*formula_weights.load(parity_folder, name))

    return read


class Fixture:
    """One fixture: inputs and weights as tensors, and comparisons as its tolerances say."""

    def __init__(self, description, arrays, states):
        self.description = description
        self.arrays = arrays
        self.states = {
            network: {key: torch.from_numpy(value) for key, value in state.items()} for network, state in states.items()
        }

    def image(self, name="image"):
        return torch.from_numpy(self.arrays[f"in/{name}"]).float() / 255

    def mask(self, name="mask"):
        return torch.from_numpy(self.arrays[f"in/{name}"]).float()

    def released_state(self, **parts):
        """The states as one file of the authors holds them: `part.module.key`; parts={part: network}."""
        return {
            f"{part}.module.{key}": value
            for part, network in parts.items()
            for key, value in self.states[network].items()
        }

    def fill(self, network, layout, state):
        """Fill a network from a state, or from the content of a file."""
        content = self.states[state] if isinstance(state, str) else state
        fill_released(network, layout, content, source="the fixture")
        return network

    def pixels(self, name, actual):
        """Absolute differences of the stored pixels of an output."""
        meaning = self.description["outputs"][name]
        assert list(actual.shape) == meaning["shape"], name
        if meaning["stored"] == "full":
            return np.abs(actual - self.arrays[f"out/{name}"])
        crop = actual[tuple(slice(start, stop) for start, stop in meaning["crop"])]
        return np.abs(crop - self.arrays[f"out/{name}/crop"])

    def worst(self, name, actual):
        """Largest absolute difference over everything that is stored of an output."""
        actual = actual.detach().numpy()
        differences = [self.pixels(name, actual)]
        if self.description["outputs"][name]["stored"] != "full":
            for part, ours in (("mean", actual.mean((2, 3))), ("std", actual.std((2, 3)))):
                differences.append(np.abs(ours - self.arrays[f"out/{name}/{part}"].reshape(ours.shape)))
        return max(difference.max() for difference in differences)

    def tolerance(self, name):
        """The number at the head of a tolerance, which may be followed by words ("1e-5 relative")."""
        tolerance = self.description["tolerance"]
        value = tolerance.get(name, tolerance.get("default"))
        return float(re.match(r"[\d.eE+-]+", str(value))[0])

    def too_far(self, outputs):
        """Compare named outputs and return {name: (difference, tolerance)} of those that differ too much."""
        report = {name: (self.worst(name, actual), self.tolerance(name)) for name, actual in outputs.items()}
        print({name: f"{difference:.1e}" for name, (difference, _) in report.items()})
        return {name: pair for name, pair in report.items() if not pair[0] <= pair[1]}

    def check(self, outputs):
        assert not (wrong := self.too_far(outputs)), f"(difference, tolerance): {wrong}"

    def check_regions(self, network, compute, *, image="image", mask="mask"):
        """Check `compute(network, image, mask)` of a network with learned regions: in float32, else in float64.

        Another summation order may move a pixel across the sharp cut; only the fixture's own rounding, which its
        region_cut_margin covers, is left in float64.
        """
        for dtype in (torch.float32, torch.float64):
            network = network if dtype == torch.float32 else copy.deepcopy(network).to(dtype)
            with torch.no_grad():
                wrong = self.too_far(compute(network, self.image(image).to(dtype), self.mask(mask).to(dtype)))
            if not wrong:
                return
        raise AssertionError(f"(difference, tolerance): {wrong}")


@pytest.fixture
def record_outputs():
    """A function: modules by name -> a dict that fills with what they return (the first of a tuple)."""

    def record(**modules):
        outputs = {}
        for name, module in modules.items():

            def keep(module, inputs, output, name=name):
                outputs[name] = output[0] if isinstance(output, tuple) else output

            handles.append(module.register_forward_hook(keep))
        return outputs

    handles = []
    yield record
    for handle in handles:
        handle.remove()
