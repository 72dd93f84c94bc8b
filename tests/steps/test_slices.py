"""A step depends on its slice of params.yaml and on nothing else."""

from pathlib import Path

import pytest

from spl.common.errors import ParamsError
from spl.config.experiment import guided_methods
from spl.config.load import load_params
from spl.steps.slices import (
    canonical,
    cost_settings,
    data_settings,
    detection_settings,
    detector_file,
    evaluation_settings,
    guidance_settings,
    mask_settings,
    needed_teachers,
    pair_settings,
    perceptual_settings,
    pretext_settings,
    released_run,
    run_settings,
    structure_settings,
    supplied_teacher_file,
    teacher_settings,
    vgg_file,
)
from tests.conftest import bare, set_value

DATASETS = ("places2", "celeba", "paris")
ABLATIONS = ("spl_no_prior", "spl_detector", "spl_concat")
TRAINED = ("mfe", "rfr", "rn", "ec", "spl")
PERCEPTUAL = ("rfr", "mfe", "ec")
VGG = {"kind": "vgg", "folder": "data/raw/vgg"}
RELEASED = {"source": "released", "path": "weights.pth"}


def slices(params) -> dict[str, str]:
    """Every slice of an experiment by name."""
    found = {"masks": mask_settings(params), "pretext": pretext_settings(params)}
    found["perceptual"] = perceptual_settings(params)
    found |= {f"teacher/{name}": teacher_settings(params, name) for name in params.teachers}
    for dataset in params.datasets:
        found[f"data/{dataset}"] = data_settings(params, dataset)
        found[f"pairs/{dataset}"] = pair_settings(params, dataset)
        found[f"structure/{dataset}"] = structure_settings(params, dataset)
    for dataset, method, seed in params.runs():
        if method in params.network_methods:
            found[f"run/{dataset}/{method}/{seed}"] = run_settings(params, dataset, method, seed)
            found[f"evaluation/{dataset}/{method}/{seed}"] = evaluation_settings(params, dataset, method, seed)
    found |= {f"guidance/{d}/{m}": guidance_settings(params, d, m) for d, m in guided_methods(params)}
    for dataset in params.detection.datasets:
        for method in (None, "rn", "spl"):
            found[f"detections/{dataset}/{method}"] = detection_settings(params, dataset, method)
    return {name: canonical(value) for name, value in found.items()}


def cells(*methods, datasets=DATASETS, seed=1) -> set[str]:
    """Names of the runs of methods, of the evaluations that follow them, and of the priors and edges that are kept."""
    runs = {f"{d}/{m}" for d in datasets for m in methods if m not in ABLATIONS or d == "paris"}
    shown = {f"guidance/{run}" for run in runs if run in ("places2/spl", "places2/ec")}
    return {f"{kind}/{run}/{seed}" for kind in ("run", "evaluation") for run in runs} | shown


DETECTIONS = {f"detections/places2/{pictures}" for pictures in (None, "rn", "spl")}


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("methods.spl.training.per_dataset.paris", {"lr": 0.0005}, cells("spl", datasets=["paris"])),
        ("methods.rfr.training.per_dataset.paris", {"norm_epochs": 2}, cells("rfr", datasets=["paris"])),
        ("methods.rn.losses.lambda_adv", 0.5, cells("rn")),
        ("methods.spl_concat.losses.lambda_adv", 0.5, cells("spl_concat")),
        ("methods.mfe.model.feature_mask", "nearest", cells("mfe")),
        ("methods.rfr.weights", {"celeba": RELEASED}, cells("rfr", datasets=["celeba"])),
        ("methods.spl.teacher", "detector", cells("spl")),
        ("figures.examples", 2, set()),
        ("figures.clusters.number", 3, set()),
        ("figures.clusters.images", 3, {"guidance/places2/spl", "guidance/places2/ec"}),
        ("evaluation.bootstrap.samples", 500, set()),
        ("evaluation.perceptual.metrics", ["lpips"], {"perceptual"}),
        ("evaluation.pairs", "uniform", {f"pairs/{dataset}" for dataset in DATASETS}),
        ("ablations.reference", "rn", set()),
        (
            "teachers.multilabel.training.lr", 0.005,
            {"teacher/multilabel"} | cells("spl", "spl_concat", *PERCEPTUAL),
        ),
        ("teachers.detector.training.lr", 0.009, {"teacher/detector"} | cells("spl_detector") | DETECTIONS),
        (
            "pretext.train", 500,
            {"pretext", "teacher/multilabel", "teacher/detector"} | DETECTIONS
            | cells("spl", "spl_concat", "spl_detector", *PERCEPTUAL),
        ),
        ("detection.min_score", 0.5, DETECTIONS),
        ("perception", VGG, cells(*PERCEPTUAL)),
        ("structure.strength", 0.01, {f"structure/{dataset}" for dataset in DATASETS} | cells("mfe")),
        ("masks.source.per_bin", 50, {"masks"}),
        ("datasets.paris.validation", 8, {"data/paris"}),
    ],
)  # fmt: skip
def test_a_change_reaches_only_the_steps_that_depend_on_it(raw_params, write_params, path, value, changed):
    before = slices(load_params(write_params(raw_params)))
    set_value(raw_params, path, value)
    after = slices(load_params(write_params(raw_params)))
    assert {name for name in before if before[name] != after[name]} == changed


def test_more_seeds_add_runs_and_change_none(raw_params, write_params):
    before = slices(load_params(write_params(raw_params)))
    raw_params["seeds"] = [1, 2]
    after = slices(load_params(write_params(raw_params)))
    assert {name: after[name] for name in before} == before
    runs = {name for name in cells(*TRAINED, *ABLATIONS, seed=2) if not name.startswith("guidance")}
    assert after.keys() - before.keys() == runs


def test_the_seed_of_a_run_is_one_of_its_method(raw_params, write_params):
    raw_params["seeds"] = [3, 5]
    params = load_params(write_params(raw_params))
    assert run_settings(params, "paris", "spl").seed == 3
    assert run_settings(params, "paris", "spl", 5).seed == 5
    with pytest.raises(ParamsError, match="spl on paris is not run with the seed 1, but with 3, 5"):
        run_settings(params, "paris", "spl", 1)
    with pytest.raises(ParamsError, match="telea on paris is not run with the seed 5, but with 3"):
        run_settings(params, "paris", "telea", 5)


def test_a_run_names_what_it_learns_from_and_nothing_else(raw_params, write_params):
    def learns_from(params, method):
        run = run_settings(params, "paris", method)
        return {name for name in ("teacher", "perception", "structure") if getattr(run, name) is not None}

    params = load_params(write_params(raw_params))
    assert {method: learns_from(params, method) for method in params.methods} == {
        "telea": set(),
        "navier_stokes": set(),
        "biharmonic": set(),
        "mfe": {"teacher", "perception", "structure"},
        "rfr": {"teacher", "perception"},
        "rn": set(),
        "ec": {"teacher", "perception"},
        "spl": {"teacher"},
        "spl_no_prior": set(),
        "spl_detector": {"teacher"},
        "spl_concat": {"teacher"},
    }
    assert run_settings(params, "paris", "spl_detector").teacher.name == "detector"
    assert run_settings(params, "paris", "mfe").teacher.name == "multilabel"
    with_vgg = load_params(write_params(raw_params | {"perception": VGG}))
    assert learns_from(with_vgg, "mfe") == {"perception", "structure"}
    assert learns_from(with_vgg, "spl") == {"teacher"}


def test_a_prior_loss_of_zero_needs_no_teacher(raw_params, write_params):
    raw_params["methods"]["spl"]["losses"]["lambda_prior"] = 0.0
    assert run_settings(load_params(write_params(raw_params)), "paris", "spl").teacher is None


def test_only_teachers_that_somebody_needs_are_made(raw_params, write_params):
    raw_params["teachers"]["idle"] = {"kind": "tresnet_random", "layers": [1, 1], "width": 0.25}
    assert needed_teachers(load_params(write_params(raw_params))) == ["detector", "multilabel"]
    raw = bare(raw_params) | {"detection": None, "perception": VGG}
    for method in ("spl_detector", "spl_concat"):
        raw["methods"].pop(method)
    assert needed_teachers(load_params(write_params(raw))) == ["multilabel"]
    raw["methods"].pop("spl")
    assert needed_teachers(load_params(write_params(raw))) == []


def test_teachers_that_a_person_supplies_name_their_file(raw_params, write_params, repository):
    paper = load_params(repository / "presets/paper.yaml")
    files = {name: supplied_teacher_file(teacher) for name, teacher in paper.teachers.items()}
    assert files == {
        "multilabel": "data/raw/teacher/Open_ImagesV6_TRresNet_L_448.pth",
        "detector": "data/raw/teacher/yolov5l_state_dict.pt",
        "imagenet": "data/raw/teacher/resnet50.safetensors",
    }
    assert teacher_settings(paper, "detector").pretext is None
    demo = load_params(write_params(raw_params))
    assert {supplied_teacher_file(teacher) for teacher in demo.teachers.values()} == {None}


def test_objects_are_found_by_a_teacher_or_by_a_supplied_network(raw_params, write_params):
    params = load_params(write_params(raw_params))
    assert detector_file(detection_settings(params, "places2", None)) == "results/teachers/detector/weights.safetensors"
    raw_params["detection"]["detector"] = {
        "kind": "torchvision", "model": "fasterrcnn_mobilenet_v3_large_fpn", "path": "a.pth",
    }  # fmt: skip
    assert detector_file(detection_settings(load_params(write_params(raw_params)), "places2", "spl")) == "a.pth"
    raw = bare(raw_params) | {"detection": None}
    with pytest.raises(ParamsError, match="detection is null"):
        detection_settings(load_params(write_params(raw)), "places2", "spl")


def test_priors_and_edges_are_kept_for_the_figures_that_show_them(raw_params, write_params):
    raw_params["figures"]["fig5"]["dataset"] = "paris"
    params = load_params(write_params(raw_params))
    assert guided_methods(params) == [("paris", "ec"), ("paris", "spl"), ("places2", "spl")]
    assert guided_methods(load_params(write_params(bare(raw_params)))) == []


def test_every_method_reads_its_own_vgg(raw_params, write_params):
    params = load_params(write_params(raw_params))
    assert {vgg_file(run_settings(params, "paris", method)) for method in params.methods} == {None}
    params = load_params(write_params(raw_params | {"perception": VGG}))
    found = {method: vgg_file(run_settings(params, "paris", method)) for method in ("rn", "spl", "rfr", "mfe", "ec")}
    assert found == {
        "rn": None,
        "spl": None,
        "rfr": "data/raw/vgg/vgg16-397923af.pth",
        "mfe": "data/raw/vgg/vgg16-397923af.pth",
        "ec": "data/raw/vgg/vgg19-dcbb9e9d.pth",
    }


@pytest.mark.parametrize("method", ["spl", "rfr", "mfe"])
@pytest.mark.parametrize("perception", [{"kind": "teacher", "teacher": "multilabel"}, VGG])
def test_a_released_cell_depends_on_nothing_that_training_reads(raw_params, write_params, method, perception):
    raw_params["perception"] = perception
    raw_params["methods"]["spl"]["model"] |= {"semantic_learner": "dense", "fusion": "one_plus_gamma"}
    raw_params["methods"][method]["weights"] = {"paris": RELEASED}
    params = load_params(write_params(raw_params))
    released, trained = (run_settings(params, dataset, method) for dataset in ("paris", "celeba"))
    assert released.released.path == "weights.pth"
    assert (released.teacher, released.perception, released.structure) == (None, None, None)
    assert vgg_file(released) is None
    assert trained.released is None
    assert trained.teacher or trained.perception

    raw_params["teachers"]["multilabel"]["training"]["lr"] = 0.005
    raw_params["structure"]["strength"] = 0.01
    raw_params["methods"][method]["training"]["lr"] = 0.005
    first = next(iter(raw_params["methods"][method]["losses"]))
    raw_params["methods"][method]["losses"][first] = 0.5
    raw_params |= {"seed": 1, "seeds": [8]}
    assert canonical(run_settings(load_params(write_params(raw_params)), "paris", method)) == canonical(released)
    raw_params["methods"][method]["weights"] = {"paris": RELEASED | {"path": "others.pth"}}
    assert canonical(run_settings(load_params(write_params(raw_params)), "paris", method)) != canonical(released)


def test_costs_depend_on_sizes_alone(raw_params, write_params):
    before = canonical(cost_settings(load_params(write_params(raw_params))))
    raw_params["methods"]["rn"]["training"]["lr"] = 0.005
    raw_params["teachers"]["multilabel"]["training"]["lr"] = 0.005
    assert canonical(cost_settings(load_params(write_params(raw_params)))) == before
    raw_params["methods"]["rn"]["model"]["width"] = 12
    assert canonical(cost_settings(load_params(write_params(raw_params)))) != before


def test_a_vgg_file_may_be_moved(raw_params, write_params):
    runs = []
    for folder in ("here", "there"):
        raw_params["perception"] = {"kind": "vgg", "folder": folder}
        runs.append(run_settings(load_params(write_params(raw_params)), "paris", "rfr"))
    assert vgg_file(runs[0]) != vgg_file(runs[1])
    assert canonical(runs[0]) == canonical(runs[1])


def test_weights_of_another_dataset_do_not_reach_a_cell(raw_params, write_params):
    """What a slice shows of `weights` is its own entry alone."""
    raw_params["methods"]["rfr"]["weights"] = {"paris": RELEASED}
    before = slices(load_params(write_params(raw_params)))
    raw_params["methods"]["rfr"]["weights"]["paris"] = RELEASED | {"path": "others.pth"}
    after = slices(load_params(write_params(raw_params)))
    assert {name for name in before if before[name] != after[name]} == cells("rfr", datasets=["paris"])


def test_a_run_of_given_weights_is_what_params_yaml_would_say_of_them(raw_params, write_params):
    trained = load_params(write_params(raw_params))
    raw_params["methods"]["rfr"]["weights"] = {"paris": RELEASED}
    released = load_params(write_params(raw_params))
    given = released_run(trained, "paris", "rfr", Path("weights.pth"))
    assert canonical(given) == canonical(run_settings(released, "paris", "rfr"))
    with pytest.raises(ParamsError, match=r"methods\.telea has no weights; those that have: mfe, rfr, rn, ec, spl"):
        released_run(trained, "paris", "telea", Path("weights.pth"))


def test_unknown_names_list_what_there_is(demo_params):
    with pytest.raises(ParamsError, match="'pariss'; it has places2, celeba, paris"):
        run_settings(demo_params, "pariss", "spl")
    with pytest.raises(ParamsError, match="'sppl'; it has telea"):
        run_settings(demo_params, "paris", "sppl")
