"""`spl init photos` fits the preset to a folder, or says in one line why it does not."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from spl.config.load import load_params
from spl.inventory import photos
from tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def in_a_clone_without_gpu(tmp_path, monkeypatch):
    (tmp_path / "presets").mkdir()
    shutil.copy(REPOSITORY / photos.PRESET, tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(photos.shutil, "which", lambda name: None)


def folder_of(count: int) -> Path:
    folder = Path("my garden's")
    folder.mkdir()
    for i in range(count):
        Image.new("RGB", (1, 1)).save(folder / f"{i}.bmp")
    return folder


@pytest.mark.parametrize(("count", "epochs", "advice"), [(133, 729, True), (800, 120, False), (5000, 19, False)])
def test_every_number_of_images_is_seen_for_about_as_many_steps(count, epochs, advice, monkeypatch):
    images, out = folder_of(count), Path("photos.yaml")
    told = photos.fit_to_photos(images, out)
    (steps,) = re.findall(r": ([\d,]+) steps$", told, re.MULTILINE)
    assert 9_500 < int(steps.replace(",", "")) < 10_700
    assert ("fewer than 700" in told) == advice
    assert told.endswith("next: snakemake --cores all --configfile photos.yaml --directory photos -- all")
    params = load_params(out)
    assert {method.training.epochs for method in params.methods.values() if hasattr(method, "training")} == {epochs}
    assert params.datasets["photos"].source.path == str(images.absolute())
    assert params.datasets["photos"].image_size == 64
    monkeypatch.setattr(photos.shutil, "which", lambda name: name)
    assert "128 x 128" in photos.fit_to_photos(images, Path("gpu.yaml"))


def test_only_values_and_their_comments_differ_from_the_preset():
    photos.fit_to_photos(folder_of(800), Path("photos.yaml"))
    was, is_now = (Path(file).read_text().splitlines() for file in (photos.PRESET, "photos.yaml"))
    assert [line.split("#")[1] for line in was if "#" in line][2:] == [
        line.split("#")[1].replace("configfile photos", "configfile presets/photos") for line in is_now if "#" in line
    ][2:]
    assert sum(a != b for a, b in zip(was, is_now, strict=True)) == 2


@pytest.mark.parametrize(
    ("count", "there", "fault"),
    [
        (0, False, "has 0 images, of which 0 would be for testing: expected at least 20"),
        (
            129,
            False,
            "has 129 images, of which 19 would be for testing: expected at least 20, .* 133 in all are enough",
        ),
        (200, True, r"^photos\.yaml is there already"),
    ],
)
def test_a_refusal_is_one_line_and_writes_nothing(count, there, fault):
    out = Path("photos.yaml")
    if there:
        out.touch()
    with pytest.raises(photos.DataError, match=fault) as caught:
        photos.fit_to_photos(folder_of(count), out)
    assert "\n" not in str(caught.value)
    assert not (out.exists() and out.read_text())
