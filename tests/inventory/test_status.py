"""`spl status` tells what an experiment needs from elsewhere, what of it is present, and what is blocked without it."""

import json
import subprocess
import sys

import pytest

from spl.common.errors import ParamsError
from spl.config.load import load_params
from spl.config.registry import RegisteredFile, Source, load_registry
from spl.inventory.status import State, render, status, to_json
from spl.sources.metric_weights import LPIPS_LAYERS
from tests.conftest import bare, read_raw

VGG = {"kind": "vgg", "folder": "data/raw/vgg"}
SUPPLIED = {"kind": "supplied", "path": "images/gardens"}


@pytest.fixture
def registry():
    return load_registry()


@pytest.fixture
def raw_paper(repository):
    return read_raw(repository / "presets/paper.yaml")


class Look(dict):
    """The status of an experiment by source, and its text."""

    def __init__(self, params, registry):
        found = status(params, registry)
        super().__init__({source.name: source for source in found})
        self.params, self.text = params, render(found, params)
        self.blocks = {block.partition(": ")[0]: " ".join(block.split()) for block in self.text.split("\n\n")[1:]}

    def blocked(self, name):
        """What is blocked without a source, or needs it."""
        return self.blocks[name].partition("blocks: ")[2].partition(" get it: ")[0]


@pytest.fixture
def look(tmp_path, monkeypatch, write_params, registry):
    """A function that looks at an experiment in an otherwise empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda raw, registry=registry: Look(load_params(write_params(raw)), registry)


@pytest.fixture
def place(tmp_path):
    """A function that puts small files into that folder."""

    def put(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(b"x")

    return put


# The paper's experiment -----------------------------------------------------------------------------


def test_an_empty_folder_lacks_everything_that_the_paper_needs_and_nothing_else(look, raw_paper):
    found = look(raw_paper)
    assert {name: found.blocked(name) for name in found} == {
        "places365_easy": "places2; figure 1, figure 3, figure 5",
        "celeba": "celeba; figure 3",
        "paris_streetview": "paris; figure 3, figure 4",
        "nvidia_test_masks": "places2, celeba, paris; figure 1, figure 3, figure 4, figure 5",
        "tresnet_l": "spl, spl_released, spl_concat; figure 1, figure 3, figure 4, figure 5",
        "yolov5l": "spl_detector; figure 4",
        "vgg": "rfr on places2; figure 1, figure 3",
        "fasterrcnn": "detected objects and the claims about them",
        "perceptual": "LPIPS, FID, KID",
        "rn_places2": "rn on places2; figure 3",
        "rfr": "rfr on celeba, paris; figure 3",
        "mfe_places2": "mfe on places2; figure 3",
        "mfe_celeba": "mfe on celeba; figure 3",
        "mfe_paris": "mfe on paris; figure 3",
        "ec_places2": "ec on places2; figure 1, figure 5",
        "ec_celeba": "ec on celeba",
        "ec_paris": "ec on paris",
    }
    assert {source.state for source in found.values()} == {State.MISSING}
    assert found.text.startswith("0 of 17 sources are here; missing: places365_easy, celeba, paris")
    assert [path.name for path in found["vgg"].files] == ["vgg16-397923af.pth"]  # vgg19 is EdgeConnect's, released


def test_present_sources_come_last_and_ask_for_nothing(look, raw_paper, place):
    place("data/raw/nvidia_test_masks/test_mask.zip")
    found = look(raw_paper)
    assert found["nvidia_test_masks"].state == State.PRESENT
    assert list(found)[-1] == "nvidia_test_masks"
    assert found.text.startswith("1 of 17 sources are here; missing: places365_easy, celeba, paris_streetview, fast")
    block = found.blocks["nvidia_test_masks"]
    assert "data/raw/nvidia_test_masks/test_mask.zip: present needed for: places2, celeba, paris" in block
    assert "get it" not in block


def test_a_download_that_stopped_is_partly_here(look, raw_paper, place):
    raw_paper["datasets"]["places2"]["source"]["name"] = "places365_flat"
    folder = "data/raw/places365_flat"
    place(*(f"{folder}/val_256.tar{ending}" for ending in (".part", ".part.json", ".lock")))
    found = look(raw_paper)
    assert "; partly here: places365_flat\n" in found.text
    assert f"{folder}/val_256.tar: partly here" in found.blocks["places365_flat"]
    assert f"{folder}/filelist_places365-standard.tar: missing" in found.blocks["places365_flat"]


def test_a_source_of_which_some_files_are_here_blocks_only_the_rest(look, raw_paper, place):
    place("data/raw/weights/rfr/checkpoint_paris.pth")
    found = look(raw_paper)
    assert found["rfr"].state == State.PARTLY
    assert found.blocked("rfr") == "rfr on celeba; figure 3"


def test_missing_sources_tell_how_to_get_them(look, raw_paper, registry):
    found = look(raw_paper)
    for name, target in (("celeba", "images/celeba"), ("nvidia_test_masks", "masks"), ("vgg", "weights/vgg")):
        how = f"get it: snakemake --cores all -- data/sources/{target}.json. If that fails: "
        assert found.blocks[name].endswith(how + " ".join(registry[name].by_hand.split()))
    by_hand = " ".join(registry["paris_streetview"].by_hand.split())
    assert found.blocks["paris_streetview"].endswith(f"get it: by hand. {by_hand}")


@pytest.mark.parametrize("placed", ["paris_eval_gt/001_im.png", "paris.tar.gz"])
def test_a_source_without_a_list_is_here_as_soon_as_its_folder_holds_something(look, raw_paper, place, placed):
    place("data/raw/paris_streetview/SHA256SUMS")
    assert look(raw_paper)["paris_streetview"].state == State.MISSING
    place(f"data/raw/paris_streetview/{placed}")
    assert look(raw_paper)["paris_streetview"].state == State.PRESENT


def test_a_metrics_file_counts_under_each_name_that_its_authors_gave_it(look, raw_paper, place):
    place(f"data/raw/metrics/{LPIPS_LAYERS.names[1]}")
    assert list(look(raw_paper)["perceptual"].files.values()) == [State.MISSING, State.PRESENT, State.MISSING]


@pytest.mark.parametrize("path", ["data/raw/weights/spl/Ours_celeba.pt", "data/raw/weights/spl/celeba"])
def test_released_weights_without_a_list_of_names_are_known_by_their_folder(look, raw_paper, place, path):
    raw_paper["methods"]["spl_released"]["weights"] = {"celeba": {"source": "released", "path": path}}
    found = look(raw_paper)
    assert {str(file): state for file, state in found["spl"].files.items()} == {path: State.MISSING}
    assert found.blocked("spl") == "spl_released on celeba"
    assert "drive.google.com" in found.blocks["spl"]
    assert "(200 MB each)" in found.blocks["spl"]
    place(path if path.endswith(".pt") else f"{path}/any.pt")
    assert look(raw_paper)["spl"].state == State.PRESENT


def test_scripts_get_the_same_as_json(look, raw_paper, place, registry):
    place("data/raw/weights/rfr/checkpoint_paris.pth", "data/raw/nvidia_test_masks/test_mask.zip")
    found = look(raw_paper)
    rows = {row["source"]: row for row in json.loads(to_json(list(found.values()), found.params))}
    assert list(rows) == list(found)
    rfr = rows["rfr"]
    files = {
        f"data/raw/weights/rfr/checkpoint_{name}.pth": state
        for name, state in (("celeba", "missing"), ("paris", "present"))
    }
    assert (rfr["state"], rfr["files"], rfr["size"]) == ("partly here", files, "375 MB each")
    assert rfr["blocks"] == found.blocked("rfr")
    assert rfr["get_it"] == f"by hand. {registry['rfr'].by_hand}"
    assert rows["nvidia_test_masks"]["get_it"] == ""


def test_only_teachers_that_somebody_needs_are_listed(look, raw_paper):
    assert "resnet50" not in look(raw_paper)
    raw_paper["methods"]["spl_concat"]["teacher"] = "imagenet"
    assert look(raw_paper).blocked("resnet50") == "spl_concat; figure 4"
    raw = bare(raw_paper)
    for method in ("spl_concat", "spl_detector"):
        raw["methods"].pop(method)
    assert not {"resnet50", "yolov5l"} & set(look(raw))


def test_a_teacher_that_finds_objects_blocks_these_too(look, raw_paper):
    raw_paper["detection"]["detector"] = {"kind": "teacher", "teacher": "detector"}
    found = look(raw_paper)
    assert "fasterrcnn" not in found
    assert found.blocked("yolov5l") == "spl_detector; figure 4; detected objects and the claims about them"


def test_a_source_that_is_not_registered_is_an_error_with_those_that_are(look, raw_paper):
    raw_paper["datasets"]["paris"]["source"]["name"] = "paris_streetwiev"
    with pytest.raises(ParamsError, match=r"datasets\.paris\.source\.name: .* 'paris_streetwiev'; it has places365"):
        look(raw_paper)


# Other experiments ----------------------------------------------------------------------------------


def test_the_demo_draws_its_images_and_lacks_only_the_networks_of_metrics(look, raw_params):
    found = look(raw_params)
    drawn = dict.fromkeys(["places2", "celeba", "paris", "masks", "pretext"], State.DRAWN)
    assert {name: source.state for name, source in found.items()} == {"perceptual": State.MISSING} | drawn
    assert found.text.startswith("5 of 6 sources are here; missing: perceptual\n")
    assert found.blocks["masks"] == "masks: drawn, nothing to fetch"


def test_a_grid_search_is_blocked_too(look, raw_params):
    for dataset in raw_params["datasets"].values():
        dataset["validation"] = 20
    raw_params["evaluation"]["split"] = "validation"
    raw_params["grid"] = {"method": "spl", "points": [{"lambda_adv": [0.01, 0.1]}]}
    raw_params["masks"]["source"] = SUPPLIED
    assert look(raw_params).blocked("masks").endswith("figure 5, grid")


def test_a_labelled_set_that_no_teacher_needs_is_not_listed(look, raw_params):
    raw = bare(raw_params) | {"detection": None, "perceptual_network": VGG}
    for method in ("spl", "spl_concat", "spl_detector"):
        raw["methods"].pop(method)
    found = look(raw)
    assert "pretext" not in found
    assert found.blocked("vgg").startswith("mfe, rfr, ec")


def test_own_images_and_weights_lie_where_params_yaml_says(look, raw_paper, place):
    layout = {"kind": "folder", "glob": "*.jpg", "test_fraction": 0.1}
    raw_paper["datasets"]["gardens"] = raw_paper["datasets"]["paris"] | {"source": SUPPLIED, "layout": layout}
    raw_paper["teachers"]["multilabel"]["path"] = "mine/tresnet.pth"
    found = look(raw_paper)
    assert "tresnet_l" not in found
    for name, parameter in (("gardens", "datasets.gardens"), ("mine/tresnet.pth", "teachers.multilabel")):
        assert found[name].state == State.MISSING
        assert found.blocks[name].endswith(f"get it: place it there, or change {parameter} in params.yaml.")
    place("images/gardens/rose.jpg", "mine/tresnet.pth")
    found = look(raw_paper)
    assert found["gardens"].state == found["mine/tresnet.pth"].state == State.PRESENT


def test_an_address_is_never_broken(look, raw_paper, registry):
    address = f"https://example.org/{'long-' * 40}.zip"
    file = RegisteredFile(name="masks.zip", mirrors=())
    masks = Source(
        title="Masks", kind="masks", folder="data/raw/m", files=(file,), images=None,
        by_hand=f"Open {address} please.", licence="Not stated.", citation="", checked="never",
    )  # fmt: skip
    assert f"    {address}\n    please.\n" in look(raw_paper, registry | {"nvidia_test_masks": masks}).text


def test_the_status_does_not_wait_for_torch():
    code = "import sys, spl.inventory.status; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
