"""YAML files that are read and validated at once, with everything that is wrong with them."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from spl.common.errors import ParamsError
from spl.config.faults import describe

T = TypeVar("T")
TEXT, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"

MOST_VALUES = 100_000
"""Values of a file, its aliases followed."""


def read_document(path: Path, kind: TypeAdapter[T], *, shown: Path, absent: str) -> T:
    """Read a YAML file, or a copy of the file that is `shown` in messages.

    Raises: ParamsError listing every fault with its dotted path, or, for a file that does not exist, what to do.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        faults = list(_faults_of_keys(root)) if root else []
        raw = loader.construct_document(root) if root else None
        text = json.dumps(raw, default=str)
    except FileNotFoundError:
        raise ParamsError(f"{shown} does not exist. {absent}") from None
    except RecursionError:
        raise ParamsError(f"{shown} is not valid YAML: too many brackets within each other") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ParamsError(f"{shown} is not valid YAML: {str(error).partition('; use sys.')[0]}") from None
    try:
        # JSON mode: lists may become tuples, but strings never become numbers.
        document = kind.validate_json(text)
        if not faults:
            return document
    except ValidationError as error:
        faults += describe(error, raw)
    raise refusal(shown, faults)


def _faults_of_keys(root: yaml.Node) -> Iterator[str]:
    """Yield the keys that stand twice, of which PyYAML would take the last, and those that it reads as no text.

    The latter become text, so that what is below them is checked, too.
    Raises: YAMLError if an alias leads to what it stands in, or aliases make a small file huge.
    """
    waiting: list[tuple[yaml.Node, str, tuple[yaml.Node, ...]]] = [(root, "", ())]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        node, path, above = waiting.pop()
        if node in above:
            raise yaml.constructor.ConstructorError(None, None, "an alias leads to what it stands in", node.start_mark)
        if isinstance(node, yaml.SequenceNode):
            waiting += [(value, f"{path}{i}.", (*above, node)) for i, value in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            yield from _faults_of_mapping(node, path)
            waiting += [(value, f"{path}{key.value}.", (*above, node)) for key, value in node.value]
    raise yaml.YAMLError(f"more than {MOST_VALUES:,} values, its aliases followed")


def _faults_of_mapping(node: yaml.MappingNode, path: str) -> Iterator[str]:
    """Yield the keys of a mapping that stand twice or are no text."""
    keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != MERGE]
    for name, count in Counter(key.value for key in keys).items():
        if count > 1:
            yield f"{path}{name}: duplicate key"
    for key in keys:
        if (kind := key.tag.rpartition(":")[2]) != "str":
            yield f"{path}{key.value}: YAML reads this key as {kind}, not as text; write it in quotes: '{key.value}'"
            key.tag = TEXT


def refusal(path: Path, faults: list[str]) -> ParamsError:
    """Return the error that lists all faults of a file."""
    listed = "\n".join(f"  {fault}" for fault in faults)
    return ParamsError(f"{path} has {len(faults)} fault(s):\n{listed}")
