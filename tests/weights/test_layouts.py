import pickle
from pathlib import Path

import pytest
import torch

from spl.errors import CheckpointError
from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import build_rn
from spl.models.spl import build_spl
from spl.weights.files import read_state, save_weights
from spl.weights.fit import describe, load_weights, released_names
from spl.weights.layouts.discriminator import DISCRIMINATOR_RULES
from spl.weights.layouts.rn import RN_RULES, fill_released_rn
from spl.weights.layouts.spl import SPL_RULES, fill_released_spl

SMALL = {
    "semantic_body": "dense",
    "semantic_blocks": 2,
    "gamma": "one_plus_gamma",
    "width": 8,
    "teacher_channels": 4,
    "spade_blocks": 2,
}


def in_their_keys(network, rules, prefix=""):
    names = released_names(network, rules)
    return {prefix + names[name]: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(first, second):
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(name == other and torch.equal(a, b) for (name, a), (other, b) in pairs)


@pytest.fixture
def generator():
    return build_spl(**SMALL)


@pytest.fixture
def discriminator():
    return PatchDiscriminator(width=8)


@pytest.fixture
def released(generator, discriminator):
    """A file's content as the authors save it: wrapped names, the first layer twice, two constants."""
    critic = in_their_keys(discriminator, DISCRIMINATOR_RULES, "discriminator.module.")
    copies = {key.replace("conv1.0", "features.0"): tensor for key, tensor in critic.items() if ".conv1." in key}
    constants = {"adversarial_loss.real_label": torch.tensor(1.0), "adversarial_loss.fake_label": torch.tensor(0.0)}
    return in_their_keys(generator, SPL_RULES, "generator.module.") | critic | copies | constants


@pytest.mark.parametrize("network", ["spl", "rn"])
def test_key_lists_are_the_published_ones(network, repository):
    listed = repository.parent / "shared" / "spec" / f"keys_{network}.txt"
    if not listed.is_file():
        pytest.skip(f"no {listed}")
    sections = listed.read_text().split("## ")[1:]
    keys = {section.split(" ")[0]: {line.split("\t")[0] for line in section.splitlines()[1:]} for section in sections}
    with torch.device("meta"):
        generator = (
            build_spl(semantic_body="dense", semantic_blocks=16, gamma="one_plus_gamma")
            if network == "spl"
            else build_rn()
        )
    rules = SPL_RULES if network == "spl" else RN_RULES
    assert set(released_names(generator, rules).values()) == keys["generator"]
    critic = {key for key in keys["discriminator"] if not key.startswith("features.")}
    assert set(released_names(PatchDiscriminator(), DISCRIMINATOR_RULES).values()) == critic


def test_released_spl_round_trip(released, generator, discriminator, tmp_path):
    torch.save(released, tmp_path / "Ours_celeba.pt")
    other, critic = build_spl(**SMALL), PatchDiscriminator(width=8)
    fill_released_spl(read_state(tmp_path / "Ours_celeba.pt"), generator=other, discriminator=critic)
    assert equal(other, generator)
    assert equal(critic, discriminator)


def test_plain_generator_state_dict(generator):
    other = build_spl(**SMALL)
    fill_released_spl(in_their_keys(generator, SPL_RULES), generator=other)
    assert equal(other, generator)


def test_released_rn_round_trip(discriminator):
    generator, other, critic = build_rn(width=8, blocks=2), build_rn(width=8, blocks=2), PatchDiscriminator(width=8)
    state = in_their_keys(generator, RN_RULES, "generator.module.")
    state |= in_their_keys(discriminator, DISCRIMINATOR_RULES, "discriminator.module.")
    fill_released_rn(state, generator=other, discriminator=critic)
    assert equal(other, generator)
    assert equal(critic, discriminator)


def test_half_matching_file_lists_everything_and_changes_nothing(released, generator, tmp_path):
    for i in range(6):
        del released[f"generator.module.rdbs.0.layers.{i}.conv.bias"]
    released["generator.module.extra"] = torch.zeros(1)
    released["generator.module.gff.1.bias"] = torch.zeros(3)
    path = tmp_path / "half.pt"
    torch.save(released, path)
    other = build_spl(**SMALL)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        fill_released_spl(read_state(path), source=str(path), generator=other)
    message = str(caught.value)
    assert str(path) in message
    assert "6 missing: rdbs.0.layers.0.conv.bias" in message
    assert "and 1 more" in message
    assert "1 unexpected: extra" in message
    assert "gff.1.bias (3,) instead of (32,)" in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())


def test_unknown_part_is_refused(released, generator):
    with pytest.raises(CheckpointError, match="1 unexpected: optimizer"):
        fill_released_spl(released | {"optimizer.state": torch.zeros(1)}, generator=generator)


def test_contradicting_copies_are_refused(released, discriminator):
    key = "discriminator.module.features.0.weight_orig"
    released[key] = released[key] + 1
    with pytest.raises(CheckpointError, match="contradicts itself"):
        fill_released_spl(released, discriminator=discriminator)


def test_wrong_layout_says_what_it_looks_like(generator):
    rn = in_their_keys(build_rn(width=8, blocks=2), RN_RULES, "generator.module.")
    with pytest.raises(CheckpointError, match=r"expected the released SPL layout .* look like the released RN"):
        fill_released_spl(rn, generator=generator)
    with pytest.raises(CheckpointError, match="look like this project's SPL"):
        fill_released_spl(generator.state_dict(), generator=generator)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("generator.module.encoder_conv1_sm.weight", "the released SPL"),
        ("Pconv1.weight", "the released RFR"),
        ("body.conv1.0.weight", "a TResNet in its authors' layout"),
        ("whatever", "nothing known here"),
    ],
)
def test_layouts_are_recognised(key, name):
    assert describe([key]) == name


def test_own_file_round_trip_and_misfit(generator, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(generator.state_dict(), path)
    other = build_spl(**SMALL)
    load_weights(other, path)
    assert equal(other, generator)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(CheckpointError, match="missing"):
        load_weights(build_spl(**SMALL | {"spade_blocks": 3}), path)


class WritesAFile:
    """A pickle that would run code where it is loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_holds_code_is_refused_and_runs_nothing(tmp_path, legacy):
    trap = tmp_path / "the code ran"
    content = {"generator.module.encoder_conv1.weight": WritesAFile(trap)}
    if legacy:
        (tmp_path / "evil.pt").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=r"evil\.pt was refused"):
        read_state(tmp_path / "evil.pt")
    assert not trap.exists()


def test_environment_cannot_switch_safety_off(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    test_a_file_that_holds_code_is_refused_and_runs_nothing(tmp_path, legacy=False)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kept", [0, 10, 2000])
def test_truncated_file(generator, tmp_path, suffix, kept):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(generator.state_dict(), path)
    else:
        save_weights(generator.state_dict(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="weights"):
        read_state(path)


@pytest.mark.parametrize("content", [b"<html>quota exceeded</html>", b"\x89PNG\r\n"])
def test_something_else_entirely(tmp_path, content):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights\.pth"):
        read_state(tmp_path / "weights.pth")


def test_missing_file_and_no_weights(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        read_state(tmp_path / "nothing.pt")
    torch.save({"epoch": 3}, tmp_path / "note.pt")
    with pytest.raises(CheckpointError, match="holds no weights: expected a dictionary of tensors"):
        read_state(tmp_path / "note.pt")
