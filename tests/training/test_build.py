"""The numbers of a recipe arrive in its networks, its optimizers and its step."""

import re
from types import SimpleNamespace

import pytest
import torch

from spl.training.build import build_method
from spl.training.context import TrainingContext
from spl.training.methods.ec import Stages
from tests.training.conftest import CPU, fake_features, tiny_run

METHODS = ["spl", "rn", "rfr", "mfe", "ec"]


def build(method, **training):
    recipe = tiny_run(method, **{"lr": 0.003, "betas": [0.25, 0.75], "epochs": 9} | training).recipe
    return build_method(recipe, TrainingContext(CPU, 48, 7, 3, None, fake_features))


@pytest.mark.parametrize("method", METHODS)
def test_every_trained_weight_belongs_to_one_optimizer_with_the_rate_of_its_kind(method):
    options = {} if method == "rfr" else {"lr_discriminator": 0.0005}
    built = build(method, **options)
    owner = {}
    for name, optimizer in built.optimizers.items():
        (group,) = optimizer.param_groups
        assert group["lr"] == optimizer.defaults["lr"] == (0.0005 if "discriminator" in name else 0.003)
        assert group["betas"] == (0.25, 0.75)
        for parameter in group["params"]:
            assert id(parameter) not in owner
            owner[id(parameter)] = name
    for name, network in built.networks.items():
        for key, parameter in network.named_parameters():
            assert parameter.requires_grad != key.endswith("mask_conv.weight")  # MFE's are fixed
            assert (id(parameter) in owner) == parameter.requires_grad
            if parameter.requires_grad:
                assert ("discriminator" in owner[id(parameter)]) == (name != "generator")
    assert len(owner) == sum(p.requires_grad for network in built.networks.values() for p in network.parameters())
    assert all(network.training for network in built.networks.values())


def test_epochs_become_steps():
    assert build("spl", prior_epochs=2).prior_steps == 14
    assert build("spl", prior_epochs=None).prior_steps is None
    assert build("rfr", norm_epochs=2).norm_steps == 14
    assert build("rfr", norm_epochs=None).norm_steps is None
    assert build("ec", edge_epochs=2, canny_epochs=3).stages == Stages(edge=14, canny=35)
    assert build("ec", edge_epochs=2, canny_epochs=0).stages == Stages(edge=14, canny=14)


def test_the_crops_of_mfe_follow_the_seed_of_the_experiment():
    assert build("mfe").seed == 3


@pytest.mark.parametrize("method", METHODS)
def test_precision_is_that_of_the_forward_passes(method):
    for precision, expected in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with build(method, precision=precision).autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected


# --- Where ablations start --------------------------------------------------------------------------------------------

ONLY_THESE_DIFFER = {  # from the reference, of one seed: a prior of 40 channels, five residual blocks, gamma
    "w/o S": ({"channels": 1}, "generator.semantic_learner.adapter"),
    "another teacher": ({"channels": 64}, "generator.semantic_learner.adapter"),
    "concatenation": (
        {"fusion": "concat"},
        "generator.image_decoder.fusion.merge generator.image_decoder.fusion.blocks.N.normN",
    ),
    "1 + gamma": ({"fusion": "one_plus_gamma"}, "generator.image_decoder.fusion.blocks.N.normN.gamma_conv"),
    "dense blocks": ({"semantic_learner": "dense"}, "generator.semantic_learner.body"),
    "more blocks": ({"fusion_blocks": 2}, "generator.image_decoder.fusion.blocks.N"),
    "nothing": ({}, ""),
}


def start(seed=1, channels=40, method="spl", **model):
    """Tensors of a method's networks before its first step, by name."""
    recipe = tiny_run(method).recipe
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update=model)})
    torch.manual_seed(seed)
    teacher = SimpleNamespace(channels=channels)
    built = build_method(recipe, TrainingContext(CPU, 48, 7, seed, teacher, fake_features))
    return {f"{name}.{key}": value for name, net in built.networks.items() for key, value in net.state_dict().items()}


@pytest.mark.parametrize(("change", "differing"), ONLY_THESE_DIFFER.values(), ids=ONLY_THESE_DIFFER)
def test_an_ablation_starts_where_its_reference_starts(change, differing):
    reference, ablation = start(), start(**change)
    unequal = {
        name
        for name in reference.keys() | ablation.keys()
        if name not in reference or name not in ablation or not torch.equal(reference[name], ablation[name])
    }
    assert all(re.sub(r"\d+", "N", name).startswith(tuple(differing.split()) or "-") for name in unequal)
    assert bool(unequal) == bool(differing)


@pytest.mark.parametrize("method", METHODS)
def test_every_layer_follows_the_seed_and_no_two_are_equal(method):
    first, again, other = (start(seed, method=method) for seed in (1, 1, 2))
    drawn = {name: value for name, value in first.items() if value.is_floating_point() and value.unique().numel() > 1}
    assert drawn
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not any(torch.equal(value, other[name]) for name, value in drawn.items())
    assert len({value.flatten()[0].item() for value in drawn.values()}) == len(drawn)
