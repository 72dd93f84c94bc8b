"""Released weights as a run of this project: safetensors, and a record that says where they come from."""

from collections.abc import Iterable
from pathlib import Path

from spl.common.errors import CheckpointError
from spl.common.files import replace_folder, sha256
from spl.config.methods import NoNetwork
from spl.config.releases import RELEASES
from spl.models.build import build_generator
from spl.released.load import load_released
from spl.steps.records import write_record
from spl.steps.settings import RunSettings
from spl.weights.files import save_weights

TEACHER_CHANNELS = 152
"""Of the released SPL: TResNet-L."""


def convert_released(run: RunSettings, folder: Path, *, others: Iterable[Path] = ()) -> None:
    """Write the released weights of a run as weights.safetensors and run.json; nothing else stays in `folder`.

    `others` are the files of the method for all datasets, or folders with them.
    Raises: CheckpointError if a file is missing or unsafe, does not fit the recipe's network exactly, is a copy of one
        of another dataset, or lies in `folder` itself, or if `folder` holds anything but a run.
    """
    recipe = run.recipe
    assert not isinstance(recipe, NoNetwork)
    assert run.released is not None
    if strange := _other_files(folder):
        raise CheckpointError(f"{folder} holds other files than a run's ({strange[0]}, ...). Name a new folder.")
    generator = build_generator(recipe, image_size=run.image_size, teacher_channels=TEACHER_CHANNELS)
    files = load_released(recipe.recipe, Path(run.released.path), generator)
    inputs = {file.name: {"path": str(file), "sha256": sha256(file)} for file in files}
    own = {known["sha256"]: file for known, file in zip(inputs.values(), files, strict=True)}
    for other in (file for place in others for file in (place, *place.glob("*"))):
        if other.is_file() and other not in files and (twin := own.get(sha256(other))):
            raise CheckpointError(
                f"{twin} and {other} are the same file, but the weights of two datasets. Replace the wrong one; to use "
                "one file for both, name it for both in params.yaml."
            )
    with replace_folder(folder, inputs=files) as temporary:
        save_weights(generator.state_dict(), temporary / "weights.safetensors")
        write_record(
            temporary / "run.json",
            run,
            inputs,
            {"weights": temporary / "weights.safetensors"},
            teacher_channels=TEACHER_CHANNELS,
            documented=RELEASES[recipe.recipe].documented,
        )


def _other_files(folder: Path) -> list[str]:
    """List what a folder holds beside the files of a run."""
    run = {"weights.safetensors", "run.json", "log.csv", "samples.png"}
    return sorted({path.name for path in folder.iterdir()} - run) if folder.is_dir() else []
