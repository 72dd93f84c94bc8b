"""MFE's step: relativistic discriminators of whole images and of crops, auxiliary images, the range of the losses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spl.config.methods import MFELossWeights
from spl.teachers.perception import Features
from spl.training.methods.mfe import DISCRIMINATORS, MFEMethod, auxiliary_loss

LOSSES = MFELossWeights(lambda_img=1, lambda_adv=1, lambda_perceptual=1, lambda_style=1, lambda_auxiliary=1)


class Brightening(nn.Module):
    """A generator that adds one number to the image."""

    def __init__(self, shift):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, image, mask):
        output = image + self.shift
        small = F.avg_pool2d(2 * output - 1, 4)
        return output, small, small


class Brightness(nn.Module):
    """A discriminator that finds bright images real; it keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen = []

    def forward(self, image):
        self.seen.append(image.detach())
        return self.scale * image.mean((1, 2, 3), keepdim=True)


def stub_method(shift=0.1, *, seed=1, extract_features=lambda image: Features([image], [image])):
    generator, discriminators = Brightening(shift), nn.ModuleDict({name: Brightness() for name in DISCRIMINATORS})
    trained = {"generator": generator, "discriminators": discriminators}
    optimizers = {name: torch.optim.SGD(network.parameters(), lr=0.0) for name, network in trained.items()}
    networks = {"generator": generator, **discriminators}
    return MFEMethod(
        networks=networks, optimizers=optimizers, losses=LOSSES, extract_features=extract_features, seed=seed
    )


def batch(size, seed=0):
    """Two images in which no two places look alike."""
    image = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 0.8
    mask = torch.zeros(2, 1, size, size)
    mask[..., size // 4 : size // 2, size // 4 : size // 2] = 1
    return image, mask, F.avg_pool2d(image, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)


def find(crop, image):
    """Return (y, x) of a crop in the image it was cut from."""
    size = crop.shape[-1]
    corners = (image[0, 0, : image.shape[2] - size + 1, : image.shape[3] - size + 1] == crop[0, 0, 0, 0]).nonzero()
    places = [(y, x) for y, x in corners.tolist() if torch.equal(image[..., y : y + size, x : x + size], crop)]
    assert len(places) == 1
    return places[0]


def look(method, images, step):
    """Make one step and return what each critic saw: image and output, twice."""
    for name in DISCRIMINATORS:
        method.networks[name].seen.clear()
    method.step(*images, step=step)
    return [method.networks[name].seen for name in DISCRIMINATORS]


@pytest.mark.parametrize(("size", "crop"), [(256, 64), (64, 32), (48, 32), (32, 32)])
def test_the_local_critic_sees_the_same_crop_of_image_and_output_a_quarter_as_wide(size, crop):
    whole, local = look(stub_method(), batch(size), step=3)
    image, output = whole[:2]
    torch.testing.assert_close(image, 2 * batch(size)[0] - 1)
    torch.testing.assert_close(output, image + 0.2)
    assert all(image.shape == (2, 3, crop, crop) for image in local)
    y, x = find(local[0], image)
    assert find(local[1], output) == (y, x)
    for seen in (whole, local):  # once for the critic's loss, once for the generator's: output before image
        assert torch.equal(seen[2], seen[1])
        assert torch.equal(seen[3], seen[0])
        assert len(seen) == 4


def test_the_crop_follows_step_and_seed_alone():
    def places(method, *, image_seed=0):
        images = batch(64, seed=image_seed)
        return [find(local[0], whole[0]) for whole, local in (look(method, images, step) for step in range(20))]

    method = stub_method()
    first = places(method)
    assert places(method) == first == places(stub_method(-0.1), image_seed=9)
    assert places(stub_method(seed=2)) != first
    assert len(set(first)) > 15
    assert all(0 <= offset <= 64 - 32 for place in first for offset in place)
    assert min(map(min, first)) < 8 < 24 < max(map(max, first))


def test_a_convincing_output_lowers_the_loss_of_the_generator_and_raises_that_of_the_discriminators():
    bright, equal, dark = (stub_method(shift).step(*batch(64), step=0) for shift in (0.2, 0.0, -0.2))
    assert bright["loss_adv"] < equal["loss_adv"] < dark["loss_adv"]
    for name in DISCRIMINATORS:
        assert bright[name] > equal[name] > dark[name]
        assert equal[name].item() == pytest.approx(1, rel=0.2)  # indistinguishable: ((0 - 1)**2 + (0 + 1)**2) / 2
    torch.testing.assert_close(equal["loss_adv"], equal[DISCRIMINATORS[0]] + equal[DISCRIMINATORS[1]])


def test_losses_on_pixels_are_of_the_range_from_minus_1_to_1_while_features_are_of_0_to_1():
    seen = []

    def extract_features(image):
        seen.append(image.detach())
        return Features([image], [image])

    images = batch(64)
    losses = stub_method(0.1, extract_features=extract_features).step(*images, step=0)
    assert losses["loss_img"].item() == pytest.approx(0.2, rel=1e-5)
    assert losses["loss_perceptual"].item() == pytest.approx(0.1, rel=1e-5)
    torch.testing.assert_close(seen[0], images[0] + 0.1)
    torch.testing.assert_close(seen[1], images[0])


def test_auxiliary_images_are_compared_each_with_its_own_shrunk_target():
    heads = torch.rand(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    structure, image = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def shrunk(image):  # by two, where bilinear is the mean of four pixels
        return image.numpy().reshape(2, 3, 8, 2, 8, 2).mean(axis=(3, 5))

    expected = np.abs(heads[0].numpy() - shrunk(structure)).mean() + np.abs(heads[1].numpy() - shrunk(image)).mean()
    assert auxiliary_loss(*heads, structure, image).item() == pytest.approx(expected, rel=1e-5)


def test_the_step_gives_the_heads_to_the_auxiliary_loss_in_their_order(build, batches):
    image, _, structure = batches["mfe"]
    method, heads = build("mfe"), []
    method.networks["generator"].register_forward_hook(lambda network, inputs, outputs: heads.extend(outputs[1:]))
    losses = method.step(*batches["mfe"], step=0)
    expected = auxiliary_loss(*heads, 2 * structure - 1, 2 * image - 1).detach()
    torch.testing.assert_close(losses["loss_auxiliary"], expected)
    assert losses["loss_auxiliary"] != auxiliary_loss(*heads[::-1], 2 * structure - 1, 2 * image - 1)


def test_perceptual_and_style_loss_take_each_its_own_maps():
    """The stand-in brightens by 0.1: the maps differ by that, and Gram matrices of constant maps by a known number."""

    def extract_features(image):
        return Features([image, 3 * image], [torch.ones_like(image[:, :1]) * (image.mean() > 0.45) * 2])

    image = torch.full((2, 3, 32, 32), 0.4)
    mask = torch.zeros(2, 1, 32, 32)
    losses = stub_method(0.1, extract_features=extract_features).step(image, mask, image, step=0)
    assert losses["loss_perceptual"].item() == pytest.approx(0.1 + 0.3, rel=1e-5)
    assert losses["loss_style"].item() == pytest.approx(2 * 2, rel=1e-5)  # one channel: the mean of 2 * 2
