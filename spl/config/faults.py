"""Faults of a parameter file, each in one line with its dotted path."""

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

HINTS = {
    "float": " (YAML reads 1e-4 as text: write 0.0001 or 1.0e-4)",
    "string_type": " (YAML reads no, on and 1 as false, true and a number: write a name in quotes)",
}
"""By the kind of what was expected."""


class Faults(ValueError):
    """Several faults below the place where they are raised, each with its path from there."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def describe(error: ValidationError, document: Any, *, below: str = "") -> list[str]:
    """List what is wrong with a document, or with a part `below` a path: where, what was expected and what came."""
    faults = _causes(error.errors())
    missing = {fault["loc"] for fault in faults if fault["type"] == "missing"}
    return [line for fault in faults for line in _describe(fault, document, below, missing)]


def _causes(faults: list[Any]) -> list[Any]:
    """Leave out that a list is too short where a fault in one of its entries made it so."""
    places = [fault["loc"] for fault in faults]
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short" or not any(fault["loc"] == place[:-1][: len(fault["loc"])] for place in places)
    ]


def _dotted(location: tuple[int | str, ...], document: Any) -> str:
    """Join a location, without what pydantic inserts: the kind of an entry after its key, and `[key]` after a key."""
    parts, value, may_be_kind = [], document, True
    for part in location:
        is_kind = isinstance(value, dict) and part in (value.get("kind"), value.get("recipe"), value.get("source"))
        if may_be_kind and is_kind and not isinstance(value.get(part), dict | list):
            may_be_kind = False
        elif part != "[key]":
            parts.append(str(part))
            value = _entry(value, part)
            may_be_kind = True
    return ".".join(parts)


def _entry(value: Any, part: int | str) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _describe(fault: Any, document: Any, below: str, missing: set[tuple[Any, ...]]) -> list[str]:
    path, kind = f"{below}.{_dotted(fault['loc'], document)}".strip("."), fault["type"]
    context = fault.get("ctx", {})
    if kind == "missing":
        text = "is missing"
    elif kind == "extra_forbidden":
        absent = [str(place[-1]) for place in missing if place[:-1] == fault["loc"][:-1]]
        meant = get_close_matches(str(fault["loc"][-1]), absent, n=1)
        text = f"is not a known key; did you mean {meant[0]}?" if meant else "is not a known key"
    elif kind == "value_error" and isinstance(context["error"], Faults):
        return [f"{path}.{line}" for line in context["error"].faults]
    elif kind == "value_error":
        text = str(context["error"])
    elif kind.startswith("union_tag"):
        path = f"{path}.{context['discriminator'].strip(chr(39))}"
        text = (
            f"must be one of {context['expected_tags']}, got {context['tag']!r}" if "tag" in context else "is missing"
        )
    else:
        hint = next((hint for start, hint in HINTS.items() if kind.startswith(start)), "")
        text = f"{fault['msg'][0].lower()}{fault['msg'][1:]}, got {repr(fault['input'])[:200]}{hint}"
    return [f"{path or '(top level)'}: {text}"]
