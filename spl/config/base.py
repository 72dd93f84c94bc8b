"""The base of every settings object."""

from collections.abc import Mapping
from os.path import expanduser
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0, le=10_000_000)]
Size = Annotated[int, Field(gt=0, le=4096)]
"""Of what a computer holds at once: images of a batch, channels, blocks, pixels of a side."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""PyTorch takes more; NumPy's RandomState, which draws the subsets of KID, does not."""
Rate = Annotated[float, Field(gt=0, lt=1, description="Learning rate; write 0.0001 or 1.0e-4, never 1e-4.")]
Weight = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
FilePath = Annotated[str, AfterValidator(expanduser)]
"""A file or folder of this machine; `~` stands for the home folder."""

UNCOUNTED = "no result depends on it"
"""Mark of a field that is no reason to make a result again: where a file lies that is known by hash, or whose it is."""

ADDED = "not counted at its default"
"""Mark of a field that came later, with what was before for its default: results of before it came stay valid."""


class Strict(BaseModel):
    """Base of every settings object: unknown keys are errors, values cannot change, types are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


def counted(value: Any) -> Any:
    """Return a settings object as plain JSON values, without fields that are `UNCOUNTED`, or `ADDED` and at default."""
    if isinstance(value, BaseModel):
        kept = {
            name: getattr(value, name)
            for name, field in type(value).model_fields.items()
            if UNCOUNTED not in field.metadata
            and not (ADDED in field.metadata and getattr(value, name) == field.default)
        }
        return {name: counted(entry) for name, entry in kept.items()}
    if isinstance(value, Mapping):
        return {key: counted(entry) for key, entry in value.items()}
    return [counted(entry) for entry in value] if isinstance(value, tuple) else value
