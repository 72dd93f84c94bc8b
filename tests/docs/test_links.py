"""Links within the pages lead somewhere, and the files that they name exist."""

import re

import pytest

from tests.conftest import REPOSITORY
from tests.docs.pages import HISTORY, PAGES, headings

TREES = ("spl", "tests", "workflow", "presets", "docs", "tools", "benchmarks", "profiles")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text().partition("## A worked example")[0]):
        path, _, heading = target.partition("#")
        if "://" not in target:
            linked = (page.parent / path) if path else page
            assert linked.exists(), target
            assert not heading or heading in headings(linked), target


@pytest.mark.parametrize("page", [page for page in PAGES if page != HISTORY], ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    for name in re.findall(
        rf"`((?:{'|'.join(TREES)})/[^`\s:]*)`", page.read_text().partition("## A worked example")[0]
    ):
        if not re.search(r"[<>{}*…]", name):
            assert (REPOSITORY / name).exists(), name
