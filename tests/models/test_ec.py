import numpy as np
import pytest
import torch

from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import (
    EdgeGenerator,
    InpaintGenerator,
    build_ec,
    canny_edges,
    canny_edges_of,
    gray,
)
from spl.models.initialise import initialise_normal


@pytest.fixture
def image():
    """A bright rectangle that crosses the holes of the masks, for edges to find."""
    image = torch.full((3, 3, 32, 32), 0.2)
    image[:, :, 6:26, 10:28] = 0.9
    return image


@pytest.fixture
def network():
    """Weights as large as trained ones: with the small initial ones a changed input hardly shows."""
    network = build_ec(width=8, blocks=2).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network


# --- Gray images and their edges ------------------------------------------------------------------------------------


def test_gray_keeps_gray_images_and_weighs_colours():
    ramp = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)
    torch.testing.assert_close(gray(ramp.expand(1, 3, 8, 8)), ramp)
    colours = torch.eye(3).reshape(3, 3, 1, 1)
    torch.testing.assert_close(gray(colours).flatten(), torch.tensor([0.2125, 0.7154, 0.0721]))


def test_edges_lie_along_the_rectangle(image):
    edges = canny_edges(gray(image))
    assert edges.shape == (3, 1, 32, 32)
    assert set(edges.unique().tolist()) == {0, 1}
    assert edges[:, :, 8:24, 12:26].sum() == 0
    assert edges[:, :, 12:20, 8:12].amax(3).min() == 1


def test_no_edges_in_the_hole_nor_at_its_border(image, mask):
    around = torch.nn.functional.max_pool2d(mask, 3, stride=1, padding=1)
    edges = canny_edges(gray(image), 1 - mask)
    assert edges.sum() > 0
    assert (edges * around).sum() == 0


def test_images_without_and_all_hole_have_edges():
    luma = gray(torch.rand(2, 3, 32, 32))
    edges = canny_edges(luma, torch.stack([torch.ones(1, 32, 32), torch.zeros(1, 32, 32)]))
    assert torch.equal(edges[0], canny_edges(luma)[0])
    assert edges[1].sum() == 0


def test_edges_of_an_array_are_those_of_its_tensor(image):
    array = (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    edges = canny_edges_of(array)
    assert edges.dtype == np.bool_
    expected = canny_edges(gray(torch.from_numpy(array).permute(2, 0, 1)[None] / 255))
    assert torch.equal(torch.from_numpy(edges).float(), expected[0, 0])


# --- Networks ---------------------------------------------------------------------------------------------------------


def test_edges_in_the_hole_are_hidden_from_one_network_and_shown_to_the_other(network, image, mask):
    luma, edge = gray(image), canny_edges(gray(image))
    other = edge * (1 - mask) + (1 - edge) * mask
    assert torch.equal(network.edge_generator(luma, edge, mask), network.edge_generator(luma, other, mask))
    assert not torch.equal(network.inpaint_generator(image, mask, edge), network.inpaint_generator(image, mask, other))


def test_predicted_edges_are_not_merged_with_those_around_the_hole(network, image, mask):
    seen = []
    network.inpaint_generator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[2]))
    network(image, mask)
    luma = gray(image)
    assert torch.equal(seen[0], network.edge_generator(luma, canny_edges(luma, 1 - mask), mask))
    assert torch.equal(network.edges(image, mask), seen[0])


def test_spectral_norm_is_everywhere_but_in_the_last_layer_of_the_edges():
    names = EdgeGenerator(width=8, blocks=2).state_dict()
    normalised = {name.removesuffix("_orig") for name in names if name.endswith("weight_orig")}
    assert len(normalised) == 9
    assert [name for name in names if name.endswith(".weight")] == ["body.last_conv.weight"]
    assert not any(name.endswith("weight_orig") for name in InpaintGenerator(width=8).state_dict())


def test_initialisation_is_the_originals():
    network, discriminator = build_ec(width=32, blocks=2), PatchDiscriminator(width=32, channels=2)
    initialise_normal(discriminator)
    for weight in (
        network.edge_generator.body.blocks[0].conv1.weight_orig,
        network.edge_generator.body.up1.weight_orig,
        network.inpaint_generator.body.up1.weight,
        discriminator.convs[2].weight_orig,
    ):
        assert weight.std().item() == pytest.approx(0.02, rel=0.03)
        assert weight.mean().item() == pytest.approx(0, abs=1e-3)
    biases = [parameter for name, parameter in network.named_parameters() if name.endswith("bias")]
    assert len(biases) == 6 + 10  # three down, two up and the last; and four in the blocks of the inpainting network
    assert all(torch.equal(bias, torch.zeros_like(bias)) for bias in biases)
