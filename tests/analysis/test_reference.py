"""How far the numbers of a run are from the committed ones."""

import pandas as pd
import pytest

from spl.analysis.reference import compare, write_reference
from spl.common.errors import DataError, RecordError
from spl.common.files import sha256
from tests.conftest import REPOSITORY
from tests.fabricate import write_facts


def write_results(folder, *cells, name="table1", threads=1):
    """Write a table of (metric, value) or (metric, value, signature), as the workflow does."""
    value = "ours" if name == "table1" else "value"
    rows = [(metric, "rn", "paris", "all", number, *(rest or ("51d12074",))) for metric, number, *rest in cells]
    table = pd.DataFrame(rows, columns=["metric", "method", "dataset", "mask_ratio", value, "signature"])
    folder.mkdir(exist_ok=True, parents=True)
    table.assign(signature=table["signature"] + " · test").to_csv(folder / f"{name}.csv", index=False)
    listed = {"table": {"path": f"{name}.csv", "sha256": sha256(folder / f"{name}.csv")}}
    write_facts(folder / f"{name}.json", settings={"seeds": [1]}, versions={"commit": "abc"}, outputs=listed)
    write_facts(
        folder / "eval/paris/rn/seed1/record.json", settings={"threads": threads}, cpu="Xeon", device="cpu", step="e"
    )


@pytest.fixture
def reference(tmp_path):
    """A folder of reference numbers of which another run with two threads has some elsewhere."""
    write_results(tmp_path / "first", ("psnr", 20.0), ("ssim", 0.8), ("mae", 0.02))
    write_results(tmp_path / "second", ("psnr", 19.7), ("ssim", 0.8), threads=2)
    write_results(tmp_path / "first", ("psnr_hole", 12.0), name="ablations")
    write_reference(tmp_path / "first", [tmp_path / "second"], tmp_path / "reference")
    return tmp_path / "reference"


@pytest.mark.parametrize(
    ("metric", "value", "signature", "expected"),
    [
        ("psnr", 20.0, "51d12074", "equal"),
        ("psnr", 20.004, "51d12074", "within rounding"),
        ("psnr", 20.006, "51d12074", "within spread"),
        ("psnr", 20.3, "51d12074", "within spread"),
        ("psnr", 20.301, "51d12074", "beyond spread"),
        ("ssim", 0.8004, "51d12074", "within rounding"),
        ("ssim", 0.8006, "51d12074", "beyond spread"),
        ("mae", 0.02004, "51d12074", "within rounding"),
        ("mae", 0.02006, "51d12074", "no spread known"),
        ("psnr", 20.0, "7ab01f3c", "other data"),
        ("psnr", None, "51d12074", "missing"),
    ],
)
def test_a_number_is_classed(reference, tmp_path, metric, value, signature, expected):
    """A spread is that of the other run, to both sides, even where it is 0."""
    write_results(tmp_path / "mine", (metric, value, signature))
    found = compare(tmp_path / "mine", reference)["distance"]
    assert found["paris", "rn", "all", metric] == expected


def test_a_run_is_equal_to_a_reference_made_of_it_and_ablations_count(spl, reference, tmp_path):
    ended = spl("compare-reference", tmp_path / "first", "--reference", reference)
    assert ended.status == 0
    assert "otherwise: nothing\nspread: threads 2\n" in ended.out
    assert ended.out.split()[-4:] == ["paris", "rn", "4", "+0.00"]


def test_a_run_that_is_far_says_what_made_it_otherwise(spl, reference, tmp_path):
    write_results(tmp_path / "mine", ("psnr", 21.0), ("ssim", 0.8), ("mae", 0.02), threads=4)
    ended = spl("compare-reference", tmp_path / "mine", "--reference", reference)
    assert ended.status == 1
    assert f"{tmp_path / 'mine'} otherwise: threads 4\n" in ended.out
    assert ended.out.split()[-6:] == ["paris", "rn", "2", "1", "1", "+1.00"]  # equal, beyond, missing


def test_an_edited_table_becomes_no_reference(tmp_path):
    write_results(tmp_path, ("psnr", 20.0))
    (tmp_path / "table1.csv").write_text((tmp_path / "table1.csv").read_text().replace("20.0", "30.0"))
    with pytest.raises(RecordError, match=r"table1\.csv is not the file that .*table1\.json describes"):
        write_reference(tmp_path, [], tmp_path / "reference")


def test_no_results_name_the_command_that_makes_them(tmp_path):
    with pytest.raises(DataError, match=r"table1\.csv does not exist\. Build it first: snakemake"):
        compare(tmp_path, REPOSITORY / "docs/reference")


def test_the_committed_reference_is_whole():
    """Of every number it tells how far it is from itself, and from the other runs."""
    folder = REPOSITORY / "docs/reference"
    assert set(compare(folder, folder)["distance"]) == {"equal"}
    assert len(pd.read_csv(folder / "table1.csv")) == 3 * 3 * 3 * 8  # metrics, hole ratios, sets, methods
