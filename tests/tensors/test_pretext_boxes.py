"""Images with boxes: tables are read right, and a box stays on its object when the image is flipped."""

import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw
from torchvision.ops import box_convert

from spl.detection.average_precision import match_objects
from spl.detection.boxes import Detections
from spl.miniature import draw_pretext_set
from spl.tensors.pretext_boxes import BoxedImages, BoxedStream

SIZE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretext")
    draw_pretext_set(folder, seed=1, train=10, val=4)
    return folder


@pytest.fixture
def signs(tmp_path):
    """A red and a green sign on black, the same in every file; the third file shows nothing."""
    image = Image.new("RGB", (64, 64))
    pen = ImageDraw.Draw(image)
    pen.rectangle((4, 8, 23, 17), fill=(255, 0, 0))
    pen.rectangle((32, 40, 59, 47), fill=(0, 255, 0))
    (tmp_path / "images").mkdir()
    for name in ("a", "b"):
        image.save(tmp_path / f"images/{name}.jpg", quality=100, subsampling=0)
    Image.new("RGB", (64, 64)).save(tmp_path / "images/c.jpg")
    rows = [("red", 4 / 64, 24 / 64, 8 / 64, 18 / 64), ("green", 32 / 64, 60 / 64, 40 / 64, 48 / 64)]
    boxes = pd.DataFrame([(name, *row) for name in ("a", "b") for row in rows])
    boxes.columns = ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"]
    boxes.to_csv(tmp_path / "boxes.csv", index=False)
    boxes[["ImageID", "LabelName"]].assign(Confidence=1).to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "split.csv").write_text("ImageID,Subset\na,train\nb,train\nc,train\n")
    return tmp_path


def extent(channel):
    """Corners of what is bright, in pixels."""
    rows, columns = (channel > 0.5).nonzero().unbind(1)
    return [columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1]


def test_boxes_are_those_of_the_table(folder):
    images = BoxedImages(folder, "val", image_size=SIZE)
    table = pd.read_csv(folder / "boxes.csv")
    assert images.classes == sorted(table["LabelName"].unique())  # of both splits
    for i, name in enumerate(images.names):
        rows = table[table["ImageID"] == name]
        found = images.objects(i)
        assert [images.classes[label] for label in found.labels] == rows["LabelName"].tolist()
        expected = torch.tensor(rows[["XMin", "YMin", "XMax", "YMax"]].to_numpy(), dtype=torch.float32) * 2 * SIZE
        torch.testing.assert_close(found.boxes, expected)


def test_boxes_are_padded_and_sizes_are_in_pixels(signs):
    images = BoxedImages(signs, "train", image_size=SIZE)
    assert images.boxes.shape == (3, 2, 5)
    assert images.boxes[:, :, 0].tolist() == [[1, 0], [1, 0], [-1, -1]]
    assert [len(images.objects(i).labels) for i in range(3)] == [2, 2, 0]
    torch.testing.assert_close(images.sizes(), torch.tensor([[20.0, 10.0], [28.0, 8.0]]).repeat(2, 1))


def test_boxes_lie_on_their_objects_flipped_or_not(signs):
    images = BoxedImages(signs, "train", image_size=SIZE)
    stream = BoxedStream(images, batch_size=3, seed=1)
    left = {"red": [4, 8, 24, 18], "green": [32, 40, 60, 48]}
    right = {"red": [40, 8, 60, 18], "green": [4, 40, 32, 48]}
    sides = []
    for number in range(60):
        image, boxes = stream[number]
        if stream.index(number) == 2:
            assert (boxes[:, 0] == -1).all()
            continue
        corners = box_convert(boxes[:, 1:] * 64, "cxcywh", "xyxy").round().tolist()
        found = {images.classes[int(label)]: box for label, box in zip(boxes[:, 0], corners, strict=True)}
        assert found in (left, right)
        for channel, name in enumerate(("red", "green")):
            assert extent(image[channel]) == pytest.approx(found[name], abs=1)
        sides.append(found == left)
    assert 0.25 < sum(sides) / len(sides) < 0.75


def test_objects_are_in_pixels_of_the_image(signs):
    """A detection read off the shown image finds its object."""
    images = BoxedImages(signs, "train", image_size=SIZE)
    boxes = torch.tensor([extent(images.image(0)[channel]) for channel in (0, 1)], dtype=torch.float32)
    found = Detections(boxes, torch.tensor([0.5, 0.6]), torch.tensor([1, 0]))
    torch.testing.assert_close(match_objects(images.objects(0), found, iou=0.8), torch.tensor([0.5, 0.6]))
