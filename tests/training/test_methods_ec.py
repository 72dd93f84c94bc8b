"""EdgeConnect's step: three stages, in each of which one generator and its discriminator learn."""

import copy

import pytest
import torch

from spl.models.ec import gray
from spl.training.methods.ec import Stages

EDGES, CANNY, PREDICTED = 0, 1, 2
"""A step of every stage."""


@pytest.fixture
def method(build):
    return build("ec")


def states(method):
    """Parameters and buffers of all four networks, the vectors of the spectral norms among them."""
    generator = method.networks["generator"]
    networks = {name: getattr(generator, name) for name in ("edge_generator", "inpaint_generator")}
    networks |= {name: network for name, network in method.networks.items() if name != "generator"}
    return {name: copy.deepcopy(network.state_dict()) for name, network in networks.items()}


def watch(network):
    """Collect the inputs of every call."""
    calls = []
    network.register_forward_pre_hook(lambda network, inputs: calls.append([tensor.detach() for tensor in inputs]))
    return calls


def test_a_stage_trains_its_own_networks_and_touches_no_other(method, batches):
    for step, part in ((EDGES, "edge"), (CANNY, "inpaint"), (PREDICTED, "inpaint")):
        expected = {f"{part}_generator", f"{part}_discriminator"}
        before = states(method)
        method.step(*batches["ec"], step=step)
        after = states(method)
        changed = {name: {k for k, v in after[name].items() if not torch.equal(v, before[name][k])} for name in after}
        assert {name for name, keys in changed.items() if keys} == expected
        for name in expected:
            weights = {key for key in after[name] if key.endswith(("weight", "weight_orig"))}
            assert weights <= changed[name], name
    assert method.parts["edge"].training


@pytest.mark.parametrize("stages", [Stages(edge=3, canny=5), Stages(edge=3, canny=3)])
def test_stages_begin_with_the_step_they_are_named_for(build, batches, stages):
    method = build("ec", stages=stages)
    edge_calls, image_calls = watch(method.parts["edge"]), watch(method.parts["inpaint"])
    found = []
    for step in range(7):
        edge_calls.clear()
        image_calls.clear()
        method.step(*batches["ec"], step=step)
        found.append((len(edge_calls), len(image_calls)))
    expected = [(1, 0)] * stages.edge + [(0, 1)] * (stages.canny - stages.edge) + [(1, 1)] * (7 - stages.canny)
    assert found == expected


def test_images_are_made_from_true_edges_first(method, batches):
    calls = watch(method.parts["inpaint"])
    method.step(*batches["ec"], step=CANNY)
    for given, seen in zip(batches["ec"], calls[0], strict=True):
        assert torch.equal(given, seen)


def test_later_images_are_made_from_predicted_edges_in_the_hole_and_true_ones_around_it(method, batches):
    image, mask, edge = batches["ec"]
    calls = watch(method.parts["inpaint"])
    method.step(*batches["ec"], step=PREDICTED)
    method.parts["edge"].eval()
    with torch.no_grad():
        predicted = method.parts["edge"](gray(image), edge, mask)
    merged, hole = calls[0][2], mask > 0
    assert torch.equal(merged[~hole], edge[~hole])
    torch.testing.assert_close(merged[hole], predicted[hole])
    assert not torch.equal(merged[hole], edge[hole])


def test_the_edge_discriminator_judges_edges_together_with_the_gray_image(method, batches):
    image, mask, edge = batches["ec"]
    outputs = []
    method.parts["edge"].register_forward_hook(lambda network, inputs, output: outputs.append(output.detach()))
    calls = watch(method.networks["edge_discriminator"])
    method.step(*batches["ec"], step=EDGES)
    real = torch.cat([gray(image), edge], dim=1)
    fake = torch.cat([gray(image), outputs[0]], dim=1)
    assert all(torch.equal(call[0], expected) for call, expected in zip(calls, (real, fake, fake), strict=True))


def test_losses_on_images(method, batches):
    image, mask, _ = batches["ec"]
    outputs, shown = [], []
    method.parts["inpaint"].register_forward_hook(lambda network, inputs, output: outputs.append(output.detach()))
    extract_features = method.extract_features
    method.extract_features = lambda seen: shown.append(seen.detach()) or extract_features(seen)
    losses = method.step(*batches["ec"], step=CANNY)
    output = outputs[0]
    expected = (output - image).abs().mean() / mask.mean()
    torch.testing.assert_close(losses["loss_img"], expected)
    # Style is compared in the hole: elsewhere both are black.
    seen, style_seen, truth, style_truth = (extract_features(x) for x in (output, output * mask, image, image * mask))
    assert all(any(torch.equal(x, y) for y in shown) for x in (output, output * mask, image, image * mask))
    differences = [(a - b).abs().mean() for a, b in zip(seen.perceptual, truth.perceptual, strict=True)]
    torch.testing.assert_close(losses["loss_perceptual"], torch.stack(differences).sum())
    grams = [
        torch.einsum("bchw,bdhw->bcd", maps[0], maps[0]) / maps[0][0].numel()
        for maps in (style_seen.style, style_truth.style)
    ]
    torch.testing.assert_close(losses["loss_style"], (grams[0] - grams[1]).abs().mean())


def test_the_matching_loss_compares_all_five_maps_of_the_discriminator(method, batches):
    image, _, edge = batches["ec"]
    maps = []
    method.networks["edge_discriminator"].register_forward_hook(
        lambda network, inputs, output: maps.append([x.detach() for x in output[1]])
    )
    losses = method.step(*batches["ec"], step=EDGES)
    real, _, fake = maps
    assert len(real) == 5
    expected = sum((ours - theirs).abs().mean() for ours, theirs in zip(fake, real, strict=True))
    torch.testing.assert_close(losses["loss_matching"], expected)


def test_a_batch_without_a_hole_has_finite_losses(method, batches):
    image, mask, edge = batches["ec"]
    losses = method.step(image, torch.zeros_like(mask), edge, step=CANNY)
    assert losses["total"].isfinite()
