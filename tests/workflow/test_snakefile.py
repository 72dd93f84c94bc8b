"""The graph can be read, linted and checked before any job starts."""

import copy

import pytest

from tests.conftest import read_raw, set_value
from tests.workflow.conftest import Clone, copy_repository, shrink


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A clone in which nothing has been built."""
    folder = tmp_path_factory.mktemp("fresh")
    copy_repository(folder)
    return Clone(folder, folder / ".cache")


PLANNED = {
    "demo": {"train_method": 18, "evaluate_method": 27, "train_teacher": 2, "keep_guidance": 2, "detect_objects": 9},
    # The released teachers that somebody needs are converted; MFE's weights are released, so nothing is smoothed.
    "paper": {"train_method": 21, "evaluate_method": 30, "train_teacher": 2, "keep_guidance": 2, "detect_objects": 10},
    "study": {"train_method": 27, "evaluate_method": 28, "train_teacher": 3, "draw_fig2": 1, "draw_fig4": 1},
    "grid": {"train_method": 11, "evaluate_method": 12, "train_teacher": 1, "compare_grid": 1, "draw_grid": 1},
}
"""Some of the jobs of every preset."""

FIGURES = {f"draw_fig{number}" for number in range(1, 6)}


@pytest.mark.parametrize("preset", PLANNED)
def test_every_preset_shows_its_whole_graph_without_any_data(fresh, preset):
    jobs = fresh.dry_run("--configfile", f"presets/{preset}.yaml", "--", "all")
    assert {rule: jobs.get(rule) for rule in PLANNED[preset]} == PLANNED[preset]
    assert ("smooth_images" in jobs) == (preset == "demo")
    assert jobs.keys() >= FIGURES or preset in ("study", "grid")
    assert jobs["write_report"] == 1


def test_tables_and_figures_can_be_asked_for_by_name(fresh):
    assert fresh.dry_run("results/table1.csv")["table1"] == 1
    assert "train_method" not in fresh.dry_run("results/figures/fig2.pdf")
    jobs = fresh.dry_run("results/figures/fig5.png")
    assert (jobs["train_method"], jobs["keep_guidance"]) == (2, 2)


def test_a_fetch_that_a_person_has_to_do_fails_when_run_and_says_so(fresh):
    paper = ("--configfile", "presets/paper.yaml", "--")
    output = fresh.run("snakemake", "--cores", "1", *paper, "data/sources/images/paris.json", ok=False)
    assert "data/raw/paris_streetview does not exist." in output
    assert "e-mail" in output  # what a person does
    assert "Traceback" not in output


def test_lint_is_clean(fresh):
    assert "good condition" in fresh.run("snakemake", "--lint")


def test_a_faulty_parameter_file_stops_before_any_job(fresh, raw_params, write_params):
    raw_params["methods"]["rn"]["training"]["lr"] = -1
    teacher = raw_params["teachers"]["multilabel"]
    teacher["widht"] = teacher.pop("width")
    output = fresh.run("snakemake", "-n", "--configfile", str(write_params(raw_params)), ok=False)
    assert "methods.rn.training.lr" in output
    assert "teachers.multilabel.widht: is not a known key" in output
    assert "teachers.multilabel.width: is missing" in output


def test_single_values_on_the_command_line_are_refused(fresh):
    assert "--config is not supported" in fresh.run("snakemake", "-n", "--config", "seed=3", ok=False)


def test_dvc_stages_name_targets_that_exist(fresh):
    commands = {name: stage["cmd"].split() for name, stage in read_raw(fresh.folder / "dvc.yaml")["stages"].items()}
    assert list(commands) == ["masks", "data", "teachers", "train", "evaluate", "report"]
    assert all(command[:2] == ["workflow/stage.sh", name] for name, command in commands.items())
    jobs = fresh.dry_run(*(target for *_, target in commands.values()))
    assert jobs.keys() >= {target for *_, target in commands.values()}


def test_the_repository_carries_no_results(repository, fresh):
    assert not (fresh.folder / "dvc.lock").exists()
    tracked = [path for path in fresh.folder.rglob("*") if path.suffix in {".safetensors", ".pt", ".pth"}]
    assert tracked == []


# --- What a changed parameter rebuilds --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def touched(tmp_path_factory):
    """A clone with tiny parameters in which every file is there, though empty, and which Snakemake believes in."""
    folder = tmp_path_factory.mktemp("touched")
    copy_repository(folder)
    clone = Clone(folder, folder / ".cache")
    clone.set_params(shrink)
    for line in clone.run("snakemake", "--summary", "--", "all").splitlines():
        if (name := line.split("\t")[0]).startswith(("data/", "results/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    clone.run("snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all", "--", "all")
    return clone


@pytest.fixture
def replan(touched):
    """A function that changes params.yaml and returns the jobs that are planned; the change is undone afterwards."""
    before = (touched.folder / "params.yaml").read_text()

    def plan(change):
        touched.set_params(change)
        return touched.dry_run("all")

    yield plan
    (touched.folder / "params.yaml").write_text(before)


ALWAYS = {"write_report": 1, "all": 1}
"""The report shows the parameters."""


def test_without_a_change_there_is_nothing_to_do(touched):
    assert touched.dry_run("all") == {}


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [
        (
            {"fig1.methods": ["spl"], "fig2.dataset": "places2", "fig3.images": {"paris": 2}, "examples": 1},
            {"draw_fig1": 1, "draw_fig2": 1, "draw_fig3": 1, "draw_examples": 2},
        ),
        ({"clusters.number": 3}, {"draw_fig1": 1, "draw_fig5": 1}),
        ({"min_hole_ratio": 0.1}, {"draw_fig1": 1, "draw_fig3": 1, "draw_fig5": 1}),
    ],
)
def test_what_figures_show_retrains_nothing(replan, changes, jobs):
    def change(raw):
        for path, value in changes.items():
            set_value(raw, f"figures.{path}", value)

    assert replan(change) == jobs | ALWAYS


def test_the_bootstrap_retrains_nothing(replan):
    jobs = replan(lambda raw: set_value(raw, "evaluation.bootstrap.samples", 200))
    assert jobs == ALWAYS | {
        "table1": 1, "further_metrics": 1, "compare_ablations": 1, "check_claims": 1, "draw_fig4": 1,
    }  # fmt: skip


def test_one_datasets_learning_rate_retrains_one_run_and_what_shows_it(replan):
    jobs = replan(lambda raw: set_value(raw, "methods.spl.training.per_dataset", {"paris": {"lr": 0.0005}}))
    assert jobs == ALWAYS | {
        "train_method": 1, "evaluate_method": 1, "measure_perceptual": 1, "table1": 1, "further_metrics": 1,
        "compare_ablations": 1, "check_claims": 1, "draw_fig3": 1, "draw_fig4": 1, "draw_examples": 1,
    }  # fmt: skip


def test_another_seed_adds_runs_and_repeats_none(replan):
    jobs = replan(lambda raw: set_value(raw, "seeds", [1, 2]))
    assert jobs == ALWAYS | {
        "train_method": 13, "evaluate_method": 13, "measure_perceptual": 13, "table1": 1, "further_metrics": 1,
        "compare_ablations": 1, "check_claims": 1, "draw_fig4": 1, "draw_examples": 2,
    }  # fmt: skip


def test_another_ablation_adds_its_run_and_nothing_else(replan):
    def add(raw):
        raw["methods"]["spl_mean"] = copy.deepcopy(raw["methods"]["spl"])
        raw["methods"]["spl_mean"]["losses"]["discriminator"] = "mean"
        raw["ablations"]["methods"].append("spl_mean")

    assert replan(add) == ALWAYS | {
        "train_method": 1, "evaluate_method": 1, "measure_perceptual": 1, "further_metrics": 1,
        "compare_ablations": 1, "check_claims": 1, "draw_fig4": 1,
    }  # fmt: skip


def test_the_least_score_of_a_detection_trains_nothing(replan):
    jobs = replan(lambda raw: set_value(raw, "detection.min_score", 0.5))
    assert jobs == ALWAYS | {"detect_objects": 7, "check_claims": 1, "draw_fig1": 1, "draw_fig3": 1}
