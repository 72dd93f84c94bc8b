"""LaMa's generator in evaluation mode; its discriminator and training are no part of this project."""

import pytest
import torch

from spl.models.lama import build_lama
from spl.tensors.compositing import composite
from spl.weights.layouts import Layout


@pytest.fixture(scope="module")
def generator(fixture):
    return fixture.fill(build_lama().eval(), Layout.LAMA, "generator")


def every_level(generator, record_outputs):
    """Dictionaries that fill with the outputs of the modules that fixtures of all sizes name."""
    split, block = generator.layers[4], generator.layers[5]
    join, first_up, logits = generator.layers[-13], generator.layers[-12], generator.layers[-2]
    spectral = block.conv1.global_to_global
    seen = record_outputs(
        down1=generator.layers[2],
        fu_in=spectral.squeeze,
        fu_out=spectral.fourier,
        spectral=spectral,
        bottleneck=join,
        up1=first_up,
        logits=logits,
    )
    for name, module in {"encoder": split, "ffc": block.conv1, "block0": block}.items():

        def keep(module, inputs, pair, name=name):
            seen[f"{name}_local"], seen[f"{name}_global"] = pair

        module.register_forward_hook(keep)
    return seen


@torch.no_grad()
def fill_and_check(fixture, generator, record_outputs):
    seen, image, mask = every_level(generator, record_outputs), fixture.image(), fixture.mask()
    output = generator(image, mask)
    assert len(seen) == 13
    fixture.check({"image": output, "composite": composite(output, image, mask)} | seen)


def test_image_and_every_level(fixture, generator, record_outputs):
    fill_and_check(fixture, generator, record_outputs)


def test_big_lama(read_fixture, record_outputs):
    fixture = read_fixture("big_lama")
    fill_and_check(fixture, fixture.fill(build_lama(blocks=18).eval(), Layout.LAMA, "generator"), record_outputs)


@torch.no_grad()
def test_a_cut_whose_bottleneck_has_other_parities(fixture, generator, record_outputs):
    height, width = fixture.description["outputs"]["image_crop"]["shape"][2:]
    seen = record_outputs(fu_out_crop=generator.layers[5].conv1.global_to_global.fourier)
    image, mask = fixture.image()[:, :, :height, :width], fixture.mask()[:, :, :height, :width]
    fixture.check({"image_crop": generator(image, mask)} | seen)


@torch.no_grad()
def test_a_size_that_has_to_be_padded(fixture, generator):
    height, width = fixture.description["outputs"]["image_padded"]["shape"][2:]
    assert height % 8 or width % 8
    image, mask = fixture.image()[:1, :, :height, :width], fixture.mask()[:1, :, :height, :width]
    fixture.check({"image_padded": generator(image, mask)})
