"""Objects are found in a method's images and in the uncorrupted ones, in pixels of the prepared image."""

from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image

from spl.common.errors import DataError, RecordError
from spl.common.files import read_json, sha256
from spl.config.experiment import Params
from spl.config.teachers import TorchvisionDetector
from spl.data.stored import FilledImages, PreparedImages
from spl.evaluation.detect_objects import COLUMNS, detect_objects
from spl.steps.paths import composited_files
from spl.steps.records import write_record
from spl.steps.settings import GROUND_TRUTH, DetectionSettings, TeacherSettings
from spl.teachers.build import build_teacher
from spl.weights.files import save_weights
from tests.fabricate import draw_pairs
from tests.training.conftest import tiny_params

CPU = torch.device("cpu")
CLASSES = ["house", "person", "tree"]
LEAST = 0.05


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_pairs(tmp_path_factory.mktemp("data"), size=32, holes=(10, 12))


@pytest.fixture(scope="module")
def detector():
    """The settings of a small detector."""
    return TeacherSettings.of(Params.model_validate(tiny_params(), strict=False), teacher="detector")


@pytest.fixture(scope="module")
def network(detector):
    """A detector that takes much for something."""
    torch.manual_seed(0)
    network = build_teacher(detector.network, classes=len(CLASSES))
    for conv in network.detector.head.convs:
        conv.bias.data += torch.randn_like(conv.bias)
    return network


@pytest.fixture(scope="module")
def results(detector, network, tmp_path_factory):
    """The folder of results in which it lies."""
    folder = tmp_path_factory.mktemp("results")
    save_weights(network.state_dict(), folder / "teachers/detector/weights.safetensors")
    outputs = {"weights": folder / "teachers/detector/weights.safetensors"}
    write_record(folder / "teachers/detector/run.json", detector, {}, outputs, classes=CLASSES)
    return folder


@pytest.fixture
def evidence(data, results):
    """A method's filled images, which are other images."""
    folder = results / "eval/places2/spl/seed1"
    rng, hashes, images = np.random.default_rng(5), [], pd.read_csv(data.pairs)["image"]
    for path in map(folder.joinpath, composited_files(images)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(path)
        hashes.append(sha256(path))
    pd.DataFrame({"image": images, "composited_sha256": hashes}).to_csv(folder / "per_image.csv", index=False)
    return folder


def detect(data, detector, results, folder, *, evidence=None, min_score=LEAST):
    """Find objects, in a method's images too if there are any, and return the tables by their names."""
    seeds = {"spl": 1} if evidence else {}
    settings = DetectionSettings(dataset="places2", seeds=seeds, detector=detector, min_score=min_score, threads=1)
    detect_objects(settings, pairs=data.pairs, images=data.images, results=results, folder=folder, device=CPU)
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}


def read(path):
    """An image, by other means than the package's."""
    return torch.from_numpy(np.array(Image.open(path), np.float32) / 255).permute(2, 0, 1)


def check_rows(table, found, names):
    """Compare the rows of one image with what a network has found, boxes in the image's pixels."""
    labels = [names[label] for label in found["labels"].tolist()]
    assert table["label"].tolist() == labels
    assert len(labels) > 0
    np.testing.assert_allclose(table["score"], found["scores"], atol=1e-4)
    np.testing.assert_allclose(table[["x_min", "y_min", "x_max", "y_max"]], found["boxes"], atol=0.02)


def test_rows_are_what_the_detector_finds(data, detector, network, results, evidence, tmp_path):
    tables = detect(data, detector, results, tmp_path / "found", evidence=evidence)
    assert tables.keys() == {GROUND_TRUTH, "spl"}
    for source, table in tables.items():
        assert list(table.columns) == COLUMNS
        for name in pd.read_csv(data.pairs)["image"].unique():
            filled = evidence / "composited" / name.split("/")[-1]
            image = read(filled if source == "spl" else data.images.parent / name)
            large = F.interpolate(image[None], scale_factor=2, mode="bilinear", align_corners=False)
            found = network.detect(large, min_score=LEAST)[0]._asdict()
            check_rows(table[table["image"] == name], found | {"boxes": found["boxes"] / 2}, CLASSES)
    record = read_json(tmp_path / "found/record.json")
    assert record["inputs"].keys() == {"detector", "pairs", "images", "spl"}
    assert list(record["outputs"]) == [GROUND_TRUTH, "spl"]


def test_a_killed_call_keeps_the_tables_that_it_has_finished(data, detector, results, evidence, tmp_path, monkeypatch):
    whole = detect(data, detector, results, tmp_path / "whole", evidence=evidence)
    read_filled, searched = FilledImages.pixels, []
    monkeypatch.setattr(FilledImages, "pixels", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        detect(data, detector, results, tmp_path / "found", evidence=evidence)
    assert not (tmp_path / "found").exists()
    monkeypatch.setattr(FilledImages, "pixels", read_filled)
    monkeypatch.setattr(PreparedImages, "pixels", lambda images, i: searched.append(i))
    resumed = detect(data, detector, results, tmp_path / "found", evidence=evidence)
    assert searched == []
    for name in whole:
        pd.testing.assert_frame_equal(resumed[name], whole[name])


def test_a_detector_that_finds_nothing_writes_an_empty_table(data, detector, results, tmp_path):
    table = detect(data, detector, results, tmp_path / "found", min_score=0.999)[GROUND_TRUTH]
    assert table.empty
    assert list(table.columns) == COLUMNS


def test_sizes_that_the_detectors_strides_do_not_divide_are_no_obstacle(detector, results, tmp_path):
    data = draw_pairs(tmp_path / "data", size=40, holes=(10,))
    table = detect(data, detector, results, tmp_path / "found")[GROUND_TRUTH]
    sides = table[["x_min", "y_min", "x_max", "y_max"]]
    assert 32 < sides.to_numpy().max() <= 40
    assert sides.to_numpy().min() >= 0


def test_a_detector_of_other_settings_is_refused(data, detector, results, tmp_path):
    other = detector.model_copy(update={"seed": 77})
    with pytest.raises(RecordError, match=r"seed: was \d+, is 77"):
        detect(data, other, results, tmp_path / "found")


def test_torchvisions_detector_names_what_it_finds_as_its_authors_do(tmp_path):
    data = draw_pairs(tmp_path / "data", size=32, holes=(10,))
    model = "fasterrcnn_mobilenet_v3_large_fpn"
    torch.manual_seed(0)
    network = torchvision.models.get_model(model, weights=None, weights_backbone=None).eval()
    torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.bias, std=3)
    path = tmp_path / "detector.pth"
    torch.save(network.state_dict(), path)
    detector = TorchvisionDetector(kind="torchvision", model=model, path=str(path))
    table = detect(data, detector, tmp_path, tmp_path / "found")[GROUND_TRUTH]
    names = torchvision.models.get_model_weights(model).DEFAULT.meta["categories"]
    with torch.no_grad():
        found = network([read(data.images.parent / "test/0.png")])[0]
    sure = found["scores"] >= LEAST
    check_rows(table, {key: value[sure] for key, value in found.items()}, names)
    assert read_json(tmp_path / "found/record.json")["inputs"]["detector"]["sha256"] == sha256(path)


def test_missing_weights_of_torchvision_say_where_to_fetch_them(data, tmp_path):
    path = tmp_path / "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth"
    detector = TorchvisionDetector(kind="torchvision", model="fasterrcnn_resnet50_fpn_v2", path=str(path))
    with pytest.raises(DataError, match="does not exist: objects are found by torchvision's fasterrcnn") as caught:
        detect(data, detector, tmp_path, tmp_path / "found")
    assert f"https://download.pytorch.org/models/{path.name}" in str(caught.value)
    assert "change `detection` in params.yaml" in str(caught.value)
