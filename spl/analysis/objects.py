"""Confidence with which the detector finds half-hidden objects again in a method's images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from spl.common.tables import read_table
from spl.data.stored import GroupedMasks, first_rows
from spl.detection.average_precision import match_objects
from spl.detection.boxes import Detections
from spl.detection.occlusion import BOX, HALF_OCCLUDED, occluded_fraction


def match_occluded_objects(
    dataset: str, methods: Sequence[str], *, detections: Path, data: Path, image_size: int
) -> dict[str, list[np.ndarray]]:
    """Return by method the confidence with which each half-hidden object was found again, 0 where it was not.

    Reads `detections`/<dataset>/ground_truth.csv, which is the reference, and <method>.csv beside it, the published
    pairs `data`/pairs/<dataset>.csv and their masks. An object is found again by a detection of its class whose box
    overlaps its own by an IoU of at least 0.5.
    Shapes: one array (objects of the image,) for every image that has such objects, in equal order for all methods.
    """
    pairs = read_table(data / "pairs" / f"{dataset}.csv")
    rows = first_rows(pairs["image"])
    masks = GroupedMasks(data / "masks/masks.csv", names=pairs["mask"])
    names = ["ground_truth", *methods]
    tables = {name: read_table(detections / dataset / f"{name}.csv") for name in names}
    classes = pd.concat([table["label"] for table in tables.values()]).unique()
    by_image = {name: dict(list(table.groupby("image"))) for name, table in tables.items()}
    found: dict[str, list[np.ndarray]] = {method: [] for method in methods}
    for image, objects in by_image["ground_truth"].items():
        hole = masks.hole(rows[str(image)], image_size)
        hidden = objects[[occluded_fraction(hole, box) >= HALF_OCCLUDED for box in objects[BOX].to_numpy()]]
        if hidden.empty:
            continue
        reference = _detections(hidden, classes)
        for method in methods:
            detected = _detections(by_image[method].get(image, objects.iloc[:0]), classes)
            found[method].append(match_objects(reference, detected).double().numpy())
    return found


def _detections(table: pd.DataFrame, classes: np.ndarray) -> Detections:
    """Return an image's rows, the most confident first, with labels as numbers."""
    table = table.sort_values("score", ascending=False, kind="stable")
    numbers = pd.Index(classes).get_indexer(pd.Index(table["label"]))
    return Detections(
        boxes=torch.tensor(table[BOX].to_numpy(float)),
        scores=torch.tensor(table["score"].to_numpy(float)).float(),
        labels=torch.tensor(numbers),
    )
