"""A parameter file for a person's own folder of photographs."""

import json
import re
import shlex
import shutil
from pathlib import Path

from spl.common.errors import DataError
from spl.common.printed import count, duration
from spl.config.experiment import FolderLayout
from spl.config.load import load_params
from spl.config.methods import TrainedMethod
from spl.sources.raw_files import RawFiles

PRESET = Path("presets/photos.yaml")
MADE_FOR = 680
"""Training images that the epochs of the preset are made for."""
ADVISED = 700
"""Photographs."""
SECONDS = 0.33
"""Of SPL's training step on a core of a shared 2.5 GHz Xeon, while RN trains on another."""


def fit_to_photos(images: Path, out: Path) -> str:
    """Fit the preset to a folder of photographs and to this machine, write it, and return what was chosen.

    The number of training steps is the preset's whatever the number of images; with a GPU images are twice as wide.
    Raises: DataError if the folder has too few images for intervals, or none, or `out` is there.
    """
    if out.exists():
        raise DataError(f"{out} is there already. Remove it, or name another file with --out.")
    preset = load_params(PRESET)
    dataset, recipe, least = preset.datasets["photos"], preset.methods["spl"], preset.evaluation.bootstrap.least_images
    assert isinstance(dataset.layout, FolderLayout)
    assert isinstance(recipe, TrainedMethod)
    total, batch_size = len(RawFiles(images).images(dataset.layout.glob)), recipe.training.batch_size
    if (tests := round(total * dataset.layout.test_fraction)) < least:
        raise DataError(
            f"{images} has {count(total, 'image')}, of which {tests} would be for testing: expected at least "
            f"{least}, as fewer give no interval. Add some: {least / dataset.layout.test_fraction:.0f} in all are "
            f"enough, {ADVISED} better."
        )
    has_gpu, per_epoch = shutil.which("nvidia-smi"), max(1, (total - tests) // batch_size)
    epochs = max(1, round(recipe.training.epochs * (MADE_FOR // batch_size) / per_epoch))
    size, steps = dataset.image_size * (2 if has_gpu else 1), epochs * per_epoch
    text = PRESET.read_text(encoding="utf-8").replace(str(PRESET), str(out))
    for pattern, value in {
        r"path: images\b": f"path: {json.dumps(str(images.absolute()))}",
        r"image_size: \d+": f"image_size: {size}",
        r"\bepochs: \d+( +#.*)?": f"epochs: {epochs}  # of {total - tests:,} images: {steps:,} steps",
    }.items():
        text, times = re.subn(pattern, lambda _, value=value: value, text)
        assert times == 1, pattern
    out.write_text(text, encoding="utf-8")
    return (
        f"{out}: {total - tests:,} images to train on, {tests:,} to test on"
        f"{f' (fewer than {ADVISED} in all: small differences will not show)' if total < ADVISED else ''}, "
        f"{size} x {size} pixels, {epochs} epochs of {per_epoch:,} batches of {batch_size}: {steps:,} steps\n"
        f"{'not timed on a GPU' if has_gpu else f'about {duration(steps * SECONDS)} on two cores of 2.5 GHz'}\n"
        f"next: snakemake --cores all --configfile {shlex.quote(str(out))} --directory photos -- all"
    )
