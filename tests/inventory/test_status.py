"""`spl status` tells what an experiment needs from elsewhere, what of it is here, and what its lack blocks."""

import subprocess
import sys

import pytest

from spl.common.errors import ParamsError
from spl.config.load import load_params
from spl.config.registry import RegisteredFile, Source, load_registry
from spl.inventory.status import render, status
from spl.sources.metric_weights import LPIPS_LAYERS
from tests.conftest import bare, read_raw

VGG = {"kind": "vgg", "folder": "data/raw/vgg"}
SUPPLIED = {"kind": "supplied", "path": "pictures/gardens"}


@pytest.fixture
def registry():
    return load_registry()


@pytest.fixture
def raw_paper(repository):
    return read_raw(repository / "presets/paper.yaml")


@pytest.fixture
def look(tmp_path, monkeypatch, write_params, registry):
    """A function that returns the status of an experiment in an otherwise empty folder, by source."""
    monkeypatch.chdir(tmp_path)
    return lambda raw: {source.name: source for source in status(load_params(write_params(raw)), registry)}


def place(folder, *paths, content=b"x"):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def text_of(found) -> str:
    return render(list(found.values()))


def block_of(found, name) -> str:
    return next(block for block in text_of(found).split("\n\n") if block.startswith(f"{name}: "))


def flat(block: str) -> str:
    """A block as one line, wherever it was broken."""
    return " ".join(block.split())


# The paper's experiment -----------------------------------------------------------------------------


def test_an_empty_folder_lacks_everything_that_the_paper_needs_and_nothing_else(look, raw_paper):
    found = look(raw_paper)
    assert set(found) == {
        "places365_easy", "celeba", "paris_streetview", "nvidia_test_masks", "tresnet_l", "yolov5l", "vgg",
        "fasterrcnn", "perceptual", "rn_places2", "rfr", "mfe_places2", "mfe_celeba", "mfe_paris", "ec_places2",
        "ec_celeba", "ec_paris",
    }  # fmt: skip
    assert {source.state for source in found.values()} == {"missing"}
    assert text_of(found).splitlines()[0].startswith("0 of 17 sources are here; missing: places365_easy, celeba, paris")
    assert [file.path.name for file in found["vgg"].files] == ["vgg16-397923af.pth"]  # vgg19 is EdgeConnect's, released


def test_what_a_missing_source_blocks_is_said_in_the_readers_words(look, raw_paper):
    found = look(raw_paper)
    assert {name: source.blocks for name, source in found.items() if not name.startswith(("mfe", "ec"))} == {
        "places365_easy": ("dataset places2: its columns of Table 1; figures 1, 3, 5",),
        "celeba": ("dataset celeba: its columns of Table 1; figure 3",),
        "paris_streetview": ("dataset paris: its columns of Table 1; figures 3, 4",),
        "nvidia_test_masks": ("masks: every training and all of Table 1",),
        "tresnet_l": ("teacher multilabel: methods spl, spl_released, spl_concat; figures 1, 3, 4, 5",),
        "yolov5l": ("teacher detector: method spl_detector; figure 4",),
        "vgg": ("perceptual losses: method rfr on places2; figures 1, 3",),
        "fasterrcnn": ("detector: figures 1, 3; the claims about objects",),
        "perceptual": tuple(f"{metric}; all else goes on without it" for metric in ("LPIPS", "FID", "KID")),
        "rn_places2": ("cell rn on places2; figure 3",),
        "rfr": ("cell rfr on celeba; figure 3", "cell rfr on paris; figure 3"),
    }
    assert found["ec_places2"].blocks == ("cell ec on places2; figures 1, 5",)
    assert found["ec_paris"].blocks == ("cell ec on paris",)


def test_what_is_here_comes_last_with_its_size(look, raw_paper, tmp_path):
    place(tmp_path, "data/raw/nvidia_test_masks/test_mask.zip", content=bytes(45_000))
    found = look(raw_paper)
    assert found["nvidia_test_masks"].state == "present"
    assert list(found)[-1] == "nvidia_test_masks"
    assert text_of(found).startswith("1 of 17 sources are here; missing: places365_easy, celeba, paris_streetview, tr")
    block = block_of(found, "nvidia_test_masks")
    assert "data/raw/nvidia_test_masks/test_mask.zip: present, 45.0 kB, no hash published" in block
    assert "needed for: masks: every training" in block
    assert "get it" not in block


def test_a_download_that_stopped_is_partly_here(look, raw_paper, tmp_path):
    raw_paper["datasets"]["places2"]["source"]["name"] = "places365_flat"
    folder = "data/raw/places365_flat"
    place(tmp_path, f"{folder}/val_256.tar.part", content=bytes(1_500_000))
    place(tmp_path, f"{folder}/val_256.tar.part.json", f"{folder}/val_256.tar.lock")
    found = look(raw_paper)
    assert "; partly here: places365_flat\n" in text_of(found)
    block = flat(block_of(found, "places365_flat"))
    assert f"{folder}/val_256.tar: partly downloaded, 1.5 MB, md5 published" in block
    assert f"{folder}/train_256_places365standard.tar: missing, size not published, md5 published" in block
    assert f"{folder}/filelist_places365-standard.tar: missing, size not published, md5 published" in block
    assert "there is" not in block


def test_a_source_of_which_some_files_are_here_blocks_what_the_others_are_for(look, raw_paper, tmp_path):
    place(tmp_path, "data/raw/weights/rfr/checkpoint_paris.pth")
    rfr = look(raw_paper)["rfr"]
    assert rfr.state == "partly here"
    assert rfr.blocks == ("cell rfr on celeba; figure 3",)


def test_it_is_said_how_a_file_is_known(look, raw_paper, tmp_path):
    place(tmp_path, "data/raw/weights/rfr/checkpoint_celeba.pth", "data/raw/weights/rfr/checkpoint_paris.pth")
    sums = f"{'a' * 64}  checkpoint_paris.pth\n"
    place(tmp_path, "data/raw/weights/rfr/SHA256SUMS", content=sums.encode())
    found = look(raw_paper)
    known = {file.path.name: file.known_by for name in ("rfr", "rn_places2", "vgg") for file in found[name].files}
    assert known == {
        "checkpoint_celeba.pth": "no hash published",
        "checkpoint_paris.pth": "sha256 recorded on first use",
        "x_admin.cluster.localRN-0.8RN-Net_bs_14_epoch_3.pth": "git hash published",
        "vgg16-397923af.pth": "sha256 published",
    }


def test_it_is_said_how_a_missing_source_is_had(look, raw_paper, registry):
    found = look(raw_paper)
    for name, target in (("celeba", "images/celeba"), ("nvidia_test_masks", "masks"), ("vgg", "weights/vgg")):
        how = f"get it: snakemake --cores all -- data/sources/{target}.json downloads it. If that fails: "
        block = flat(block_of(found, name))
        assert how + flat(registry[name].by_hand) in block
        assert block.endswith("checked: never")
    assert f"get it: by hand. {flat(registry['paris_streetview'].by_hand)}" in flat(block_of(found, "paris_streetview"))


@pytest.mark.parametrize("placed", ["paris_eval_gt/001_im.png", "paris.tar.gz"])
def test_a_source_without_a_list_is_here_as_soon_as_something_lies_in_its_folder(look, raw_paper, tmp_path, placed):
    (tmp_path / "data/raw/paris_streetview").mkdir(parents=True)
    assert look(raw_paper)["paris_streetview"].state == "missing"
    place(tmp_path, f"data/raw/paris_streetview/{placed}")
    found = look(raw_paper)
    assert found["paris_streetview"].state == "present"
    assert f"there is: {placed.split('/')[0]}\n" in block_of(found, "paris_streetview")


def test_what_lies_in_a_folder_under_another_name_is_shown(look, raw_paper, tmp_path):
    place(tmp_path, *(f"data/raw/places365_easy/{name}/1.jpg" for name in "fedcba"))
    block = block_of(look(raw_paper), "places365_easy")
    assert "there is: a, b, c, d and 2 more\n" in block


def test_a_metrics_file_counts_under_each_name_that_its_authors_gave_it(look, raw_paper, tmp_path):
    place(tmp_path, f"data/raw/metrics/{LPIPS_LAYERS.names[1]}")
    perceptual = look(raw_paper)["perceptual"]
    assert [file.state for file in perceptual.files] == ["missing", "present", "missing"]


def test_a_source_of_several_datasets_is_listed_once(look, raw_paper):
    raw_paper["datasets"]["celeba"]["source"]["name"] = "places365_easy"
    found = look(raw_paper)
    assert "celeba" not in found
    assert [blocks.partition(":")[0] for blocks in found["places365_easy"].blocks] == [
        "dataset places2",
        "dataset celeba",
    ]


def test_released_weights_without_a_list_of_names_are_known_by_their_folder(look, raw_paper):
    path = "data/raw/weights/spl/Ours_celeba.pt"
    raw_paper["methods"]["spl_released"]["weights"] = {"celeba": {"source": "released", "path": path}}
    spl = look(raw_paper)["spl"]
    assert [str(file.path) for file in spl.files] == [path]
    assert spl.blocks == ("cell spl_released on celeba",)
    assert "drive.google.com" in spl.by_hand


def test_only_teachers_that_somebody_needs_are_listed(look, raw_paper):
    assert "resnet50" not in look(raw_paper)
    raw_paper["methods"]["spl_concat"]["teacher"] = "imagenet"
    assert look(raw_paper)["resnet50"].blocks == ("teacher imagenet: method spl_concat; figure 4",)
    raw = bare(raw_paper)
    for method in ("spl_concat", "spl_detector"):
        raw["methods"].pop(method)
    assert not {"resnet50", "yolov5l"} & set(look(raw))


def test_a_teacher_that_finds_objects_blocks_these_too(look, raw_paper):
    raw_paper["detection"]["detector"] = {"kind": "teacher", "teacher": "detector"}
    found = look(raw_paper)
    assert "fasterrcnn" not in found
    assert found["yolov5l"].blocks == (
        "teacher detector: method spl_detector; figure 4",
        "detector: figures 1, 3; the claims about objects",
    )


def test_a_source_that_is_not_registered_is_an_error_with_those_that_are(look, raw_paper):
    raw_paper["datasets"]["paris"]["source"]["name"] = "paris_streetwiev"
    with pytest.raises(
        ParamsError, match=r"datasets\.paris\.source\.name: .* 'paris_streetwiev'; it has places365_easy"
    ):
        look(raw_paper)


# Other experiments ----------------------------------------------------------------------------------


def test_the_demo_draws_its_pictures_and_lacks_only_what_metrics_look_through(look, raw_params):
    found = look(raw_params)
    states = {name: source.state for name, source in found.items()}
    drawn = dict.fromkeys(["places2", "celeba", "paris", "masks", "pretext"], "drawn")
    assert states == {"perceptual": "missing"} | drawn
    assert text_of(found).startswith("5 of 6 sources are here; missing: perceptual\n")
    assert "\nmasks: irregular masks: drawn, nothing to fetch\n" in text_of(found)


def test_without_metrics_the_demo_needs_nothing(look, raw_params):
    raw_params["evaluation"]["perceptual"]["metrics"] = []
    assert text_of(look(raw_params)).startswith("5 of 5 sources are here\n")


def test_a_labelled_set_that_no_teacher_needs_is_not_listed(look, raw_params):
    raw = bare(raw_params) | {"detection": None, "perceptual_network": VGG}
    for method in ("spl", "spl_concat", "spl_detector"):
        raw["methods"].pop(method)
    found = look(raw)
    assert "pretext" not in found
    assert found["vgg"].blocks == ("perceptual losses: methods mfe, rfr", "perceptual losses: method ec")


def test_ones_own_pictures_are_looked_for_where_params_yaml_says(look, raw_params, tmp_path):
    layout = {"kind": "folder", "glob": "*.jpg", "test_fraction": 0.1}
    raw_params["datasets"]["gardens"] = raw_params["datasets"]["paris"] | {"source": SUPPLIED, "layout": layout}
    found = look(raw_params)
    assert found["gardens"].state == "missing"
    assert found["gardens"].blocks == ("dataset gardens: its columns of Table 1",)
    how = "get it: by hand. Place the pictures of the dataset gardens in pictures/gardens, or change datasets.gardens"
    assert how in flat(block_of(found, "gardens"))

    place(tmp_path, "pictures/gardens/rose.jpg")
    found = look(raw_params)
    assert found["gardens"].state == "present"
    assert "there is: rose.jpg" in block_of(found, "gardens")


def test_ones_own_weights_are_named_by_their_path_and_the_parameter(look, raw_paper, tmp_path):
    raw_paper["teachers"]["multilabel"]["path"] = "mine/tresnet.pth"
    found = look(raw_paper)
    assert "tresnet_l" not in found
    block = flat(block_of(found, "mine/tresnet.pth"))
    assert "Place it there, or change teachers.multilabel in params.yaml." in block
    assert "blocks: teacher multilabel: methods spl" in block
    place(tmp_path, "mine/tresnet.pth")
    assert look(raw_paper)["mine/tresnet.pth"].state == "present"


# The text ---------------------------------------------------------------------------------------------


def test_an_address_is_never_broken(tmp_path, monkeypatch, raw_paper, write_params, registry):
    monkeypatch.chdir(tmp_path)
    address = f"https://example.org/{'long-' * 40}.zip"
    file = RegisteredFile(name="masks.zip", mirrors=(), bytes=None)
    masks = Source(
        title="Masks", kind="masks", folder="data/raw/m", files=(file,), pictures=None,
        by_hand=f"Open {address} please.", licence="Not stated.", citation="", checked="never",
    )  # fmt: skip
    found = status(load_params(write_params(raw_paper)), registry | {"nvidia_test_masks": masks})
    assert f"    {address}\n    please.\n" in render(found)


def test_the_status_does_not_wait_for_torch():
    code = "import sys, spl.inventory.status; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
