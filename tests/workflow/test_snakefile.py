"""The graph can be read, linted and checked before any job starts."""

import pytest

from tests.workflow.conftest import Clone, copy_repository


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A clone in which nothing has been built."""
    folder = tmp_path_factory.mktemp("fresh")
    copy_repository(folder)
    return Clone(folder, folder / ".cache")


def test_the_demo_plans_every_step(fresh):
    jobs = fresh.dry_run("all")
    assert jobs["train_method"] == 12
    assert jobs["evaluate_method"] == 21
    assert jobs["train_teacher"] == 1
    assert jobs["smooth_images"] == 3


def test_table1_can_be_asked_for_by_name(fresh):
    assert fresh.dry_run("results/table1.csv")["table1"] == 1


def test_the_paper_preset_shows_its_whole_graph_without_any_data(fresh):
    jobs = fresh.dry_run("--configfile", "presets/paper.yaml", "--", "all")
    assert jobs["train_method"] == 18
    assert jobs["evaluate_method"] == 27
    assert jobs["fetch_images"] == 3
    assert "smooth_images" not in jobs  # MFE's weights are released for all three sets


def test_a_fetch_that_a_person_has_to_do_fails_when_run_and_says_so(fresh):
    paper = ("--configfile", "presets/paper.yaml", "--")
    output = fresh.run("snakemake", "--cores", "1", *paper, "data/sources/images/paris.json", ok=False)
    assert "data/raw/paris does not exist. Place the pictures of the dataset 'paris' there" in output
    assert "Traceback" not in output


def test_lint_is_clean(fresh):
    assert "good condition" in fresh.run("snakemake", "--lint")


def test_a_faulty_parameter_file_stops_before_any_job(fresh, raw_params, write_params):
    raw_params["methods"]["rn"]["training"]["lr"] = -1
    raw_params["teacher"]["widht"] = raw_params["teacher"].pop("width")
    output = fresh.run("snakemake", "-n", "--configfile", str(write_params(raw_params)), ok=False)
    assert "methods.rn.training.lr" in output
    assert "teacher.widht: is not a known key" in output
    assert "teacher.width: is missing" in output


def test_single_values_on_the_command_line_are_refused(fresh):
    assert "--config is not supported" in fresh.run("snakemake", "-n", "--config", "seed=3", ok=False)


def test_dvc_stages_name_targets_that_exist(fresh):
    fresh.run("git", "init", "-q")
    for target in ("masks", "data", "teacher", "weights", "evaluation", "all"):
        assert fresh.dry_run(target)
    assert set(fresh.run("dvc", "stage", "list", "--name-only").split()) == {
        "masks", "data", "teacher", "train", "evaluate", "report",
    }  # fmt: skip


def test_the_repository_carries_no_results(repository, fresh):
    assert not (fresh.folder / "dvc.lock").exists()
    tracked = [path for path in fresh.folder.rglob("*") if path.suffix in {".safetensors", ".pt", ".pth"}]
    assert tracked == []
