import pytest
import torch
import torch.nn.functional as F

from spl.models.mfe import MFEDiscriminator, build_mfe
from spl.released.layouts.mfe import DECODER_RULES, DISCRIMINATOR_RULES, ENCODER_RULES, EQUALISATION_RULES
from spl.weights.fit import fill, released_names


@pytest.fixture(scope="module")
def fixture(read_fixture):
    return read_fixture("mfe")


def load(fixture, part, network, rules):
    state, names = fixture.states[part], released_names(network, rules)
    fill(network, state, source=part, layout="the released MFE", names=names)


@pytest.fixture(scope="module")
def released(fixture):
    network = build_mfe().eval()
    load(fixture, "EN", network.encoder, ENCODER_RULES)
    load(fixture, "MEDFE", network.equalisation, EQUALISATION_RULES)
    load(fixture, "DE", network.decoder, DECODER_RULES)
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
        (head - F.interpolate(2 * picture - 1, size=head.shape[2:], mode="bilinear")).abs().mean()
        for head, picture in ((structure_head, structure), (texture_head, image))
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
def test_discriminator_on_the_picture_and_on_a_crop(fixture):
    discriminator = MFEDiscriminator().eval()
    load(fixture, "D", discriminator, DISCRIMINATOR_RULES)
    image = 2 * fixture.image() - 1
    fixture.check({"disc_global": discriminator(image), "disc_local": discriminator(image[..., 50:114, 70:134])})
