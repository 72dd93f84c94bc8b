"""The entries of `params.yaml` that the pages show are valid in the demo."""

import re
import textwrap

import pytest
import yaml

from spl.config.load import load_params
from tests.conftest import REPOSITORY
from tests.docs.pages import PAGES

ENTRIES = [
    (page.name, textwrap.dedent(block))
    for page in PAGES
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("page", "entry"), ENTRIES)
def test_entries_are_valid(page, entry, write_params):
    text = (REPOSITORY / "presets/demo.yaml").read_text()
    raw = yaml.safe_load(f"{text}\nshown:\n{textwrap.indent(entry, '  ')}")  # an entry may name anchors of the file
    shown = raw.pop("shown")
    if not shown.keys() <= raw.keys():
        shown = {"datasets" if page == "data.md" else "methods": shown}
    for section, entries in shown.items():
        raw[section] |= entries
    load_params(write_params(raw))
