"""Behaviour that all generators share."""

from functools import partial

import pytest
import torch

from spl.common.errors import DataError
from spl.config.methods import RECIPES
from spl.models.build import as_inpainter, within_memory
from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import EdgeGenerator, InpaintGenerator, build_ec
from spl.models.lama import build_lama
from spl.models.mfe import MFEDiscriminator, build_mfe
from spl.models.migan import build_migan
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_paper_spl, build_released_spl, build_spl

SPL = {"semantic_blocks": 2, "width": 8, "teacher_channels": 6, "fusion_blocks": 2}
GENERATORS = {
    "spl": partial(build_spl, semantic_learner="residual", fusion="gamma", **SPL),
    "spl_released": partial(build_spl, semantic_learner="dense", fusion="one_plus_gamma", **SPL),
    "spl_concat": partial(build_spl, semantic_learner="residual", fusion="concat", **SPL),
    "rn": partial(build_rn, width=8, blocks=2),
    "rfr": partial(build_rfr, width=8),
    "mfe": partial(build_mfe, image_size=32, width=8),
    "mfe_nearest": partial(build_mfe, image_size=32, width=8, feature_mask="nearest"),
    "ec": partial(build_ec, width=8, blocks=2),
    "lama": partial(build_lama, blocks=1),
    "migan": partial(build_migan, size=32),
}
UNBOUNDED = "rfr"


@pytest.fixture(params=GENERATORS)
def name(request):
    return request.param


@pytest.fixture
def network(name):
    """A small generator; weights as large as trained ones where small initial ones would hide a changed input."""
    network = GENERATORS[name]().eval()
    if name == "ec":
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return network


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (build_paper_spl, 33_416_487),
        (build_released_spl, 45_597_223),
        (build_rn, 11_596_591),
        (build_rfr, 31_224_065),
        (partial(build_rfr, kernel=5), 30_929_153),
        (build_mfe, 130_316_070),
        (EdgeGenerator, 10_761_089),
        (InpaintGenerator, 10_774_595),
        (build_lama, 27_048_835),
        (partial(build_lama, blocks=18), 50_975_875),
        (build_migan, 5_865_505),
        (partial(build_migan, size=512), 5_893_158),
        (PatchDiscriminator, 2_763_776),
        (partial(PatchDiscriminator, channels=2), 2_763_776 - 64 * 16),
        (MFEDiscriminator, 2_764_737),
    ],
)
def test_published_sizes(build, parameters):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build().parameters()) == parameters


def test_shape_and_range(name, network, image, mask):
    output = as_inpainter(network)(image, mask)
    assert output.shape == image.shape
    if name != UNBOUNDED:
        assert 0 <= output.min() < output.max() <= 1


def test_content_of_the_hole_is_never_looked_at(network, image, mask):
    outputs = network(image, mask)
    for content in (torch.rand_like(image), torch.zeros_like(image)):
        for ours, theirs in zip(outputs, network(image * (1 - mask) + content * mask, mask), strict=True):
            assert torch.equal(ours, theirs)


def test_the_image_around_the_hole_is_looked_at(network, image, mask):
    inpainter = as_inpainter(network)
    assert not torch.equal(inpainter(image, mask), inpainter(1 - image, mask))


def test_a_batch_equals_its_samples_one_by_one(name, network, image, mask):
    inpainter = as_inpainter(network)
    whole = inpainter(image, mask)
    single = torch.cat([inpainter(image[i : i + 1], mask[i : i + 1]) for i in range(len(image))])
    if pools(name):
        assert (whole - single).abs().max() > 1e-3
    else:
        torch.testing.assert_close(whole, single, atol=1e-4, rtol=1e-4)


def pools(name):
    return RECIPES[name.partition("_")[0]].pools_over_batch


class Crowded:
    """An inpainter on a GPU that holds a certain number of images."""

    def __init__(self, inpainter, room):
        self.inpainter, self.room, self.tried = inpainter, room, []

    def __call__(self, image, mask):
        self.tried.append(len(image))
        if len(image) > self.room:
            raise torch.OutOfMemoryError
        return self.inpainter(image, mask)


def test_a_batch_that_does_not_fit_is_filled_in_parts_unless_its_images_depend_on_each_other(
    name, network, image, mask
):
    crowded = Crowded(as_inpainter(network), room=1)
    fill = within_memory(crowded, pools_over_batch=pools(name))
    if pools(name):
        with pytest.raises(DataError, match="^a batch of 3 at 32 pixels does not fit .* pools over a batch. .*CPU"):
            fill(image, mask)
        return
    torch.testing.assert_close(fill(image, mask), as_inpainter(network)(image, mask), atol=1e-4, rtol=1e-4)
    assert crowded.tried == [3, 2, 1, 1, 1]
    fill(image, mask)
    assert crowded.tried[5:] == [1, 1, 1]  # the next batch begins with what fits


@pytest.mark.parametrize("pools_over_batch", [False, True])
def test_an_image_that_does_not_fit_alone_is_one_line(image, mask, pools_over_batch):
    fill = within_memory(Crowded(None, room=0), pools_over_batch=pools_over_batch)
    with pytest.raises(DataError, match="^a batch of 1 at 32 pixels does not fit the memory of cpu. Take"):
        fill(image[:1], mask[:1])


@pytest.mark.parametrize("hole", [0.0, 1.0])
def test_without_a_hole_and_all_hole(network, image, hole):
    output = as_inpainter(network)(image, torch.full((3, 1, 32, 32), hole))
    output.square().mean().backward()
    assert output.isfinite().all()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "image_shape", "mask_shape", "message"),
    [
        ("spl", (1, 3, 30, 32), (1, 1, 30, 32), "multiples of 4, got 30 x 32"),
        ("rn", (1, 3, 30, 32), (1, 1, 30, 32), "multiples of 4, got 30 x 32"),
        ("ec", (1, 3, 30, 32), (1, 1, 30, 32), "multiples of 4, got 30 x 32"),
        ("rfr", (1, 3, 40, 32), (1, 1, 40, 32), "multiples of 16, got 40 x 32"),
        ("mfe", (1, 3, 16, 16), (1, 1, 16, 16), r"Expected image \(B, 3, 32, 32\).*got image \(1, 3, 16, 16\)"),
        ("mfe", (2, 3, 32, 32), (1, 1, 32, 32), r"got image \(2, 3, 32, 32\) and mask \(1, 1, 32, 32\)"),
        ("lama", (1, 3, 8, 32), (1, 1, 8, 32), "of at least 9, got 8 x 32. Enlarge"),
        ("lama", (1, 3, 32, 32), (1, 1, 32, 31), r"and mask \(1, 1, 32, 31\)"),
        ("migan", (1, 3, 64, 64), (1, 1, 64, 64), r"Expected image \(B, 3, 32, 32\).*got image \(1, 3, 64, 64\)"),
        ("migan", (1, 3, 32, 32), (1, 3, 32, 32), r"and mask \(1, 3, 32, 32\)"),
        ("spl", (1, 3, 32, 32), (1, 3, 32, 32), r"and mask \(1, 3, 32, 32\)"),
        ("spl", (2, 3, 32, 32), (1, 1, 32, 32), r"got image \(2, 3, 32, 32\)"),
        ("spl", (1, 1, 32, 32), (1, 1, 32, 32), r"got image \(1, 1, 32, 32\)"),
        ("spl", (3, 32, 32), (1, 32, 32), r"got image \(3, 32, 32\)"),
    ],
)
def test_wrong_shapes_are_named(network, image_shape, mask_shape, message):
    with pytest.raises(DataError, match=message):
        network(torch.rand(image_shape), torch.zeros(mask_shape))


@pytest.mark.parametrize("name", ["spl", "spl_released", "spl_concat", "rn", "rfr", "ec"])
def test_every_parameter_gets_a_gradient(network, image, mask):
    outputs = network.train()(image, mask)
    sum(output.square().mean() for output in outputs).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
