"""The authors' layouts: their published keys, round trips, and what is said about files that do not fit."""

import re
from itertools import permutations

import pytest
import torch

from spl.common.errors import CheckpointError
from spl.config.releases import RELEASES, released_files
from spl.released.load import load_released
from spl.released.published import PARTS, PUBLISHED
from spl.weights.fit import released_names
from spl.weights.layouts import Layout, recognise
from tests.released.fabricate import FILES, RECIPES, Trap, adam_state, contents, equal, release, save, small, states_of

# The published keys ---------------------------------------------------------------------------------

NETWORKS = [  # method and network of the lists of published keys, layout, variant
    ("spl", "generator", Layout.SPL, ""),
    ("spl", "discriminator", Layout.DISCRIMINATOR, ""),
    ("rn", "generator", Layout.RN, ""),
    ("rn", "discriminator", Layout.DISCRIMINATOR, ""),
    ("rfr", "generator", Layout.RFR, ""),
    ("rfr", "generator_smaller_hole", Layout.RFR, "with kernel: 5"),
    ("mfe", "EN", Layout.MFE_ENCODER, ""),
    ("mfe", "DE", Layout.MFE_DECODER, ""),
    ("mfe", "MEDFE", Layout.MFE_EQUALISATION, ""),
    ("ec", "edge_generator", Layout.EC_EDGES, ""),
    ("ec", "inpaint_generator", Layout.EC_INPAINTING, ""),
    ("ec", "edge_discriminator", Layout.DISCRIMINATOR, "of edges"),
    ("ec", "inpaint_discriminator", Layout.DISCRIMINATOR, ""),
    ("lama", "generator, lama-fourier", Layout.LAMA, ""),
    ("lama", "generator, big-lama", Layout.LAMA, "with blocks: 18"),
]


def published_keys(repository, method, network):
    """{key: shape} as published; skips by name where the list is absent."""
    path = repository.parent / "shared" / "spec" / f"keys_{method}.txt"
    if not path.is_file():
        pytest.skip(f"no {path}")
    sections = {section.partition(" (")[0]: section.splitlines()[1:] for section in path.read_text().split("## ")[1:]}
    lines = [line.split("\t") for line in sections[network] if line]
    return {key: tuple(map(int, re.findall(r"\d+", shape))) for key, shape in lines}


@pytest.mark.parametrize(("method", "network", "layout", "variant"), NETWORKS)
def test_keys_and_shapes_are_the_published_ones(repository, method, network, layout, variant):
    keys = published_keys(repository, method, network)
    assert recognise(keys) is layout
    with torch.device("meta"):
        ours = PUBLISHED[layout].builds[variant]()
        state = {key: torch.empty(shape) for key, shape in keys.items()}
    expected = {key: tuple(tensor.shape) for key, tensor in PUBLISHED[layout].network_state(state).items()}
    assert all(keys[key] == keys[key.replace("features.0", "conv1.0")] for key in keys.keys() - expected.keys())
    names = released_names(ours, PUBLISHED[layout].rules)
    assert len(set(names.values())) == len(names)
    assert {names[name]: tuple(tensor.shape) for name, tensor in ours.state_dict().items()} == expected


@pytest.mark.parametrize("recipe", RECIPES)
def test_our_own_keys_are_recognised(tmp_path, recipe):
    assert recognise(small(recipe, tmp_path).state_dict()) is Layout[f"OWN_{recipe.upper()}"]


@pytest.mark.parametrize(
    ("key", "layout"),
    [
        ("generator.module.encoder_conv1_sm.weight", Layout.SPL),
        ("generator.module.middle.0.conv_block.2.sa.conv1.weight", Layout.RN),
        ("body.conv1.conv.weight", Layout.TIMM_TRESNET),
        ("whatever", Layout.UNKNOWN),
    ],
)
def test_layouts_are_recognised_by_a_key(key, layout):
    assert recognise([key]) is layout


def test_every_release_can_be_filled_and_recognised():
    assert RELEASES.keys() == PARTS.keys() == {*RECIPES, "lama", "migan"}
    for recipe, known in RELEASES.items():
        assert known.documented.startswith("https://github.com/")
        assert len(PARTS[recipe]) == len(known.files or "1")
        assert all(layout.title.startswith(known.layout) for layout in PARTS[recipe].values())
    assert len({layout.title for layout in Layout}) == len(Layout)


def test_the_files_of_a_checkpoint():
    assert [file.as_posix() for file in released_files("rfr", "w/paris.pth")] == ["w/paris.pth"]
    for recipe in ("mfe", "ec"):
        assert [file.name for file in released_files(recipe, "w")] == list(FILES[recipe].values())


# Round trips ----------------------------------------------------------------------------------------


def in_form(form, recipe, states):
    """The contents of a recipe's files in a form in which they are met."""
    if form == "DataParallel":
        states = {name: {f"module.{key}": value for key, value in state.items()} for name, state in states.items()}
        if recipe in ("spl", "rn"):  # a plain generator state dict
            return {FILES[recipe]["generator"]: states["generator"]}
    files = contents(recipe, states)
    if form == "training script":
        return {name: {"net": content, "optimize": adam_state()} for name, content in files.items()}
    return files


FORMS = [(recipe, form) for recipe in RECIPES for form in ("as released", "zip", "DataParallel")]


@pytest.mark.parametrize(("recipe", "form"), [*FORMS, ("mfe", "training script")])
def test_released_files_round_trip(tmp_path, recipe, form):
    generator, other = small(recipe, tmp_path), small(recipe, tmp_path, seed=1)
    assert not equal(other.state_dict(), generator.state_dict())
    files = in_form(form, recipe, states_of(recipe, generator))
    found = load_released(recipe, save(recipe, files, tmp_path / "files", legacy=form != "zip"), other)
    assert equal(other.state_dict(), generator.state_dict())
    assert [file.name for file in found] == list(FILES[recipe].values())


# Folders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["rn", "rfr", "spl"])
def test_of_a_folder_the_one_file_is_taken_that_is_the_methods(tmp_path, recipe):
    generator, other = small(recipe, tmp_path), small(recipe, tmp_path, seed=1)
    file = release(recipe, generator, tmp_path / "files")
    release("ec", small("ec", tmp_path), tmp_path / "files")
    (tmp_path / "files/README.txt").write_text("How to use it.")
    (tmp_path / f"files/{file.name}.part").write_bytes(b"a download")
    assert load_released(recipe, tmp_path / "files", other) == [file]
    assert equal(other.state_dict(), generator.state_dict())


def test_a_folder_with_two_of_them_or_none_is_refused_with_what_it_has(tmp_path):
    generator, folder = small("rn", tmp_path), tmp_path / "files"
    folder.mkdir()
    assert refusal("rn", folder, generator).startswith(f"{folder} not found: expected the weights of the released RN")
    theirs = release("rfr", small("rfr", tmp_path), folder)
    (folder / "page.pth").write_text("<html>")
    message = refusal("rn", folder, generator)
    assert f"{theirs.name} there: the released RFR. " in message
    assert "page.pth there: " in message
    assert "a web page instead of the file" in message
    first, second = release("rn", generator, folder), folder / "copy.pth"
    second.write_bytes(first.read_bytes())
    found = refusal("rn", folder, generator)
    assert found == f"{second} and {first} are both the released RN. Remove one of them."


# Files that do not fit ------------------------------------------------------------------------------


def refusal(recipe, path, generator):
    """The message of the one error that loading gives: it says where the right file is; nothing is changed."""
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_released(recipe, path, generator)
    assert equal(generator.state_dict(), before)
    return str(caught.value)


def misfit(recipe, files, tmp_path):
    """The message about contents that do not fit a small generator, less what all such messages say."""
    path = save(recipe, files, tmp_path / "files")
    message = refusal(recipe, path, small(recipe, tmp_path, seed=1))
    assert message.startswith(str(path))
    assert f"expected {RELEASES[recipe].layout} layout" in message
    assert "Released weights fit networks of the published sizes, such as those of presets/released.yaml" in message
    assert message.endswith(f"documented at {RELEASES[recipe].documented}.")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_half_matching_file_lists_everything(tmp_path, recipe):
    states = states_of(recipe, small(recipe, tmp_path))
    state = next(iter(states.values()))
    first, second, third = [key for key, tensor in state.items() if tensor.ndim == 4][:3]
    del state[first], state[second]
    shape, state[third] = tuple(state[third].shape), torch.zeros(3)
    state["left.over"] = torch.zeros(1)
    message = misfit(recipe, contents(recipe, states), tmp_path)
    assert f"2 missing: {first}, {second}; " in message
    assert "1 unexpected: left.over; " in message
    assert f"1 of another shape: {third} (3,) instead of {shape}. Released weights" in message


def test_long_lists_are_cut(tmp_path):
    states = states_of("spl", small("spl", tmp_path))
    for i in range(6):
        del states["generator"][f"rdbs.0.layers.{i}.conv.bias"]
    message = misfit("spl", contents("spl", states), tmp_path)
    assert "6 missing: rdbs.0.layers.0.conv.bias, " in message
    assert "layers.4.conv.bias, and 1 more" in message


@pytest.mark.parametrize(("recipe", "theirs"), permutations(RECIPES, 2))
def test_files_of_another_method_are_called_by_their_name(tmp_path, recipe, theirs):
    content = next(iter(contents(theirs, states_of(theirs, small(theirs, tmp_path))).values()))
    message = misfit(recipe, dict.fromkeys(FILES[recipe].values(), content), tmp_path)
    assert f"that look like {RELEASES[theirs].layout}" in message


@pytest.mark.parametrize("recipe", RECIPES)
def test_our_own_files_are_not_released_ones(tmp_path, recipe):
    content = small(recipe, tmp_path).state_dict()
    message = misfit(recipe, dict.fromkeys(FILES[recipe].values(), content), tmp_path)
    assert "that look like this project's" in message


@pytest.mark.parametrize(
    ("recipe", "part", "found"),
    [
        ("mfe", "encoder", Layout.MFE_DECODER),
        ("mfe", "decoder", Layout.MFE_EQUALISATION),
        ("ec", "edge_generator", Layout.EC_INPAINTING),
    ],
)
def test_two_files_in_the_wrong_place(tmp_path, recipe, part, found):
    generator = small(recipe, tmp_path)
    files = contents(recipe, states_of(recipe, generator))
    places = dict(zip(PARTS[recipe].values(), files, strict=True))
    first, second = places[PARTS[recipe][part]], places[found]
    files |= {first: files[second], second: files[first]}
    message = refusal(recipe, save(recipe, files, tmp_path / "files"), generator)
    assert f"({part}) does not fit: " in message
    assert f"that look like {found.title}" in message


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


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("fault", ["is damaged", "is a web page", "was refused"])
def test_an_unreadable_file_is_named_and_nothing_runs(tmp_path, recipe, fault):
    path = release(recipe, small(recipe, tmp_path), tmp_path / "files")
    marker, file = tmp_path / "the code ran", max((tmp_path / "files").iterdir())  # the last that is read
    if fault == "is damaged":
        file.write_bytes(file.read_bytes()[:1000])
    elif fault == "is a web page":
        file.write_text("<html>quota exceeded</html>")
    else:
        torch.save(torch.load(file, weights_only=True) | {"optimizer_G": Trap(marker)}, file)
    message = refusal(recipe, path, small(recipe, tmp_path, seed=1))
    assert message.startswith(f"{file} {fault}")
    assert not marker.exists()
