"""Training data follow from the sample number alone, whoever asks for it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spl.common.errors import DataError
from spl.tensors.compositing import to_image, to_mask
from spl.tensors.loaders import BatchNumbers, InpaintingStream, SampleStream, stream_batches
from tests.fabricate import write_manifest, write_masks_table


@given(count=st.integers(1, 50), batch_size=st.integers(1, 9), epoch=st.integers(0, 5))
def test_an_epoch_shows_distinct_images_in_an_order_of_its_own(count, batch_size, epoch):
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


# --- Images, masks and what a method sees beside them -----------------------------------------------------------------

SIZE = 32
IMAGES = [f"train/{i}.png" for i in range(6)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Six training images, one test image and five masks, one of them rejected, with their tables."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    (folder / "train").mkdir()
    for file in [*IMAGES, "test.png"]:
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(folder / file)
    write_manifest(folder / "manifest.csv", [*(("train", file) for file in IMAGES), ("test", "test.png")])
    for i in range(5):
        Image.fromarray((rng.random((SIZE, SIZE)) < 0.3).astype(np.uint8) * 255).save(folder / f"mask{i}.png")
    write_masks_table(folder / "masks.csv", [f"mask{i}.png" for i in range(5) if i != 3], ("too large",))
    return folder


def stream(folder, *, flip=True, extra_target=None, image_size=SIZE):
    return InpaintingStream(
        folder / "manifest.csv", folder / "masks.csv", image_size=image_size, batch_size=2, flip=flip, seed=1, name="x",
        extra_target=extra_target,
    )  # fmt: skip


def red(file, image):
    """A mask-like extra_target: where the image is rather red."""
    return image[:, :, 0] > 127


def inverted(file, image):
    """An image-like extra_target."""
    return 255 - image


@pytest.mark.parametrize("flip", [True, False])
def test_an_extra_target_changes_neither_images_nor_masks_nor_flips(prepared, flip):
    """An image comes in [0, 1], and a map in {0, 1}."""
    streams = [stream(prepared, flip=flip, extra_target=extra_target) for extra_target in (None, inverted, red)]
    for number in range(30):
        (image, mask), (*with_image, opposite), (*with_map, where) = (items[number] for items in streams)
        for pair in (with_image, with_map):
            assert all(map(torch.equal, pair, (image, mask)))
        torch.testing.assert_close(opposite, 1 - image)
        assert torch.equal(where, (image[:1] * 255 > 127).float())


def test_the_extra_target_is_flipped_with_image_and_mask(prepared):
    straight, flipped = stream(prepared, flip=False, extra_target=red), stream(prepared, flip=True, extra_target=red)
    mirrored = 0
    for number in range(60):
        image, mask, _ = flipped[number]
        as_they_are = straight[number]
        if torch.equal(image, as_they_are[0]):
            assert torch.equal(mask, as_they_are[1])
        else:
            mirrored += 1
            for ours, theirs in zip(flipped[number], as_they_are, strict=True):
                assert torch.equal(ours, theirs.flip(2))
    assert 15 < mirrored < 45


def test_an_extra_target_is_asked_by_the_name_in_the_manifest_and_sees_the_image_as_stored(prepared):
    asked = []
    shown = stream(prepared, extra_target=lambda file, image: asked.append((file, image.copy())) or image)
    for number in range(6):
        shown[number]
    assert {file for file, _ in asked} == set(IMAGES)  # an epoch: every training image, no test image
    for file, image in asked:
        assert np.array_equal(image, np.array(Image.open(prepared / file)))


def test_rejected_masks_are_never_drawn(prepared):
    masks = [to_mask(np.array(Image.open(prepared / f"mask{i}.png")) > 127) for i in range(5)]
    shown = stream(prepared, flip=False)
    drawn = {next(i for i, mask in enumerate(masks) if torch.equal(mask, shown[n][1])) for n in range(60)}
    assert drawn == {0, 1, 2, 4}


def test_an_image_of_another_size_is_rejected_by_name(prepared):
    with pytest.raises(DataError, match=r"\.png: expected 48 x 48 pixels, got 32 x 32"):
        stream(prepared, image_size=48)[0]
