"""Released weights become runs of this project: whole folders, with their origin, that everything else can read."""

from unittest.mock import Mock

import pytest
import torch

from spl.common.errors import CheckpointError, ParamsError, SPLError
from spl.common.files import read_json, sha256
from spl.config.releases import RELEASES
from spl.filling.networks import load_run
from spl.models.build import as_inpainter, load_generator
from spl.models.winograd import speed_up
from spl.released.convert import convert_released
from spl.steps.settings import RunSettings
from tests.conftest import input_hashes
from tests.released.fabricate import FILES, IMAGE_SIZE, RECIPES, equal, method, release, run_of, small, write_params

CPU = torch.device("cpu")


@pytest.fixture
def converted(tmp_path):
    """A function: recipe -> a small generator and the settings of the run in tmp_path/run that came of its files."""

    def convert(recipe):
        generator = small(recipe, tmp_path)
        run = run_of(recipe, release(recipe, generator, tmp_path / "files"), tmp_path)
        convert_released(run, tmp_path / "run")
        assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["run.json", "weights.safetensors"]
        return generator, run

    return convert


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_converted_run_is_the_released_network(tmp_path, converted, recipe):
    generator, run = converted(recipe)
    other = load_generator(run.recipe, tmp_path / "run", image_size=run.image_size, device=CPU)
    assert equal(other.state_dict(), generator.state_dict())
    image, mask = torch.rand(1, 3, IMAGE_SIZE, IMAGE_SIZE), torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE)
    mask[:, :, 10:40, 20:50] = 1
    inpainter, image_size = load_run(tmp_path / "run", CPU)
    speed_up(generator)
    with torch.no_grad():
        assert torch.equal(inpainter(image, mask), as_inpainter(generator)(image, mask))
    assert image_size == IMAGE_SIZE


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_record_tells_the_origin(tmp_path, converted, recipe):
    _, run = converted(recipe)
    record = read_json(tmp_path / "run" / "run.json")
    assert input_hashes(record) == {name: sha256(tmp_path / "files" / name) for name in FILES[recipe].values()}
    assert record["outputs"]["weights"]["sha256"] == sha256(tmp_path / "run" / "weights.safetensors")
    assert record["documented"] == RELEASES[recipe].documented
    assert RunSettings.model_validate(record["settings"], strict=False) == run
    assert record["versions"]


def test_a_run_is_replaced_and_the_same_file_gives_the_same_bytes(tmp_path, converted):
    _, run = converted("rfr")
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    for name in ("weights.safetensors", "run.json", "log.csv", "samples.png"):
        (tmp_path / "run" / name).write_text("of a run that was trained")
    convert_released(run, tmp_path / "run")
    assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


@pytest.mark.parametrize("fault", ["missing", "a web page", "a misfit", "a full disk"])
@pytest.mark.parametrize("recipe", ["rn", "mfe"])
def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch, recipe, fault):
    path = release(recipe, small(recipe, tmp_path), tmp_path / "files")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.csv").write_text("of an earlier run")
    run = run_of(recipe, path, tmp_path, **({"blocks": 2} if fault == "a misfit" else {}))
    file = max((tmp_path / "files").iterdir())
    if fault == "missing":
        file.unlink()
    elif fault == "a web page":
        file.write_text("<html>")
    elif fault == "a full disk":
        monkeypatch.setattr("spl.released.convert.write_record", Mock(side_effect=OSError("no space left on device")))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError if fault == "a full disk" else CheckpointError):
        convert_released(run, tmp_path / "run")
    assert sorted(tmp_path.iterdir()) == before
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["log.csv"]


@pytest.mark.parametrize("recipe", ["rfr", "ec"])
def test_the_released_files_are_never_replaced_by_what_is_made_of_them(tmp_path, recipe):
    path = release(recipe, small(recipe, tmp_path), tmp_path / "files")
    run = run_of(recipe, path, tmp_path)
    for folder in (tmp_path / "files", tmp_path, tmp_path / "run" / ".." / "files"):
        with pytest.raises(SPLError, match="which is to be replaced|holds other files than a run's"):
            convert_released(run, folder)
    assert {file.name for file in (tmp_path / "files").iterdir()} == set(FILES[recipe].values())


def test_only_methods_with_networks_take_weights(tmp_path):
    params = write_params(tmp_path / "params.yaml", {"telea": {"recipe": "telea", "radius": 3}, "rn": method("rn")})
    with pytest.raises(ParamsError, match=r"methods\.telea has no weights; those that have: rn"):
        RunSettings.of_released(params, tmp_path, dataset="paris", method="telea")
    with pytest.raises(ParamsError, match="'pariss'; it has paris"):
        RunSettings.of_released(params, tmp_path, dataset="pariss", method="rn")


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    run = run_of("rn", release("rn", small("rn", tmp_path), tmp_path / "files"), tmp_path)
    with pytest.raises(CheckpointError, match=r"holds other files than a run's \(thesis\.txt"):
        convert_released(run, tmp_path / "run")
    assert (tmp_path / "run" / "thesis.txt").exists()
