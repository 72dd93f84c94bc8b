import copy

import pytest
import torch

from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import build_rn
from spl.released.layouts.rn import fill_released_rn


@pytest.fixture(scope="module")
def fixture(read_fixture):
    return read_fixture("rn")


@pytest.fixture(scope="module")
def networks(fixture):
    generator, discriminator = build_rn().eval(), PatchDiscriminator().eval()
    state = fixture.released_state(generator="generator", discriminator="discriminator")
    fill_released_rn(generator, state, discriminator=discriminator)
    return generator, discriminator


@torch.no_grad()
def test_statistics_pool_over_the_batch(fixture, networks, record_outputs):
    def compute(dtype):
        generator = copy.deepcopy(networks[0]).to(dtype)
        seen = record_outputs(
            rn_b1=generator.image_encoder.norm1,
            encoder=generator.image_encoder,
            middle0=generator.blocks[0],
            middle=generator.blocks[-1],
        )
        return {"image": generator(fixture.image().to(dtype), fixture.mask().to(dtype))} | seen

    fixture.check_regions(compute)


@torch.no_grad()
def test_samples_one_by_one(fixture, networks):
    def compute(dtype):
        generator = copy.deepcopy(networks[0]).to(dtype)
        image, mask = fixture.image().to(dtype), fixture.mask().to(dtype)
        return {"image_single": torch.cat([generator(image[i : i + 1], mask[i : i + 1]) for i in range(len(image))])}

    fixture.check_regions(compute)


@torch.no_grad()
def test_discriminator(fixture, networks):
    fixture.check({"disc": networks[1](fixture.image())[0]})
