"""The door: reading a parameter file, and saying everything that is wrong with it at once."""

import json
from pathlib import Path

from pydantic import TypeAdapter

from spl.config.checks import contradictions
from spl.config.document import read_document, refusal
from spl.config.experiment import Params
from spl.config.grid import with_grid_points
from spl.config.left_out import without_left_out

_PARAMS = TypeAdapter(Params)
"""Built when it is first used, which takes as long as all the rest of reading."""


def load_params(path: str | Path, *, shown: str | Path | None = None) -> Params:
    """Read and validate a parameter file, or a copy of the file that is `shown` in messages.

    Raises: ParamsError listing every fault with its dotted path.
    """
    path, shown = Path(path), Path(shown or path)
    absent = "Copy a preset: cp presets/demo.yaml params.yaml"
    params = read_document(path, _PARAMS, shown=shown, absent=absent)
    if faults := contradictions(params.model_copy(update={"left_out": {}})):
        raise refusal(shown, faults)
    return without_left_out(with_grid_points(params))


def json_schema() -> str:
    """Return the JSON Schema of `params.yaml` that editors use."""
    schema = Params.model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"
