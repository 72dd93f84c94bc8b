"""Files and folders appear whole or not at all, from one writer at a time, and old ones are never lost."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spl.common.errors import DataError
from spl.common.files import atomic, canonical_json, read_json, replace_folder, write_json
from spl.common.locks import _warn
from spl.common.shards import resumable_folder


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


PUBLISHERS = {
    "at once": replace_folder,
    "in pieces": lambda folder, **options: resumable_folder(folder, "key", **options),
}


@pytest.fixture(params=PUBLISHERS)
def publish(request):
    """Publish a folder in each of the two ways."""
    return PUBLISHERS[request.param]


def test_a_second_writer_of_a_folder_is_refused_and_the_first_one_is_whole(tmp_path, publish):
    folder = tmp_path / "images"
    with publish(folder) as first:
        (first / "1.png").touch()
        with pytest.raises(DataError, match="another process is making .*images. Wait for it"), publish(folder):
            raise AssertionError
        (first / "2.png").touch()
    assert {path.name for path in folder.iterdir()} == {"1.png", "2.png"}
    assert list(tmp_path.iterdir()) == [folder]


def test_two_writers_of_a_file_do_not_mix(tmp_path):
    path = tmp_path / "table.csv"
    with atomic(path) as first:
        first.write_text("first, ")
        with atomic(path) as second:
            second.write_text("second")
        with first.open("a") as file:
            file.write("whole")
        assert path.read_text() == "second"
    assert path.read_text() == "first, whole"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_killed_writer(tmp_path):
    path = tmp_path / "table.csv"
    program = "import os, sys; from spl.common.files import atomic\nwith atomic(sys.argv[1]): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == -signal.SIGKILL
    assert [file.suffix for file in tmp_path.iterdir()] == [".csv"]
    with atomic(path) as temporary:
        temporary.write_text("whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_linked_folder_stays_a_link(tmp_path, publish):
    (tmp_path / "disk" / "images").mkdir(parents=True)
    folder = tmp_path / "images"
    folder.symlink_to(tmp_path / "disk" / "images")
    with publish(folder) as temporary:
        (temporary / "new.png").touch()
    assert folder.is_symlink()
    assert [file.name for file in (tmp_path / "disk" / "images").iterdir()] == ["new.png"]


@pytest.mark.skipif(not Path("/proc").is_mount(), reason="needs a mounted /proc")
def test_a_mounted_volume_is_refused_before_any_work(publish):
    with pytest.raises(DataError, match="/proc is a mounted volume, which cannot be replaced"), publish(Path("/proc")):
        raise AssertionError


def test_a_folder_that_holds_an_input_is_refused_before_any_work(tmp_path, publish):
    (tmp_path / "photographs").mkdir()
    photograph = tmp_path / "photographs" / "a.jpg"
    photograph.touch()
    refused = pytest.raises(DataError, match=r"a.jpg lies in .*photographs, which is to be replaced")
    with refused, publish(tmp_path / "photographs", inputs=[photograph]):
        raise AssertionError
    assert photograph.exists()


def test_old_content_is_there_while_the_new_one_cannot_be_put_in_place(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "old.png").touch()
    with pytest.raises(FileNotFoundError), replace_folder(folder) as temporary:
        temporary.rmdir()
    assert [file.name for file in folder.iterdir()] == ["old.png"]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_work_goes_on_with_a_warning_where_files_cannot_be_locked(tmp_path, publish, monkeypatch, capsys, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    _warn.cache_clear()
    monkeypatch.setattr(fcntl, "flock", flock)
    with publish(tmp_path / "images") as temporary, atomic(temporary / "a.png") as file:
        file.touch()
    assert [file.name for file in (tmp_path / "images").iterdir()] == ["a.png"]
    assert capsys.readouterr().err == (
        f"warning: files cannot be locked here ({os.strerror(code)}): run one command at a time\n"
    )


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
