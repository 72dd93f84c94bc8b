"""A step depends on what its settings hold, and on nothing else."""

import json
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from spl.common.errors import ParamsError
from spl.config.base import Strict
from spl.config.experiment import Evaluation, Params
from spl.config.load import load_params
from spl.steps.settings import (
    STEPS,
    CostSettings,
    DetectionSettings,
    FigureSettings,
    ImageSourceSettings,
    PretextSettings,
    ReportSettings,
    RunSettings,
    TeacherSettings,
    canonical,
    drawn_figures,
    first_runs,
    needed_teachers,
    supplied_teacher_file,
)
from tests.conftest import REPOSITORY, bare, read_raw, set_value
from tools.probe import leaves, load, other_values, replaced, settings_of_steps

DATASETS = ("places2", "celeba", "paris")
ABLATIONS = ("spl_no_prior", "spl_detector", "spl_concat")
TRAINED = ("mfe", "rfr", "rn", "ec", "spl")
PERCEPTUAL = ("rfr", "mfe", "ec")
VGG = {"kind": "vgg", "folder": "data/raw/vgg"}
RELEASED = {"source": "released", "path": "weights.pth"}

TABLES = {"table1", "further_metrics", "compare_ablations", "compare_grid", "check_claims"}
SHOWN = TABLES | {f"draw_figure {name}" for name in ("fig1", "fig2", "fig3", "fig4", "fig5")} | {"write_report"}
EXAMPLES = {f"draw_examples {dataset}" for dataset in DATASETS}


def steps(params: Params) -> dict[str, str]:
    """What counts for every step of an experiment, by rule and wildcards."""
    networks = [run._asdict() for run in params.runs() if run.method in params.network_methods]
    wildcards = {
        ("dataset",): [{"dataset": dataset} for dataset in params.datasets],
        ("source",): [{"source": "vgg"}],
        ("teacher",): [{"teacher": teacher} for teacher in params.teachers],
        ("figure",): [{"figure": figure} for figure in drawn_figures(params)],
        ("dataset", "method", "seed"): networks,
        ("dataset", "method"): [{"dataset": dataset, "method": method} for dataset, method in params.figures.priors()],
        (): [{}],
    }
    found = {}
    for name, kind in STEPS.items():
        for values in wildcards[kind.wildcards]:
            key = " ".join(filter(None, [name, "/".join(map(str, values.values()))]))
            found[key] = canonical(kind.of(params, **values))
    return found


def cells(*methods, datasets=DATASETS, seed=1) -> set[str]:
    """Trainings of methods, the evaluations that follow them, and the priors and edges that are kept."""
    runs = {f"{d}/{m}" for d in datasets for m in methods if m not in ABLATIONS or d == "paris"}
    exported = {f"export_priors {run}" for run in runs if run in ("places2/spl", "places2/ec")}
    return {f"{step} {run}/{seed}" for step in ("train_method", "evaluate_method") for run in runs} | exported


def of(step, names=DATASETS) -> set[str]:
    """One step of several datasets or the like."""
    return {f"{step} {name}" for name in names}


DETECTIONS = of("detect_objects")
MEASURED = of("measure_perceptual", [f"{d}/{m}/1" for d in DATASETS for m in TRAINED + ABLATIONS * (d == "paris")])


FIGURES = {step for step in SHOWN if "figure" in step}
REDRAWN = FIGURES | {"write_report"}
COMPARED = SHOWN | EXAMPLES


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("methods.spl.training.per_dataset.paris", {"lr": 0.0005}, cells("spl", datasets=["paris"]) | COMPARED),
        ("methods.rfr.training.per_dataset.paris", {"norm_epochs": 2}, cells("rfr", datasets=["paris"]) | COMPARED),
        ("methods.rn.losses.lambda_adv", 0.5, cells("rn") | COMPARED),
        ("methods.spl_concat.losses.lambda_adv", 0.5, cells("spl_concat") | COMPARED),
        ("methods.mfe.model.feature_mask", "nearest", cells("mfe") | {"measure_cost"} | COMPARED),
        ("methods.rfr.weights", {"celeba": RELEASED}, cells("rfr", datasets=["celeba"]) | COMPARED),
        ("methods.spl.teacher", "detector", cells("spl") | {"measure_cost"} | COMPARED),
        ("ablations.reference", "rn", COMPARED),
        ("datasets.paris.validation", 8, of("prepare_images", ["paris"]) | COMPARED),
        ("figures.examples", 2, REDRAWN | EXAMPLES),
        ("evaluation.bootstrap.samples", 500, SHOWN),
        ("evaluation.batch_size", 8, SHOWN | {s for s in cells(*TRAINED, *ABLATIONS) if s.startswith("evaluate")}),
        ("evaluation.perceptual.metrics", ["lpips"], SHOWN | MEASURED),
        ("evaluation.pairs", "uniform", SHOWN | of("pair_masks")),
        ("masks.source.per_bin", 50, {"fetch_masks"} | SHOWN),
        ("structure.strength", 0.01, of("smooth_images") | cells("mfe") | {"write_report"}),
        ("perceptual_network", VGG, cells(*PERCEPTUAL) | {"write_report"}),
        ("detection.min_score", 0.5, DETECTIONS | {"check_claims"} | REDRAWN),
        ("figures.clusters.images", 3, of("export_priors", ["places2/spl", "places2/ec"]) | EXAMPLES | REDRAWN),
        ("teachers.multilabel.training.lr", 0.005,
            {"train_teacher multilabel", "measure_cost"} | cells("spl", "spl_concat", *PERCEPTUAL) | REDRAWN),
        ("teachers.detector.training.lr", 0.009,
            {"train_teacher detector"} | cells("spl_detector") | DETECTIONS | REDRAWN),
        ("pretext.train", 500,
            {"fetch_pretext", "write_report"} | of("train_teacher", ["multilabel", "detector"]) | DETECTIONS
            | cells("spl", "spl_concat", "spl_detector", *PERCEPTUAL)),
    ],
)  # fmt: skip
def test_a_change_reaches_only_the_steps_that_depend_on_it(raw_params, write_params, path, value, changed):
    before = steps(load_params(write_params(raw_params)))
    set_value(raw_params, path, value)
    after = steps(load_params(write_params(raw_params)))
    assert {name for name in before if before[name] != after[name]} == changed


def test_another_version_of_the_metrics_measures_again_and_trains_nothing(demo_params, monkeypatch):
    before = steps(demo_params)
    monkeypatch.setattr(Evaluation, "metrics", 2)
    after = steps(demo_params)
    measured = {name for name in cells(*TRAINED, *ABLATIONS) if name.startswith("evaluate")}
    assert {name for name in before if before[name] != after[name]} == measured


def test_the_folder_of_the_vgg_counts_for_no_page(raw_params, write_params):
    """The rule's `file`, whose name has its hash, makes a new page of any other byte."""
    pages = []
    for network in (VGG, VGG | {"folder": "elsewhere"}, {"kind": "teacher", "teacher": "multilabel"}):
        raw_params["perceptual_network"] = network
        pages.append(canonical(ReportSettings.of(load_params(write_params(raw_params)))))
    assert pages[0] == pages[1] != pages[2]


def test_more_seeds_add_runs_and_change_none(raw_params, write_params):
    before = steps(load_params(write_params(raw_params)))
    raw_params["seeds"] = [1, 2]
    after = steps(load_params(write_params(raw_params)))
    compared = SHOWN | EXAMPLES
    assert {name for name in before if after[name] != before[name]} == compared
    trained = {name for name in cells(*TRAINED, *ABLATIONS, seed=2) if "priors" not in name}
    assert after.keys() - before.keys() == trained | {name.replace("/1", "/2") for name in MEASURED}


# The matrix: which value of params.yaml leads to which dear step ---------------------------------

LEARNING = (
    "datasets.*.image_size methods.*.* teachers.*.* pretext.* structure.* perceptual_network.teacher seed threads"
)
DEPENDS = {
    "fetch_images": "seed datasets.*.source.* datasets.*.layout.*",
    "fetch_masks": "seed masks.source.* masks.glob",
    "fetch_pretext": "seed pretext.*",
    "prepare_images": "seed datasets.*.crop datasets.*.image_size datasets.*.validation datasets.*.skip_unreadable",
    "smooth_images": "datasets.*.image_size structure.*",
    "group_masks": "masks.hole",
    "pair_masks": "seed datasets.*.image_size evaluation.split evaluation.pairs evaluation.masks_per_image",
    "train_teacher": "seed threads pretext.* teachers.*.*",
    "train_method": LEARNING,
    "evaluate_method": f"{LEARNING} evaluation.batch_size",
    "measure_perceptual": "seed threads evaluation.perceptual.metrics.*",
    "export_priors": f"{LEARNING} figures.clusters.images",
    "detect_objects": "seed threads pretext.* teachers.detector.* detection.*",
    "measure_cost": "datasets.*.image_size methods.*.model.* methods.*.recipe methods.*.radius methods.*.teacher"
    " teachers.multilabel.*",
}
"""By step: every value that counts for one of its jobs in the demo."""


def matrix_cases():
    """One leaf of every kind in the demo: names of datasets and of methods with one recipe stand for each other."""
    raw, seen = read_raw(REPOSITORY / "presets/demo.yaml"), {}
    for path, value in leaves(raw):
        kind = path if path[0] != "datasets" else (path[0], "*", *path[2:])
        kind = kind if path[0] != "methods" else (path[0], raw["methods"][path[1]]["recipe"], *path[2:])
        kind = tuple("#" if isinstance(part, int) else part for part in kind)
        if path[0] not in ("seeds", "ablations") and kind not in seen:
            seen[kind] = path, value
    return list(seen.values())


def test_every_value_reaches_the_dear_steps_that_it_counts_for_and_no_others(monkeypatch):
    raw, cases = read_raw(REPOSITORY / "presets/demo.yaml"), matrix_cases()
    monkeypatch.setattr("yaml.SafeLoader", yaml.CSafeLoader)  # several times as fast
    before, tried = settings_of_steps(load(raw), DEPENDS), 0
    for path, value in cases:
        leaf = ".".join(map(str, path))
        wanted = {step for step, patterns in DEPENDS.items() if any(fnmatch(leaf, p) for p in patterns.split())}
        for other in other_values(path, value, raw):
            try:
                after = settings_of_steps(load(replaced(raw, path, other)), DEPENDS)
            except ParamsError:
                continue
            changed = {step.split()[0] for step in before if before[step] != after.get(step, before[step])}
            assert changed & DEPENDS.keys() == wanted, leaf
            tried += 1
            break
    assert tried > 90


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("threads", 2, {"evaluate_method", "measure_perceptual", "export_priors", "detect_objects"}),
        ("datasets.places2.layout.kind", "places365_flat", {"fetch_images"}),
        ("masks.hole", "black", {"group_masks"}),
    ],
)
def test_what_the_demo_cannot_vary_counts_in_the_papers_run(write_params, path, value, wanted):
    """Nearly all of it is released there, so threads do not come with a training."""
    raw = read_raw(REPOSITORY / "presets/paper.yaml")
    dataset, edges = raw["figures"]["fig5"]["dataset"], raw["figures"]["fig5"]["edges"]
    assert dataset in raw["methods"][edges]["weights"]
    run = {"dataset": dataset, "method": edges}

    def found():
        params = load_params(write_params(raw))
        named = {
            "evaluate_method": run,
            "measure_perceptual": run,
            "export_priors": run,
            "detect_objects": {"dataset": dataset},
            "fetch_images": {"dataset": dataset},
            "group_masks": {},
        }
        return {step: canonical(STEPS[step].of(params, **wildcards)) for step, wildcards in named.items()}

    before = found()
    set_value(raw, path, value)
    assert {step for step, settings in found().items() if settings != before[step]} == wanted


# A run -------------------------------------------------------------------------------------------


def run(params, method, dataset="paris", seed=None):
    return RunSettings.of(params, dataset=dataset, method=method, seed=seed)


def test_the_seed_of_a_run_is_one_of_its_method(raw_params, write_params):
    raw_params["seeds"] = [3, 5]
    params = load_params(write_params(raw_params))
    assert (run(params, "spl").seed, run(params, "spl", seed=5).seed) == (3, 5)
    with pytest.raises(ParamsError, match="spl on paris is not run with the seed 1, but with 3, 5"):
        run(params, "spl", seed=1)
    with pytest.raises(ParamsError, match="telea on paris is not run with the seed 5, but with 3"):
        run(params, "telea", seed=5)


def test_a_run_names_what_it_learns_from_and_nothing_else(raw_params, write_params):
    def learns_from(params, method):
        found = run(params, method)
        return {name for name in ("teacher", "perceptual", "structure") if getattr(found, name) is not None}

    params = load_params(write_params(raw_params))
    assert {method: learns_from(params, method) for method in params.methods} == {
        "telea": set(),
        "navier_stokes": set(),
        "biharmonic": set(),
        "mfe": {"perceptual", "structure"},
        "rfr": {"perceptual"},
        "rn": set(),
        "ec": {"perceptual"},
        "spl": {"teacher"},
        "spl_no_prior": set(),
        "spl_detector": {"teacher"},
        "spl_concat": {"teacher"},
    }
    assert run(params, "spl_detector").teacher.teacher == "detector"
    assert run(params, "mfe").perceptual.teacher == "multilabel"
    with_vgg = load_params(write_params(raw_params | {"perceptual_network": VGG}))
    assert learns_from(with_vgg, "mfe") == {"perceptual", "structure"}
    assert learns_from(with_vgg, "spl") == {"teacher"}


def test_a_prior_loss_of_zero_needs_no_teacher(raw_params, write_params):
    raw_params["methods"]["spl"]["losses"]["lambda_prior"] = 0.0
    assert run(load_params(write_params(raw_params)), "spl").teacher is None


def test_arithmetic_threads_count_for_trainings_alone(raw_params, write_params):
    raw_params["methods"]["rfr"]["weights"] = {"paris": RELEASED}
    before = load_params(write_params(raw_params))
    after = load_params(write_params(raw_params | {"threads": 2}))
    same = {m: canonical(run(before, m)) == canonical(run(after, m)) for m in ("rn", "rfr", "telea")}
    assert same == {"rn": False, "rfr": True, "telea": True}


def test_every_method_reads_its_own_vgg(raw_params, write_params):
    params = load_params(write_params(raw_params))
    assert {run(params, method).vgg_file() for method in params.methods} == {None}
    params = load_params(write_params(raw_params | {"perceptual_network": VGG}))
    assert {method: run(params, method).vgg_file() for method in ("rn", "spl", "rfr", "mfe", "ec")} == {
        "rn": None,
        "spl": None,
        "rfr": "data/raw/vgg/vgg16-397923af.pth",
        "mfe": "data/raw/vgg/vgg16-397923af.pth",
        "ec": "data/raw/vgg/vgg19-dcbb9e9d.pth",
    }


def test_a_vgg_file_may_be_moved(raw_params, write_params):
    runs = [
        run(load_params(write_params(raw_params | {"perceptual_network": VGG | {"folder": folder}})), "rfr")
        for folder in ("here", "there")
    ]
    assert runs[0].vgg_file() != runs[1].vgg_file()
    assert canonical(runs[0]) == canonical(runs[1])


@pytest.mark.parametrize("method", ["spl", "rfr", "mfe"])
@pytest.mark.parametrize("perceptual_network", [{"kind": "teacher", "teacher": "multilabel"}, VGG])
def test_a_released_cell_depends_on_nothing_that_training_reads(raw_params, write_params, method, perceptual_network):
    raw_params["perceptual_network"] = perceptual_network
    raw_params["methods"]["spl"]["model"] |= {"semantic_learner": "dense", "fusion": "one_plus_gamma"}
    raw_params["methods"][method]["weights"] = {"paris": RELEASED}
    params = load_params(write_params(raw_params))
    released, trained = (run(params, method, dataset) for dataset in ("paris", "celeba"))
    assert released.released_files()
    assert (released.teacher, released.perceptual, released.structure) == (None, None, None)
    assert released.vgg_file() is None
    assert trained.released_files() == []
    assert trained.teacher or trained.perceptual

    raw_params["teachers"]["multilabel"]["training"]["lr"] = 0.005
    raw_params["structure"]["strength"] = 0.01
    raw_params["methods"][method]["training"]["lr"] = 0.005
    first = next(iter(raw_params["methods"][method]["losses"]))
    raw_params["methods"][method]["losses"][first] = 0.5
    raw_params |= {"seed": 1, "threads": 3}
    assert canonical(run(load_params(write_params(raw_params)), method)) == canonical(released)
    raw_params["methods"][method]["weights"] = {"paris": RELEASED | {"path": "others.pth"}}
    assert canonical(run(load_params(write_params(raw_params)), method)) != canonical(released)


def test_weights_of_another_dataset_do_not_reach_a_cell(raw_params, write_params):
    raw_params["methods"]["rfr"]["weights"] = {"paris": RELEASED}
    before = steps(load_params(write_params(raw_params)))
    raw_params["methods"]["rfr"]["weights"]["paris"] = RELEASED | {"path": "others.pth"}
    after = steps(load_params(write_params(raw_params)))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == cells("rfr", datasets=["paris"]) | SHOWN | EXAMPLES


def test_a_run_of_given_weights_is_what_params_yaml_would_say_of_them(raw_params, write_params):
    trained = load_params(write_params(raw_params))
    raw_params["methods"]["rfr"]["weights"] = {"paris": RELEASED}
    released = load_params(write_params(raw_params))
    given = RunSettings.of_released(trained, Path("weights.pth"), dataset="paris", method="rfr")
    assert canonical(given) == canonical(run(released, "rfr"))
    with pytest.raises(ParamsError, match=r"methods\.telea has no weights; those that have: mfe, rfr, rn, ec, spl"):
        RunSettings.of_released(trained, Path("weights.pth"), dataset="paris", method="telea")


# What an experiment needs ------------------------------------------------------------------------


def test_only_teachers_that_somebody_needs_are_made(raw_params, write_params):
    raw_params["teachers"]["idle"] = {"kind": "tresnet_random", "layers": [1, 1], "width": 0.25}
    assert needed_teachers(load_params(write_params(raw_params))) == ["detector", "multilabel"]
    raw = bare(raw_params) | {"detection": None, "perceptual_network": VGG}
    for method in ("spl_detector", "spl_concat"):
        raw["methods"].pop(method)
    assert needed_teachers(load_params(write_params(raw))) == ["multilabel"]
    raw["methods"].pop("spl")
    assert needed_teachers(load_params(write_params(raw))) == []


def test_another_draw_of_a_teacher_is_another_teacher_of_the_same_labels(raw_params, write_params):
    multilabel = raw_params["teachers"]["multilabel"]
    raw_params["teachers"] |= {"second": multilabel | {"seed": 2}, "zero": multilabel | {"seed": 0}}
    params = load_params(write_params(raw_params))
    settings = {name: TeacherSettings.of(params, teacher=name) for name in ("multilabel", "second", "zero")}
    assert [own.seed for own in settings.values()] == [params.seed, 2, 0]
    assert {own.pretext for own in settings.values()} == {params.pretext}


def test_teachers_that_a_person_supplies_name_their_file(raw_params, write_params, repository):
    paper = load_params(repository / "presets/paper.yaml")
    files = {name: supplied_teacher_file(teacher) for name, teacher in paper.teachers.items()}
    assert files == {
        "multilabel": "data/raw/teacher/Open_ImagesV6_TRresNet_L_448.pth",
        "detector": "data/raw/teacher/yolov5l_state_dict.pt",
        "imagenet": "data/raw/teacher/resnet50.safetensors",
    }
    assert TeacherSettings.of(paper, teacher="detector").pretext is None
    demo = load_params(write_params(raw_params))
    assert {supplied_teacher_file(teacher) for teacher in demo.teachers.values()} == {None}


def test_parts_that_an_experiment_has_not_are_named(raw_params, write_params):
    raw = bare(raw_params) | {"detection": None}
    params = load_params(write_params(raw))
    with pytest.raises(ParamsError, match="detection is null in params.yaml"):
        DetectionSettings.of(params, dataset="places2")
    with pytest.raises(ParamsError, match="pretext is null in params.yaml: there is no fetch_pretext"):
        PretextSettings.of(params.model_copy(update={"pretext": None}))
    assert drawn_figures(params) == []


def test_unknown_names_list_what_there_is(demo_params):
    with pytest.raises(ParamsError, match="'pariss'; it has places2, celeba, paris"):
        run(demo_params, "spl", "pariss")
    with pytest.raises(ParamsError, match="'sppl'; it has telea"):
        run(demo_params, "sppl")


def test_costs_depend_on_what_is_built(raw_params, write_params):
    before = canonical(CostSettings.of(load_params(write_params(raw_params))))
    raw_params["methods"]["rn"]["training"]["lr"] = 0.005
    assert canonical(CostSettings.of(load_params(write_params(raw_params)))) == before
    raw_params["methods"]["rn"]["model"]["width"] = 12
    assert canonical(CostSettings.of(load_params(write_params(raw_params)))) != before


def test_figures_show_the_first_runs_of_their_methods(demo_params):
    shown = demo_params.figures.shown()
    assert shown.keys() == {"fig1", "fig3", "fig5"}
    assert shown["fig1"].filled == shown["fig1"].searched == tuple(("places2", m) for m in ("rfr", "ec", "spl"))
    assert shown["fig1"].priors == (("places2", "spl"),)
    assert {dataset for dataset, _ in shown["fig3"].filled} == set(DATASETS)
    assert {dataset for dataset, _ in shown["fig3"].searched} == {"places2"}
    assert shown["fig5"].filled == shown["fig5"].priors == (("places2", "ec"), ("places2", "spl"))
    assert demo_params.figures.priors() == [("places2", "ec"), ("places2", "spl")]


# All of them -------------------------------------------------------------------------------------


def test_settings_come_back_from_a_record_as_they_were(demo_params):
    for kind in STEPS.values():
        names = {"dataset": "places2", "method": "spl", "teacher": "detector", "figure": "fig1", "source": "vgg"}
        settings = kind.of(demo_params, **{name: names[name] for name in kind.wildcards if name != "seed"})
        written = json.loads(json.dumps(settings.model_dump(mode="json")))
        assert kind.model_validate(written, strict=False) == settings
        assert settings.identity().keys() == set(kind.wildcards)


def test_a_field_that_counts_for_nobody_says_so(demo_params):
    """The only such fields: files that are known by their hashes, whose images those are, what is missing or kept."""
    uncounted = {
        f"{kind.__name__}.{name}"
        for kind in all_settings(Strict)
        for name, field in kind.model_fields.items()
        if "no result depends on it" in field.metadata and name in kind.__annotations__
    }
    files = {"Supplied.citation", "ExternalFill.citation", "PerceptualVGG.folder", "Perceptual.folder"}
    assert uncounted == files | {"Design.left_out", "Training.kept_epochs"}
    assert "data/raw/metrics" not in canonical(FigureSettings.of(demo_params, figure="fig1"))


def test_a_field_that_came_later_counts_where_it_is_not_what_was_before(raw_params, write_params):
    """Studies that were run before drawn images had shadows stay valid, and a world with shadows is another one."""

    def drawn(**shadows):
        source = {"kind": "miniature", "scene": "paris", "train": 4, "test": 2} | shadows
        raw_params["datasets"]["paris"]["source"] = source
        return canonical(ImageSourceSettings.of(load_params(write_params(raw_params)), dataset="paris"))

    assert drawn() == drawn(shadows=0.0)
    assert "shadows" not in drawn()
    assert len({drawn(), drawn(shadows=0.1), drawn(shadows=0.2)}) == 3


def all_settings(kind):
    return {kind}.union(*map(all_settings, kind.__subclasses__()))


def test_every_run_is_read_as_it_was_written(raw_params, write_params):
    """Also one of a released network whose recipe has nothing but the network."""
    weights = {"paris": {"source": "released", "path": "a"}}
    raw_params["methods"]["lama"] = {"recipe": "lama", "model": {"blocks": 9}, "weights": weights}
    runs = first_runs(load_params(write_params(raw_params)))
    assert {"lama", "spl", "telea"} <= {run.method for run in runs}
    for run in runs:
        assert RunSettings.model_validate_json(run.model_dump_json(), strict=False) == run
