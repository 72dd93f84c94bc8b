"""The results and data of a whole run, fabricated: random evidence, from which the real tables are written."""

import zlib

import numpy as np
import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from spl.analysis.check_claims import check_claims
from spl.analysis.compare_ablations import compare_ablations
from spl.analysis.further_metrics import write_further_metrics
from spl.analysis.write_table1 import write_table1
from spl.config.load import load_params
from spl.data.masks import RATIO_BINS
from spl.report.write_report import write_report
from spl.steps.records import write_record
from spl.steps.settings import (
    AblationSettings,
    ClaimSettings,
    FurtherSettings,
    ReportSettings,
    RunSettings,
    TableSettings,
    TeacherSettings,
    drawn_figures,
    needed_teachers,
)
from tests.analysis.fabricate import per_image, write_evidence, write_perceptual
from tests.fabricate import write_facts

IMAGES = 24
BETTER = {"telea": -3, "mfe": -1.5, "rfr": -1, "rn": -1, "ec": -2, "spl": 0, "spl_no_prior": -0.5, "spl_concat": -0.2}


def reduce(raw):
    """Take of the demo's parameters what random evidence can stand for: no objects, hence no figures 1 and 3."""
    raw["methods"] = {name: raw["methods"][name] for name in BETTER}
    raw["ablations"]["methods"] = ["spl_no_prior", "spl_concat"]
    raw["evaluation"]["bootstrap"]["samples"] = 100
    raw["evaluation"]["perceptual"]["metrics"] = ["lpips", "fid"]
    raw["detection"] = raw["figures"]["fig1"] = raw["figures"]["fig3"] = None
    raw["figures"]["fig5"]["dataset"] = "paris"
    return raw


def fabricate(params_path, root):
    """Write results/ and data/ as the workflow leaves them, and return both folders."""
    params, results, data = load_params(params_path), root / "results", root / "data"
    for run in params.runs():
        _write_evidence(params, results, run)
        if run.method in params.network_methods:
            _write_training(params, results, run)
    for name in needed_teachers(params):
        facts = {"validation_map": 0.625, "steps": 152, "seconds": 71.0, "classes": ["tree", "car"],
                 "versions": {"commit": "fedcba9876543210"}}  # fmt: skip
        write_record(results / f"teachers/{name}/run.json", TeacherSettings.of(params, teacher=name), {}, {}, **facts)
    _write_tables(params, results, data)
    _write_data(params, data)
    for step, seconds in {"table1": 30, "train_method/paris/rn/seed1": 570}.items():
        path = root / f"benchmarks/results/{step}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t-\n")
    for name in [*drawn_figures(params), *(f"examples_{dataset}" for dataset in params.datasets)]:
        write_figure(results / f"figures/{name}.png", f"Caption of {name}.")
    return {"results": results, "data": data}


def write_page(params_path, **places):
    """Write the report of a parameter file."""
    write_report(ReportSettings.of(load_params(params_path)), params_path, **places)


def write_figure(path, caption):
    """Draw an empty figure with its caption as the description."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = PngInfo()
    facts.add_text("Description", caption)
    Image.new("RGB", (2100, 400)).save(path, pnginfo=facts)


def _write_evidence(params, results, run):
    quality = BETTER.get(run.method, 5)
    table = per_image(quality, noise=0.8, per_bin=4, draw=zlib.crc32(str(run).encode())).assign(sharpness=0.04)
    write_evidence(results, {run: table})
    unavailable = {"lpips": "<weights> are missing", "fid": f"no {'a/long/path/' * 6}file"}
    write_perceptual(params, results, run, table.assign(lpips=""), unavailable=unavailable)


def _write_training(params, results, run):
    folder = results / f"weights/{run.dataset}/{run.method}/seed{run.seed}"
    facts = {"steps": 200, "images_seen": 1600, "seconds": 64.2, "device": "cpu", "processes": 1}
    settings, versions = RunSettings.of(params, **run._asdict()), {"commit": "0123456789abcdef"}
    write_record(folder / "run.json", settings, {}, {}, versions=versions, **facts)
    steps = np.arange(10, 201, 10)
    losses = {"discriminator": np.exp(-steps / 80), "loss_adv": np.where(steps < 80, 0, 0.5)}
    pd.DataFrame({"step": steps, "lr_factor": 1.0, **losses}).to_csv(folder / "log.csv", index=False)


def _write_tables(params, results, data):
    write_table1(TableSettings.of(params), results=results, out=results / "table1.csv")
    compare_ablations(AblationSettings.of(params), results=results, out=results / "ablations.csv")
    write_further_metrics(FurtherSettings.of(params), results=results, out=results / "further_metrics.csv")
    check_claims(ClaimSettings.of(params), results=results, data=data, out=results / "claims.csv")
    costs = {"image_size": 64, "parameters": 123456, "gmacs": 0.5, "seconds_per_image": 0.012,
             "peak_memory_mib": 34.5, "device": "cpu", "threads": 1}  # fmt: skip
    pd.DataFrame([{"method": method} | costs for method in params.table_methods]).to_csv(results / "cost.csv")


def _write_data(params, data):
    per_bin = dict.fromkeys(RATIO_BINS, 4)
    for dataset in params.datasets:
        write_facts(data / f"prepared/{dataset}/record.json", images={"train": 400, "test": IMAGES})
        write_facts(data / f"pairs/{dataset}.json", pairs_per_bin=per_bin, changed_bin_by_resizing=3)
        pairs = {
            "image": [f"test/{i}.png" for i in range(IMAGES)],
            "mask": [f"{i % 20}.png" for i in range(IMAGES)],
            "hole_ratio": np.linspace(0.02, 0.58, IMAGES),
        }
        pd.DataFrame(pairs).to_csv(data / f"pairs/{dataset}.csv", index=False)
    rejected = {"hole ratio over 0.6": 7}
    write_facts(data / "masks/record.json", masks_per_bin=dict.fromkeys(RATIO_BINS, 100), rejected=rejected)
