"""params.yaml is validated once, completely, with the path of every fault."""

import copy

import pytest
import yaml

from spl.errors import ParamsError
from spl.params import json_schema, load_params


def test_params_yaml_is_the_demo_preset(repository):
    assert (repository / "params.yaml").read_text() == (repository / "presets/demo.yaml").read_text()


@pytest.mark.parametrize("preset", ["demo", "paper"])
def test_presets_are_valid(repository, preset):
    load_params(repository / f"presets/{preset}.yaml")


def test_schema_file_is_in_sync(repository):
    stored = (repository / "workflow/schemas/params.schema.json").read_text()
    assert stored == json_schema(), "out of sync with spl/config.py; run: make schema"


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


def test_every_planted_fault_is_reported_at_once_with_its_path(raw_params, write_params):
    raw_params["seeed"] = 1
    del raw_params["masks"]["hole"]
    raw_params["methods"]["rn"]["training"]["epochs"] = "ten"
    raw_params["evaluation"]["pairs"] = "all"
    raw_params["teacher"]["kind"] = "best"
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
        "teacher.kind": "got 'best'",
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


def test_an_override_for_an_unknown_dataset_is_an_error(raw_params, write_params):
    raw_params["methods"]["spl"]["training"]["per_dataset"] = {"pariss": {"epochs": 3}}
    with pytest.raises(ParamsError, match=r"per_dataset\.pariss: no such dataset"):
        load_params(write_params(raw_params))


def test_overrides_change_single_values_of_one_dataset(raw_params, write_params):
    raw_params["methods"]["spl"]["training"]["per_dataset"] = {"paris": {"lr": 0.0005}}
    training = load_params(write_params(raw_params)).methods["spl"].training
    assert training.resolve("paris").lr == 0.0005
    assert training.resolve("paris").epochs == training.epochs
    assert training.resolve("celeba").lr == training.lr


def test_a_key_that_stands_twice_is_an_error(raw_params, write_params):
    path = write_params(raw_params)
    path.write_text(path.read_text() + "seed: 2\n")
    with pytest.raises(ParamsError, match="seed stands twice"):
        load_params(path)


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("methods.spl.training.prior_epochs", 99, "keeps the prior loss for 99 epochs"),
        ("methods.spl.losses.delta", float("inf"), "finite number"),
        ("masks.hole", "black", "drawn with white holes"),
        ("masks.glob", "/pictures/*.png", "relative to the source's folder"),
        ("methods.rn.training.per_dataset.nowhere", {"epochs": 3}, "no such dataset"),
    ],
)
def test_contradictions_are_found_beside_other_faults(raw_params, write_params, path, value, fault):
    node = raw_params
    *parents, last = path.split(".")
    for parent in parents:
        node = node[parent]
    node[last] = value
    raw_params["methods"]["rn"]["typo"] = 1
    with pytest.raises(ParamsError, match="2 fault") as caught:
        load_params(write_params(raw_params))
    assert fault in str(caught.value)
    assert "methods.rn.typo: is not a known key" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[1, 2]", "seed: [", "seed: 1\n"])
def test_files_that_are_no_experiment_are_refused(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        load_params(path)


def test_a_missing_file_says_what_to_copy(tmp_path):
    with pytest.raises(ParamsError, match="cp presets/demo"):
        load_params(tmp_path / "none.yaml")


def test_validation_leaves_its_input_alone(raw_params, write_params):
    before = copy.deepcopy(raw_params)
    load_params(write_params(raw_params))
    assert raw_params == before
