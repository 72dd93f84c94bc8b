"""Further metrics: one row each, and those that could not be measured say why."""

import numpy as np
import pandas as pd
import pytest

from spl.analysis.further_metrics import COLUMNS, write_further_metrics
from spl.common.errors import DataError
from spl.steps.settings import FurtherSettings
from tests.analysis.fabricate import per_image, write_evidence, write_perceptual

METHODS = ("telea", "spl", "spl_no_prior")
NO_LPIPS = "data/raw/metrics has no lpips_alex.pth."


@pytest.fixture
def params(demo_params):
    methods = {name: demo_params.methods[name] for name in METHODS}
    ablations = demo_params.ablations.model_copy(update={"methods": ("spl_no_prior",)})
    datasets = {name: demo_params.datasets[name] for name in ("places2", "paris")}
    return demo_params.model_copy(
        update={"methods": methods, "ablations": ablations, "datasets": datasets, "seeds": (1, 2)}
    )


@pytest.fixture
def results(params, tmp_path):
    """Evidence and perceptual results of all runs; LPIPS is missing for Telea, and KID has no deviation."""
    tables = {run: per_image(run.seed / 10, noise=0.1, draw=run.seed, per_bin=10) for run in params.runs()}
    write_evidence(tmp_path, tables)
    for run, table in tables.items():
        lpips = "" if run.method == "telea" else np.linspace(0.1, 0.2, len(table)) + run.seed / 100
        unavailable = {"kid_sd": "one subset"} | ({"lpips": NO_LPIPS} if run.method == "telea" else {})
        found = {"fid": 10.0 + run.seed, "kid": 0.02, "kid_sd": None, "unavailable": unavailable}
        write_perceptual(params, tmp_path, run, table.assign(lpips=lpips), **found)
    return tmp_path


def write(params, results):
    write_further_metrics(FurtherSettings.of(params), results=results, out=results / "metrics.csv")


@pytest.fixture
def table(params, results):
    write(params, results)
    return pd.read_csv(results / "metrics.csv").set_index(["dataset", "method", "mask_ratio", "metric"])


def test_all_metrics_of_all_runs(table):
    assert [*table.index.names, *table.columns] == COLUMNS
    per_run = (4 + 1) * 3 + 3  # those of single images for three mask ratios, and FID, KID and its deviation
    assert len(table) == per_run * 5  # the ablation on Paris only
    assert not table.index.duplicated().any()


def test_metrics_of_images_are_means_over_images_and_seeds(table, results):
    found = table.loc["paris", "spl", "40-60", "mae_hole"]
    tables = [pd.read_csv(results / f"eval/paris/spl/seed{seed}/per_image.csv") for seed in (1, 2)]
    means = [t[t["ratio_bin"].isin(["40-50", "50-60"])]["mae_hole"].mean() for t in tables]
    assert found["value"] == pytest.approx(np.mean(means), abs=1e-6)
    assert found["seed_sd"] == pytest.approx(np.std(means, ddof=1), abs=1e-6)
    assert (found["n_images"], found["n_seeds"], found["status"]) == (20, 2, "measured")
    assert found["low"] < found["value"] < found["high"]


def test_lpips_is_of_single_images_and_fid_of_all_images_without_an_interval(table):
    assert table.loc["places2", "spl", "all", "lpips"]["value"] == pytest.approx(0.15 + 0.015)
    found = table.loc["places2", "spl", "all", "fid"]
    assert found[["value", "seed_sd"]].tolist() == pytest.approx([11.5, np.sqrt(0.5)], abs=1e-6)
    assert found[["low", "high"]].isna().all()
    assert ("places2", "spl", "40-60", "fid") not in table.index


def test_what_could_not_be_measured_says_why(table):
    for key, why in ((("lpips", "telea"), NO_LPIPS), (("kid_sd", "spl"), "one subset")):
        found = table.loc["paris", key[1], "all", key[0]]
        assert np.isnan(found["value"])
        assert (found["status"], found["reason"]) == ("not available", why)
    assert table.loc["paris", "spl", "all", "kid"]["status"] == "measured"


def test_metrics_that_are_not_asked_for_are_not_looked_for(params, results):
    perceptual = params.evaluation.perceptual.model_copy(update={"metrics": ()})
    evaluation = params.evaluation.model_copy(update={"perceptual": perceptual})
    write(params.model_copy(update={"evaluation": evaluation}), results)
    assert set(pd.read_csv(results / "metrics.csv")["metric"]) == {"mae_rgb", "ssim_gaussian", "psnr_hole", "mae_hole"}


def test_perceptual_results_must_be_of_the_same_images(params, results):
    path = results / "perceptual/paris/spl/seed2.csv"
    pd.read_csv(path, dtype=str)[1:].to_csv(path, index=False)
    with pytest.raises(DataError, match="spl/seed2.csv has other image-mask pairs"):
        write(params, results)
