"""The pretext set with a box around each object, for training the detector."""

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from spl.detection.average_precision import Objects
from spl.tensors.loaders import SampleStream
from spl.tensors.pretext import PretextPictures

NO_OBJECT = -1


class BoxedPictures(PretextPictures):
    """One split of a pretext folder (as `PretextPictures`, and `boxes.csv`).

    `boxes` (P, M, 5) holds class, centre x, y, width and height as shares of the picture; class -1 fills up.
    """

    def __init__(self, folder: Path, split: str, *, image_size: int) -> None:
        super().__init__(folder, split, image_size=image_size)
        rows = dict(list(pd.read_csv(folder / "boxes.csv").groupby("ImageID")))
        listed = [self._of_picture(rows[name]) if name in rows else torch.empty(0, 5) for name in self.names]
        self.boxes = torch.full((len(listed), max(map(len, listed)), 5), 0.0)
        self.boxes[..., 0] = NO_OBJECT
        for padded, boxes in zip(self.boxes, listed, strict=True):
            padded[: len(boxes)] = boxes

    def _of_picture(self, rows: pd.DataFrame) -> Tensor:
        label = rows["LabelName"].map(self.classes.index)
        left, right, top, bottom = (rows[column] for column in ("XMin", "XMax", "YMin", "YMax"))
        columns = [label, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        return torch.tensor(pd.concat(columns, axis=1).to_numpy(), dtype=torch.float32)

    def sizes(self) -> Tensor:
        """Return width and height of all boxes of the split, (N, 2), in pixels of what `picture` shows."""
        return self.boxes[self.boxes[..., 0] != NO_OBJECT][:, 3:] * 2 * self._image_size

    def objects(self, i: int) -> Objects:
        """Return the objects of picture `i`, in pixels of what `picture` shows."""
        boxes = self.boxes[i]
        boxes = boxes[boxes[:, 0] != NO_OBJECT]
        corners = torch.cat([boxes[:, 1:3] - boxes[:, 3:] / 2, boxes[:, 1:3] + boxes[:, 3:] / 2], 1)
        return Objects(corners * 2 * self._image_size, boxes[:, 0].long())


class BoxedStream(SampleStream):
    """Training pictures and their boxes, flipped together half of the time."""

    def __init__(self, pictures: BoxedPictures, *, batch_size: int, seed: int) -> None:
        self._pictures = pictures
        super().__init__(len(pictures), batch_size=batch_size, seed=seed, name="boxes")

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return picture (3, 2H, 2W) in [0, 1] and boxes (M, 5), see `BoxedPictures`."""
        i = self.index(number)
        flip, boxes = self.rng(number).random() < 0.5, self._pictures.boxes[i]
        return self._pictures.picture(i, flip=flip), mirror(boxes) if flip else boxes


def mirror(boxes: Tensor) -> Tensor:
    """Flip boxes (M, 5) from left to right."""
    flipped = boxes.clone()
    flipped[:, 1] = 1 - flipped[:, 1]
    return flipped
