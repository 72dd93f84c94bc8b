"""A result knows what made it; later steps refuse one that was made differently, or edited since."""

import json

import pytest

from spl.common.errors import DataError, RecordError, again
from spl.common.files import sha256
from spl.steps.records import changed_settings, read_settings, record_of, require_current, take, take_all, write_record
from spl.steps.settings import PairSettings, RunSettings

SETTINGS = PairSettings(seed=1, dataset="paris", image_size=64, split="test", pairs="balanced", masks_per_image=1)


@pytest.fixture
def step(tmp_path):
    """A step that has read one file and written two."""
    (tmp_path / "out").mkdir()
    files = {name: tmp_path / name for name in ("images.csv", "out/pairs.csv", "out/more.csv")}
    for name, path in files.items():
        path.write_text(name)
    outputs = {"pairs": files["out/pairs.csv"], "more": files["out/more.csv"]}
    write_record(tmp_path / "out/pairs.json", SETTINGS, take(images=files["images.csv"]), outputs, count=3)
    return files


def test_a_record_says_step_wildcards_settings_inputs_outputs_and_versions(step, tmp_path):
    record = json.loads((tmp_path / "out/pairs.json").read_text())
    assert (record["format"], record["step"], record["wildcards"]) == (3, "pair_masks", {"dataset": "paris"})
    assert record["settings"]["image_size"] == 64
    assert record["inputs"] == {"images": {"path": str(step["images.csv"]), "sha256": sha256(step["images.csv"])}}
    assert record["outputs"]["more"] == {"path": "more.csv", "sha256": sha256(step["out/more.csv"])}
    assert record["versions"].keys() >= {"commit", "spl", "torch"}
    assert record["cpu"]
    assert record["count"] == 3
    assert read_settings(tmp_path / "out/pairs.json", PairSettings) == SETTINGS


def test_equal_settings_and_inputs_pass(step, tmp_path):
    require_current(tmp_path / "out/pairs.json", SETTINGS, take(images=step["images.csv"]))


def test_other_settings_are_named_by_path_with_both_values(step, tmp_path):
    changed = SETTINGS.model_copy(update={"seed": 2})
    with pytest.raises(RecordError, match="seed: was 1, is 2") as caught:
        require_current(tmp_path / "out/pairs.json", changed, {})
    assert "--forcerun" in str(caught.value)


def test_other_inputs_are_named(step, tmp_path):
    step["images.csv"].write_text("others")
    with pytest.raises(RecordError, match="input images is not the one"):
        require_current(tmp_path / "out/pairs.json", SETTINGS, take(images=step["images.csv"]))
    assert changed_settings(tmp_path / "out/pairs.json", SETTINGS) == []


def test_a_record_of_another_format_or_step_is_named_with_what_to_do(step, tmp_path):
    path = tmp_path / "out/pairs.json"
    with pytest.raises(RecordError, match=r"is not the record of a train_method .*--forcerun"):
        read_settings(path, RunSettings)
    path.write_text(json.dumps({"settings": {}, "inputs": {}, "spl_version": "0.1"}))
    for read in (lambda: read_settings(path, PairSettings), lambda: require_current(path, SETTINGS, {})):
        with pytest.raises(RecordError, match=r"is not a record of format 3, .*--forcerun") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_the_record_of_a_file_is_found_beside_it_or_above(step, tmp_path):
    record = tmp_path / "out/pairs.json"
    assert [record_of(step[name]) for name in ("out/pairs.csv", "out/more.csv", "images.csv")] == [record, record, None]
    (tmp_path / "out/deep").mkdir()
    (tmp_path / "out/deep/x.png").touch()
    write_record(tmp_path / "out/record.json", SETTINGS, {}, {"image": tmp_path / "out/deep/x.png"})
    assert record_of(tmp_path / "out/deep/x.png") == tmp_path / "out/record.json"


def test_a_folder_may_be_moved_with_its_record(step, tmp_path):
    (tmp_path / "out").rename(tmp_path / "moved")
    assert take_all([tmp_path / "moved/pairs.csv"]).keys() == {str(tmp_path / "moved/pairs.csv")}


@pytest.mark.parametrize("name", ["out/pairs.csv", "out/more.csv"])
def test_an_input_that_was_edited_is_refused_in_one_line(step, name):
    step[name].write_text(step[name].read_text().upper())
    with pytest.raises(RecordError, match=rf"{name} is not the file that .*pairs\.json describes") as caught:
        take(pairs=step[name])
    assert str(caught.value).endswith(f"Make it again: {again(step['out/pairs.csv'])}")  # Snakemake knows the first
    assert "\n" not in str(caught.value)


def test_an_input_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        take(pairs=tmp_path / "none.csv")
