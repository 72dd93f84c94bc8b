import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spl.common.errors import DataError
from spl.models.mfe import MFEDiscriminator, build_mfe, levels_per_side
from spl.models.mfe_layers import FeatureEqualisation, GaussianPooling, InstanceNorm, PartialConv, local_similarity


@pytest.fixture
def pair(mask):
    """Smooth images of 64 x 64 and their masks."""
    image = F.interpolate(torch.rand(3, 3, 8, 8), size=64, mode="bilinear")
    return image, F.interpolate(mask, size=64, mode="nearest")


# --- The network ------------------------------------------------------------------------------------------------------


def test_only_mask_convolutions_are_frozen():
    with torch.device("meta"):
        network = build_mfe()
    frozen = {name: parameter for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert all(name.endswith("mask_conv.weight") for name in frozen)
    assert sum(parameter.numel() for parameter in frozen.values()) == 27_197_440


@pytest.mark.parametrize(
    ("image_size", "levels"), [(16, 1), (48, 1), (64, 2), (128, 2), (240, 2), (256, 3), (512, 3), (1024, 4)]
)
def test_depth_follows_the_image_size(image_size, levels):
    assert levels_per_side(image_size) == levels
    with torch.device("meta"):
        network = build_mfe(image_size=image_size, width=4, blocks=1)
    assert len(network.encoder.convs) == len(network.decoder.convs) == 2 * levels
    assert len(network.equalisation.stacks) == levels


@pytest.mark.parametrize("image_size", [0, 8, 18, 72, 260])
def test_a_size_without_a_depth_is_named(image_size):
    with pytest.raises(DataError, match=f"got {image_size}"):
        build_mfe(image_size=image_size)


@pytest.mark.parametrize(("image_size", "grid"), [(16, 8), (64, 16)])
def test_shapes_and_ranges(image_size, grid):
    network = build_mfe(image_size=image_size, width=4, blocks=1)
    image, mask = torch.rand(2, 3, image_size, image_size), torch.zeros(2, 1, image_size, image_size)
    output, structure_head, texture_head = network(image, mask)
    assert output.shape == image.shape
    assert structure_head.shape == texture_head.shape == (2, 3, grid, grid)
    assert 0 <= output.min() <= output.max() <= 1
    assert all(-1 <= head.min() < 0 < head.max() <= 1 for head in (structure_head, texture_head))


def test_feature_masks_differ_where_there_is_a_hole(pair):
    image, mask = pair
    network = build_mfe(image_size=64, width=8)
    empty = torch.zeros_like(mask)
    all_valid, of_empty = network(image, mask)[0], network(image, empty)[0]
    network.equalisation.feature_mask = "nearest"
    assert (network(image, mask)[0] - all_valid).abs().max() > 1e-3
    torch.testing.assert_close(network(image, empty)[0], of_empty)


def test_gradients_reach_all_but_the_mask_convolutions(pair):
    network = build_mfe(image_size=64, width=8)
    nn.init.ones_(network.equalisation.equalise.squeeze.bias)  # its few hidden units are alive
    output, structure_head, texture_head = network(*pair)
    (output.square().mean() + structure_head.square().mean() + texture_head.square().mean()).backward()
    for name, parameter in network.named_parameters():
        if "mask_conv" in name:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            # A norm takes away the bias of the convolution before it.
            assert parameter.ndim == 1 or parameter.grad.abs().max() > 0, name


def test_initialisation_is_the_originals():
    network = build_mfe(image_size=16, width=16)
    unit = network.equalisation.stacks[0].units[0]
    assert unit.conv.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert unit.mask_conv.weight.std().item() == pytest.approx(0.02, rel=0.1)  # frozen as they are, as released
    assert torch.equal(unit.norm.weight, torch.ones(16))
    assert not network.decoder.convs[0].bias.any()


@pytest.mark.parametrize(("image_size", "patches"), [(32, 1), (64, 2)])
def test_discriminator_judges_patches(image_size, patches):
    discriminator = MFEDiscriminator(width=8)
    assert discriminator(torch.rand(2, 3, image_size, image_size)).shape == (2, 1, patches, patches)
    assert discriminator.convs[2].weight_orig.std().item() == pytest.approx(0.02, rel=0.1)
    assert not discriminator.convs[2].bias.any()


# --- Layers against plain NumPy ---------------------------------------------------------------------------------------


def close(ours, expected):
    np.testing.assert_allclose(ours.detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_is_pytorchs(affine):
    norm, x = InstanceNorm(4, affine=affine), torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(norm(x), F.instance_norm(x))
    channels_last = norm(x.contiguous(memory_format=torch.channels_last))
    assert channels_last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(channels_last, F.instance_norm(x))


def plain_conv(x, weight):
    """Sum of products, zeros outside. Shapes: x (C, h, w); weight (c, C, k, k); returns (c, h, w)."""
    kernel = weight.shape[2]
    padded = np.pad(x, ((0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2))
    rows, columns = range(x.shape[1]), range(x.shape[2])
    return np.array(
        [[[(padded[:, i : i + kernel, j : j + kernel] * w).sum() for j in columns] for i in rows] for w in weight]
    )


@pytest.mark.parametrize("kernel", [3, 5])
def test_partial_convolution(kernel):
    units = nn.ModuleList(PartialConv(3, kernel) for _ in range(2))
    x, valid = torch.randn(2, 3, 9, 8), torch.ones(2, 1, 9, 8)
    valid[0, :, 1:8, 1:] = 0  # deeper than the kernels reach
    valid[1, :, :3, :3] = 0
    ours, ours_valid = x, valid
    for unit in units:
        unit.norm = nn.Identity()
        ours, ours_valid = unit(ours, ours_valid)
    for sample in range(2):
        y, v = x[sample].numpy(), np.repeat(valid[sample].numpy(), 3, axis=0)  # the authors repeat it over channels
        for unit in units:
            amount = plain_conv(v, unit.mask_conv.weight.numpy())
            y = plain_conv(y * v, unit.conv.weight.detach().numpy())
            y = np.divide(y, amount, out=np.zeros_like(y), where=amount != 0)
            y, v = np.where(y < 0, 0.2 * y, y), (amount != 0).astype(np.float32)
        np.testing.assert_allclose(ours[sample].detach().numpy(), y, atol=1e-4 * np.abs(y).max())
        close(ours_valid[sample].expand(3, -1, -1), v)


def gaussian_table(grid, deviation=1.5):
    """Weights of all positions for each position, row by row. Shape: (g * g, g * g)."""
    table = np.zeros((grid, grid, grid, grid))
    for y, x, i, j in np.ndindex(table.shape):
        table[y, x, i, j] = np.exp(-((y - i) ** 2 + (x - j) ** 2) / (2 * deviation**2))
    table = table.reshape(grid**2, grid**2)
    return table / table.sum(1, keepdims=True)


def test_gaussian_pooling():
    pooling, x = GaussianPooling(6), torch.randn(2, 6, 6, 3)
    close(pooling.weights.sum(1), np.ones(6))
    close(pooling(torch.ones_like(x)), np.ones(x.shape))
    close(pooling(x).flatten(1, 2), gaussian_table(6) @ x.flatten(1, 2).numpy())
    assert not pooling.state_dict()


def test_local_similarity():
    x = torch.randn(2, 4, 5, 3)
    gate = 1 / (1 + np.exp(-x.numpy()))
    expected = np.zeros(x.shape)
    for sample, i, j in np.ndindex(2, 4, 5):
        similarity, values = [], []
        for y, z in ((y, z) for y in (i - 1, i, i + 1) for z in (j - 1, j, j + 1)):
            inside = 0 <= y < 4 and 0 <= z < 5
            similarity.append((gate[sample, i, j] * gate[sample, y, z]).mean() if inside else 0)
            values.append(x[sample, y, z].numpy() if inside else np.zeros(3))
        weights = np.exp(similarity) / np.exp(similarity).sum()
        expected[sample, i, j] = weights @ np.array(values)
    close(local_similarity(x), expected)


def test_equalisation_reads_its_tables_row_by_row():
    equalisation, x = FeatureEqualisation(4, grid=3), torch.randn(1, 4, 3, 3)
    for parameter in equalisation.parameters():
        nn.init.zeros_(parameter)  # the attention is one half everywhere
    equalisation.merge = nn.Identity()
    pooled, similar = equalisation(x).chunk(2, dim=1)
    by_position = x[0].flatten(1).T / 2  # (g * g, C)
    close(pooled[0], (gaussian_table(3) @ by_position.numpy()).reshape(4, 3, 3))
    expected = local_similarity(by_position.view(1, 3, 3, 4))
    close(similar[0], expected.numpy().reshape(4, 3, 3))
