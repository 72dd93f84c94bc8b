"""Files appear whole or not at all."""

import pytest

from spl.common.errors import DataError
from spl.common.files import atomic, canonical_json, read_json, replace_folder, write_json


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_wholly_or_not_at_all(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "old.png").touch()
    with pytest.raises(RuntimeError), replace_folder(folder) as temporary:
        (temporary / "new.png").touch()
        raise RuntimeError
    assert [file.name for file in folder.iterdir()] == ["old.png"]
    assert list(tmp_path.iterdir()) == [folder]
    with replace_folder(folder) as temporary:
        (temporary / "new.png").touch()
    assert [file.name for file in folder.iterdir()] == ["new.png"]


def test_canonical_json_does_not_depend_on_order():
    for value in ({"b": 1, "a": [1.5, None]}, {"a": [1.5, None], "b": 1}):
        assert canonical_json(value) == '{"a":[1.5,null],"b":1}'


def test_json_round_trip_and_damage(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, {"é": 1})
    assert read_json(path) == {"é": 1}
    path.write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        read_json(path)
    with pytest.raises(DataError, match="does not exist"):
        read_json(tmp_path / "none.json")
