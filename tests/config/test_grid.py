"""A grid search is a list of methods that differ in their loss weights."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spl.config.experiment import Grid
from spl.config.grid import grid_points, with_grid_points
from spl.config.load import load_params

WEIGHTS = ("lambda_img", "lambda_adv", "lambda_prior", "alpha", "delta")


@pytest.fixture(scope="module")
def demo(repository):
    return load_params(repository / "presets/demo.yaml")


@pytest.fixture
def search(raw_params, write_params):
    """A function that loads the demo with a grid search of these points."""

    def load(*points):
        for dataset in raw_params["datasets"].values():
            dataset["validation"] = 4
        raw_params["evaluation"]["split"] = "validation"
        raw_params["grid"] = {"method": "spl", "points": list(points)}
        return load_params(write_params(raw_params))

    return load


def test_a_block_means_all_its_combinations(search):
    params = search({"lambda_img": [5.0, 20.0], "alpha": [0.0, 3.0, 6.0]})
    own = params.methods["spl"].losses
    expected = [own.model_copy(update={"lambda_img": i, "alpha": a}) for i, a in product((5, 20), (0, 3, 6))]
    names = [f"spl_grid_{number:02d}" for number in range(1, 7)]
    assert [name for name in params.methods if "grid" in name] == names
    assert [params.methods[name].losses for name in names] == expected


def test_blocks_are_one_after_the_other_and_nothing_comes_twice(search):
    params = search({"alpha": [0.0, 3.0]}, {"delta": [0.0, 5.0]}, {"delta": [0.0], "alpha": [3.0]})
    points = grid_points(params)  # alpha 3 and delta 5 are the method's own
    assert [(point["alpha"], point["delta"]) for point in points.values()] == [(0, 5), (3, 0)]
    assert list(points) == ["spl_grid_01", "spl_grid_02"]


def test_a_point_is_run_like_any_method_and_differs_in_its_losses_alone(search):
    params = search({"lambda_adv": [0.5]})
    point, own = params.methods["spl_grid_01"], params.methods["spl"]
    assert point.losses.lambda_adv == 0.5
    assert point.model_copy(update={"losses": own.losses}) == own
    assert "spl_grid_01" in params.table_methods
    assert {run.dataset for run in params.runs() if run.method == "spl_grid_01"} == set(params.datasets)


def test_without_a_grid_nothing_is_added(demo_params):
    assert with_grid_points(demo_params) is demo_params
    assert grid_points(demo_params) == {}


VALUES = st.lists(st.sampled_from([0.0, 1.0, 3.0, 5.0, 10.0]), min_size=1, max_size=3, unique=True)


BLOCKS = st.dictionaries(st.sampled_from(WEIGHTS), VALUES, min_size=1, max_size=3)


@given(blocks=st.lists(BLOCKS, min_size=1, max_size=4))
def test_every_combination_of_every_block_is_there_once(demo, blocks):
    points = tuple({weight: tuple(values) for weight, values in block.items()} for block in blocks)
    params = demo.model_copy(update={"grid": Grid(method="spl", points=points)})
    own = {weight: getattr(params.methods["spl"].losses, weight) for weight in WEIGHTS}
    wanted = {
        tuple((own | dict(zip(block, values, strict=True))).items())
        for block in blocks
        for values in product(*block.values())
    }
    found = [tuple(point.items()) for point in grid_points(params).values()]
    assert len(found) == len(set(found))
    assert set(found) == wanted - {tuple(own.items())}
