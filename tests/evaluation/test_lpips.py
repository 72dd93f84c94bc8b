"""LPIPS agrees with its authors' package, and takes only the published files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spl.common.errors import CheckpointError
from spl.evaluation.lpips import load_lpips
from spl.sources.metric_weights import ALEXNET, LPIPS_LAYERS

CPU = torch.device("cpu")


def images(seed, height=64, width=72):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def network(accepted):
    return load_lpips(accepted, CPU)


@pytest.fixture(scope="module")
def published():
    """The authors' package: their linear layers over a random AlexNet."""
    lpips = pytest.importorskip("lpips", reason="needs the package lpips")
    with pytest.warns(UserWarning, match="deprecated"):  # it calls torchvision as of old
        return lpips.LPIPS(net="alex", pretrained=True, pnet_rand=True, verbose=False)


@pytest.fixture(scope="module")
def published_layers(published):
    """The file of linear layers that the package brings."""
    import lpips

    return Path(lpips.__file__).parent / "weights/v0.1/alex.pth"


def write_alexnet(published, folder):
    """Write the package's random AlexNet as torchvision's file; the package keeps its layers' numbers."""
    state = {f"features.{key.split('.', 1)[1]}": tensor for key, tensor in published.net.state_dict().items()}
    torch.save(state, folder / ALEXNET.names[0])


@pytest.mark.parametrize("size", [(64, 64), (256, 256), (37, 90)])
def test_agrees_with_the_authors_package(published, published_layers, tmp_path, accept, size):
    write_alexnet(published, tmp_path)
    accept(tmp_path, ALEXNET=ALEXNET)
    (tmp_path / "alex.pth").symlink_to(published_layers)
    network = load_lpips(tmp_path, CPU)
    composited, image = images(0, *size), images(1, *size)
    expected = published(composited, image, normalize=True).flatten()
    assert expected.min() > 0.01
    torch.testing.assert_close(network(composited, image), expected, atol=1e-5, rtol=1e-5)
    one = image.clone()
    one[0, :, 5, 5] = 0  # a small difference in one of two images
    expected = published(one, image, normalize=True).flatten()
    torch.testing.assert_close(network(one, image), expected, atol=1e-7, rtol=1e-4)


def test_equation_1_by_loops(alexnet, lpips_layers, network):
    composited, image = images(0, 35, 35), images(1, 35, 35)
    total = np.zeros(2)
    for number, index in enumerate((1, 4, 7, 9, 11)):
        weights = lpips_layers[f"lin{number}.model.1.weight"].numpy().ravel()
        maps = []
        for x in (composited, image):
            x = (2 * x.numpy() - 1).transpose(0, 2, 3, 1)
            x = (x - np.array([-0.030, -0.088, -0.188])) / np.array([0.458, 0.448, 0.450])
            with torch.no_grad():
                maps.append(alexnet[: index + 1](torch.from_numpy(x.transpose(0, 3, 1, 2)).float()).numpy())
        for b in range(2):
            positions = [(i, j) for i in range(maps[0].shape[2]) for j in range(maps[0].shape[3])]
            for i, j in positions:
                ours, theirs = (x[b, :, i, j] / np.linalg.norm(x[b, :, i, j]) for x in maps)
                total[b] += np.sum(weights * (ours - theirs) ** 2) / len(positions)
    np.testing.assert_allclose(network(composited, image).numpy(), total, rtol=1e-4)


def test_a_distance_is_zero_for_equal_images_symmetric_and_grows(network):
    image, noise = images(0), images(1) - 0.5
    assert (network(image, image) == 0).all()
    near, far = (image + amount * noise for amount in (0.1, 0.5))
    assert (network(near, image) < network(far, image)).all()
    torch.testing.assert_close(network(near, image), network(image, near))


def test_features_of_length_zero_make_no_nan(network):
    with torch.no_grad():
        for parameter in network.trunk.parameters():
            parameter.zero_()
    assert (network(images(0), images(1)) == 0).all()


def test_a_missing_file_is_named_with_its_source(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no alexnet-owt-7be5be79\.pth\. Fetch https://download\.pytorch\."):
        load_lpips(tmp_path, CPU)


def test_another_networks_layers_are_refused(accepted, tmp_path, accept):
    (tmp_path / ALEXNET.names[0]).symlink_to(accepted / ALEXNET.names[0])
    torch.save({"lin0.model.1.weight": torch.ones(1, 64, 1, 1)}, tmp_path / "alex.pth")
    accept(tmp_path, LPIPS_LAYERS=LPIPS_LAYERS)
    with pytest.raises(CheckpointError, match="4 missing: lin1"):
        load_lpips(tmp_path, CPU)
