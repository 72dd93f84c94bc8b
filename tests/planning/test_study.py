"""A study goes on from its committed table, and its contrasts mean what they say."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from benchmarks import resample_seeds
from benchmarks.recall import HiddenObjects
from spl.common.errors import DataError, ParamsError
from spl.config.load import load_params
from spl.detection.boxes import Detections
from spl.planning.study import add_runs, contrast, contrasts, missing_runs, planned_runs, read_runs
from tests.analysis.fabricate import per_image, write_evidence
from tests.conftest import REPOSITORY, read_raw

QUALITY = {"spl": 0.3, "spl_no_prior": 0.0, "spl_permuted": 0.1, "spl_pixels": 0.1}


@pytest.fixture
def study(write_params):
    """Stage 1 with three seeds and one kept epoch."""
    raw = read_raw(REPOSITORY / "presets/study_1.yaml") | {"seeds": [1, 2, 3]}
    for method in raw["methods"].values():
        method["training"]["kept_epochs"] = [4]
    return lambda **changes: load_params(write_params(raw | changes))


def evaluate(results, seeds, *, gain=1.0, methods=QUALITY):
    """Fabricate evaluations in which a seed is as good or bad for all methods."""
    for root, share in ((results, gain), (results / "epochs/4", 2 * gain)):
        write_evidence(root, {
            ("places2", method, seed): per_image(share * QUALITY[method] + seed) for method in methods for seed in seeds
        })  # fmt: skip


def test_a_table_of_means_stands_for_the_runs_that_made_it(study, tmp_path):
    params, table = study(), tmp_path / "runs.csv"
    assert len(missing_runs(params, read_runs(table))) == 4 * 3 * 2
    evaluate(tmp_path / "one", [1])
    add_runs(params, tmp_path / "one", table)
    left = missing_runs(params, read_runs(table))
    assert {run.seed for run in left} == {2, 3}
    evaluate(tmp_path / "two", [2, 3])
    runs = add_runs(params, tmp_path / "two", table)  # the first machine's results are gone
    assert missing_runs(params, runs) == []
    pd.testing.assert_frame_equal(read_runs(table), runs.round(6), check_dtype=False)
    own = runs[(runs["method"] == "spl") & (runs["mask_ratio"] == "40-60")].set_index(["seed", "epoch"])["psnr_hole"]
    expected = per_image(0.3 + 2).query("ratio_bin in ['40-50', '50-60']")["psnr_hole"].mean()
    assert own[2, 6] == pytest.approx(expected)

    found = contrasts(params, read_runs(table), ["psnr_hole", "ssim"]).set_index(["metric", "epoch", "contrast"])
    assert found.index[0] == ("psnr_hole", 4, "trained − permuted")
    row = found.loc[("psnr_hole", 6, "trained − none")]
    assert (row["difference"], row["seeds"]) == (pytest.approx(0.3, abs=1e-6), 3)
    assert row["sd"] < 1e-5
    assert row["needed"] == ""  # it is decided
    assert found.loc[("psnr_hole", 4, "trained − none"), "difference"] == pytest.approx(0.6, abs=1e-6)
    equal = found.loc[("psnr_hole", 6, "pixels − none")]
    assert equal["low"] <= equal["difference"] <= equal["high"]


def test_runs_of_other_settings_or_pairs_do_not_count(study, tmp_path):
    table = tmp_path / "runs.csv"
    evaluate(tmp_path, [1, 2, 3])
    runs = add_runs(study(), tmp_path, table)
    raw = read_raw(REPOSITORY / "presets/study_1.yaml")["datasets"]
    raw["places2"]["source"]["train"] = 400
    other = study(datasets=raw)
    assert len(missing_runs(other, runs)) == 24
    assert contrasts(other, runs, ["psnr_hole"]).empty
    for seed in (1, 2):
        table_of = per_image(0) if seed == 1 else per_image(0).assign(image_sha256="f" * 64)
        write_evidence(tmp_path / str(seed), {("places2", "spl", seed): table_of})
        runs = add_runs(other, tmp_path / str(seed), table)
    with pytest.raises(DataError, match="the runs on places2 saw different pairs: .* 48 pairs"):
        contrasts(other, runs, ["psnr_hole"])
    with pytest.raises(ParamsError, match="^study is null in params.yaml: there is no study"):
        missing_runs(load_params(REPOSITORY / "presets/demo.yaml"), runs)


@pytest.mark.parametrize("stage", ["1", "2", "3", "photos"])
def test_a_run_of_several_arms_is_planned_once(stage):
    planned = list(planned_runs(load_params(REPOSITORY / f"presets/study_{stage}.yaml")))
    assert len(planned) == len(set(planned))


def test_stages_share_the_runs_that_they_have_in_common():
    one, two = (set(planned_runs(load_params(REPOSITORY / f"presets/study_{stage}.yaml"))) for stage in (1, 2))
    assert {run.method for run in one & two} == {"spl", "spl_no_prior"}
    assert len(one & two) == 2 * 8 * 3


def test_an_interval_over_teachers_and_trainings_covers_the_truth():
    """Two sets of draws of one kind of teacher, of which some are better: no difference, in 90 % of cases at least."""
    rng, covered, naive = np.random.default_rng(0), [], []
    for _ in range(400):
        shared = rng.normal(0, 1, 8)  # of a seed, for all
        ours, theirs = (rng.normal(0, 0.3, (3, 1)) + rng.normal(0, 0.1, (3, 8)) + shared for _ in range(2))
        for found, intervals in (
            (contrast(ours, theirs, 0.95), covered),
            (contrast(ours[:1], theirs[:1], 0.95), naive),
        ):
            intervals.append(found.method_low <= 0 <= found.method_high)
    assert np.mean(covered) > 0.9
    assert np.mean(naive) < 0.6  # one teacher each says nothing about others
    one = contrast(ours[:1], ours[:1].copy(), 0.95)
    assert (one.mean, one.method_low, one.method_high) == (0, 0, 0)


def test_intervals_of_resampled_seeds_cover_equal_arms_and_no_planted_difference(monkeypatch):
    monkeypatch.setattr(resample_seeds, "SETS", 50)
    rng, equal, planted = np.random.default_rng(0), [], []
    for _ in range(80):
        shared = rng.normal(0, 1, 6)  # of a seed, for all
        arms = [rng.normal(0, 0.1, (1, 6)) + shared for _ in range(2)]
        equal.append(resample_seeds.shares_covering(*arms, confidence=0.95))
        planted.append(
            resample_seeds.shares_covering(arms[0] + 5 * 0.1 * 2**0.5, arms[1], confidence=0.95)
        )  # 5 sd of the difference
    equal, planted = (pd.DataFrame(found).mean() for found in (equal, planted))
    assert list(equal.index) == ["3 of 6", "4 of 6", "5 of 6", "6 of 6", "6 with replacement"]
    assert equal.drop("6 with replacement").between(0.9, 1).all()
    assert planted["6 of 6"] == 0
    assert planted.iloc[1:].max() < 0.05


def test_recall_is_of_the_half_hidden_objects_alone():
    """Two images of three squares: the hole hides two thirds of the first, all of the second, nothing of the third."""
    squares, hole = [(0, 0), (8, 0), (8, 8)], np.zeros((16, 16), bool)
    hole[:4, :8] = hole[:8, 8:] = True
    image = np.zeros((16, 16, 3), np.uint8)
    for left, top in squares:
        image[top : top + 6, left : left + 6] = 255
    holes = [hole, ~hole]  # of the second image: a third, nothing, all

    def detect(image):
        seen = [(left, top) for left, top in squares if image[0, top : top + 6, left : left + 6].mean() > 0.6]
        boxes = torch.tensor([(left, top, left + 6.0, top + 6.0) for left, top in seen]).reshape(-1, 4)
        return Detections(boxes, torch.ones(len(seen)), torch.zeros(len(seen), dtype=torch.int64))

    hidden = HiddenObjects(detect, [image, image].__getitem__, holes.__getitem__, [0, 1])
    assert [objects.boxes.tolist() for objects in hidden.by_row.values()] == [[[0, 0, 6, 6]], [[0, 0, 6, 6]]]
    assert len(hidden) == 2
    assert hidden.recall([image, image].__getitem__) == 1
    emptied = np.where(hole[..., None], 0, image).astype(np.uint8)
    assert hidden.recall([emptied, image].__getitem__) == 0.5
    assert hidden.recall([emptied, emptied].__getitem__) == 0


def test_a_study_names_only_what_there_is(write_params):
    raw = read_raw(REPOSITORY / "presets/study_1.yaml")
    raw["study"]["arms"]["none"] = ["absent"]
    raw["study"]["contrasts"] = {"places2": [["trained", "nobody"]], "faces": [["trained", "none"]]}
    with pytest.raises(ParamsError) as caught:
        load_params(write_params(raw))
    for fault in ("study.contrasts: datasets has no 'faces'", "study.arms.none: methods has no 'absent'",
                  "study.contrasts.places2: study.arms has no 'nobody'"):  # fmt: skip
        assert fault in str(caught.value)


def test_the_command_prints_what_is_left_and_then_the_contrasts(study, spl, tmp_path, write_params):
    raw = read_raw(REPOSITORY / "presets/study_1.yaml") | {"seeds": [1, 2, 3]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(raw))
    options = ("--params", tmp_path / "study.yaml", "--table", tmp_path / "runs.csv", "--results", tmp_path)
    left = spl("study", "--todo", *options).out.split()
    assert len(left) == 4 * 3 * 3
    assert left[0] == "results/epochs/2/eval/places2/spl/seed1/per_image.csv"
    for path in left:  # as if Snakemake had made them
        root, name = path.removeprefix("results").removeprefix("/").split("eval/")
        _, method, seed, _ = name.split("/")
        write_evidence(
            tmp_path / root, {("places2", method, int(seed[4:])): per_image(QUALITY[method] + int(seed[4:]))}
        )
    assert "trained − permuted" in spl("study", *options).out
    assert spl("study", "--todo", *options).out.split() == []
