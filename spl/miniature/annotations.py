"""The tables beside the pictures, with the column names of Open Images."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from spl.common.files import write_text
from spl.miniature.canvas import Object

BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")
SPLIT_COLUMNS = ("ImageID", "Subset")

BoxRow = tuple[str, str, float, float, float, float]


def box_rows(image_id: str, objects: Iterable[Object], size: tuple[int, int]) -> list[BoxRow]:
    """Return one row per object, with coordinates as shares of the picture's width and height."""
    width, height = size
    return [
        (
            image_id,
            item.label,
            round(item.box[0] / width, 6),
            round(item.box[2] / width, 6),
            round(item.box[1] / height, 6),
            round(item.box[3] / height, 6),
        )
        for item in objects
    ]


def label_rows(boxes: Iterable[BoxRow]) -> list[tuple[str, str, int]]:
    """Return one row per picture and class that is present, in order; absent classes have no row."""
    present = dict.fromkeys((row[0], row[1]) for row in boxes)
    return [(image_id, label, 1) for image_id, label in present]


def write_table(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Write a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue())
