import pytest
import torch

from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import EdgeConnect, EdgeGenerator, InpaintGenerator, canny_edges, canny_edges_of, gray
from spl.weights.layouts import Layout


@pytest.fixture(scope="module")
def edge_generator(fixture):
    return fixture.fill(EdgeGenerator().eval(), Layout.EC_EDGES, "edge_generator")


@pytest.fixture(scope="module")
def inpaint_generator(fixture):
    return fixture.fill(InpaintGenerator().eval(), Layout.EC_INPAINTING, "inpaint_generator")


def luma(fixture):
    return torch.from_numpy(fixture.arrays["in/gray"])


def canny(fixture):
    return torch.from_numpy(fixture.arrays["in/canny"]).float()


def test_gray_and_its_edges(fixture):
    torch.testing.assert_close(gray(fixture.image()), luma(fixture), atol=2e-7, rtol=0)
    for valid in (1 - fixture.mask(), (1 - fixture.mask()).bool()):
        assert torch.equal(canny_edges(gray(fixture.image()), valid), canny(fixture))
        assert torch.equal(canny_edges(luma(fixture), valid), canny(fixture))


def test_edges_of_a_file_are_those_of_its_tensor(fixture):
    for image, edges in zip(fixture.arrays["in/image"], canny_edges(gray(fixture.image())), strict=True):
        assert torch.equal(torch.from_numpy(canny_edges_of(image.transpose(1, 2, 0))).float(), edges[0])


@torch.no_grad()
def test_edges_and_images(fixture, edge_generator, inpaint_generator):
    image, mask = fixture.image(), fixture.mask()
    edge = edge_generator(luma(fixture), canny(fixture), mask)
    merged = edge * mask + canny(fixture) * (1 - mask)
    outputs = {
        "edge": edge,
        "image": inpaint_generator(image, mask, edge),
        "image_with_merged_edges": inpaint_generator(image, mask, merged),
    }
    fixture.check(outputs)


@torch.no_grad()
def test_from_image_and_mask_alone(fixture, edge_generator, inpaint_generator):
    network = EdgeConnect(edge_generator=edge_generator, inpaint_generator=inpaint_generator)
    fixture.check({"image": network(fixture.image(), fixture.mask())})


@torch.no_grad()
def test_discriminators(fixture):
    judged = {"edge": torch.cat([luma(fixture), canny(fixture)], dim=1), "inpaint": fixture.image()}
    outputs = {}
    for name, images in judged.items():
        discriminator = PatchDiscriminator(channels=images.shape[1]).eval()
        fixture.fill(discriminator, Layout.DISCRIMINATOR, f"{name}_discriminator")
        outputs[f"disc_{name}"] = discriminator(images)[0]
    fixture.check(outputs)
