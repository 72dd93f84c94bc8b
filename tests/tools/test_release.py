"""`make release`: what it writes, and what it refuses."""

import shutil
import subprocess
from pathlib import Path

import pytest

from spl.common.errors import SPLError
from spl.common.files import read_json, write_json
from spl.config.load import load_params
from spl.steps.records import sealed, write_record
from spl.steps.settings import STEPS
from tests.conftest import REPOSITORY
from tools.release import TABLES, release

STEP_OF = {"table1": "table1", "ablations": "compare_ablations", "further_metrics": "further_metrics",
           "claims": "check_claims", "cost": "measure_cost"}  # fmt: skip


def git(folder, *arguments):
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a change")
    return git(folder, "rev-parse", "HEAD")


def record(path, step, made, *outputs, **wildcards):
    """Write files and their record, as of a commit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in outputs:
        (path.parent / name).write_text(name)
    settings = STEPS[step].of(load_params(REPOSITORY / "presets/demo.yaml"), **wildcards)
    write_record(path, settings, {}, {name: path.parent / name for name in outputs})
    content = read_json(path)
    write_json(path, sealed(content | {"versions": content["versions"] | {"commit": made}}))


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A repository of a small package, with results as the workflow leaves them."""
    folder = tmp_path_factory.mktemp("template")
    for name in ("pyproject.toml", "CITATION.cff", "LICENSE", ".gitignore"):
        shutil.copyfile(REPOSITORY / name, folder / name)
    shutil.copyfile(REPOSITORY / "presets/demo.yaml", folder / "params.yaml")
    (folder / "README.md").write_text("readme")
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- new\n\n## 0.0.1 - 2025-01-01\n\n- old\n")
    (folder / "spl").mkdir()
    (folder / "spl/__init__.py").write_text("__version__ = '0.1.0'\n")
    git(folder, "init", "-q")
    made = commit(folder)
    for name in TABLES:
        record(folder / f"results/{name}.json", STEP_OF[name], made, f"{name}.csv")
    run = folder / "results/weights/paris/spl/seed1/run.json"
    record(run, "train_method", made, "weights.safetensors", dataset="paris", method="spl", seed=1)
    record(folder / "data/pairs/paris.json", "pair_masks", made, "paris.csv", dataset="paris")
    (folder / "results/figures").mkdir()
    (folder / "results/figures/examples_paris.png").write_text("an image")
    return folder


@pytest.fixture
def checkout(template, tmp_path, monkeypatch):
    """A copy to change, as the working directory."""
    shutil.copytree(template, tmp_path / "checkout")
    monkeypatch.chdir(tmp_path / "checkout")
    return tmp_path / "checkout"


def test_a_release_is_whole_says_its_hashes_and_is_the_same_again(checkout):
    assert release() == "dist/: spl 0.1.0, unreleased, 18 files"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd="dist", check=True)
    sums = Path("dist/SHA256SUMS").read_text()
    listed = {line.split()[1] for line in sums.splitlines()}
    assert listed == {str(path.relative_to("dist")) for path in Path("dist").rglob("*.*")} - {"SHA256SUMS"}
    assert listed >= {
        "spl_inpainting-0.1.0-py3-none-any.whl",
        "weights/paris/spl/seed1/weights.safetensors", "weights/paris/spl/seed1/run.json",
        "table1.csv", "table1.json", "pairs/paris.csv", "figures/examples_paris.png", "CITATION.cff",
    }  # fmt: skip
    notes = Path("dist/RELEASE.md").read_text()
    assert notes.endswith("\n- new\n")
    assert git(checkout, "rev-parse", "HEAD") in notes
    release()
    assert Path("dist/SHA256SUMS").read_text() == sums


def test_results_outlast_a_commit_that_changes_no_code_and_a_version_has_its_date_and_section(checkout):
    for name, old, new in (
        ("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n## 0.1.0 - 2026-12-24\n"),
        ("CITATION.cff", "version: 0.1.0\n", "version: 0.1.0\ndate-released: 2026-12-24\n"),
    ):
        Path(name).write_text(Path(name).read_text().replace(old, new))
    commit(checkout)
    assert release().startswith("dist/: spl 0.1.0, 2026-12-24")


def change(name, old, new):
    """A change of a file that is committed."""

    def apply(folder):
        assert old in (folder / name).read_text()
        (folder / name).write_text((folder / name).read_text().replace(old, new))
        commit(folder)

    return apply


def remade(**facts):
    """A change of what the record of the table says of its making."""

    def apply(folder):
        content = read_json(folder / "results/table1.json")
        write_json(folder / "results/table1.json", sealed(content | {"versions": content["versions"] | facts}))

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "new.txt").touch(), r"the working tree is not a commit: \?\? new\.txt\. Commit or"),
        (change("spl/__init__.py", "0", "1"), r"was made by spl 0\.1\.0, commit \w+, which differs .* spl/"),
        (remade(commit="unknown"), r"commit unknown, which differs from this one in what no commit here holds"),
        (remade(spl="0.0.9"), r"table1\.json was made by spl 0\.0\.9, .* its version\. Make it again: make table1"),
        (lambda folder: (folder / "results/cost.json").unlink(), r"results/cost\.json does not exist\. Build it first"),
        (lambda folder: (folder / "results/cost.csv").unlink(), r"results/cost\.csv: missing\. Make it again"),
        (lambda folder: (folder / "data/pairs/paris.csv").write_text("x"), r"data/pairs/paris\.csv: edited\. Make it"),
        (change("CITATION.cff", "version: 0.1.0", "version: 0.2.0"), r"version is 0\.2\.0; expected 0\.1"),
        (change("CITATION.cff", "license: MIT", "date-released: 2026-01-01\nlicense: MIT"), r"date-released is 2026"),
        (change("CHANGELOG.md", "## Unreleased", "## 0.1.0 - soon"), r"expected a section '0\.1\.0 - YYYY-MM-DD' or"),
    ],
)  # fmt: skip
def test_what_is_no_release_is_refused_in_one_line(checkout, spoil, message):
    spoil(checkout)
    with pytest.raises(SPLError, match=message):
        release()
    assert not Path("dist").exists()


def test_a_folder_dist_with_other_things_is_left_alone(checkout):
    Path("dist").mkdir()
    Path("dist/mine.whl").touch()
    with pytest.raises(SPLError, match=r"dist/ holds something else than a release\. Move it away"):
        release()
