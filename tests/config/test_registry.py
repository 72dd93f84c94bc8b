"""The registry of sources: valid, true to what was published, and complete for the paper's experiment."""

import re
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from spl.common.errors import ParamsError
from spl.config.load import load_params
from spl.config.registry import load_registry, source_of, without_secrets
from spl.config.releases import RELEASES
from spl.sources.metric_weights import FILES, INCEPTION, LPIPS_LAYERS
from spl.steps.settings import VGG_FILES, weight_files

FILE = {"name": "set.tar", "mirrors": ["https://example.org/set.tar"]}
SOURCE = {
    "title": "A set", "kind": "images", "folder": "data/raw/set",
    "files": [FILE],
    "images": {"train": 2, "test": 1}, "by_hand": "Place it.", "licence": "CC0", "citation": "We.",
    "checked": "never",
}  # fmt: skip


@pytest.fixture
def registry():
    return load_registry()


@pytest.fixture
def load(tmp_path):
    """A function that loads a registry with one source, of which some fields are changed."""

    def load(**changes):
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"set": SOURCE | changes}))
        return load_registry(tmp_path / "sources.yaml")

    return load


def mirrors_of(registry) -> dict[str, str]:
    """The only address of every file that has one, by the file's name."""
    files = [file for source in registry.values() for file in source.files if file.mirrors]
    return {file.name: mirror for file in files for (mirror,) in [file.mirrors]}


# What is registered ---------------------------------------------------------------------------------


def test_no_two_files_have_one_place(registry):
    places = [f"{source.folder}/{file.name}" for source in registry.values() for file in source.files]
    assert len(places) == len(set(places))


def test_every_source_says_what_a_person_does_and_where(registry):
    for name, source in registry.items():
        assert source.folder in source.by_hand, name
        for file in source.files:
            assert file.name in source.by_hand, name


def test_images_are_counted_and_weights_are_not(registry):
    uncounted = [name for name, source in registry.items() if source.images is None and source.kind != "weights"]
    assert uncounted == ["nvidia_training_masks"]  # its number was never published
    assert all(source.images is None for source in registry.values() if source.kind == "weights")


def test_addresses_lead_to_the_file_itself(registry):
    """Not to the page that shows it, from which a browser would have to go on."""
    for name, mirror in mirrors_of(registry).items():
        url = urlsplit(mirror)
        match url.hostname:
            case "drive.usercontent.google.com":
                assert url.path == "/download", name
                assert url.query.endswith("&export=download&confirm=t"), name
            case "www.dropbox.com":
                assert url.query == "dl=1", name
            case _:
                assert Path(url.path).suffix == Path(name).suffix, name
                assert not url.query, name


def test_hashes_and_addresses_are_those_that_torchvision_has(registry):
    from torchvision import models
    from torchvision.datasets import CelebA, Places365

    places = dict([*Places365._IMAGES_META.values(), *Places365._DEVKIT_META.values()])
    faces = {name: (identifier, md5) for identifier, md5, name in CelebA.file_list}
    for source in ("places365_flat", "places365_large"):
        for file in registry[source].files:
            assert file.md5 == places[file.name]
            assert file.mirrors == (Places365._BASE_URL + file.name,)
    for file in registry["celeba"].files:
        identifier, md5 = faces[file.name]
        assert file.md5 == md5
        assert f"id={identifier}&" in file.mirrors[0]
    weights = (
        models.VGG16_Weights.IMAGENET1K_V1, models.VGG19_Weights.IMAGENET1K_V1, models.AlexNet_Weights.IMAGENET1K_V1,
        models.detection.FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
    )  # fmt: skip
    found = mirrors_of(registry)
    for url in (weight.url for weight in weights):
        assert found[Path(url).name] == url


def test_a_hash_in_a_name_is_the_one_that_is_registered(registry):
    files = [file for source in registry.values() for file in source.files]
    named = {file.name: match[1] for file in files if (match := re.search(r"-([0-9a-f]{8})\.pth$", file.name))}
    assert len(named) == 5
    assert {file.name: file.sha256 for file in files if file.name in named} == named


def test_what_metrics_and_losses_read_is_registered(registry):
    assert {file.name for file in registry["vgg"].files} == set(VGG_FILES.values())
    wanted = {file.names[0] for files in FILES.values() for file in files}
    assert wanted == {file.name for file in registry["perceptual"].files}
    assert LPIPS_LAYERS.names == ("lpips_alex.pth", "alex.pth")
    assert INCEPTION.names[1] == "weights-inception-2015-12-05-6726825d.pth"


@pytest.mark.parametrize("method", ["mfe", "ec"])
def test_released_folders_have_the_files_of_their_layout(registry, method):
    for dataset in ("places2", "celeba", "paris"):
        assert tuple(file.name for file in registry[f"{method}_{dataset}"].files) == RELEASES[method].files


def test_every_weight_file_of_the_papers_experiment_is_registered(registry, repository):
    paper = load_params(repository / "presets/paper.yaml")
    named = [*weight_files(paper), "data/raw/teacher/resnet50.safetensors"]
    named += weight_files(load_params(repository / "presets/paper_timm.yaml"))
    assert len(named) > 20
    assert [path for path in named if source_of(registry, path) is None] == []


# What a registry may say -----------------------------------------------------------------------------


def test_a_registry_is_read_as_it_stands(load):
    source = load(checked=date(2025, 1, 31))["set"]
    assert source.files[0].mirrors == ("https://example.org/set.tar",)
    assert source.checked == date(2025, 1, 31)
    assert source.files[0].sha256 is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        *(
            ({"folder": folder}, r"set.folder: string should match pattern '\^data\(/")
            for folder in (
                "/data/set",
                "data/../../set",
                "data/..",
                "data",
                "data/",
                ".",
                "",
                "spl",
                "database",
                "./data/set",
                "~/data",
                "data/raw/../../spl",
                "data/.git/hooks",
                ".git/hooks",
                ".dvc",
                "workflow",
                "data\\..\\..\\spl",
                "data/a\\b",
            )
        ),
        *(
            ({"files": [FILE | {"name": name}]}, r"set.files.0.name: string should match pattern '.*\|zip\|")
            for name in (
                "a/b.tar",
                "..",
                "",
                ".tar",
                ".hidden.zip",
                "a\\b.tar",
                "yaml.py",
                "numpy.pyc",
                "torch.so",
                "stage.sh",
                "Snakefile",
                "pre-commit",
                "a.tar.py",
                "a.tar\n",
                "params.yaml",
                "x.cfg",
                "$(touch x).zip",
                "-rf.zip",
            )
        ),
        ({"kind": "videos"}, "set.kind: "),
        ({"checked": "yesterday"}, "set.checked"),
        ({"images": {"train": 0}}, "set.images.train: "),
        ({"mirrors": []}, "set.mirrors: is not a known key"),
        ({"files": [FILE | {"mirrors": ["set.tar"]}]}, "set.files.0.mirrors.0: .* an address"),
        ({"files": [FILE | {"mirrors": ["ftp://me:word@a.org/b?c=1"]}]}, ".* an address .*, got 'ftp://a.org/b'\\n?$"),
        ({"files": [{"name": "b.tar"}]}, "set.files.0.mirrors: is missing"),
        ({"files": [FILE | {"md5": "123"}]}, "set.files.0.md5: "),
        ({"files": [FILE | {"sha256": "397923AF"}]}, "set.files.0.sha256: "),
    ],
)
def test_faults_are_named_with_their_place(load, changes, fault):
    with pytest.raises(ParamsError, match=rf"has \d fault\(s\):\n  {fault}"):
        load(**changes)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("set: [", "is not valid YAML"),
        ("[]", "fault"),
        ("set: {}\nset: {}", "\n  set: duplicate key"),
        (None, "does not exist"),
    ],
)
def test_a_registry_that_cannot_be_read_says_so(tmp_path, text, fault):
    path = tmp_path / "sources.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParamsError, match=fault):
        load_registry(path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/some/set.tar", "https://host/some/set.tar"),
        ("http://me:word@host:81/set.tar?token=1&x=2#part", "http://host:81/set.tar"),
        ("http://me:wo@rd?@host/set.tar", "http://host/set.tar"),
        ("https://host?token=1", "https://host"),
        ("file:///data/set.tar", "file:///data/set.tar"),
        (
            "Pool(host='host', port=9): retries exceeded with url: /set.zip?token=1 (Caused by X('http://a:b@c/d?e'))",
            "Pool(host='host', port=9): retries exceeded with url: /set.zip (Caused by X('http://c/d'))",
        ),
        ("Is it there? me@host.org says no.", "Is it there? me@host.org says no."),
    ],
)
def test_an_address_is_shown_without_user_password_and_query(text, shown):
    assert without_secrets(text) == shown


def test_a_file_belongs_to_the_source_in_whose_folder_it_is_listed(load):
    registry = load()
    assert source_of(registry, "data/raw/set/set.tar") == "set"
    assert source_of(registry, "data/raw/set/other.tar") is None
    assert source_of(registry, "data/raw/set.tar") is None
