import torch

from spl.models.rfr import build_rfr
from spl.tensors.compositing import composite
from spl.weights.layouts import Layout


@torch.no_grad()
def test_image_and_every_round(fixture):
    generator = fixture.fill(build_rfr().eval(), Layout.RFR, "generator")
    rounds = {"attention": [], "reasoning": [], "mask": []}
    # The fixture's attention is what the combiner is given: weighted keys, then the features themselves.
    generator.reasoning.attention.combiner.register_forward_pre_hook(
        lambda m, i: rounds["attention"].append(i[0][:, : i[0].shape[1] // 2])
    )
    generator.reasoning.register_forward_hook(lambda m, i, out: rounds["reasoning"].append(out[0]))
    generator.identification.register_forward_hook(lambda m, i, out: rounds["mask"].append(out[1]))
    seen = {}
    generator.upsampling.conv.register_forward_hook(lambda m, i, out: seen.update(upsample_0=out))
    generator.tail.register_forward_hook(lambda m, i, out: seen.update(tail1_0=out[0]))
    image, mask = fixture.image(), fixture.mask("hole")
    output = generator(image, mask)
    seen |= {f"{name}_{i}": value for name, values in rounds.items() for i, value in enumerate(values)}
    known = {name: value for name, value in seen.items() if name in fixture.description["outputs"]}
    assert len(known) >= len([name for name in fixture.description["outputs"] if name[-2] == "_"])
    fixture.check({"image": output, "composite": composite(output, image, mask)} | known)


@torch.no_grad()
def test_smaller_hole_variant(fixture):
    generator = fixture.fill(build_rfr(kernel=5).eval(), Layout.RFR, "generator_smaller_hole")
    fixture.check({"image_smaller_hole": generator(fixture.image(), fixture.mask("hole"))})


@torch.no_grad()
def test_training_mode(fixture):
    generator = fixture.fill(build_rfr(), Layout.RFR, "generator").train()
    norms = {
        "bn1": generator.entry1_norm,
        "bn20": generator.entry2_norm,
        "bn2": generator.identification.norm,
        "RFRModule.enc_1.1": generator.reasoning.encoder[0].norm,
        "RFRModule.dec_1.1": generator.reasoning.decoder1.norm,
        "bn3": generator.upsampling.norm,
        "tail2.bn1": generator.tail_bottleneck.layer1.norm,
    }
    fixture.check({"image_train_mode": generator(fixture.image(), fixture.mask("hole"))})
    # A fixture may hold the running statistics from before the forward by mistake; those say nothing.
    # tests/models/test_rfr.py checks the updates on its own.
    start = fixture.states["generator"]
    statistics = {
        f"after_train_forward/{name}.{which}": getattr(norm, which)
        for name, norm in norms.items()
        for which in ("running_mean", "running_var")
        if fixture.worst(f"after_train_forward/{name}.{which}", start[f"{name}.{which}"]) > 0
    }
    fixture.check(statistics)
