"""params.yaml is validated once, completely, with the path of every fault."""

import re
from contextlib import nullcontext
from itertools import pairwise

import pytest
import yaml

from spl.common.errors import DataError, ParamsError
from spl.config.load import json_schema, load_params
from spl.models.mfe import levels_per_side
from tests.conftest import bare, read_raw, set_value

RELEASED = {"source": "released", "path": "weights.pth"}


def message(caught) -> str:
    return str(caught.value)


@pytest.mark.parametrize(
    "preset", ["demo", "paper", "paper_timm", "photos", "grid", "study_1", "study_2", "study_3", "study_photos"]
)
def test_presets_are_valid(repository, preset):
    load_params(repository / f"presets/{preset}.yaml")


def test_schema_file_is_in_sync(repository):
    stored = (repository / "workflow/schemas/params.schema.json").read_text()
    assert stored == json_schema(), "out of sync with spl/config/experiment.py; run: make schema"


def test_paper_preset_holds_the_papers_values(repository):
    params = load_params(repository / "presets/paper.yaml")
    spl = params.methods["spl"]
    assert spl.losses.model_dump() == {
        "lambda_img": 10, "lambda_adv": 1, "lambda_prior": 1, "alpha": 3, "delta": 5, "discriminator": "sum",
    }  # fmt: skip
    for dataset, epochs, decay_after in (("places2", 40, 30), ("celeba", 40, 30), ("paris", 70, 50)):
        training = spl.training.resolve(dataset)
        assert (training.epochs, training.decay.after_epoch, training.decay.factor) == (epochs, decay_after, 0.1)
        assert (training.lr, training.betas, training.batch_size) == (1e-4, (0.0, 0.9), 8)
    assert {dataset.image_size for dataset in params.datasets.values()} == {256}


def test_the_preset_with_another_teacher_differs_from_the_papers_in_nothing_else(repository):
    ours, paper = (read_raw(repository / f"presets/{name}.yaml") for name in ("paper_timm", "paper"))
    for name, method in ours["methods"].items():
        assert method == paper["methods"][name] | ({"teacher": "imagenet"} if method.get("teacher") else {})
    different = ("teachers", "methods", "ablations", "figures")
    assert {key: ours[key] for key in ours if key not in different} == {
        key: paper[key] for key in paper if key not in different
    }


def test_paper_preset_holds_the_values_of_the_compared_methods(repository):
    """As released; docs/deviations.md says what is ours."""
    methods = load_params(repository / "presets/paper.yaml").methods
    assert methods["rfr"].losses.model_dump() == {
        "lambda_valid": 1, "lambda_hole": 6, "lambda_perceptual": 0.05, "lambda_style": 120, "lambda_tv": 0.1,
    }  # fmt: skip
    assert methods["mfe"].losses.model_dump() == {
        "lambda_img": 1, "lambda_adv": 0.2, "lambda_perceptual": 0.2, "lambda_style": 250, "lambda_auxiliary": 3,
    }  # fmt: skip
    assert methods["ec"].losses.model_dump() == {
        "lambda_edge_adv": 1, "lambda_feature_matching": 10,
        "lambda_img": 1, "lambda_adv": 0.1, "lambda_perceptual": 0.1, "lambda_style": 250,
    }  # fmt: skip
    sizes = {name: methods[name].model.model_dump() for name in ("rfr", "mfe", "ec")}
    assert sizes["rfr"] == {"width": 64, "kernel": 7, "rounds": 6}
    assert sizes["mfe"].items() >= {"width": 64, "blocks": 4, "feature_mask": "all_valid"}.items()
    assert sizes["ec"] == {"width": 64, "blocks": 8}
    training = {name: methods[name].training for name in ("rfr", "mfe", "ec")}
    assert {n: (t.batch_size, t.lr, t.betas) for n, t in training.items()} == {
        "rfr": (6, 2e-4, (0.9, 0.999)), "mfe": (1, 2e-4, (0.5, 0.999)), "ec": (8, 1e-4, (0.0, 0.9)),
    }  # fmt: skip
    assert {n: training[n].lr_discriminator for n in ("mfe", "ec")} == {"mfe": 2e-4, "ec": 1e-5}
    for dataset in ("places2", "celeba", "paris"):  # fine-tuned with frozen norms at 5e-5
        resolved = training["rfr"].resolve(dataset)
        assert resolved.decay.after_epoch == resolved.norm_epochs
        assert resolved.lr * resolved.decay.factor == 5e-5


def test_paper_preset_evaluates_released_weights_where_they_exist(repository):
    params = load_params(repository / "presets/paper.yaml")
    released = {name: set(params.methods[name].weights) for name in ("rn", "rfr", "mfe", "ec")}
    everywhere = {"places2", "celeba", "paris"}
    assert released == {"rn": {"places2"}, "rfr": {"celeba", "paris"}, "mfe": everywhere, "ec": everywhere}


def test_every_planted_fault_is_reported_at_once_with_its_path(raw_params, write_params):
    raw_params["seeed"] = 1
    del raw_params["masks"]["hole"]
    raw_params["methods"]["rn"]["training"]["epochs"] = "ten"
    raw_params["evaluation"]["pairs"] = "all"
    raw_params["teachers"]["multilabel"]["kind"] = "best"
    raw_params["datasets"]["paris"]["layout"]["kind"] = "celeba"
    raw_params["methods"]["spl"]["training"]["decay"] = {"kind": "step", "after_epoch": 99, "factor": 0.1}
    with pytest.raises(ParamsError) as caught:
        load_params(write_params(raw_params))
    message = str(caught.value)
    assert "7 fault(s)" in message
    for path, fault in {
        "seeed": "not a known key",
        "masks.hole": "missing",
        "methods.rn.training.epochs": "got 'ten'",
        "evaluation.pairs": "got 'all'",
        "teachers.multilabel.kind": "got 'best'",
        "datasets.paris": "drawn in the layout 'paris'",
        "methods.spl.training.decay": "after epoch 99",
    }.items():
        line = next(line for line in message.splitlines() if line.strip().startswith(f"{path}:"))
        assert fault in line


def test_a_number_that_yaml_reads_as_text_gets_a_hint(raw_params, write_params):
    path = write_params(raw_params)
    path.write_text(path.read_text().replace("lr: 0.002", "lr: 1e-4", 1))
    assert isinstance(yaml.safe_load("1e-4"), str)
    with pytest.raises(ParamsError, match=r"write 0\.0001 or 1\.0e-4"):
        load_params(path)


def test_classical_fills_have_no_weights(raw_params, write_params):
    raw_params["methods"]["telea"]["weights"] = {"paris": RELEASED}
    with pytest.raises(ParamsError, match=r"methods\.telea\.weights: is not a known key"):
        load_params(write_params(raw_params))


def test_a_misspelt_key_is_told_with_the_missing_one(raw_params, write_params):
    training = raw_params["methods"]["rn"]["training"]
    training["epoch"] = training.pop("epochs")
    with pytest.raises(ParamsError, match=r"methods\.rn\.training\.epoch: is not a known key; did you mean epochs\?"):
        load_params(write_params(raw_params))


@pytest.mark.parametrize(
    ("model", "fits"),
    [
        ({"semantic_learner": "dense", "fusion": "one_plus_gamma"}, True),
        ({"semantic_learner": "dense", "fusion": "gamma"}, False),
        ({"semantic_learner": "residual", "fusion": "one_plus_gamma"}, False),
    ],
)
def test_released_weights_of_spl_need_the_network_of_the_released_code(raw_params, write_params, model, fits):
    raw_params["methods"]["spl"]["model"] |= model
    load_params(write_params(raw_params))
    raw_params["methods"]["spl"]["weights"] = {"paris": RELEASED}
    if fits:
        assert load_params(write_params(raw_params)).methods["spl"].weights["paris"].path == "weights.pth"
    else:
        with pytest.raises(ParamsError, match=r"methods\.spl: released weights are of the released code's network"):
            load_params(write_params(raw_params))


# --- Image sizes ------------------------------------------------------------------------------------------------------


def fault(method, dataset, size, multiple):
    return (
        f"methods.{method} takes image sizes that are multiples of {multiple}, "
        f"but datasets.{dataset}.image_size is {size}"
    )


@pytest.mark.parametrize(
    ("sizes", "faults"),
    [
        ({"paris": 40}, [fault("rfr", "paris", 40, 16)]),  # 40 = 4 * 10 suits MFE, which has one level there
        ({"celeba": 72}, [fault("mfe", "celeba", 72, 16), fault("rfr", "celeba", 72, 16)]),
        ({"paris": 272}, [fault("mfe", "paris", 272, 64)]),
        ({"places2": 56, "paris": 88}, [fault("rfr", "places2", 56, 16), fault("mfe", "paris", 88, 16)]),
        ({"places2": 32, "celeba": 48, "paris": 256}, []),
    ],
)
def test_sizes_that_a_network_cannot_take_name_method_and_dataset(raw_params, write_params, sizes, faults):
    for dataset, size in sizes.items():
        raw_params["datasets"][dataset]["image_size"] = size
    if not faults:
        load_params(write_params(raw_params))
        return
    with pytest.raises(ParamsError) as caught:
        load_params(write_params(raw_params))
    for line in faults:
        assert line in str(caught.value)


def test_a_method_that_is_left_out_asks_for_no_size(raw_params, write_params):
    raw = bare(raw_params)
    raw["datasets"]["paris"]["image_size"] = 72
    for method in ("rfr", "mfe", "spl_detector"):
        del raw["methods"][method]
    load_params(write_params(raw))


def test_the_sizes_of_mfe_are_those_its_network_takes(demo_params):
    for size in range(32, 1100, 8):
        fits = size % demo_params.methods["mfe"].multiple_of(size) == 0
        with nullcontext() if fits else pytest.raises(DataError):
            levels_per_side(size)


# --- Stages within epochs ---------------------------------------------------------------------------------------------


PAPER_EC = {"epochs": 30, "edge_epochs": 10, "canny_epochs": 10}


@pytest.mark.parametrize(
    ("method", "change", "fault"),
    [
        ("ec", {"edge_epochs": 19}, None),
        ("ec", {"edge_epochs": 20}, "methods.ec.training: edge_epochs and canny_epochs take 20 + 10 of 30 epochs"),
        ("ec", {"canny_epochs": 25}, "methods.ec.training: edge_epochs and canny_epochs take 10 + 25 of 30 epochs"),
        (
            "ec",
            {"per_dataset": {"paris": {"epochs": 20}}},
            "per_dataset.paris: edge_epochs and canny_epochs take 10 + 10",
        ),
        ("ec", {"per_dataset": {"paris": {"epochs": 21}}}, None),
        ("ec", {"per_dataset": {"paris": {"epochs": 11, "canny_epochs": 0}}}, None),
        ("rfr", {"norm_epochs": None}, None),
        ("rfr", {"norm_epochs": 4}, None),
        ("rfr", {"norm_epochs": 5}, "methods.rfr.training: norm_epochs is 5, but training ends after epoch 4"),
        ("rfr", {"norm_epochs": 3, "per_dataset": {"paris": {"epochs": 2}}}, "per_dataset.paris: norm_epochs is 3"),
        ("rfr", {"norm_epochs": 3, "per_dataset": {"paris": {"epochs": 2, "norm_epochs": 1}}}, None),
        ("mfe", {"processes": 2, "parts": 4}, None),
        ("mfe", {"processes": 2, "parts": 3}, "a batch of 8 cannot be shared equally by 2 processes in 3 parts each"),
        ("rn", {"processes": 8}, None),
        ("rn", {"per_dataset": {"paris": {"parts": 2}}}, "per_dataset.paris: parts is 2, but its region norms pool"),
        ("rfr", {"parts": 2}, "methods.rfr.training: parts is 2, but its batch norms pool over the batch"),
        ("spl", {"prior_epochs": 5}, "methods.spl.training: prior_epochs is 5, but training ends after epoch 4"),
    ],
)
def test_the_values_of_a_training_agree(raw_params, write_params, method, change, fault):
    own = PAPER_EC if method == "ec" else {"epochs": 4}
    raw_params["methods"][method]["training"] |= own | {"per_dataset": {}} | change
    if fault is None:
        load_params(write_params(raw_params))
        return
    with pytest.raises(ParamsError, match="1 fault") as caught:
        load_params(write_params(raw_params))
    assert fault in str(caught.value)


# --- Overrides and files ----------------------------------------------------------------------------------------------


def test_overrides_change_single_values_of_one_dataset(raw_params, write_params):
    raw_params["methods"]["ec"]["training"]["per_dataset"] = {"paris": {"lr": 0.0005, "canny_epochs": 0}}
    training = load_params(write_params(raw_params)).methods["ec"].training
    paris, celeba = training.resolve("paris"), training.resolve("celeba")
    assert (paris.lr, paris.canny_epochs, paris.epochs) == (0.0005, 0, training.epochs)  # 0 is not taken for none
    assert celeba == training.model_copy(update={"per_dataset": {}})


def test_a_key_that_stands_twice_is_an_error(raw_params, write_params):
    path = write_params(raw_params)
    path.write_text(path.read_text() + "seed: 2\n")
    with pytest.raises(ParamsError, match="1 fault.*\n  seed: duplicate key"):
        load_params(path)


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("methods.spl.losses.delta", float("inf"), "finite number"),
        ("masks.hole", "black", "drawn with white holes"),
        ("masks.glob", "/images/*.png", "relative to the source's folder"),
        (
            "methods.rn.training.per_dataset",
            {"paris": {"epoch": 3}},
            "methods.rn.training.per_dataset.paris.epoch: is not",
        ),
        ("methods.rn.training.per_dataset", {"paris": {"lr": 9.0}}, "methods.rn.training.per_dataset.paris.lr: input"),
        ("methods.spl.weights", {"paris": RELEASED}, "methods.spl: released weights are of"),
        ("methods.rfr.weights", {"paris": RELEASED | {"path": 3}}, "methods.rfr.weights.paris.path: "),
        ("methods.rfr.model.kernel", 3, "methods.rfr.model.kernel: "),
        ("methods.mfe.model.width", 12, "methods.mfe.model.width: "),
        ("structure.strength", 0, "structure.strength: "),
        ("perceptual_network.kind", "vgg11", "perceptual_network.kind: "),
        (
            "perceptual_network",
            {"kind": "teacher", "teacher": "multilabel", "folder": "x"},
            "perceptual_network.folder: is not a known key",
        ),
        ("perceptual_network", {"kind": "teacher"}, "perceptual_network.teacher: is missing"),
        ("perceptual_network", {"kind": "vgg"}, "perceptual_network.folder: is missing"),
        ("methods.spl.training.per_dataset", {"paris": {"prior_epochs": 99}}, "per_dataset.paris: prior_epochs is 99"),
        ("methods.spl.teacher", None, "methods.spl: teacher is null, so nothing supervises the prior"),
        ("teachers.multilabel.image_size", 60, "teachers.multilabel.image_size: "),
        ("teachers.multilabel.layers", [1, 1, 0, 1], "teachers.multilabel.layers.2: "),
        ("teachers.multilabel.loss.clip", 1.5, "teachers.multilabel.loss.clip: "),
        ("teachers.detector.training.decay.start", 2.0, "teachers.detector.training.decay.start: "),
        ("teachers.detector.training.decay", {"kind": "step", "after_epoch": 99, "factor": 0.1}, "after epoch 99, but"),
        ("teachers.detector.kind", "yolov9", "teachers.detector.kind: must be one of"),
        ("teachers.detector.image_size", 40, "teachers.detector.image_size: "),
        ("detection.detector.kind", "retina", "detection.detector.kind: must be one of"),
        ("detection.detector.typo", 1, "detection.detector.typo: is not a known key"),
        ("detection.datasets", ["Places"], "detection.datasets.0: "),
        ("detection.min_score", 1.5, "detection.min_score: "),
        ("seeds", [], "seeds: "),
        ("seeds", [1, -2], "seeds.1: "),
        ("grid", {"method": "spl", "points": [{"lambda_img": []}]}, "grid.points.0.lambda_img: "),
        ("grid", {"method": "spl", "points": [{"alpha": [-1.0]}]}, "grid.points.0.alpha.0: "),
        ("grid", {"method": "spl", "points": [{"gamma": [1.0]}]}, "grid.points.0.gamma: input should be 'lambda_img'"),
        ("figures.fig5.images", 0, "figures.fig5.images: "),
        ("seed", 1 << 32, "seed: input should be less than 4294967296, got 4294967296"),
        ("seeds", [1, 1 << 64], "seeds.1: input should be less than 4294967296, got 18446744073709551616"),
        ("evaluation.bootstrap.samples", 10**12, "evaluation.bootstrap.samples: input should be less than or equal"),
        ("evaluation.batch_size", 10**12, "evaluation.batch_size: input should be less than or equal to 4096"),
        ("methods.rn.training.batch_size", 10**12, "methods.rn.training.batch_size: input should be less than or"),
        ("methods.spl.model.semantic_blocks", 10**6, "methods.spl.model.semantic_blocks: input should be less than"),
        ("methods.rfr.model.width", 10**6, "methods.rfr.model.width: input should be less than or equal to 4096"),
        ("datasets.paris.image_size", 1 << 20, "datasets.paris.image_size: input should be less than or equal to"),
        ("masks.glob", "[a-c][z-a]*.png", "masks.glob: expected ranges from low to high, such as [a-z], got z-a in"),
        ("structure.scale", "1e-4", "structure.scale: input should be a valid number, got '1e-4' (YAML reads 1e-4"),
        ("detection.datasets", [False], "detection.datasets.0: input should be a valid string, got False (YAML reads"),
    ],
)
def test_contradictions_are_found_beside_other_faults(raw_params, write_params, path, value, fault):
    set_value(raw_params, path, value)
    raw_params["methods"]["rn"]["typo"] = 1
    with pytest.raises(ParamsError, match="2 fault") as caught:
        load_params(write_params(raw_params))
    assert fault in str(caught.value)
    assert "methods.rn.typo: is not a known key" in str(caught.value)


@pytest.mark.parametrize("key", ["no", "on", "true", "null", "~", "1", "1.5", "2024-05-01"])
def test_a_key_that_yaml_reads_as_no_text_is_a_fault_beside_the_others(raw_params, write_params, key):
    raw_params["datasets"]["to be named"] = raw_params["datasets"].pop("celeba")
    raw_params["seed"] = -1
    path = write_params(bare(raw_params))
    path.write_text(path.read_text().replace("to be named:", f"{key}:"))
    assert not isinstance(next(iter(yaml.safe_load(f"{key}: x"))), str)
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert re.search(
        rf"\n  datasets\.{key}: YAML reads this key as \w+, not as text; write it in quotes: '{key}'", message(caught)
    )
    assert "\n  seed: input should be greater" in message(caught)
    path.write_text(path.read_text().replace(f"{key}:", f"'{key}':"))
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert "YAML reads this key" not in message(caught)


DEEP = 3000
BOMB = "a: &a [x]\n" + "\n".join(f"{c}: &{c} [{', '.join([f'*{b}'] * 9)}]" for b, c in pairwise("abcdefghij"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("seed: &a [*a]", "an alias leads to what it stands in"),
        ("seed: &a {b: [*a]}", "an alias leads to what it stands in"),
        (BOMB, "more than 100,000 values, its aliases followed"),
        ("[" * DEEP + "]" * DEEP, "too many brackets within each other"),
        ("seed: " + "1" * 5000, "value has 5000 digits"),
        ("seed: 2024-99-99", "month must be in"),
        ("? [seed]\n: 1", "unhashable key"),
    ],
    ids=["list in itself", "mapping in itself", "bomb of aliases", "deep", "long number", "no date", "list as key"],
)
def test_a_document_that_cannot_be_constructed_is_one_error(tmp_path, text, fault):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=rf"(?s)^{tmp_path}/params\.yaml is not valid YAML: .*{fault}") as caught:
        load_params(tmp_path / "params.yaml")
    assert len(message(caught)) < 500


def test_a_fault_shows_the_beginning_of_what_came(raw_params, write_params):
    raw_params["masks"] = list(range(1000))
    with pytest.raises(ParamsError) as caught:
        load_params(write_params(raw_params))
    assert len(message(caught)) < 500


def test_the_home_folder_is_found_in_every_path(raw_params, write_params, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    places = {
        "datasets.paris.source": {"kind": "supplied", "path": "~/x"},
        "datasets.paris.layout": {"kind": "folders", "train": "a/*", "test": "b/*"},
        "masks.source": {"kind": "supplied", "path": "~/x"},
        "perceptual_network": {"kind": "vgg", "folder": "~/x"},
        "evaluation.perceptual": {"metrics": [], "folder": "~/x"},
        "methods.rn.weights": {"paris": RELEASED | {"path": "~/x"}},
        "teachers.open_images": {"kind": "tresnet_released", "path": "~/x"},
        "teachers.coco": {"kind": "yolov5_released", "size": "s", "path": "~/x"},
        "teachers.imagenet": {"kind": "timm", "model": "resnet50", "reduction": 8, "weights": "~/x"},
        "detection.detector": {"kind": "torchvision", "model": "retinanet_resnet50_fpn_v2", "path": "~/x"},
    }
    for path, value in places.items():
        set_value(raw_params, path, value)
    found = load_params(write_params(raw_params)).model_dump_json()
    assert found.count('"/home/me/x"') == len(places) - 1
    assert "~" not in found


@pytest.mark.parametrize("content", ["", "[1, 2]", "seed: [", "seed: 1\n"])
def test_files_that_are_no_experiment_are_refused(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        load_params(path)


def test_a_missing_file_says_what_to_copy(tmp_path):
    with pytest.raises(ParamsError, match="cp presets/demo"):
        load_params(tmp_path / "none.yaml")


def test_every_network_of_the_demo_sees_equally_many_images(demo_params):
    for dataset in demo_params.datasets:
        recipes = [demo_params.methods[name].training.resolve(dataset) for name in demo_params.network_methods]
        assert len({(recipe.batch_size, recipe.epochs, recipe.flip) for recipe in recipes}) == 1
