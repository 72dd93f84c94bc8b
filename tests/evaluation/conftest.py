"""Weight files in the published layouts with random numbers in them."""

import pytest
import torch
import torchvision

from spl.common.files import sha256
from spl.evaluation import distribution, lpips
from spl.sources import metric_weights
from spl.sources.metric_weights import ALEXNET, LPIPS_LAYERS


@pytest.fixture(scope="session")
def alexnet():
    """Random convolutions, left alone by every test."""
    torch.manual_seed(0)
    return torchvision.models.alexnet(weights=None).features


@pytest.fixture(scope="session")
def lpips_layers():
    """Non-negative weights under the keys of the published file."""
    channels = (64, 192, 384, 256, 256)
    generator = torch.Generator().manual_seed(0)
    return {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1, generator=generator) for i, c in enumerate(channels)}


@pytest.fixture(scope="session")
def lpips_files(alexnet, lpips_layers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    state = {f"features.{key}": tensor for key, tensor in alexnet.state_dict().items()}
    torch.save(state | {"classifier.1.bias": torch.zeros(4)}, folder / ALEXNET.names[0])
    torch.save(lpips_layers, folder / LPIPS_LAYERS.names[0])
    return folder


@pytest.fixture
def accept(monkeypatch):
    """A function that takes the files of a folder for the published ones."""

    def accept(folder, **files):
        for name, file in files.items():
            known = file._replace(sha256=sha256(file.find(folder)))
            for module in (lpips, distribution):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, known)
            for metric, wanted in metric_weights.FILES.items():
                monkeypatch.setitem(metric_weights.FILES, metric, tuple(known if x == file else x for x in wanted))
        return folder

    return accept


@pytest.fixture
def accepted(lpips_files, accept):
    """The folder of these files, taken for the published ones."""
    return accept(lpips_files, ALEXNET=ALEXNET, LPIPS_LAYERS=LPIPS_LAYERS)
