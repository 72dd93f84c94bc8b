"""A step depends on its slice of params.yaml and on nothing else."""

import copy

import pytest

from spl.errors import ParamsError
from spl.params import load_params
from spl.settings import (
    canonical,
    data_settings,
    evaluation_settings,
    mask_settings,
    pair_settings,
    run_settings,
    table_settings,
    teacher_settings,
)

TRAINED = [(dataset, method) for dataset in ("places2", "celeba", "paris") for method in ("rn", "spl")]


def slices(params) -> dict[str, str]:
    """Every slice of an experiment by name."""
    found = {"masks": mask_settings(params), "teacher": teacher_settings(params), "table": table_settings(params)}
    for dataset in params.datasets:
        found[f"data/{dataset}"] = data_settings(params, dataset)
        found[f"pairs/{dataset}"] = pair_settings(params, dataset)
    for dataset, method in TRAINED:
        found[f"run/{dataset}/{method}"] = run_settings(params, dataset, method)
        found[f"evaluation/{dataset}/{method}"] = evaluation_settings(params, dataset, method)
    return {name: canonical(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("methods.spl.training.per_dataset.paris", {"lr": 0.0005}, {"run/paris/spl", "evaluation/paris/spl"}),
        (
            "methods.rn.losses.lambda_adv",
            0.5,
            {f"{kind}/{dataset}/rn" for kind in ("run", "evaluation") for dataset in ("places2", "celeba", "paris")},
        ),
        ("figures.examples", 2, set()),
        ("evaluation.bootstrap.samples", 500, {"table"}),
        (
            "teacher.training.lr",
            0.005,
            {"teacher"} | {f"{kind}/{d}/spl" for kind in ("run", "evaluation") for d in ("places2", "celeba", "paris")},
        ),
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


def test_unknown_names_list_what_there_is(demo_params):
    with pytest.raises(ParamsError, match="'pariss'; it has places2, celeba, paris"):
        run_settings(demo_params, "pariss", "spl")
    with pytest.raises(ParamsError, match="'sppl'; it has telea"):
        run_settings(demo_params, "paris", "sppl")
