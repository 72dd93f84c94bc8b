"""Sections of params.yaml that contradict each other are found together, each with its dotted path."""

import pytest

from spl.common.errors import ParamsError
from spl.config.load import load_params
from spl.config.releases import RELEASES
from spl.steps.settings import GROUND_TRUTH, DetectionSettings, drawn_figures, needed_teachers, weight_files
from tests.conftest import bare, set_value

GRID = {"method": "spl", "points": [{"alpha": [0.0]}]}
FIGURE_1 = {"dataset": "places2", "methods": ["ec", "spl"], "prior": "spl"}


def faults_of(path) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("seeds", [1, 2, 1], "seeds: duplicates are not allowed, got [1, 2, 1]"),
        ("methods.spl.teacher", "nobody", "methods.spl.teacher: teachers has no 'nobody'; it has multilabel, detector"),
        ("perceptual_network.teacher", "nobody", "perceptual_network.teacher: teachers has no 'nobody'; it has"),
        ("perceptual_network", None, "methods.mfe has perceptual losses, so perceptual_network must say which network"),
        ("structure", None, "methods.mfe learns from smoothed images, so structure must say how; it is null"),
        ("figures.clusters", None, "figures.clusters: must say how the priors of figures 1 and 5 are clustered"),
        ("methods.rn.training.per_dataset", {"x": {}}, "methods.rn.training.per_dataset: datasets has no 'x'"),
        ("ablations.dataset", "paaris", "ablations.dataset: datasets has no 'paaris'; it has places2, celeba, paris"),
        ("ablations.reference", "splll", "ablations.reference: methods has no 'splll'; it has telea, navier_stokes"),
        ("ablations.methods", ["spl_none"], "ablations.methods: methods has no 'spl_none'; it has telea"),
        ("ablations.methods", ["spl"], "ablations.methods: 'spl' is the reference that the others are compared with"),
        ("detection.datasets", ["places2", "x"], "detection.datasets: datasets has no 'x'; it has places2"),
        (
            "detection.detector.teacher", "multilabel",
            "detection.detector.teacher: must be a YOLOv5 of teachers, got 'multilabel'",
        ),
        ("detection", None, "figures.fig1 shows detections on places2, which detection.datasets does not have"),
        ("detection", None, "figures.fig3 shows detections on places2, which detection.datasets does not have"),
        ("detection.datasets", ["celeba"], "figures.fig1 shows detections on places2"),
        ("figures.fig1.dataset", "x", "figures.fig1.dataset: datasets has no 'x'"),
        ("figures.fig1.methods", ["rfr", "x"], "figures.fig1.methods: the methods of Table 1 has no 'x'; it has telea"),
        ("figures.fig1.methods", ["spl_concat"], "figures.fig1.methods: the methods of Table 1 has no 'spl_concat'"),
        ("figures.fig1.prior", "rn", "figures.fig1.prior: must be a method with the recipe spl, got 'rn'"),
        ("figures.fig2.method", "x", "figures.fig2.method: must be a method with the recipe spl, got 'x'"),
        ("figures.fig3.images", {"x": 1}, "figures.fig3: datasets has no 'x'"),
        ("figures.fig3.detections", "celeba", "figures.fig3 shows detections on celeba"),
        ("figures.fig5.prior", "ec", "figures.fig5.prior: must be a method with the recipe spl, got 'ec'"),
        ("figures.fig5.edges", "spl", "figures.fig5.edges: must be a method with the recipe ec, got 'spl'"),
        ("figures.fig5.prior", "spl_concat", "figures: spl_concat is not run on places2: it is an ablation"),
        ("grid", GRID, "grid: weights are chosen on validation images, so evaluation.split must be validation"),
        ("grid", GRID | {"method": "rn"}, "grid.method: must be a method with the recipe spl, got 'rn'"),
        (
            "grid", {"method": "spl_no_prior", "points": [{"lambda_prior": [0.0, 1.0]}]},
            "grid.points: methods.spl_no_prior.teacher is null, so lambda_prior must stay 0.0",
        ),
        (f"methods.{GROUND_TRUTH}", {"recipe": "biharmonic"}, "methods.ground_truth: this name is reserved, it stands"),
        ("evaluation.split", "validation", "datasets.celeba.validation: evaluation.split is validation, so some"),
        ("pretext", None, "teachers.multilabel is trained here, so pretext must say on what; it is null"),
        ("pretext", None, "teachers.detector is trained here, so pretext must say on what; it is null"),
        (
            "datasets.paris.image_size", 72,
            "methods.spl_detector learns from a YOLOv5, which takes multiples of 16, "
            "but datasets.paris.image_size is 72",
        ),
    ],
)  # fmt: skip
def test_a_contradiction_is_named_with_its_path(raw_params, write_params, path, value, fault):
    set_value(raw_params, path, value)
    assert any(line.startswith(fault) for line in faults_of(write_params(raw_params)))


def test_a_name_that_a_folder_or_a_grid_point_has_is_not_free(raw_params, write_params):
    raw_params["datasets"]["teachers"] = raw_params["datasets"]["paris"]
    raw_params["methods"]["spl_grid_01"] = {"recipe": "biharmonic"}
    raw_params["grid"] = GRID
    faults = faults_of(write_params(raw_params))
    assert "datasets.teachers: this name is reserved, it is the folder of the teachers' training in" in "\n".join(
        faults
    )
    assert "methods.spl_grid_01: this name is that of a point of the grid; choose another" in faults


def test_contradictions_are_reported_all_at_once(raw_params, write_params):
    changes = {"seeds": [1, 1], "methods.spl.teacher": "x", "ablations.reference": "y", "figures.fig5.edges": "rn"}
    for path, value in changes.items():
        set_value(raw_params, path, value)
    faults = faults_of(write_params(raw_params))
    assert len(faults) == len(changes)
    assert [fault.split(": ")[0] for fault in faults] == [
        "seeds", "methods.spl.teacher", "ablations.reference", "figures.fig5.edges",
    ]  # fmt: skip


def test_a_method_without_a_teacher_has_no_prior_loss(raw_params, write_params):
    raw_params["methods"]["spl_no_prior"]["losses"]["lambda_prior"] = 0.5
    (fault,) = faults_of(write_params(raw_params))
    assert fault.startswith("methods.spl_no_prior: teacher is null")
    assert "losses.lambda_prior must be 0.0" in fault


def test_a_detector_as_teacher_asks_for_sizes_only_where_its_method_is_run(raw_params, write_params):
    raw_params["datasets"]["celeba"]["image_size"] = 40  # spl_detector is an ablation on paris
    faults = faults_of(write_params(raw_params))
    assert not any("YOLOv5" in fault for fault in faults)


def test_figures_and_detections_need_methods_that_fill_all_images(raw_params, write_params):
    raw_params["methods"]["biharmonic"]["images"] = 5
    params = load_params(write_params(raw_params))
    assert [name for name in params.table_methods if name not in params.unlimited] == ["biharmonic"]
    assert [*DetectionSettings.of(params, dataset="places2").seeds] == params.unlimited
    raw_params["figures"]["fig1"]["methods"] = raw_params["figures"]["fig3"]["methods"] = ["biharmonic", "spl"]
    assert faults_of(write_params(raw_params)) == [
        f"figures.{name}.methods: biharmonic fills only some of the images (methods.biharmonic.images)"
        for name in ("fig1", "fig3")
    ]


OPTIONAL = ("pretext", "teachers", "perceptual_network", "structure", "ablations", "grid", "detection", "figures")


def test_a_section_that_nothing_uses_may_be_left_out(raw_params, write_params):
    raw = {key: value for key, value in raw_params.items() if key not in OPTIONAL}
    raw["methods"] = {name: raw["methods"][name] for name in ("telea", "rn", "spl_no_prior")}
    del raw["evaluation"]["perceptual"]
    params = load_params(write_params(raw))
    assert params.network_methods == ["rn", "spl_no_prior"]
    assert needed_teachers(params) == weight_files(params) == drawn_figures(params) == []


# --- Runs -------------------------------------------------------------------------------------------------------------


def test_ablations_are_run_on_their_dataset_only(demo_params):
    ablations = ["spl_no_prior", "spl_detector", "spl_concat"]
    table = [name for name in demo_params.methods if name not in ablations]
    assert demo_params.table_methods == table
    assert demo_params.methods_of("paris") == [*table, *ablations]
    for dataset in ("places2", "celeba"):
        assert demo_params.methods_of(dataset) == table
    assert {run.dataset for run in demo_params.runs() if run.method in ablations} == {"paris"}


def test_without_ablations_every_method_is_in_table_1(raw_params, write_params):
    params = load_params(write_params(bare(raw_params)))
    assert params.table_methods == list(params.methods)


def test_only_what_is_trained_has_a_run_for_every_seed(raw_params, write_params):
    raw_params["seeds"] = [4, 7]
    raw_params["methods"]["rn"]["weights"] = {"paris": {"source": "released", "path": "x.pth"}}
    params = load_params(write_params(raw_params))
    assert params.seeds_of("paris", "telea") == (4,)
    assert params.seeds_of("paris", "rn") == (4,)
    assert params.seeds_of("celeba", "rn") == params.seeds_of("paris", "spl") == (4, 7)
    runs = list(params.runs())
    assert len(runs) == len(set(runs))
    assert len(runs) == 3 * (3 * 1 + 5 * 2) - 1 + 3 * 2


def test_released_weights_need_a_layout_that_is_known(raw_params, write_params, monkeypatch):
    monkeypatch.delitem(RELEASES, "rn")
    raw_params["methods"]["rn"]["weights"] = {"paris": {"source": "released", "path": "x.pth"}}
    (fault,) = faults_of(write_params(raw_params))
    assert fault == "methods.rn.weights: no released layout of the recipe rn is known"
