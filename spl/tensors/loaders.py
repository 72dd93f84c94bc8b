"""Batches for training and evaluation.

Training data are a pure function of the sample number: which image, which mask and whether to flip follow from
(seed, number) alone. So a resumed run, any number of workers and any number of GPUs see the same stream.
"""

import signal
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spl.common.errors import DataError, again
from spl.common.tables import read_table
from spl.data.pair_masks import limit_pairs
from spl.data.stored import GroupedMasks, Kept, PreparedImages
from spl.steps.paths import composited_files
from spl.tensors.compositing import to_image, to_mask


class SampleStream(Dataset):
    """Base of training sets: maps a sample number to an item, epoch by epoch in a seeded order.

    An epoch is `steps_per_epoch` whole batches; a set smaller than a batch repeats within it.
    """

    def __init__(self, count: int, *, batch_size: int, seed: int, name: str) -> None:
        self.count = count
        self.steps_per_epoch = max(1, count // batch_size)
        self._per_epoch = self.steps_per_epoch * batch_size
        self._seed = [seed, zlib.crc32(name.encode())]
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0))

    def index(self, number: int) -> int:
        """Return the index of the image that sample `number` shows."""
        epoch, position = divmod(number, self._per_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng([*self._seed, epoch]).permutation(self.count))
        return int(self._order[1][position % self.count])

    def rng(self, number: int) -> np.random.Generator:
        """Return the generator of sample `number`, for its mask and its flip."""
        return np.random.default_rng([*self._seed, 1 << 32, number])


ExtraTarget = Callable[[str, np.ndarray], np.ndarray]
"""(file in the manifest, image (H, W, 3) uint8) -> what a method sees beside it, (H, W, 3) uint8 or (H, W) bool."""


class InpaintingStream(SampleStream):
    """Training images, each with a mask drawn uniformly from the whole mask set (released code).

    A mask whose hole vanishes at the network's size is drawn again.
    Which images, masks and flips come when does not depend on the method: an extra target is added to the same samples.
    """

    def __init__(
        self,
        manifest: Path,
        masks: Path,
        *,
        image_size: int,
        batch_size: int,
        flip: bool,
        seed: int,
        name: str,
        extra_target: ExtraTarget | None = None,
    ) -> None:
        self._images = PreparedImages(manifest, split="train")
        self._masks = GroupedMasks(masks)
        self._image_size, self._flip, self._extra_target = image_size, flip, extra_target
        self._seen = Kept(self._read)
        super().__init__(len(self._images), batch_size=batch_size, seed=seed, name=name)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        """Return image (3, H, W) in [0, 1], mask (1, H, W), 1 = hole, and the extra target in [0, 1] if any."""
        rng = self.rng(number)
        image, *extra = self._seen(self.index(number))
        sample = [image, self._masks.draw(rng, self._image_size), *extra]
        if self._flip and rng.random() < 0.5:
            sample = [part[:, ::-1] for part in sample]
        return tuple(to_image(part) if part.ndim == 3 else to_mask(part) for part in sample)

    def _read(self, i: int) -> list[np.ndarray]:
        image = self._images.pixels(i, size=self._image_size)
        return [image] + ([self._extra_target(self._images.name(i), image)] if self._extra_target else [])


class BatchNumbers:
    """The sample numbers of every batch from `start_step` to `stop_step` that this process works on."""

    def __init__(self, start_step: int, stop_step: int, *, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self._steps = range(start_step, stop_step)
        self._batch_size, self._share, self._rank = batch_size, batch_size // world_size, rank

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[range]:
        for step in self._steps:
            first = step * self._batch_size + self._rank * self._share
            yield range(first, first + self._share)


def stream_batches(stream: SampleStream, numbers: BatchNumbers, *, workers: int) -> DataLoader:
    """Load the batches with the given numbers, in order."""
    return DataLoader(
        stream,
        batch_sampler=numbers,  # pyright: ignore[reportArgumentType] (any iterables of numbers)
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_ignore_signals,
    )


def _ignore_signals(worker: int) -> None:
    """Leave SIGTERM and SIGINT, which reach the whole process group, to the main process: it saves, then stops."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class TestPairs(Dataset):
    """The published image-mask pairs of one dataset, or those of at most `limit` images.

    `images` and `masks` are the tables that they come from.
    """

    def __init__(self, pairs: Path, images: Path, masks: Path, *, image_size: int, limit: int | None = None) -> None:
        self.table = limit_pairs(read_table(pairs), limit)
        self._images = PreparedImages(images, names=self.table["image"])
        self._masks, self._image_size, self._pairs = GroupedMasks(masks, names=self.table["mask"]), image_size, pairs

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> list[str]:
        """What other programs call the pairs: 0000001, and 0000001_2 where it is the image's second one."""
        kept = (Path(file).with_suffix("").parts[1:] for file in composited_files(self.table["image"]))
        return ["_".join(reversed(parts)) for parts in kept]

    def pixels(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return image (H, W, 3) uint8 and hole (H, W) bool.

        Raises: DataError if image or mask are not those that were paired, or there is no hole to fill.
        """
        row = self.table.iloc[i]
        hole = self._masks.hole(i, self._image_size, sha256=row["mask_sha256"])
        if not hole.any():
            raise DataError(f"{self._pairs}: {row['mask']} has no hole at this size. Run: {again(self._pairs)}")
        return self._images.pixels(i, size=self._image_size, sha256=row["image_sha256"]), hole

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        """Return image (3, H, W) in [0, 1] and mask (1, H, W), 1 = hole; raises as `pixels` does."""
        image, hole = self.pixels(i)
        return to_image(image), to_mask(hole)
