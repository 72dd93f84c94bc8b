"""The pretext set with a box around each object, for training the detector."""

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from spl.detection.average_precision import Objects
from spl.detection.boxes import to_corners
from spl.tensors.pretext import PretextImages, PretextStream

NO_OBJECT = -1


class BoxedImages(PretextImages):
    """One split of a pretext folder (as `PretextImages`, and `boxes.csv`).

    `boxes` (P, M, 5) holds class, centre x, y, width and height as shares of the image; class -1 = none.
    """

    def __init__(self, folder: Path, split: str, *, image_size: int) -> None:
        super().__init__(folder, split, image_size=image_size)
        rows = dict(list(pd.read_csv(folder / "boxes.csv").groupby("ImageID")))
        listed = [self._of_image(rows[name]) if name in rows else torch.empty(0, 5) for name in self.names]
        self.boxes = pad_sequence(listed, batch_first=True, padding_value=NO_OBJECT)

    def _of_image(self, rows: pd.DataFrame) -> Tensor:
        labels = torch.tensor(rows["LabelName"].map(self.classes.index).to_numpy())
        corners = torch.tensor(rows[["XMin", "YMin", "XMax", "YMax"]].to_numpy())
        start, end = corners[:, :2], corners[:, 2:]
        return torch.cat([labels[:, None], (start + end) / 2, end - start], 1).float()

    def sizes(self) -> Tensor:
        """Return width and height of all boxes of the split, (N, 2), in pixels of what `image` shows."""
        return self.boxes[self.boxes[..., 0] != NO_OBJECT][:, 3:] * 2 * self._image_size

    def objects(self, i: int) -> Objects:
        """Return the objects of image `i`, in pixels of what `image` shows."""
        boxes = self.boxes[i]
        boxes = boxes[boxes[:, 0] != NO_OBJECT]
        return Objects(to_corners(boxes[:, 1:]) * 2 * self._image_size, boxes[:, 0].long())

    def target(self, i: int, *, flip: bool) -> Tensor:
        """Return the boxes of image `i`, (M, 5)."""
        return mirror(self.boxes[i]) if flip else self.boxes[i]


class BoxedStream(PretextStream):
    """Training images and their boxes, flipped together half of the time."""

    name = "boxes"


def mirror(boxes: Tensor) -> Tensor:
    """Flip boxes (M, 5) from left to right."""
    flipped = boxes.clone()
    flipped[:, 1] = 1 - flipped[:, 1]
    return flipped
