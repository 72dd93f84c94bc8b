"""The examples in docstrings are right."""

import doctest
import importlib

import pytest

from tests.conftest import REPOSITORY

MODULES = [
    str(file.relative_to(REPOSITORY).with_suffix("")).replace("/", ".")
    for file in sorted((REPOSITORY / "spl").rglob("*.py"))
    if ">>> " in file.read_text()
]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module):
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted
    assert not result.failed
