"""RFR's step: what its losses compare, and the batch norms that are frozen for fine-tuning."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from spl.training.methods.rfr import freeze_norms


def norms(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


def gram(x):
    flat = x.reshape(*x.shape[:2], -1).numpy()
    return flat @ flat.transpose(0, 2, 1) / (flat.shape[1] * flat.shape[2])


def distances(ours, theirs):
    pairs = zip(ours, theirs, strict=True)
    return sum(np.abs(np.asarray(one) - np.asarray(other)).mean() for one, other in pairs)


def test_losses_compare_output_and_composite_with_the_image(build, batches):
    image, mask = batches["rfr"]
    method, outputs = build("rfr"), []
    method.networks["generator"].register_forward_hook(lambda network, inputs, output: outputs.append(output.detach()))
    losses = method.step(image, mask, step=0)

    output = outputs[0]
    composited = torch.where(mask > 0, output, image)
    ours, theirs = [method.extract_features(shown) for shown in (output, composited)], method.extract_features(image)
    hole, difference = mask.numpy().repeat(3, 1), np.abs(output.numpy() - image.numpy())
    filled = composited.numpy() * hole
    expected = {
        "loss_valid": np.where(hole > 0, 0, difference).mean(),
        "loss_hole": np.where(hole > 0, difference, 0).mean(),
        "loss_perceptual": sum(distances(maps.perceptual, theirs.perceptual) for maps in ours),
        "loss_style": sum(distances(map(gram, maps.style), map(gram, theirs.style)) for maps in ours),
        "loss_tv": np.abs(np.diff(filled, axis=2)).mean() + np.abs(np.diff(filled, axis=3)).mean(),
    }
    assert {name: losses[name].item() for name in expected} == pytest.approx(expected, rel=1e-5)


def test_norms_keep_their_statistics_after_norm_steps_while_their_weights_are_trained(build, batches):
    method = build("rfr", norm_steps=2)
    generator = method.networks["generator"]
    for step in range(4):
        generator.train()  # as after the loop has drawn its samples
        before = copy.deepcopy(norms(generator))
        method.step(*batches["rfr"], step=step)
        for new, old in zip(norms(generator), before, strict=True):
            assert torch.equal(new.running_mean, old.running_mean) == (step >= 2)
            assert torch.equal(new.running_var, old.running_var) == (step >= 2)
            assert not torch.equal(new.weight, old.weight)


def test_without_norm_steps_the_norms_always_follow_the_batch(build, batches):
    method = build("rfr", norm_steps=None)
    method.step(*batches["rfr"], step=10**6)
    assert all(norm.training for norm in norms(method.networks["generator"]))


def test_frozen_norms_treat_every_image_alone(build, batches):
    image, mask = batches["rfr"]
    generator = build("rfr").networks["generator"].train()
    with torch.no_grad():
        assert (generator(image, mask)[:1] - generator(image[:1], mask[:1])).abs().max() > 1e-3
        freeze_norms(generator)
        torch.testing.assert_close(generator(image, mask)[:1], generator(image[:1], mask[:1]))
    assert generator.training
