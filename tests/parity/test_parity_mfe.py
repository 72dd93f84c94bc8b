import pytest
import torch
import torch.nn.functional as F

from spl.models.mfe import MFEDiscriminator, build_mfe
from spl.released.layouts.mfe import DISCRIMINATOR_RULES
from spl.weights.fit import fill, released_names
from spl.weights.layouts import Layout


@pytest.fixture(scope="module")
def released(fixture):
    network = build_mfe().eval()
    fixture.fill(network.encoder, Layout.MFE_ENCODER, "EN")
    fixture.fill(network.equalisation, Layout.MFE_EQUALISATION, "MEDFE")
    fixture.fill(network.decoder, Layout.MFE_DECODER, "DE")
    return network


@pytest.fixture
def generator(released):
    """The released network; what a test changes in it is taken back."""
    state = {name: tensor.clone() for name, tensor in released.state_dict().items() if "mask_conv" in name}
    yield released
    released.load_state_dict(state, strict=False)
    released.equalisation.feature_mask = "all_valid"


@torch.no_grad()
def fill_hole(generator, fixture):
    """The output in the authors' range [-1, 1], and both heads."""
    output, structure_head, texture_head = generator(fixture.image(), fixture.mask())
    return 2 * output - 1, structure_head, texture_head


def test_image_heads_and_every_level(fixture, generator, record_outputs):
    seen = record_outputs(
        skips=generator.encoder,
        equalised=generator.equalisation,
        equalisation_in=generator.equalisation.fuse,
        equalisation_out=generator.equalisation.equalise,
    )
    image, structure_head, texture_head = fill_hole(generator, fixture)
    for prefix, name in (("skip", "skips"), ("equalised", "equalised")):
        seen |= {f"{prefix}{level}": x for level, x in enumerate(seen.pop(name), start=1)}
    heads = {"structure_head": structure_head, "texture_head": texture_head}
    loss = auxiliary_loss(structure_head, texture_head, fixture.image())
    fixture.check(seen | heads | {"image": image, "auxiliary_loss": loss})


def auxiliary_loss(structure_head, texture_head, image):
    structure = F.avg_pool2d(image, 9, stride=1, padding=4)
    return sum(
        (head - F.interpolate(2 * target - 1, size=head.shape[2:], mode="bilinear")).abs().mean()
        for head, target in ((structure_head, structure), (texture_head, image))
    )


def test_feature_mask_of_the_first_revision(fixture, generator):
    generator.equalisation.feature_mask = "nearest"
    fixture.check({"image_featmask_initial": fill_hole(generator, fixture)[0]})


@pytest.mark.parametrize(
    ("feature_mask", "name"),
    [("all_valid", "image_maskconv_ones"), ("nearest", "image_featmask_initial_maskconv_ones")],
)
def test_mask_convolutions_of_ones(fixture, generator, feature_mask, name):
    generator.equalisation.feature_mask = feature_mask
    for key, parameter in generator.named_parameters():
        if "mask_conv" in key:
            torch.nn.init.ones_(parameter)
    fixture.check({name: fill_hole(generator, fixture)[0]})


@torch.no_grad()
def test_discriminator_on_the_image_and_on_a_crop(fixture):
    discriminator = MFEDiscriminator().eval()
    names = released_names(discriminator, DISCRIMINATOR_RULES)
    fill(discriminator, fixture.states["D"], source="D", layout="the released MFE", names=names)
    image = 2 * fixture.image() - 1
    fixture.check({"disc_global": discriminator(image), "disc_local": discriminator(image[..., 50:114, 70:134])})
