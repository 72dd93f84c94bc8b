"""What a Lightning checkpoint of LaMa names beside tensors: settings and callbacks, which nothing here looks at.

PyTorch refuses a file that names anything but tensors and plain values. For these names alone it is given a class that
does nothing, whatever the file asks of it; neither package has to be installed, and none of its code runs.
"""

from typing import Any, Self


class Inert:
    """Stands in for a class of a file: does nothing."""

    def __new__(cls, *_: Any) -> Self:
        """Take any arguments and keep none."""
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        """Take any state and keep none of it."""


NAMES = (
    "builtins.dict",
    "builtins.int",
    "builtins.list",
    "collections.defaultdict",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "typing.Any",
)
STAND_INS: list[Any] = [(Inert, name) for name in NAMES]
"""For `torch.serialization.safe_globals`."""
