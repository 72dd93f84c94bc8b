"""The base of every settings object."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, lt=1, description="Learning rate; write 0.0001 or 1.0e-4, never 1e-4.")]
Weight = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

UNCOUNTED = "no result depends on it"
"""Mark of a field that is no reason to make a result again: where a file lies that is known by hash, or whose it is."""


class Strict(BaseModel):
    """Base of every settings object: unknown keys are errors, values cannot change, types are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


def counted(value: Any) -> Any:
    """Return a settings object as plain JSON values, without the fields that are marked as `UNCOUNTED`."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {name: counted(getattr(value, name)) for name in fields if UNCOUNTED not in fields[name].metadata}
    if isinstance(value, Mapping):
        return {key: counted(entry) for key, entry in value.items()}
    return [counted(entry) for entry in value] if isinstance(value, tuple) else value
