"""The tables beside the images, with the column names of Open Images."""

from collections.abc import Iterable

from spl.miniature.canvas import Object

BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")
SPLIT_COLUMNS = ("ImageID", "Subset")

BoxRow = tuple[str, str, float, float, float, float]


def box_rows(image_id: str, objects: Iterable[Object], size: tuple[int, int]) -> list[BoxRow]:
    """Return one row per object, with coordinates as shares of the image's width and height."""
    rows = []
    for item in objects:
        left, top, right, bottom = (round(edge / side, 6) for edge, side in zip(item.box, size * 2, strict=True))
        rows.append((image_id, item.label, left, right, top, bottom))
    return rows


def label_rows(boxes: Iterable[BoxRow]) -> list[tuple[str, str, int]]:
    """Return one row per image and class that is present, in order; absent classes have no row."""
    return [(*pair, 1) for pair in dict.fromkeys(row[:2] for row in boxes)]
