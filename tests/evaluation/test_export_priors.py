"""Kept priors and edges are the network's own, on exactly the images that the record names."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from spl.common.errors import ParamsError, RecordError
from spl.common.files import read_json
from spl.config.experiment import Params
from spl.evaluation.export_priors import export_priors
from spl.steps.settings import PriorSettings
from spl.weights.files import read_state
from tests.evaluation.fabricate import finish_run
from tests.fabricate import draw_pairs
from tests.training.conftest import tiny_params

CPU = torch.device("cpu")
DATASET, SIZE, KEPT = "places2", 32, 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Seven images, whose masks do not come in the order of their holes."""
    return draw_pairs(tmp_path_factory.mktemp("data"), size=SIZE, holes=(14, 3, 10, 6, 20, 8, 12))


@pytest.fixture(scope="module")
def params():
    raw = tiny_params()
    raw["figures"]["clusters"]["images"] = KEPT
    return Params.model_validate(raw, strict=False)


def finish(params, data, method, folder):
    return finish_run(PriorSettings.of(params, dataset=DATASET, method=method).run, data, folder)


def keep(params, data, method, folder):
    settings = PriorSettings.of(params, dataset=DATASET, method=method)
    export_priors(settings, **data._asdict(), weights=folder, out=folder / "kept.safetensors", device=CPU)
    return read_state(folder / "kept.safetensors"), read_json(folder / "kept.json")


def shown(data, name):
    """Image and mask of a test image, read by other means than the package's."""
    mask = pd.read_csv(data.pairs).drop_duplicates("image").set_index("image").loc[name, "mask"]
    image = np.array(Image.open(data.images.parent / name), np.float32) / 255
    hole = np.array(Image.open(data.masks.parent / mask), bool)
    return torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(hole)[None, None].float()


@torch.no_grad()
@pytest.mark.parametrize(
    ("method", "kind", "form", "shape", "tolerance"),
    [
        ("spl", "prior", torch.float16, (KEPT, 16, SIZE // 4, SIZE // 4), 1e-2),
        ("ec", "edges", torch.uint8, (KEPT, 1, SIZE, SIZE), 1.01),
    ],
)
def test_kept_tensors_are_those_of_the_images_in_the_record(
    params, data, tmp_path, method, kind, form, shape, tolerance
):
    network = finish(params, data, method, tmp_path)
    kept, record = keep(params, data, method, tmp_path)
    assert [(name, tensor.dtype, tensor.shape) for name, tensor in kept.items()] == [(kind, form, shape)]
    tensors = kept[kind].float()
    for tensor, name in zip(tensors, record["images"], strict=True):
        image, mask = shown(data, name)
        expected = network.semantic_prior(image, mask) if kind == "prior" else 255 * network.edges(image, mask)
        assert (tensor - expected[0]).abs().max() <= tolerance
    assert (tensors[0] - tensors[1]).abs().max() > 5 * tolerance


def test_the_images_are_spread_over_the_hole_ratios(params, data, tmp_path):
    finish(params, data, "spl", tmp_path)
    _, record = keep(params, data, "spl", tmp_path)
    pairs = pd.read_csv(data.pairs).drop_duplicates("image").set_index("image")
    ranks = pairs["hole_ratio"].rank().loc[record["images"]]
    assert sorted(ranks) == [2, 4, 6]  # the middles of three equal parts of seven
    assert record["images"] == [name for name in pairs.index if name in record["images"]]
    assert record["inputs"].keys() == {"images", "masks", "pairs", "weights"}


def test_a_method_without_prior_or_edges_is_refused(params, data, tmp_path):
    finish(params, data, "rn", tmp_path)
    with pytest.raises(ParamsError, match="only methods with the recipe spl or ec have something to keep"):
        keep(params, data, "rn", tmp_path)
    assert not (tmp_path / "kept.json").exists()


def test_weights_of_another_seed_are_refused(params, data, tmp_path):
    finish(params, data, "spl", tmp_path)
    with pytest.raises(RecordError, match="seed: was 1, is 5"):
        keep(params.model_copy(update={"seeds": (5,)}), data, "spl", tmp_path)
