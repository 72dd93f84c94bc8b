"""What another program has filled has the rows that our own fill has; what is not as it should be is one clear line."""

import json
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from spl.analysis.evidence import read_evidence, seeds_of
from spl.analysis.table1 import build_table
from spl.common.errors import DataError
from spl.common.files import read_json
from spl.config.checks import contradictions
from spl.config.experiment import Params
from spl.evaluation.evaluate_method import evaluate_method
from spl.evaluation.export_pairs import LAYOUTS, export_pairs
from spl.evaluation.external import FolderPairs, measure_folder, named_images
from spl.inventory.status import status, without_missing
from spl.steps.records import take, write_record
from spl.steps.settings import CostSettings, EvaluationSettings, PairSettings, TableSettings
from spl.tensors import loaders
from tests.conftest import REPOSITORY, bare, read_raw
from tests.fabricate import Data, draw_pairs

SIZE, HOLES = 64, (14, 3, 10, 26, 40, 8, 12)
CPU = torch.device("cpu")


def experiment(**filled) -> dict:
    """The demo on one dataset by Telea's fill, and by other programs."""
    raw = bare(read_raw(REPOSITORY / "presets/demo.yaml"))
    raw["datasets"] = {"paris": raw["datasets"]["paris"]}
    raw["detection"] = None
    raw["evaluation"] |= {"masks_per_image": 2}
    raw["evaluation"]["bootstrap"] |= {"samples": 200, "least_images": 2}
    raw["methods"] = {"telea": raw["methods"]["telea"]} | {
        name: {"recipe": "external", "composited": {"paris": str(folder)}, "citation": "A. Nonymous"}
        for name, folder in filled.items()
    }
    return raw


def parse(raw: dict) -> Params:
    return Params.model_validate(raw, strict=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with params.yaml and seven test images of Paris, each with two masks, as the workflow prepares them."""
    root = tmp_path_factory.mktemp("experiment")
    drawn = draw_pairs(root / "drawn", size=SIZE, holes=HOLES)
    for source, place in (
        ("images", "data/prepared/paris"),
        ("masks", "data/masks"),
        ("pairs.csv", "data/pairs/paris.csv"),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(drawn.pairs.parent / source, root / place)
    (root / "params.yaml").write_text(yaml.safe_dump(experiment()))
    pairs = root / "data/pairs/paris.csv"
    own = PairSettings.of(parse(experiment()), dataset="paris")
    inputs = take(images=root / "data/prepared/paris/manifest.csv", masks=root / "data/masks/masks.csv")
    write_record(pairs.with_suffix(".json"), own, inputs, {"pairs": pairs})
    return root


@pytest.fixture(scope="module")
def data(root):
    return Data(root / "data/pairs/paris.csv", root / "data/prepared/paris/manifest.csv", root / "data/masks/masks.csv")


def fill_by_opencv(exported, filled, *, mask="masks/{}.png", hole=255):
    """The other program: it knows a folder of images and their masks, and nothing of this package."""
    filled.mkdir(parents=True)
    for path in sorted((exported / "images").glob("*.png")):
        if "_mask" not in path.name:
            masked = (cv2.imread(str(exported / mask.format(path.stem)), cv2.IMREAD_GRAYSCALE) == hole).astype(np.uint8)
            name = path.name if mask.startswith("masks") else f"{path.stem}_mask001.png"
            cv2.imwrite(str(filled / name), cv2.inpaint(cv2.imread(str(path)), masked, 3, cv2.INPAINT_TELEA))


def write_truth(data, folder):
    """The true images by the names of an export."""
    folder.mkdir(parents=True)
    pairs = loaders.TestPairs(*data, image_size=SIZE)
    for i, name in enumerate(pairs.names):
        Image.fromarray(pairs.pixels(i)[0]).save(folder / f"{name}.png")


@pytest.fixture(scope="module")
def exported(root, data):
    export_pairs(PairSettings.of(parse(experiment()), dataset="paris"), root / "data", root / "exported", "plain")
    return root / "exported"


@pytest.fixture(scope="module")
def by_opencv(root, exported):
    fill_by_opencv(exported, root / "filled/telea")
    return root / "filled/telea"


@pytest.fixture
def filled(by_opencv, tmp_path):
    """A copy of what was filled, to spoil."""
    return shutil.copytree(by_opencv, tmp_path / "filled")


def evaluate(raw, method, data, folder):
    settings = EvaluationSettings.of(parse(raw), dataset="paris", method=method)
    evaluate_method(settings, **data._asdict(), weights=data.pairs.with_name("none"), folder=folder, device=CPU)
    return folder


# Export -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["plain", "iopaint", "lama"])
def test_an_export_has_every_known_part_exactly_and_says_what_it_is(root, data, tmp_path, spl, layout):
    ended = spl("pairs", "export", "--dataset", "paris", "--layout", layout, "--out", tmp_path / "out", cwd=root)
    assert ended.status == 0
    place, white, *_ = LAYOUTS[layout]
    table, pairs = pd.read_csv(tmp_path / "out/pairs.csv", dtype=str), loaders.TestPairs(*data, image_size=SIZE)
    assert table["name"].tolist() == [*map(str, range(7)), *(f"{i}_2" for i in range(7))]
    for i, name in enumerate(table["name"]):
        image, hole = pairs.pixels(i)
        shown = np.asarray(Image.open(tmp_path / f"out/images/{name}.png"))
        assert np.array_equal(shown[~hole], image[~hole])
        assert not shown[hole].any()
        mask = np.asarray(Image.open(tmp_path / "out" / place.format(name)))
        assert np.array_equal(mask, np.where(hole, 255, 0))
    told = (tmp_path / "out/README.md").read_text()
    assert "14 pairs of paris" in told
    assert f"white = {white}" in told
    assert "{" not in told


def test_mat_takes_black_holes_and_only_its_own_sizes(root, data, tmp_path, monkeypatch):
    own = PairSettings.of(parse(experiment()), dataset="paris")
    with pytest.raises(DataError, match="mat takes sides that are multiples of 512, and images of paris have 64"):
        export_pairs(own, root / "data", tmp_path / "out", "mat")
    assert not (tmp_path / "out").exists()
    place, white, _, command = LAYOUTS["mat"]
    monkeypatch.setitem(LAYOUTS, "mat", (place, white, SIZE, command))
    export_pairs(own, root / "data", tmp_path / "out", "mat")
    hole = loaders.TestPairs(*data, image_size=SIZE).pixels(0)[1]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/masks/0.png")), np.where(hole, 0, 255))


# The same rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["plain", "lama"])
def test_filled_elsewhere_gives_the_rows_images_and_table_of_our_own_fill(root, data, tmp_path, layout):
    own = PairSettings.of(parse(experiment()), dataset="paris")
    export_pairs(own, root / "data", tmp_path / "out", layout)
    fill_by_opencv(tmp_path / "out", tmp_path / "filled", mask=LAYOUTS[layout][0])
    raw = experiment(program=tmp_path / "filled")
    ours = evaluate(raw, "telea", data, tmp_path / "results/eval/paris/telea/seed1")
    theirs = evaluate(raw, "program", data, tmp_path / "results/eval/paris/program/seed1")
    assert (theirs / "per_image.csv").read_bytes() == (ours / "per_image.csv").read_bytes()
    for path in ours.rglob("composited/**/*.png"):
        assert (theirs / path.relative_to(ours)).read_bytes() == path.read_bytes()
    settings = TableSettings.of(parse(raw))
    table = build_table(read_evidence(tmp_path / "results", seeds_of(settings)), settings)
    telea, program = (table[table["method"] == name].reset_index(drop=True) for name in ("telea", "program"))
    same = ["metric", "dataset", "mask_ratio", "ours", "n_images", "n_infinite", "n_seeds"]
    pd.testing.assert_frame_equal(telea[same], program[same])
    assert program["ours"].notna().any()
    assert set(program["origin"]) == {"external"}
    assert read_json(theirs / "record.json")["citation"] == "A. Nonymous"


@pytest.mark.parametrize("of", ["pairs", "folders"])
def test_a_score_has_the_rows_of_table_1_with_its_intervals(root, data, by_opencv, exported, tmp_path, spl, of):
    results = tmp_path / "results"
    evaluate(experiment(), "telea", data, results / "eval/paris/telea/seed1")
    assert spl("table1", "--results", results, "--out", results / "table1.csv", cwd=root).status == 0
    table = pd.read_csv(results / "table1.csv").dropna(subset="ours")
    write_truth(data, tmp_path / "truth")
    own = {
        "pairs": ("--pairs", data.pairs),
        "folders": ("--images", tmp_path / "truth", "--masks", exported / "masks"),
    }
    ended = spl("score", "--composited", by_opencv, *own[of], "--json", cwd=root)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    rows = pd.DataFrame(told["rows"]).merge(table, on=["metric", "mask_ratio"], suffixes=("", "_table"))
    assert len(rows) == len(table) > 5
    columns = ["ours", "n_images"] + ["ours_low", "ours_high"] * (of == "pairs")
    if of == "folders":  # in which an image with two masks is two images
        rows["n_images"] /= 2
        rows = rows[rows["mask_ratio"] == "all"]
    for name in columns:
        np.testing.assert_allclose(rows[name], rows[f"{name}_table"], rtol=0, atol=1e-6)
    if of == "pairs":
        assert told["signature"] == table["signature"].iloc[0]
    assert {"psnr_hole", "mae_hole", "ssim_gaussian"} < {row["metric"] for row in told["rows"]}


def test_two_folders_are_compared_image_by_image(root, data, by_opencv, filled, spl):
    path = filled / "3.png"
    Image.fromarray(np.asarray(Image.open(path)) // 2 * 2).save(path)
    ended = spl(
        "score", "--composited", by_opencv, "--composited", filled, "--composite", "--pairs", data.pairs, cwd=root
    )
    assert ended.status == 0, ended.err
    assert "telea − filled" in ended.out
    assert "1 of 14 known parts were off" in ended.err


# Faults ------------------------------------------------------------------------------------------------


def spoil(change):
    def work(folder):
        path = folder / "3.png"
        Image.fromarray(change(np.asarray(Image.open(path)).copy())).save(path)

    return work


def save_jpeg(folder):
    Image.open(folder / "3.png").save(folder / "3.jpg")
    (folder / "3.png").unlink()


def compress(folder):
    Image.open(folder / "3.png").save(folder / "3.jpg")
    Image.open(folder / "3.jpg").save(folder / "3.png")
    (folder / "3.jpg").unlink()


def save_deep(folder):
    cv2.imwrite(str(folder / "3.png"), cv2.imread(str(folder / "3.png")).astype(np.uint16) * 257)


FAULTS = {
    "missing": (lambda f: (f / "3.png").unlink(), r"has 13 images, expected 14; 1 missing, such as 3$"),
    "extra": (lambda f: shutil.copy(f / "3.png", f / "x.png"), r"has 15 images, expected 14; 1 of no pair, such as x$"),
    "renamed": (lambda f: (f / "3.png").rename(f / "03.png"), r"1 missing, such as 3; 1 of no pair, such as 03$"),
    "twice": (lambda f: shutil.copy(f / "3.png", f / "3_mask001.png"), r"have the same name but for the ending"),
    "resized": (spoil(lambda a: a[::2, ::2]), r"3\.png has 32 x 32 pixels in RGB of 8 bits; expected 64 x 64 in RGB"),
    "jpeg": (save_jpeg, r"3\.jpg is a JPEG, which changes pixels; expected PNG"),
    "compressed": (compress, r"3\.png: the known part is off by up to \d+ of 255 \(PSNR [\d.]+ dB\); composite it"),
    "16 bits": (save_deep, r"3\.png has 64 x 64 pixels in RGB of 16 bits; expected .* 8 bits"),
    "alpha": (spoil(lambda a: np.dstack([a, a[..., 0]])), r"3\.png has 64 x 64 pixels in RGBA of 8 bits; expected"),
    "another": (spoil(lambda a: 255 - a), r"3\.png: the known part is off .*: an image of another input"),
    "shifted": (spoil(lambda a: np.roll(a, (2, -1), (0, 1))), r"3\.png: .* moved, -1 pixels to the right and 2 down"),
    "damaged": (lambda f: (f / "3.png").write_bytes((f / "3.png").read_bytes()[:200]), r"3\.png ends early, after 200"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_a_filled_version_of_its_input_is_one_line_and_leaves_nothing(data, filled, tmp_path, fault):
    change, message = FAULTS[fault]
    change(filled)
    with pytest.raises(DataError, match=message) as raised:
        evaluate(experiment(program=filled), "program", data, tmp_path / "results/eval")
    lines = str(raised.value).splitlines()
    assert len([line for line in lines if "3" in line and str(filled / "") in line]) <= 2
    assert [*(tmp_path / "results").glob("[!.]*")] == []


def test_every_fault_of_a_folder_is_told_at_once(data, filled):
    for i in (1, 4):
        save_deep_of = cv2.imread(str(filled / f"{i}.png")).astype(np.uint16)
        cv2.imwrite(str(filled / f"{i}.png"), save_deep_of)
    with pytest.raises(DataError, match=r"2 of 14 images cannot be used\n.*1\.png has .*\n.*4\.png has "):
        measure_folder(filled, loaders.TestPairs(*data, image_size=SIZE), composite=False)


@pytest.mark.parametrize(("fault", "is_taken"), [("compressed", True), ("shifted", False), ("another", False)])
def test_a_known_part_that_is_off_is_replaced_only_where_that_is_asked_for(
    data, by_opencv, filled, tmp_path, fault, is_taken
):
    FAULTS[fault][0](filled)
    raw = experiment(program=filled)
    raw["methods"]["program"]["composite"] = True
    if not is_taken:
        with pytest.raises(DataError, match=FAULTS[fault][1]):
            evaluate(raw, "program", data, tmp_path / "out")
        return
    out = evaluate(raw, "program", data, tmp_path / "out")
    assert "1 of 14 known parts were off (mean PSNR" in read_json(out / "record.json")["known_part"]
    image, hole = loaders.TestPairs(*data, image_size=SIZE).pixels(3)
    kept = np.asarray(Image.open(out / "composited/3.png"))
    assert np.array_equal(kept[~hole], image[~hole])
    assert np.array_equal(kept[hole], np.asarray(Image.open(filled / "3.png"))[hole])


# Other people's pairs -----------------------------------------------------------------------------------


def test_folders_may_be_nested_with_masks_of_any_size_of_hole_and_either_colour(tmp_path):
    rng, hole = np.random.default_rng(0), np.zeros((40, 50), bool)
    hole[:36, :45] = True
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    for place, pixels in {"truth/a/x.png": image, "masks/a/x.png": ~hole, "filled/a/x.png": image}.items():
        (tmp_path / place).parent.mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / place)
    pairs = FolderPairs(tmp_path / "truth", tmp_path / "masks", hole="black")
    table, told = measure_folder(tmp_path / "filled", pairs, composite=False)
    assert (table["image"].tolist(), table["ratio_bin"].tolist(), told) == (["a/x"], [""], "")
    assert table["hole_ratio"].tolist() == [pytest.approx(0.81)]
    assert table["psnr"].tolist() == [np.inf]


def test_an_empty_folder_or_a_mask_of_another_size_is_refused(tmp_path):
    for place, size in {"truth/x.png": 40, "masks/x.png": 32}.items():
        (tmp_path / place).parent.mkdir()
        Image.fromarray(np.eye(size, dtype=bool)).save(tmp_path / place)
    with pytest.raises(DataError, match=r"masks/x\.png has no hole, or another size than .*truth/x\.png"):
        FolderPairs(tmp_path / "truth", tmp_path / "masks", hole="white")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has 0 images, expected some"):
        named_images(tmp_path / "empty")


# The page ------------------------------------------------------------------------------------------------


def test_the_page_followed_literally_puts_the_other_program_beside_telea(
    root, data, exported, by_opencv, tmp_path, spl
):
    """Snakemake's rules call `evaluate-method` and `table1`."""
    shutil.copytree(root / "data", tmp_path / "data")
    shutil.copy(root / "params.yaml", tmp_path)
    page = (REPOSITORY / "docs/compare.md").read_text()
    told = {}
    write_truth(data, tmp_path / "theirs/truth")
    shutil.copytree(exported / "masks", tmp_path / "theirs/masks")
    shutil.copytree(by_opencv, tmp_path / "theirs/filled")
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```", page, re.M | re.S):
        if kind == "python":
            (tmp_path / "fill.py").write_text(block)
        elif kind == "yaml":
            raw = experiment()
            raw["methods"] |= yaml.safe_load(block)
            (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
        for line in block.splitlines() if kind in ("bash", "sh") else ():
            program, *words = line.split()
            if program == "python":
                subprocess.run([sys.executable, *words], cwd=tmp_path, check=True)
                continue
            calls = [words]
            if program == "snakemake":
                calls = [("evaluate-method", "--dataset", "paris", "--method", name) for name in ("telea", "opencv")]
                calls.append(("table1",))
            for call in calls:
                ended = spl(*call, cwd=tmp_path)
                assert ended.status == 0, (line, ended.err)
            told[line] = ended.out
    table = pd.read_csv(tmp_path / "results/table1.csv")
    telea, opencv = (table[table["method"] == name].reset_index(drop=True) for name in ("telea", "opencv"))
    assert telea["ours"].equals(opencv["ours"])
    assert telea["ours"].notna().sum() >= 3
    assert set(opencv["origin"]) == {"external"}
    assert "SSIM ↑, external" in (tmp_path / "results/table1.md").read_text()
    assert "opencv (A. Telea 2004, by OpenCV)" in (tmp_path / "results/table1.md").read_text()
    assert table["signature"].iloc[0] in told["spl score --composited filled --pairs data/pairs/paris.csv"]


# The experiment -----------------------------------------------------------------------------------------


def test_an_external_method_is_on_the_datasets_that_it_names_alone_and_costs_nothing(tmp_path):
    raw = experiment(program=tmp_path / "filled")
    raw["datasets"]["places2"] = read_raw(REPOSITORY / "presets/demo.yaml")["datasets"]["places2"]
    params = parse(raw)
    assert params.absent("places2", "program") == "no filled images"
    assert params.methods_of("paris") == ["telea", "program"]
    assert [built.method for built in CostSettings.of(params).methods] == ["telea"]
    raw["methods"]["program"]["composited"] = {"pariss": "filled"}
    assert contradictions(parse(raw)) == ["methods.program.composited: datasets has no 'pariss'; it has paris, places2"]


def test_a_folder_that_is_missing_is_told_and_leaves_the_method_out_where_that_is_wanted(tmp_path):
    raw = experiment(program=tmp_path / "filled") | {"missing_files": "leave_out"}
    assert without_missing(parse(raw), {}).left_out == {
        "paris/program": f"filled images missing: {tmp_path / 'filled'}"
    }
    sources = [(source.name, source.state) for source in status(parse(raw), {})]
    assert (str(tmp_path / "filled"), "missing") in sources


@pytest.mark.parametrize(
    "options",
    [
        ("--composited", "a"),
        ("--composited", "a", "--pairs", "p.csv", "--images", "i", "--masks", "m"),
        ("--composited", "a", "--images", "i"),
        ("--composited", "a", "--composited", "b", "--composited", "c", "--pairs", "p.csv"),
    ],
)
def test_a_score_is_of_one_or_two_folders_and_of_one_kind_of_pairs(spl, options):
    ended = spl("score", *options)
    assert ended.status == 2
    assert "expected one or two --composited" in ended.err
