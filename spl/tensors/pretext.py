"""The labelled pretext set: images with several classes each, in the tables of Open Images."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from spl.data.images import read_rgb, resize_image
from spl.data.stored import Kept
from spl.tensors.compositing import to_image
from spl.tensors.loaders import SampleStream


class PretextImages:
    """One split of a pretext folder (`images/`, `labels.csv`, `split.csv`), shown as the teacher will see images.

    The teacher looks at an inpainting image enlarged twice, so a pretext image takes the same way: down to the
    network's size, then bilinearly up to twice that.
    """

    def __init__(self, folder: Path, split: str, *, image_size: int) -> None:
        labels = pd.read_csv(folder / "labels.csv")
        subsets = pd.read_csv(folder / "split.csv")
        self.classes = sorted(labels["LabelName"].unique())
        self.names = subsets.loc[subsets["Subset"] == split, "ImageID"].tolist()
        present = labels[labels["Confidence"] > 0].groupby("ImageID")["LabelName"].agg(set).to_dict()
        self.targets = torch.tensor([[float(c in present.get(name, ())) for c in self.classes] for name in self.names])
        self._paths = [folder / "images" / f"{name}.jpg" for name in self.names]
        self._image_size, self._seen = image_size, Kept(self._read)

    def permute(self, seed: int) -> None:
        """Give every image the labels of another one: how often a label occurs is all that can be learnt."""
        order = np.random.default_rng(seed).permutation(len(self))
        self.targets = self.targets[order].roll(1, 0)[np.argsort(order)]

    def __len__(self) -> int:
        return len(self._paths)

    def image(self, i: int, *, flip: bool = False) -> Tensor:
        """Return image `i`, (3, 2H, 2W) in [0, 1]."""
        (pixels,) = self._seen(i)
        image = to_image(np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels)
        return F.interpolate(image[None], scale_factor=2, mode="bilinear", align_corners=False)[0]

    def _read(self, i: int) -> list[np.ndarray]:
        return [resize_image(read_rgb(self._paths[i]), self._image_size)]

    def target(self, i: int, *, flip: bool) -> Tensor:
        """Return the labels of image `i`, (L,) in {0, 1}."""
        return self.targets[i]


class PretextStream(SampleStream):
    """Training images and their labels, flipped half of the time."""

    name = "pretext"

    def __init__(self, images: PretextImages, *, batch_size: int, seed: int) -> None:
        self._images = images
        super().__init__(len(images), batch_size=batch_size, seed=seed, name=self.name)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return image (3, 2H, 2W) in [0, 1] and its target, see `PretextImages.target`."""
        i, flip = self.index(number), self.rng(number).random() < 0.5
        return self._images.image(i, flip=flip), self._images.target(i, flip=flip)
