"""YAML files that are read and validated at once, with everything that is wrong with them."""

import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from spl.common.errors import ParamsError
from spl.config.faults import describe

T = TypeVar("T")


class UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win in silence; here it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Read a mapping, unless a key stands in it twice."""
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"duplicate key: {', '.join(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


def read_document(path: Path, kind: TypeAdapter[T], *, shown: Path, absent: str) -> T:
    """Read a YAML file, or a copy of the file that is `shown` in messages.

    Raises: ParamsError listing every fault with its dotted path, or, for a file that does not exist, what to do.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)
    except FileNotFoundError:
        raise ParamsError(f"{shown} does not exist. {absent}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{shown} is not valid YAML: {error}") from None
    try:
        # JSON mode: lists may become tuples, but strings never become numbers.
        return kind.validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise refusal(shown, describe(error, raw)) from None


def refusal(path: Path, faults: list[str]) -> ParamsError:
    """Return the error that lists all faults of a file."""
    listed = "\n".join(f"  {fault}" for fault in faults)
    return ParamsError(f"{path} has {len(faults)} fault(s):\n{listed}")
