"""Generated masks: as many as wanted, each a function of its number, over all bins, half of them at the border."""

import numpy as np
import pytest
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import read_json
from spl.data.generate_masks import generate_masks
from spl.data.masks import RATIO_BINS, ratio_bin, read_mask


def generate(folder, count=12, *, seed=1, size=64, workers=1):
    generate_masks(folder, count=count, seed=seed, size=size, workers=workers)
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


@pytest.mark.parametrize("size", [32, 64, 512])
def test_all_bins_are_filled_equally_and_half_of_each_touches_the_border(tmp_path, size):
    generate(tmp_path, 24, size=size)
    found = []
    for path in sorted(tmp_path.glob("*.png")):
        hole = read_mask(path, "white")
        assert hole.shape == (size, size)
        touches = bool(hole[[0, -1]].any() or hole[:, [0, -1]].any())
        margin = size // 32
        assert touches or hole.sum() == hole[margin:-margin, margin:-margin].sum()  # the others keep their distance
        found.append((ratio_bin(hole.mean()), touches))
    assert sorted(found) == sorted(
        (name, touches) for name in RATIO_BINS for touches in (True, False) for _ in range(2)
    )


def test_a_larger_size_shows_the_same_kind_of_mask(tmp_path):
    """Strokes are as thick in relation to the image."""
    shares = []
    for size in (64, 256):
        generate(tmp_path / str(size), 48, size=size)
        holes = [read_mask(path, "white") for path in sorted((tmp_path / str(size)).glob("*.png"))]
        edges = [np.count_nonzero(hole[:, 1:] != hole[:, :-1]) / size for hole in holes]
        shares.append(np.mean(edges))
    assert shares[0] == pytest.approx(shares[1], rel=0.15)


def test_a_longer_set_begins_with_the_shorter_one_and_another_seed_draws_others(tmp_path):
    longer, shorter = generate(tmp_path / "a", 30, workers=2), generate(tmp_path / "b", 12)
    assert len(longer) == len(set(longer.values())) == 30
    assert shorter == {name: longer[name] for name in sorted(longer)[:12]}
    assert not set(generate(tmp_path / "c", 12, seed=2).values()) & set(longer.values())


def test_a_second_call_adds_only_what_is_missing(tmp_path):
    whole = generate(tmp_path, 12)
    (tmp_path / "000003.png").unlink()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert generate(tmp_path, 12) == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_an_interrupted_call_leaves_whole_masks_only(tmp_path, monkeypatch):
    whole = generate(tmp_path / "whole", 3)
    generate(tmp_path / "cut", 2)
    with monkeypatch.context() as patch:
        patch.setattr("spl.data.generate_masks.encode_mask", lambda mask: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            generate(tmp_path / "cut", 3)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["000000.png", "000001.png", "masks.json"]
    assert generate(tmp_path / "cut", 3) == whole


@pytest.mark.parametrize("other", [{"seed": 2}, {"size": 32}])
def test_masks_of_another_seed_or_size_are_never_mixed(tmp_path, other):
    before = generate(tmp_path, 2)
    with pytest.raises(DataError, match=r"holds masks of .*'seed': 1, 'size': 64.*, asked for are .* another --out"):
        generate(tmp_path, 4, **other)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.png")} == before


def test_a_folder_of_other_images_is_left_alone(tmp_path):
    Image.new("L", (64, 64)).save(tmp_path / "mine.png")
    with pytest.raises(DataError, match=r"holds images of unknown origin: it has no masks\.json"):
        generate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


def test_masks_too_small_to_be_used_are_rejected(tmp_path):
    with pytest.raises(DataError, match="--size 16: expected at least 32 pixels"):
        generate(tmp_path / "out", size=16)
    assert not (tmp_path / "out").exists()


def test_the_command_generates_masks(tmp_path, spl):
    out = tmp_path / "deep/folder"
    assert spl("masks", "generate", "--count", 3, "--out", out, "--size", 32, "--seed", 5).status == 0
    assert sorted(path.name for path in out.iterdir()) == ["000000.png", "000001.png", "000002.png", "masks.json"]
    assert read_json(out / "masks.json") == {"seed": 5, "size": 32}
