"""A result knows what made it; later steps refuse one that was made differently."""

import pytest

from spl.common.errors import RecordError
from spl.steps.records import differences, require_current, write_record
from spl.steps.slices import PairSettings

SETTINGS = PairSettings(seed=1, dataset="paris", image_size=64, split="test", pairs="balanced")


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "record.json"
    write_record(path, SETTINGS, {"images": "aa"}, count=3)
    return path


def test_equal_settings_and_inputs_pass(record):
    require_current(record, SETTINGS, {"images": "aa"})
    assert differences(record, SETTINGS, {"images": "aa"}) == []


def test_other_settings_are_named_by_path_with_both_values(record):
    changed = SETTINGS.model_copy(update={"seed": 2})
    with pytest.raises(RecordError, match="seed: was 1, is 2") as caught:
        require_current(record, changed, {"images": "aa"})
    assert "--forcerun" in str(caught.value)


def test_other_inputs_are_named(record):
    with pytest.raises(RecordError, match="input images is not the one"):
        require_current(record, SETTINGS, {"images": "bb"})
