"""A step depends on its slice of params.yaml and on nothing else."""

import copy
from pathlib import Path

import pytest
import yaml

from spl.errors import ParamsError
from spl.params import load_params
from spl.settings import (
    canonical,
    cost_settings,
    data_settings,
    evaluation_settings,
    mask_settings,
    pair_settings,
    released_run,
    run_settings,
    structure_settings,
    table_settings,
    teacher_settings,
    vgg_file,
)

DATASETS = ("places2", "celeba", "paris")
TRAINED = [(dataset, method) for dataset in DATASETS for method in ("rn", "spl", "rfr", "mfe")]
VGG = {"kind": "vgg", "folder": "data/raw/vgg"}
RELEASED = {"source": "released", "path": "weights.pth"}


@pytest.fixture
def ec(repository):
    """EdgeConnect, which the demo leaves out, to be trained."""
    return yaml.safe_load((repository / "presets/paper.yaml").read_text())["methods"]["ec"] | {"weights": {}}


def slices(params) -> dict[str, str]:
    """Every slice of an experiment by name."""
    found = {"masks": mask_settings(params), "teacher": teacher_settings(params), "table": table_settings(params)}
    for dataset in params.datasets:
        found[f"data/{dataset}"] = data_settings(params, dataset)
        found[f"pairs/{dataset}"] = pair_settings(params, dataset)
        found[f"structure/{dataset}"] = structure_settings(params, dataset)
    for dataset, method in TRAINED:
        found[f"run/{dataset}/{method}"] = run_settings(params, dataset, method)
        found[f"evaluation/{dataset}/{method}"] = evaluation_settings(params, dataset, method)
    return {name: canonical(value) for name, value in found.items()}


def cells(*methods, datasets=DATASETS) -> set[str]:
    """Names of the runs of methods, and of the evaluations that follow them."""
    return {f"{kind}/{d}/{m}" for kind in ("run", "evaluation") for d in datasets for m in methods}


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("methods.spl.training.per_dataset.paris", {"lr": 0.0005}, cells("spl", datasets=["paris"])),
        ("methods.rfr.training.per_dataset.paris", {"norm_epochs": 2}, cells("rfr", datasets=["paris"])),
        ("methods.rn.losses.lambda_adv", 0.5, cells("rn")),
        ("methods.mfe.model.feature_mask", "nearest", cells("mfe")),
        ("methods.rfr.weights", {"celeba": RELEASED}, cells("rfr", datasets=["celeba"])),
        ("figures.examples", 2, set()),
        ("evaluation.bootstrap.samples", 500, {"table"}),
        ("teacher.training.lr", 0.005, {"teacher"} | cells("spl", "rfr", "mfe")),
        ("perception", VGG, cells("rfr", "mfe")),
        ("structure.strength", 0.01, {f"structure/{dataset}" for dataset in DATASETS} | cells("mfe")),
        ("masks.source.per_bin", 50, {"masks"}),
    ],
)
def test_a_change_reaches_only_the_steps_that_depend_on_it(raw_params, write_params, path, value, changed):
    before = slices(load_params(write_params(raw_params)))
    raw = copy.deepcopy(raw_params)
    *parents, last = path.split(".")
    node = raw
    for parent in parents:
        node = node[parent]
    node[last] = value
    after = slices(load_params(write_params(raw)))
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_run_names_what_it_learns_from_and_nothing_else(raw_params, write_params, ec):
    raw_params["methods"]["ec"] = ec
    raw_params["methods"]["without"] = copy.deepcopy(raw_params["methods"]["spl"])
    raw_params["methods"]["without"]["losses"]["lambda_prior"] = 0.0

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
        "spl": {"teacher"},
        "ec": {"teacher", "perception"},
        "without": set(),
    }
    with_vgg = load_params(write_params(raw_params | {"perception": VGG}))
    assert learns_from(with_vgg, "mfe") == {"perception", "structure"}
    assert learns_from(with_vgg, "spl") == {"teacher"}


def test_every_method_reads_its_own_vgg(raw_params, write_params, ec):
    raw_params["methods"]["ec"] = ec
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
@pytest.mark.parametrize("perception", [{"kind": "teacher"}, VGG])
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

    raw_params["teacher"]["training"]["lr"] = 0.005
    raw_params["structure"]["strength"] = 0.01
    raw_params["methods"][method]["training"]["lr"] = 0.005
    first = next(iter(raw_params["methods"][method]["losses"]))
    raw_params["methods"][method]["losses"][first] = 0.5
    raw_params["seed"] = 1
    assert canonical(run_settings(load_params(write_params(raw_params)), "paris", method)) == canonical(released)
    raw_params["methods"][method]["weights"] = {"paris": RELEASED | {"path": "others.pth"}}
    assert canonical(run_settings(load_params(write_params(raw_params)), "paris", method)) != canonical(released)


def test_costs_depend_on_sizes_alone(raw_params, write_params):
    before = canonical(cost_settings(load_params(write_params(raw_params))))
    raw_params["methods"]["rn"]["training"]["lr"] = 0.005
    raw_params["teacher"]["training"]["lr"] = 0.005
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
    with pytest.raises(ParamsError, match=r"methods\.telea has no weights; those that have: mfe, rfr, rn, spl"):
        released_run(trained, "paris", "telea", Path("weights.pth"))


def test_unknown_names_list_what_there_is(demo_params):
    with pytest.raises(ParamsError, match="'pariss'; it has places2, celeba, paris"):
        run_settings(demo_params, "pariss", "spl")
    with pytest.raises(ParamsError, match="'sppl'; it has telea"):
        run_settings(demo_params, "paris", "sppl")
