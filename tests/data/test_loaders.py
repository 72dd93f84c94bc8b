"""Training data follow from the sample number alone, whoever asks for it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spl.data.loaders import BatchNumbers, SampleStream, stream_batches, to_image, to_mask


@given(count=st.integers(1, 50), batch_size=st.integers(1, 9), epoch=st.integers(0, 5))
def test_an_epoch_shows_distinct_pictures_in_an_order_of_its_own(count, batch_size, epoch):
    stream = SampleStream(count, batch_size=batch_size, seed=1, name="x")
    per_epoch = stream.steps_per_epoch * batch_size
    shown = [stream.index(epoch * per_epoch + i) for i in range(per_epoch)]
    assert len(set(shown)) == min(per_epoch, count)
    assert set(shown) <= set(range(count))


def test_order_depends_on_seed_and_name_and_epoch():
    def order(seed=1, name="x", epoch=0):
        stream = SampleStream(20, batch_size=4, seed=seed, name=name)
        return [stream.index(epoch * 20 + i) for i in range(20)]

    assert order() == order()
    assert len({tuple(o) for o in (order(), order(seed=2), order(name="y"), order(epoch=1))}) == 4


def test_asking_out_of_order_gives_the_same_answer():
    stream = SampleStream(20, batch_size=4, seed=1, name="x")
    forwards = [stream.index(n) for n in range(60)]
    assert [stream.index(n) for n in reversed(range(60))] == forwards[::-1]
    assert stream.rng(7).random() == stream.rng(7).random() != stream.rng(8).random()


@given(start=st.integers(0, 5), steps=st.integers(0, 5), world_size=st.sampled_from([1, 2, 4]))
def test_processes_share_every_batch_without_overlap(start, steps, world_size):
    ranks = [
        list(BatchNumbers(start, start + steps, batch_size=8, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    for step in range(steps):
        numbers = [number for rank in ranks for number in rank[step]]
        assert numbers == list(range((start + step) * 8, (start + step + 1) * 8))


class Numbers(SampleStream):
    def __getitem__(self, number):
        return torch.tensor(number), torch.tensor(self.rng(number).random(), dtype=torch.float64)


@pytest.mark.parametrize("workers", [0, 2])
def test_worker_processes_change_nothing(workers):
    stream = Numbers(20, batch_size=4, seed=1, name="x")
    loaded = list(stream_batches(stream, BatchNumbers(2, 5, batch_size=4), workers=workers))
    assert torch.cat([numbers for numbers, _ in loaded]).tolist() == list(range(8, 20))
    assert torch.cat([values for _, values in loaded]).tolist() == [stream.rng(n).random() for n in range(8, 20)]


def test_tensors_have_the_agreed_ranges():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    image = to_image(pixels[:, ::-1])
    assert image.shape == (3, 4, 4)
    assert torch.equal((image * 255).round().byte().permute(1, 2, 0), torch.from_numpy(pixels[:, ::-1].copy()))
    mask = to_mask(np.eye(4, dtype=bool))
    assert mask.shape == (1, 4, 4)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
