"""The door: reading a parameter file, and saying everything that is wrong with it at once."""

import json
from pathlib import Path

import yaml
from pydantic import ValidationError

from spl.common.errors import ParamsError
from spl.config.base import UniqueKeyLoader
from spl.config.checks import contradictions
from spl.config.experiment import Params
from spl.config.faults import describe
from spl.config.grid import with_grid_points


def load_params(path: str | Path, *, shown: str | Path | None = None) -> Params:
    """Read and validate a parameter file, or a copy of the file that is `shown` in messages.

    Raises: ParamsError listing every fault with its dotted path.
    """
    try:
        text, path = Path(path).read_text(encoding="utf-8"), shown or path
        raw = yaml.load(text, UniqueKeyLoader)
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist. Copy a preset: cp presets/demo.yaml params.yaml") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from None
    try:
        # JSON mode: lists may become tuples, but strings never become numbers.
        params = Params.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise _refusal(path, describe(error, raw)) from None
    if faults := contradictions(params):
        raise _refusal(path, faults)
    return with_grid_points(params)


def _refusal(path: str | Path, faults: list[str]) -> ParamsError:
    listed = "\n".join(f"  {fault}" for fault in faults)
    return ParamsError(f"{path} has {len(faults)} fault(s):\n{listed}")


def json_schema() -> str:
    """Return the JSON Schema of `params.yaml` that editors use."""
    schema = Params.model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"
