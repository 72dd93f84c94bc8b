"""The authors' layouts: their published keys, round trips, and what is said about files that do not fit."""

import re
from functools import partial
from itertools import permutations

import pytest
import torch

from spl.common.errors import CheckpointError
from spl.config.releases import RELEASES, released_files
from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import EdgeGenerator, InpaintGenerator
from spl.models.mfe import MFEDiscriminator, build_mfe
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_released_spl
from spl.released.layouts.discriminator import DISCRIMINATOR_RULES, fill_discriminator
from spl.released.layouts.ec import EC_RULES
from spl.released.layouts.mfe import DECODER_RULES, ENCODER_RULES, EQUALISATION_RULES
from spl.released.layouts.mfe import DISCRIMINATOR_RULES as MFE_DISCRIMINATOR_RULES
from spl.released.layouts.rfr import RFR_RULES
from spl.released.layouts.rn import RN_RULES, fill_released_rn
from spl.released.layouts.spl import SPL_RULES, fill_released_spl
from spl.released.load import FILL, load_released
from spl.weights.files import save_weights
from spl.weights.fit import SIGNATURES, describe, load_weights, released_names
from tests.released.fabricate import (
    FILES,
    RECIPES,
    Trap,
    adam_state,
    contents,
    discriminator_state,
    equal,
    in_our_keys,
    in_their_keys,
    release,
    save,
    small,
    states_of,
    wrapped,
)

# The published keys ---------------------------------------------------------------------------------

GRAY_AND_EDGES = 2

PUBLISHED = [
    ("spl", "generator", build_released_spl, SPL_RULES),
    ("spl", "discriminator", PatchDiscriminator, DISCRIMINATOR_RULES),
    ("rn", "generator", build_rn, RN_RULES),
    ("rn", "discriminator", PatchDiscriminator, DISCRIMINATOR_RULES),
    ("rfr", "generator", build_rfr, RFR_RULES),
    ("rfr", "generator_smaller_hole", partial(build_rfr, kernel=5), RFR_RULES),
    ("mfe", "EN", lambda: build_mfe().encoder, ENCODER_RULES),
    ("mfe", "DE", lambda: build_mfe().decoder, DECODER_RULES),
    ("mfe", "MEDFE", lambda: build_mfe().equalisation, EQUALISATION_RULES),
    ("mfe", "D", MFEDiscriminator, MFE_DISCRIMINATOR_RULES),
    ("ec", "edge_generator", EdgeGenerator, EC_RULES),
    ("ec", "inpaint_generator", InpaintGenerator, EC_RULES),
    ("ec", "edge_discriminator", partial(PatchDiscriminator, channels=GRAY_AND_EDGES), DISCRIMINATOR_RULES),
    ("ec", "inpaint_discriminator", PatchDiscriminator, DISCRIMINATOR_RULES),
]

LAYOUTS = {
    ("spl", "generator"): "the released SPL",
    ("rn", "generator"): "the released RN",
    ("rfr", "generator"): "the released RFR",
    ("rfr", "generator_smaller_hole"): "the released RFR",
    ("mfe", "EN"): "the released MFE encoder (EN)",
    ("mfe", "DE"): "the released MFE decoder (DE)",
    ("mfe", "MEDFE"): "the released MFE equalisation (MEDFE)",
    ("ec", "edge_generator"): "the released EdgeConnect edge generator",
    ("ec", "inpaint_generator"): "the released EdgeConnect inpainting generator",
} | {
    (method, network): "the released patch discriminator of SPL, RN and EdgeConnect"
    for method, network, build, rules in PUBLISHED
    if "discriminator" in network
}


@pytest.fixture(scope="module")
def published_keys(repository):
    """A function: method, network -> {key: shape} as published; skips by name where the list is absent."""

    def read(method, network):
        path = repository.parent / "shared" / "spec" / f"keys_{method}.txt"
        if not path.is_file():
            pytest.skip(f"no {path}")
        sections = {section.split(" ")[0]: section.splitlines()[1:] for section in path.read_text().split("## ")[1:]}
        lines = [line.split("\t") for line in sections[network] if line]
        return {key: tuple(map(int, re.findall(r"\d+", shape))) for key, shape in lines}

    return read


@pytest.mark.parametrize(("method", "network", "build", "rules"), PUBLISHED, ids=[f"{m}-{n}" for m, n, *_ in PUBLISHED])
def test_keys_and_shapes_are_the_published_ones(published_keys, method, network, build, rules):
    expected = published_keys(method, network)
    if "discriminator" in network:  # the first layer's second name
        assert {key: expected.get(key.replace("features.0", "conv1.0")) for key in expected if "features" in key} == {
            key: shape for key, shape in expected.items() if "features" in key
        }
        expected = {key: shape for key, shape in expected.items() if not key.startswith("features.")}
    with torch.device("meta"):
        ours = build()
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()}
    names = released_names(ours, rules)
    assert len(set(names.values())) == len(names)
    assert {names[name]: shape for name, shape in shapes.items()} == expected


@pytest.mark.parametrize(("method", "network"), LAYOUTS, ids=["-".join(pair) for pair in LAYOUTS])
def test_published_keys_are_recognised(published_keys, method, network):
    assert describe(published_keys(method, network)) == LAYOUTS[method, network]


@pytest.mark.parametrize("recipe", RECIPES)
def test_our_own_keys_are_recognised(tmp_path, recipe):
    titles = {"spl": "SPL", "rn": "RN", "rfr": "RFR", "mfe": "MFE", "ec": "EdgeConnect"}
    assert describe(small(recipe, tmp_path).state_dict()) == f"this project's {titles[recipe]}"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("generator.module.encoder_conv1_sm.weight", "the released SPL"),
        ("generator.module.middle.0.conv_block.2.sa.conv1.weight", "the released RN"),
        ("module.Pconv1.weight", "the released RFR"),
        ("body.conv1.0.weight", "a TResNet in its authors' layout"),
        ("body.conv1.conv.weight", "a TResNet in timm's layout"),
        ("whatever", "nothing known here"),
    ],
)
def test_layouts_are_recognised_by_a_key(key, name):
    assert describe([key]) == name


def test_every_release_can_be_filled_and_recognised():
    assert RELEASES.keys() == FILL.keys() == set(RECIPES)
    names = [name for name, pattern in SIGNATURES]
    assert len(set(names)) == len(names)
    assert all(any(name.startswith(release.layout) for name in names) for release in RELEASES.values())
    assert all(release.documented.startswith("https://github.com/") for release in RELEASES.values())


def test_the_files_of_a_checkpoint():
    assert [file.as_posix() for file in released_files("rfr", "w/paris.pth")] == ["w/paris.pth"]
    assert [file.name for file in released_files("mfe", "w")] == ["EN.pkl", "DE.pkl", "MEDEF.pkl"]
    assert [file.as_posix() for file in released_files("ec", "w")] == [
        "w/EdgeModel_gen.pth",
        "w/InpaintingModel_gen.pth",
    ]


# Round trips ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_released_files_round_trip(tmp_path, recipe, legacy):
    generator, other = small(recipe, tmp_path), small(recipe, tmp_path, seed=1)
    assert not equal(other, generator)
    path = release(recipe, generator, tmp_path / "files", legacy=legacy)
    hashes = load_released(recipe, path, other)
    assert equal(other, generator)
    assert sorted(hashes) == sorted(FILES[recipe].values())


@pytest.mark.parametrize("recipe", RECIPES)
def test_files_of_networks_under_dataparallel_round_trip(tmp_path, recipe):
    generator, other = small(recipe, tmp_path), small(recipe, tmp_path, seed=1)
    states = wrapped(states_of(recipe, generator))
    files = contents(recipe, states)
    if recipe in ("spl", "rn"):  # a plain generator state dict, so wrapped
        files = {FILES[recipe]["generator"]: states["generator"]}
    load_released(recipe, save(recipe, files, tmp_path / "files"), other)
    assert equal(other, generator)


def test_mfe_files_of_the_training_script_round_trip(tmp_path):
    generator, other = small("mfe", tmp_path), small("mfe", tmp_path, seed=1)
    files = {
        name: {"net": content, "optimize": adam_state()}
        for name, content in contents("mfe", states_of("mfe", generator)).items()
    }
    load_released("mfe", save("mfe", files, tmp_path / "files"), other)
    assert equal(other, generator)


def test_a_released_file_may_hold_the_teacher(tmp_path):
    generator, other = small("spl", tmp_path), small("spl", tmp_path, seed=1)
    files = contents("spl", states_of("spl", generator))
    next(iter(files.values()))["tresnet_xL_hold.body.conv1.0.weight"] = torch.zeros(4, 48, 3, 3)
    load_released("spl", save("spl", files, tmp_path / "files"), other)
    assert equal(other, generator)


@pytest.mark.parametrize(("recipe", "fill_released"), [("spl", fill_released_spl), ("rn", fill_released_rn)])
def test_the_discriminator_comes_with_the_generator(tmp_path, recipe, fill_released):
    generator, other = small(recipe, tmp_path), small(recipe, tmp_path, seed=1)
    discriminator, critic = PatchDiscriminator(width=4), PatchDiscriminator(width=4)
    states = states_of(recipe, generator) | {"discriminator": in_their_keys(discriminator, DISCRIMINATOR_RULES)}
    (content,) = contents(recipe, states).values()
    fill_released(other, content, discriminator=critic)
    assert equal(other, generator)
    assert equal(critic, discriminator)


def test_the_discriminators_first_layer_stands_twice():
    state = discriminator_state()
    discriminator = PatchDiscriminator(width=4)
    fill_discriminator(discriminator, state, source="x.pth", release=RELEASES["ec"])
    assert in_their_keys(discriminator, DISCRIMINATOR_RULES).keys() == {k for k in state if "features" not in k}
    key = "features.0.weight_orig"
    for wrong in ({key: state[key] + 1}, {"features.0.bias": torch.zeros(4)}):
        with pytest.raises(CheckpointError, match=r"x\.pth contradicts itself: features\.0\."):
            fill_discriminator(discriminator, state | wrong, source="x.pth", release=RELEASES["ec"])


def test_own_file_round_trip_and_misfit(tmp_path):
    generator, other = small("spl", tmp_path), small("spl", tmp_path, seed=1)
    save_weights(generator.state_dict(), tmp_path / "weights.safetensors")
    load_weights(other, tmp_path / "weights.safetensors")
    assert equal(other, generator)
    with pytest.raises(CheckpointError, match="missing"):
        load_weights(small("spl", tmp_path, fusion_blocks=2), tmp_path / "weights.safetensors")


# Files that do not fit ------------------------------------------------------------------------------


def refusal(recipe, path, generator):
    """The message of the one error that loading gives; it says where the right file is documented."""
    with pytest.raises(CheckpointError) as caught:
        load_released(recipe, path, generator)
    return str(caught.value)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_half_matching_file_lists_everything_and_changes_nothing(tmp_path, recipe):
    generator = small(recipe, tmp_path, seed=1)
    before = in_our_keys(generator)
    states = states_of(recipe, small(recipe, tmp_path))
    network, state = next(iter(states.items()))
    weights = [key for key, tensor in state.items() if tensor.ndim == 4]
    for key in weights[:2]:
        del state[key]
    state["left.over"] = torch.zeros(1)
    state[weights[2]] = torch.zeros(3)
    shape = tuple(states_of(recipe, generator)[network][weights[2]].shape)
    path = save(recipe, contents(recipe, states), tmp_path / "files")
    message = refusal(recipe, path, generator)
    assert str(path) in message
    assert f"expected {RELEASES[recipe].layout} layout" in message
    assert f"2 missing: {weights[0]}, {weights[1]}" in message
    assert "1 unexpected: left.over" in message
    assert f"1 of another shape: {weights[2]} (3,) instead of {shape}" in message
    assert RELEASES[recipe].documented in message
    after = in_our_keys(generator)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_long_lists_are_cut(tmp_path):
    states = states_of("spl", small("spl", tmp_path))
    for i in range(6):
        del states["generator"][f"rdbs.0.layers.{i}.conv.bias"]
    path = save("spl", contents("spl", states), tmp_path / "files")
    message = refusal("spl", path, small("spl", tmp_path))
    assert "6 missing: rdbs.0.layers.0.conv.bias, " in message
    assert "and 1 more" in message
    assert "rdbs.0.layers.5" not in message


@pytest.mark.parametrize(("recipe", "change"), [
    ("spl", {"width": 8}), ("rn", {"width": 8}), ("rfr", {"width": 16}), ("mfe", {"width": 16}), ("ec", {"width": 8}),
])  # fmt: skip
def test_another_width_lists_shapes_and_hints_at_the_published_sizes(tmp_path, recipe, change):
    path = release(recipe, small(recipe, tmp_path), tmp_path / "files")
    message = refusal(recipe, path, small(recipe, tmp_path, **change))
    assert "of another shape: " in message
    assert re.search(r"\(\d+, .*\) instead of \(\d+, .*\)", message)
    assert "missing" not in message
    assert "Released weights fit networks of the published sizes, such as those of presets/paper.yaml" in message
    assert RELEASES[recipe].documented in message


@pytest.mark.parametrize(("recipe", "theirs"), permutations(RECIPES, 2))
def test_files_of_another_method_are_called_by_their_name(tmp_path, recipe, theirs):
    files = list(contents(theirs, states_of(theirs, small(theirs, tmp_path))).values())
    path = save(recipe, {name: files[0] for name in FILES[recipe].values()}, tmp_path / "files")
    message = refusal(recipe, path, small(recipe, tmp_path))
    assert f"expected {RELEASES[recipe].layout} layout" in message
    assert f"that look like {RELEASES[theirs].layout}" in message
    assert f"documented at {RELEASES[recipe].documented}" in message


@pytest.mark.parametrize("recipe", RECIPES)
def test_our_own_files_are_not_released_ones(tmp_path, recipe):
    generator = small(recipe, tmp_path)
    path = save(recipe, {name: generator.state_dict() for name in FILES[recipe].values()}, tmp_path / "files")
    assert "that look like this project's" in refusal(recipe, path, generator)


@pytest.mark.parametrize(
    ("recipe", "first", "second", "message"),
    [
        ("mfe", "EN.pkl", "DE.pkl", r"\(encoder\) does not fit: .*\n?.* look like the released MFE decoder \(DE\)"),
        ("mfe", "DE.pkl", "MEDEF.pkl", r"\(decoder\) does not fit: .* look like the released MFE equalisation"),
        (
            "ec", "EdgeModel_gen.pth", "InpaintingModel_gen.pth",
            r"\(edge_generator\) does not fit: .* look like the released EdgeConnect inpainting generator",
        ),
    ],
)  # fmt: skip
def test_two_files_in_the_wrong_place(tmp_path, recipe, first, second, message):
    generator = small(recipe, tmp_path)
    folder = release(recipe, generator, tmp_path / "files")
    (folder / first).rename(folder / "aside")
    (folder / second).rename(folder / first)
    (folder / "aside").rename(folder / second)
    assert re.search(message, refusal(recipe, folder, generator))


def test_unknown_parts_are_refused(tmp_path):
    (content,) = contents("spl", states_of("spl", small("spl", tmp_path))).values()
    with pytest.raises(CheckpointError, match="1 unexpected: optimizer"):
        fill_released_spl(small("spl", tmp_path), content | {"optimizer.state": torch.zeros(1)})


@pytest.mark.parametrize("recipe", RECIPES)
def test_missing_files_are_named_with_where_they_are_documented(tmp_path, recipe):
    generator = small(recipe, tmp_path)
    path = release(recipe, generator, tmp_path / "files")
    *kept, gone = sorted((tmp_path / "files").iterdir())
    gone.unlink()
    message = refusal(recipe, path, generator)
    assert f"{gone} not found" in message
    assert f"documented at {RELEASES[recipe].documented}" in message
    assert not any(str(file) in message for file in kept)
    for file in kept:
        file.unlink()
    assert all(str(tmp_path / "files" / name) in refusal(recipe, path, generator) for name in FILES[recipe].values())


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("fault", ["truncated", "a web page", "code", "hidden code"])
def test_an_unreadable_file_is_named_and_nothing_runs(tmp_path, recipe, fault):
    generator, other = small(recipe, tmp_path), small(recipe, tmp_path, seed=1)
    before = in_our_keys(other)
    path = release(recipe, generator, tmp_path / "files")
    marker, file = tmp_path / "the code ran", max((tmp_path / "files").iterdir())  # the last that is read
    if fault == "truncated":
        file.write_bytes(file.read_bytes()[:1000])
    elif fault == "a web page":
        file.write_text("<html>quota exceeded</html>")
    else:
        content = torch.load(file, weights_only=True)
        place = "optimizer_G" if fault == "hidden code" else next(iter(content))
        torch.save(content | {place: Trap(marker)}, file)
    message = refusal(recipe, path, other)
    assert str(file) in message
    assert {"truncated": "is damaged", "a web page": "is a web page"}.get(fault, "was refused") in message
    assert not marker.exists()
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())
