"""`spl verify` says of every file what it is; `spl stale` lists what has to be made again."""

from pathlib import Path

import pytest

from spl.common.files import read_json, sha256, write_json
from spl.inventory.verify import stale_results, verify
from spl.steps.records import sealed, take, write_record
from spl.steps.settings import ImageSettings, PairSettings

IMAGES, PAIRS = Path("data/prepared/paris"), Path("data/pairs/paris.csv")


@pytest.fixture
def data(demo_params, tmp_path, monkeypatch):
    """Two prepared images and their pairs, with records."""
    monkeypatch.chdir(tmp_path)
    (IMAGES / "test").mkdir(parents=True)
    rows = []
    for i in range(2):
        (IMAGES / f"test/{i}.png").write_bytes(bytes([i] * 9))
        rows.append(f"test,test/{i}.png,{sha256(IMAGES / f'test/{i}.png')},")
    (IMAGES / "manifest.csv").write_text("\n".join(["split,file,sha256,container", *rows, ""]))
    outputs = {"manifest": IMAGES / "manifest.csv"}
    write_record(IMAGES / "record.json", ImageSettings.of(demo_params, dataset="paris"), {}, outputs, raw="raw")
    PAIRS.parent.mkdir()
    PAIRS.write_text("image,mask\n")
    inputs = take(images=IMAGES / "manifest.csv")
    write_record(PAIRS.with_suffix(".json"), PairSettings.of(demo_params, dataset="paris"), inputs, {"pairs": PAIRS})
    return tmp_path


def states(params):
    """What is not right, by file."""
    return {str(finding.path): finding.state for finding in verify(params) if finding.state != "right"}


def test_all_is_right(data, demo_params):
    found = [finding.state for finding in verify(demo_params, workers=2)]
    assert found == ["right"] * 6  # two records, two tables, two images
    assert stale_results(demo_params) == []


@pytest.mark.parametrize("name", ["data/prepared/paris/test/1.png", "data/prepared/paris/manifest.csv"])
def test_a_file_that_was_edited_makes_its_step_stale(data, demo_params, name):
    Path(name).write_bytes(Path(name).read_bytes() + b"x")
    assert states(demo_params)[name] == "edited"
    assert IMAGES / "manifest.csv" in stale_results(demo_params)


def test_a_listed_image_that_is_missing_makes_its_step_stale(data, demo_params):
    (IMAGES / "test/0.png").unlink()
    assert states(demo_params) == {"data/prepared/paris/test/0.png": "missing"}
    assert stale_results(demo_params) == [IMAGES / "manifest.csv"]


def test_a_missing_output_is_left_to_snakemake(data, demo_params):
    PAIRS.unlink()
    assert states(demo_params) == {str(PAIRS): "missing"}
    assert stale_results(demo_params) == []


def test_other_settings_and_other_inputs_are_told_apart(data, demo_params):
    other = demo_params.model_copy(update={"seed": 5})
    assert set(states(other).values()) == {"of other settings"}
    assert stale_results(other) == [PAIRS, IMAGES / "manifest.csv"]
    write_record(IMAGES / "record.json", ImageSettings.of(demo_params, dataset="paris"), {}, {}, raw="raw")
    (IMAGES / "manifest.csv").write_text("split,file,sha256,container\n")
    outputs = {"manifest": IMAGES / "manifest.csv"}
    write_record(IMAGES / "record.json", ImageSettings.of(demo_params, dataset="paris"), {}, outputs, raw="raw")
    assert states(demo_params) == {"data/pairs/paris.json": "of other inputs"}


def test_results_of_an_older_version_are_answered_by_one_line(data, demo_params):
    older = {"settings": {"seed": 1}, "inputs": {"images": "ab"}, "spl_version": "0.1.0"}
    write_json(PAIRS.with_suffix(".json"), older)
    assert states(demo_params) == {"data/pairs/paris.json": "of an older format"}


def test_results_of_another_experiment_are_foreign_and_no_fault(data, demo_params):
    datasets = {name: dataset for name, dataset in demo_params.datasets.items() if name != "paris"}
    other = demo_params.model_copy(update={"datasets": datasets})
    assert set(states(other).values()) == {"foreign"}
    assert stale_results(other) == []


@pytest.mark.parametrize("damage", ["edited", "cut off"])
def test_a_record_vouches_for_itself(data, demo_params, damage):
    path = PAIRS.with_suffix(".json")
    content = read_json(path)
    assert sealed(content) == content
    if damage == "edited":
        write_json(path, content | {"wildcards": {"dataset": "celeba"}})
    else:
        path.write_text(path.read_text()[:-40])
    assert states(demo_params) == {str(path): "edited"}
    assert stale_results(demo_params) == [path]
