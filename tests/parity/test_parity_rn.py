import pytest
import torch

from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import build_rn
from spl.weights.layouts import Layout


@pytest.fixture(scope="module")
def generator(fixture):
    return fixture.fill(build_rn().eval(), Layout.RN, fixture.released_state(generator="generator"))


def test_statistics_pool_over_the_batch(fixture, generator, record_outputs):
    def compute(generator, image, mask):
        encoder, blocks = generator.image_encoder, generator.blocks
        seen = record_outputs(rn_b1=encoder.norm1, encoder=encoder, middle0=blocks[0], middle=blocks[-1])
        return {"image": generator(image, mask)} | seen

    fixture.check_regions(generator, compute)


def test_samples_one_by_one(fixture, generator):
    def compute(generator, image, mask):
        return {"image_single": torch.cat([generator(image[i : i + 1], mask[i : i + 1]) for i in range(len(image))])}

    fixture.check_regions(generator, compute)


@torch.no_grad()
def test_discriminator(fixture):
    discriminator = fixture.fill(PatchDiscriminator().eval(), Layout.DISCRIMINATOR, "discriminator")
    fixture.check({"disc": discriminator(fixture.image())[0]})
