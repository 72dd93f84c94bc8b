"""The graph can be read, linted and checked before any job starts."""

import csv
import re
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.main import get_command

from spl.cli import app
from spl.common.files import read_json
from spl.steps.settings import STEPS
from tests.conftest import REPOSITORY, read_raw, set_value
from tests.workflow.conftest import make_copy, shrink, thin_out


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A clone in which nothing has been built."""
    return make_copy(tmp_path_factory.mktemp("fresh"))


PLANNED = {
    # Jobs by rule. In `paper`, the released teachers that somebody needs are converted; MFE's weights are released, so
    # nothing is smoothed.
    # `released` plans what can be downloaded: two of the image sets, the weights of RN and of big-LaMa.
    "preset": ("demo", "paper", "study_1", "grid", "released"),
    "train_method": (18, 21, 32, 11, 2),
    "evaluate_method": (27, 30, 32, 12, 8),
    "train_teacher": (2, 2, 3, 1, 0),
    "smooth_images": (3, 0, 0, 0, 0),
    "export_priors": (2, 2, 0, 0, 0),
    "detect_objects": (1, 1, 0, 0, 0),
    "compare_grid": (0, 0, 0, 1, 0),
    "draw_figure": (5, 5, 0, 2, 1),
    "write_report": (1, 1, 1, 1, 1),
}


@pytest.mark.parametrize("column", range(5), ids=PLANNED["preset"])
def test_every_preset_shows_its_whole_graph_without_any_data(fresh, column):
    preset, *counts = (row[column] for row in PLANNED.values())
    jobs = fresh.dry_run("--configfile", f"presets/{preset}.yaml", "--", "all")
    assert [jobs.get(rule, 0) for rule in list(PLANNED)[1:]] == counts


def test_tables_and_figures_can_be_asked_for_by_name(fresh):
    assert fresh.dry_run("results/table1.csv")["table1"] == 1
    assert "train_method" not in fresh.dry_run("results/figures/fig2.pdf")
    jobs = fresh.dry_run("results/figures/fig5.png")
    assert (jobs["train_method"], jobs["export_priors"]) == (2, 2)


def test_a_fetch_that_a_person_has_to_do_fails_when_run_and_says_so(fresh):
    paper = ("--configfile", "presets/paper.yaml", "--")
    output = fresh.run("snakemake", "--cores", "1", *paper, "data/sources/images/paris.json", ok=False)
    assert "data/raw/paris_streetview does not exist." in output
    assert "e-mail" in output  # what a person does
    assert "Traceback" not in output
    assert "stopped: fetch_images paris (" in output
    assert "0 of 1 jobs done" in output.splitlines()[-1]
    assert "localrule" not in output
    (log,) = (fresh.folder / ".snakemake/log").iterdir()
    assert str(log) in output.splitlines()[-1]
    assert "localrule fetch_images:" in log.read_text()  # which stays whole


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
    for wrong in (["--config", "seed=3"], ["--configfile", "presets/grid.yaml", "presets/study_1.yaml"]):
        assert "--config is not supported, nor are several files" in fresh.run("snakemake", "-n", *wrong, ok=False)


def test_dvc_stages_name_targets_that_exist(fresh):
    commands = {name: stage["cmd"].split() for name, stage in read_raw(fresh.folder / "dvc.yaml")["stages"].items()}
    assert list(commands) == ["data", "teachers", "weights", "evidence", "report"]
    assert all(command[0] == "workflow/stage.sh" for command in commands.values())
    targets = [target for command in commands.values() for target in command[1 : command.index("--")]]
    assert fresh.dry_run(*targets).keys() >= set(targets)


# --- What a changed parameter rebuilds --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def touched(tmp_path_factory):
    """A clone with tiny parameters in which every file is there, though empty, and which Snakemake believes in."""
    clone = make_copy(tmp_path_factory.mktemp("touched"), shrink)
    for line in clone.run("snakemake", "--summary", "--", "all").splitlines():
        if (name := line.split("\t")[0]).startswith(("data/", "results/")):
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (clone.folder / name).touch()
    clone.run("snakemake", "--touch", "--forceall", "--cores", "1", "--quiet", "all", "--", "all")
    return clone


@pytest.fixture
def replan(touched):
    """A function that sets values of params.yaml and returns the jobs that are planned; they are reset afterwards."""
    before = (touched.folder / "params.yaml").read_text()

    def plan(changes):
        touched.set_params(lambda raw: [set_value(raw, path, value) for path, value in changes.items()])
        return touched.dry_run("all")

    yield plan
    (touched.folder / "params.yaml").write_text(before)


ALWAYS = {"write_report": 1, "all": 1}
"""The report shows the parameters."""


TABLES = {"table1": 1, "further_metrics": 1, "compare_ablations": 1, "check_claims": 1}
FIGURES = {"draw_figure": 5}
EXAMPLES = {"draw_examples": 2}


ANOTHER_RUN = {"train_method": 1, "evaluate_method": 1, "measure_perceptual": 1}
CHANGES = {
    "what figures show retrains nothing": (
        {"figures.fig1.methods": ["spl"], "figures.fig2.dataset": "places2", "figures.fig3.images": {"paris": 2},
         "figures.min_hole_ratio": 0.1}, FIGURES | EXAMPLES,
    ),
    "the bootstrap retrains nothing": ({"evaluation.bootstrap.samples": 200}, TABLES | FIGURES),
    "one dataset's learning rate retrains one run and what compares it": (
        {"methods.spl.training.per_dataset": {"paris": {"lr": 0.0005}}}, TABLES | FIGURES | EXAMPLES | ANOTHER_RUN
    ),
    "another seed adds runs and repeats none": (
        {"seeds": [1, 2]}, TABLES | FIGURES | EXAMPLES | dict.fromkeys(ANOTHER_RUN, 13)
    ),
    "no objects are searched in the images of a limited fill": (
        {"methods.fill": {"recipe": "biharmonic", "images": 2}},
        TABLES | FIGURES | EXAMPLES | {"evaluate_method": 2, "measure_perceptual": 2, "measure_cost": 1},
    ),
    "the least score of a detection trains nothing": (
        {"detection.min_score": 0.5}, FIGURES | {"detect_objects": 1, "check_claims": 1}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_makes_what_depends_on_it_and_nothing_else(replan, case):
    changes, expected = CHANGES[case]

    assert replan(changes) == ALWAYS | expected


MADE = {"fetch_images", "fetch_masks", "fetch_pretext", "prepare_images", "smooth_images", "group_masks", "pair_masks",
        "train_teacher", "train_method"}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "made"),
    [
        ("threads", 2, {"train_teacher": 2, "train_method": 13}),
        ("masks.source.per_bin", 4, {"fetch_masks": 1, "group_masks": 1, "pair_masks": 2, "train_method": 13}),
        ("pretext.val", 6, {"fetch_pretext": 1, "train_teacher": 2, "train_method": 10}),
        ("structure.scale", 2.0, {"smooth_images": 2, "train_method": 2}),
        ("perceptual_network.teacher", "other", {"train_teacher": 1, "train_method": 6}),
        ("datasets.paris.validation", 2, {"prepare_images": 1, "pair_masks": 1, "smooth_images": 1, "train_method": 8}),
    ],
)
def test_one_value_of_every_other_section_makes_what_depends_on_it(replan, touched, path, value, made):
    teacher = read_raw(touched.folder / "params.yaml")["teachers"]["multilabel"]
    planned = replan({"teachers.other": teacher, path: value})
    assert {rule: count for rule, count in planned.items() if rule in MADE} == made


def test_another_ablation_adds_its_run_and_nothing_else(replan, touched):
    raw = read_raw(touched.folder / "params.yaml")
    ablations = [*raw["ablations"]["methods"], "spl_mean"]
    changes = {"methods.spl_mean": raw["methods"]["spl"], "methods.spl_mean.losses.discriminator": "mean"}
    assert replan(changes | {"ablations.methods": ablations}) == ALWAYS | TABLES | FIGURES | EXAMPLES | ANOTHER_RUN


def test_on_a_cluster_jobs_ask_for_what_the_plan_says_and_more_with_every_attempt(tmp_path):
    clone = make_copy(tmp_path / "clone", shrink, thin_out)
    away = ("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "true", "--jobs", "2", "--cores", "64")
    clone.env |= {"SPL_DEVICE": "NVIDIA H200"}
    printed = clone.run("snakemake", "-n", *away, "--attempt", "2", "--", "all")
    blocks = re.split(r"^rule ", printed, flags=re.MULTILINE)[1:]
    (plan,) = (clone.folder / ".snakemake/plan").glob("*/plan.csv")
    planned = {(row["rule"], row["wildcards"]): row for row in csv.DictReader(plan.read_text().splitlines())}
    asked = {}
    for block in blocks:
        rule, fields = block.split(":")[0], dict(re.findall(r"^    (\w+): (.*)$", block, re.MULTILINE))
        wildcards = " ".join(sorted(fields.get("wildcards", "").split(", ")))
        found = dict(re.findall(r"(mem_mb|runtime|gpu)=(\d+)", fields["resources"]))
        asked[rule, wildcards] = found | {"threads": fields.get("threads", "1")}
    asked.pop(("all", ""))
    assert asked.keys() == planned.keys()
    for job, found in asked.items():
        wanted = {name: 2 * int(planned[job][name]) for name in ("mem_mb", "runtime")}
        assert {name: int(found[name]) for name in wanted} == wanted
        assert (found.get("gpu", "0"), found["threads"]) == (planned[job]["gpu"], planned[job]["threads"])
    assert {job[0] for job, row in planned.items() if row["gpu"] == "1"} >= {"train_method", "evaluate_method"}


def test_any_byte_of_the_parameter_file_makes_a_new_report(replan, touched):
    """Seen to fail before: with another folder of the VGG the report went on showing the old file."""
    assert touched.dry_run("all") == {}
    path = touched.folder / "params.yaml"
    path.write_text(path.read_text() + "# The report shows this file as it is.\n")
    assert touched.dry_run("all") == ALWAYS


# --- What a run was started with --------------------------------------------------------------------------------------

DATA = "data/pairs/paris.csv"


@pytest.fixture
def small(tmp_path):
    """A clone with tiny parameters to build something in."""
    return make_copy(tmp_path / "small", shrink)


def test_an_edit_during_a_run_changes_nothing_of_it(small):
    """Seen to fail before: the images had 64 pixels, and Snakemake found nothing to do once the file was put back."""
    params, record = small.folder / "params.yaml", small.folder / "data/sources/images/paris.json"
    before = params.read_text()

    def edit():
        while not record.exists():
            time.sleep(0.02)
        small.set_params(lambda raw: set_value(raw, "datasets.paris.image_size", 64))

    with ThreadPoolExecutor() as pool:
        edited = pool.submit(edit)
        small.run("snakemake", "--cores", "1", "--", DATA)
        edited.result()
    assert params.read_text() != before
    assert read_json(small.folder / "data/prepared/paris/record.json")["settings"]["image_size"] == 32
    assert small.dry_run(DATA)["prepare_images"] == 1
    params.write_text(before)
    assert small.dry_run(DATA) == {}


def test_a_job_that_is_started_elsewhere_finds_the_plan_of_its_run(small):
    small.dry_run(DATA)
    (plan,) = (small.folder / ".snakemake/plan").glob("*/params.yaml")
    (sources,) = (small.folder / ".snakemake/plan").glob("*/sources.yaml")
    assert plan.read_text() == (small.folder / "params.yaml").read_text()
    small.set_params(lambda raw: set_value(raw, "datasets.paris.image_size", 64))
    small.env |= {"SPL_PLAN": str(plan), "SPL_SOURCES": str(sources)}
    assert f"--params {plan.relative_to(small.folder)} " in small.run("snakemake", "-n", "--", DATA).replace(
        f"{small.folder}/", ""
    )


# --- Where it is run --------------------------------------------------------------------------------------------------


def test_rules_run_the_interpreter_of_snakemake_and_import_nothing_that_was_downloaded(small):
    """Seen to fail before: `python: command not found`; and a registry could bring a yaml.py, which was run."""
    for library in ("yaml", "numpy"):
        (small.folder / f"{library}.py").write_text("raise SystemExit('this file was run')")
    with small.inactive() as programs:
        small.run(f"{programs}snakemake", "--cores", "1", "--", "data/sources/masks.json")
        small.run(f"{programs}python", "-m", "spl", "verify")


def test_the_parameter_file_may_have_any_letter_where_texts_are_ascii(small):
    small.env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    params = small.folder / "params.yaml"
    params.write_text(f"# Läden …\n{params.read_text()}", encoding="utf-8")
    assert small.dry_run(DATA)


def test_a_clone_has_the_same_bytes_whatever_git_is_told_about_line_ends(tmp_path):
    """Seen to fail before: scripts with CRLF, and `bash\\r` was not found."""
    clone = ("git", "clone", "-q", "-c", "core.autocrlf=true", "--depth", "1", f"file://{REPOSITORY}")
    subprocess.run([*clone, tmp_path / "clone"], check=True)
    listed = subprocess.run(["git", "ls-files", "--eol"], cwd=tmp_path / "clone", capture_output=True, text=True)
    ends = [line.split()[:2] for line in listed.stdout.splitlines()]
    assert len(ends) > 100
    assert all(index.removeprefix("i/") == here.removeprefix("w/") for index, here in ends)


# --- Rules and commands -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def commands(fresh):
    """Every command of a dry run of the demo and of the grid search, as words, by rule."""
    found = {}
    for preset in ("demo", "grid"):
        printed = fresh.run("snakemake", "-n", "--configfile", f"presets/{preset}.yaml", "--", "all")
        for job in re.findall(
            r"^(?:local)?rule (\w+):\n(.*?)^Shell command: (.*?)$", printed, re.MULTILINE | re.DOTALL
        ):
            if job[2] != "None":
                found.setdefault(job[0], []).append(shlex.split(job[2].partition(" 2> ")[0]))
    return found


def test_rules_commands_and_settings_have_one_name(commands):
    assert commands.keys() | {"fetch_weights"} == STEPS.keys()
    for rule, calls in commands.items():
        assert {tuple(call[:4]) for call in calls} == {("python", "-m", "spl", rule.replace("_", "-"))}


def test_every_command_reads_the_copies_that_nobody_edits(commands):
    """Seen to fail before: the registry and the parameter file were read when a command started."""
    for rule, calls in commands.items():
        options = {option.opts[0] for option in get_command(app).commands[calls[0][3]].params}
        for call in calls:
            for name in options & {"--params", "--sources"}:
                assert call[call.index(name) + 1].startswith(".snakemake/plan/"), (rule, name)


def test_rules_name_the_paths_that_a_command_takes_by_itself(commands):
    for rule, calls in commands.items():
        for name, *options in (call[3:] for call in calls):
            given = dict(zip(options[::2], options[1::2], strict=True))
            wildcards = {key.removeprefix("--"): value for key, value in given.items() if key in WILDCARDS}
            if rule == "export_priors":
                wildcards["seed"] = "1"  # the first run's
            for option in get_command(app).commands[name].params:
                flag = option.opts[0]
                if flag in given and flag not in ("--params", "--sources") and isinstance(option.default, Path):
                    default = str(option.default)
                    for key, value in wildcards.items():
                        default = default.replace(f"{{{key}}}", value)
                    assert given[flag] == default, (rule, flag)


WILDCARDS = ("--dataset", "--method", "--seed", "--teacher", "--figure", "--source")
