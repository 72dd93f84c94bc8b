"""A registered file arrives whole and right from whatever server, or the error says why not."""

import gzip
import hashlib
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spl.common.errors import DataError
from spl.config.registry import RegisteredFile
from spl.sources.download import Patience, download, recorded, verify
from tests.server import (
    Server,
    announce,
    change,
    chunked,
    cut,
    document,
    drip,
    drop,
    from_byte,
    header,
    ignore_if_range,
    page,
    redirect,
    reset,
    stall,
    status,
    whole,
    without,
)

CONTENT = b"PK\x03\x04" + bytes(range(256)) * 400
OTHER = b"PK\x03\x05" + bytes(reversed(range(256))) * 400
HASTY = Patience(timeout=0.3, attempts=3, backoff=0.01)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def registered(*mirrors: str, name: str = "faces.zip", **known) -> RegisteredFile:
    return RegisteredFile(name=name, mirrors=mirrors, **{"bytes": None} | known)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served/faces.zip").write_bytes(CONTENT)
    (tmp_path / "served/copy.zip").write_bytes(CONTENT)
    with Server(tmp_path / "served") as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "raw"


def ranges(server: Server, path: str = "faces.zip") -> list[str | None]:
    return [request.range for request in server.asked(path)]


def leave_part(server: Server, file: RegisteredFile, folder: Path, size: int) -> None:
    """Download the beginning only."""
    path = file.mirrors[0].rsplit("/", 1)[1]
    server.misbehave(path, drop(size), status(404))
    with pytest.raises(DataError):
        download(file, folder, patience=HASTY)
    assert (folder / f"{file.name}.part").read_bytes() == (server.folder / path).read_bytes()[:size]


# --- a file that comes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"bytes": len(CONTENT)},
        {"sha256": digest(CONTENT)},
        {"sha256": digest(CONTENT)[:8]},
        {"md5": hashlib.md5(CONTENT).hexdigest()},
        {"git_blob": hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()},
    ],
)
def test_the_file_appears_and_nothing_half_done_remains(server, folder, known):
    path = download(registered(server.url("faces.zip"), **known), folder, patience=HASTY)
    assert path == folder / "faces.zip"
    assert path.read_bytes() == CONTENT
    assert {file.name for file in folder.iterdir() if file.suffix != ".lock"} == {"faces.zip", "SHA256SUMS"}
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ({"bytes": len(CONTENT) - 1}, "expected 102,403 bytes"),
        ({"bytes": len(CONTENT) + 1}, "expected 102,405 bytes, the server announces 102,404"),
        ({"sha256": digest(OTHER)}, f"expected sha256 {digest(OTHER)}, got {digest(CONTENT)}"),
        ({"sha256": "01234567"}, "expected sha256 01234567, got"),
        ({"md5": "0" * 32}, "expected md5 0000"),
        ({"git_blob": "0" * 40}, "expected git_blob 0000"),
    ],
)
def test_a_file_that_is_not_the_published_one_does_not_appear(server, folder, known, fault):
    with pytest.raises(DataError, match=fault):
        download(registered(server.url("faces.zip"), **known), folder, patience=HASTY)
    assert [file.name for file in folder.iterdir()] == ["faces.zip.lock"]


def test_a_redirect_is_followed_and_gone_on_with(server, folder):
    server.misbehave("old.zip", redirect("/faces.zip"), redirect("/faces.zip"))
    server.misbehave("faces.zip", drop(1000))
    assert download(registered(server.url("old.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=1000-"]


def test_a_redirect_that_leads_in_circles_is_no_mirror(server, folder):
    server.misbehave("faces.zip", *[redirect("/faces.zip")] * 50)
    with pytest.raises(DataError, match="redirects"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)


def test_an_answer_without_length_is_taken_to_its_end(server, folder):
    server.misbehave("faces.zip", chunked())
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT


def test_an_answer_without_length_that_breaks_off_is_asked_for_again(server, folder):
    server.misbehave("faces.zip", [chunked(), drop(5000)], [chunked(), drop(5000), without("Content-Range")])
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT


def test_a_name_with_blanks_and_a_query_is_found(server, folder):
    (server.folder / "some faces.zip").write_bytes(CONTENT)
    url = server.url("some faces.zip") + "?export=download&confirm=t"
    assert download(registered(url), folder, patience=HASTY).read_bytes() == CONTENT
    assert server.requests[0].target.endswith("/some%20faces.zip?export=download&confirm=t")


def test_a_gz_that_the_server_labels_as_gzip_arrives_as_it_is(server, folder):
    packed = gzip.compress(CONTENT)
    (server.folder / "faces.tar.gz").write_bytes(packed)
    server.misbehave("faces.tar.gz", header("Content-Encoding", "gzip"))
    file = registered(server.url("faces.tar.gz"), name="faces.tar.gz")
    assert download(file, folder, patience=HASTY).read_bytes() == packed


def test_an_answer_that_is_encoded_unasked_is_refused(server, folder):
    server.misbehave("faces.zip", header("Content-Encoding", "gzip"))
    with pytest.raises(DataError, match=r"encoded \(gzip\)"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)


def test_proxies_of_the_environment_are_used(server, folder, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.address)
    monkeypatch.setenv("http_proxy", server.address)
    file = registered("http://pictures.invalid/faces.zip")
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert server.requests[0].target == "http://pictures.invalid/faces.zip"


# --- interrupted -------------------------------------------------------------------------------------------------


def test_an_interrupted_download_goes_on_where_it_stopped(server, folder):
    server.misbehave("faces.zip", drop(1000), drop(500))
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=1000-", "bytes=1500-"]
    etag = '"' + digest(CONTENT)[:16] + '"'
    assert [request.if_range for request in server.requests] == [None, etag, etag]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, folder):
    file = registered(server.url("faces.zip"))
    leave_part(server, file, folder, 3000)
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server)[-1] == "bytes=3000-"


def test_without_a_strong_etag_the_date_tells_the_version(server, folder):
    server.misbehave("faces.zip", [header("ETag", 'W/"weak"'), drop(1000)])
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert server.requests[1].if_range.endswith("GMT")


@pytest.mark.parametrize(
    ("known", "second"), [({}, None), ({"bytes": len(CONTENT)}, "bytes=1000-"), ({"sha256": "0" * 8}, "bytes=1000-")]
)
def test_bytes_of_an_unknown_version_are_only_gone_on_with_if_the_end_can_be_checked(server, folder, known, second):
    server.misbehave("faces.zip", [without("ETag", "Last-Modified"), drop(1000)], status(404))
    with pytest.raises(DataError):
        download(registered(server.url("faces.zip"), **known), folder, patience=HASTY)
    assert ranges(server) == [None, second]


def test_a_stalled_server_is_asked_again(server, folder):
    server.misbehave("faces.zip", stall(1000))
    started = time.monotonic()
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert HASTY.timeout <= time.monotonic() - started < 10 * HASTY.timeout
    assert ranges(server) == [None, "bytes=1000-"]


def test_a_server_that_drips_counts_as_stalled(server, folder):
    server.misbehave("faces.zip", drip(0.01), status(404))
    with pytest.raises(DataError):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert 5 < (folder / "faces.zip.part").stat().st_size < 100
    assert len(server.requests) == 2


def test_a_server_that_only_drips_is_given_up(server, folder):
    server.misbehave("faces.zip", *[drip(0.01)] * 10)
    with pytest.raises(DataError, match="too slow .*given up after 3 attempts"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert len(server.requests) == 3


def test_attempts_that_bring_bytes_do_not_count(server, folder):
    server.misbehave("faces.zip", *[drop(100)] * 10)
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert len(server.requests) == 11


def test_attempts_that_never_get_further_count(server, folder):
    server.misbehave("faces.zip", *[[whole(), drop(100)]] * 10)
    with pytest.raises(DataError, match="100 of 102,404 bytes .*given up after 3 attempts"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert len(server.requests) == 4


def test_a_server_without_ranges_starts_again(server, folder):
    server.misbehave("faces.zip", drop(1000), whole())
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT


@pytest.mark.parametrize("reaction", [[], ignore_if_range()])
def test_a_file_that_changed_meanwhile_is_not_mixed(server, folder, reaction):
    server.misbehave("faces.zip", drop(1000), [change(OTHER), *([reaction] if reaction else [])])
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == OTHER


def test_a_wrong_range_is_not_appended(server, folder):
    server.misbehave("faces.zip", drop(1000), from_byte(1001))
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=1000-", None]


def test_a_range_of_a_file_of_another_size_is_not_appended(server, folder):
    server.misbehave("faces.zip", drop(1000), header("Content-Range", "bytes 1000-102403/999999"))
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=1000-", None]


def test_a_partial_answer_that_was_not_asked_for_is_refused(server, folder):
    server.misbehave("faces.zip", from_byte(0))
    with pytest.raises(DataError, match="answered 206"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)


def test_a_part_that_is_whole_is_not_asked_for_again(server, folder):
    file = registered(server.url("faces.zip"), bytes=len(CONTENT))
    folder.mkdir()
    (folder / "faces.zip.part").write_bytes(CONTENT)
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert server.requests == []


def test_a_part_that_the_server_says_is_whole_is_taken(server, folder):
    server.misbehave("faces.zip", announce(+10))
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={len(CONTENT)}-"]


def test_a_part_beyond_the_end_is_started_again(server, folder):
    folder.mkdir()
    (folder / "faces.zip.part").write_bytes(CONTENT + b"more")
    file = registered(server.url("faces.zip"), sha256=digest(CONTENT))
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_damaged_part_is_started_again_once(server, folder):
    file = registered(server.url("faces.zip"), sha256=digest(CONTENT))
    leave_part(server, file, folder, 3000)
    (folder / "faces.zip.part").write_bytes(b"\0" * 3000)
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server)[-2:] == ["bytes=3000-", None]


def test_a_wrong_file_is_not_started_again_for_ever(server, folder):
    file = registered(server.url("faces.zip"), sha256=digest(OTHER))
    server.misbehave("faces.zip", drop(1000), [], drop(1000))
    with pytest.raises(DataError, match="expected sha256"):
        download(file, folder, patience=HASTY)
    assert ranges(server) == [None, "bytes=1000-"] * 2


def test_a_damaged_note_beside_the_part_does_no_harm(server, folder):
    file = registered(server.url("faces.zip"))
    leave_part(server, file, folder, 3000)
    (folder / "faces.zip.part.json").write_text('{"url":')
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server)[-1] is None


def test_a_killed_download_loses_nothing(server, folder):
    server.misbehave("faces.zip", stall(50_000))
    code = (
        "import sys; from pathlib import Path; from spl.sources.download import *;"
        "download(RegisteredFile(name='faces.zip', mirrors=(sys.argv[1],), bytes=None), Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, server.url("faces.zip"), str(folder)])
    part = folder / "faces.zip.part"
    deadline = time.monotonic() + 60
    while not part.exists() or part.stat().st_size < 50_000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    file = registered(server.url("faces.zip"))
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=50000-"]


@settings(max_examples=30)
@given(
    drops=st.lists(st.tuples(st.sampled_from([drop, reset]), st.integers(0, 8000)), max_size=8),
    size=st.integers(1, 40_000),
    published=st.booleans(),
)
def test_any_drops_anywhere_end_with_the_identical_file(tmp_path_factory, drops, size, published):
    folder = tmp_path_factory.mktemp("drops")
    content = CONTENT[:size]
    (folder / "faces.zip").write_bytes(content)
    patience = Patience(timeout=5, attempts=len(drops) + 1, backoff=0)
    with Server(folder) as server:
        server.misbehave("faces.zip", *(ending(after) for ending, after in drops))
        file = registered(server.url("faces.zip"), sha256=digest(content) if published else None)
        assert download(file, folder / "raw", patience=patience).read_bytes() == content


# --- waiting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(server, folder, code):
    server.misbehave("faces.zip", status(code), status(code))
    assert download(registered(server.url("faces.zip")), folder, patience=HASTY).read_bytes() == CONTENT


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451, 501])
def test_a_server_that_refuses_is_given_up_at_once(server, folder, code):
    server.misbehave("faces.zip", status(code))
    with pytest.raises(DataError, match=f"the server answered {code}"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert len(server.requests) == 1


def test_a_server_in_trouble_is_given_up_after_all_attempts(server, folder):
    server.misbehave("faces.zip", *[status(503)] * 9)
    with pytest.raises(DataError, match="503 Service Unavailable .*given up after 3 attempts"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert len(server.requests) == 3


def test_a_part_from_elsewhere_is_no_progress(server, folder):
    leave_part(server, registered(server.url("copy.zip")), folder, 3000)
    server.misbehave("faces.zip", *[status(503)] * 9)
    with pytest.raises(DataError, match="given up after 3 attempts"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert len(server.asked("faces.zip")) == 3


def test_a_server_that_is_not_there_is_given_up_after_all_attempts(server, folder):
    nobody = Server(server.folder)  # holds its port, but nobody answers
    file = registered(nobody.url("faces.zip"))
    nobody._http.server_close()
    with pytest.raises(DataError, match=r"no answer \(.*refused\) .*given up after 3 attempts"):
        download(file, folder, patience=HASTY)


def test_waiting_doubles_up_to_a_minute():
    waits = [Patience().wait(failures, 0) for failures in (1, 2, 3, 6, 7, 20)]
    assert waits == [1, 2, 4, 32, 60, 60]


@pytest.mark.parametrize(("asked", "waited"), [(0, 0.1), (3, 3), (7, 6), (float("inf"), 6)])
def test_a_server_may_ask_for_more_patience_within_reason(asked, waited):
    assert Patience(backoff=0.1).wait(1, asked) == waited


@pytest.mark.parametrize(
    ("asked", "at_least", "below"), [("1", 0.3, 1), ("Fri, 31 Dec 2199 23:59:59 GMT", 0.3, 1), ("soon", 0, 0.3)]
)
def test_retry_after_is_honoured(server, folder, asked, at_least, below):
    server.misbehave("faces.zip", status(429, retry_after=asked))
    started = time.monotonic()
    download(registered(server.url("faces.zip")), folder, patience=Patience(timeout=5, backoff=0.005))
    assert at_least <= time.monotonic() - started < below


# --- mirrors -----------------------------------------------------------------------------------------------------


def test_mirrors_are_tried_in_order(server, folder):
    server.misbehave("faces.zip", status(404))
    file = registered(server.url("faces.zip"), server.url("copy.zip"), server.url("third.zip"))
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert [request.path for request in server.requests] == ["faces.zip", "copy.zip"]


def test_one_error_lists_every_mirror_and_says_what_to_do(server, folder):
    server.misbehave("faces.zip", status(403))
    server.misbehave("copy.zip", drop(1000), *[status(503)] * 9)
    urls = [server.url("faces.zip"), server.url("copy.zip"), "file:///nowhere/faces.zip"]
    with pytest.raises(DataError) as error:
        download(registered(*urls), folder, patience=HASTY)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{folder / 'faces.zip'} could not be downloaded:"
    assert lines[1] == f"  {urls[0]}: the server answered 403 Forbidden"
    assert lines[2].startswith(f"  {urls[1]}: the server answered 503 Service Unavailable")
    assert lines[3] == f"  {urls[2]}: there is no file that can be read"
    assert lines[4].startswith("Try again later, or get the file by other means and place it at")
    assert f"The 1,000 bytes that came are kept in {folder / 'faces.zip.part'}" in lines[4]


@pytest.mark.parametrize("known", [{"bytes": len(CONTENT)}, {"sha256": digest(CONTENT)}])
def test_another_mirror_goes_on_with_a_part_that_can_be_checked(server, folder, known):
    server.misbehave("faces.zip", drop(1000), status(404))
    file = registered(server.url("faces.zip"), server.url("copy.zip"), **known)
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert [(request.range, request.if_range) for request in server.asked("copy.zip")] == [("bytes=1000-", None)]


def test_another_mirror_starts_again_if_nothing_could_be_checked(server, folder):
    (server.folder / "copy.zip").write_bytes(OTHER)
    server.misbehave("faces.zip", drop(1000), status(404))
    file = registered(server.url("faces.zip"), server.url("copy.zip"))
    assert download(file, folder, patience=HASTY).read_bytes() == OTHER
    assert ranges(server, "copy.zip") == [None]


def test_a_part_is_gone_on_with_at_the_mirror_it_came_from(server, folder):
    file = registered(server.url("faces.zip"), server.url("copy.zip"))
    server.misbehave("faces.zip", status(404))
    server.misbehave("copy.zip", drop(1000), status(404))
    with pytest.raises(DataError):
        download(file, folder, patience=HASTY)
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server, "copy.zip")[-1] == "bytes=1000-"
    assert len(server.asked("faces.zip")) == 1


def test_mirrors_that_refuse_do_not_cost_the_part_of_another(server, folder):
    file = registered(server.url("faces.zip"), server.url("copy.zip"))
    server.misbehave("faces.zip", drop(1000), status(503), status(404), status(503), status(404))
    server.misbehave("copy.zip", status(503), status(404), status(503), status(404))
    for _ in range(2):
        with pytest.raises(DataError, match="The 1,000 bytes that came are kept"):
            download(file, folder, patience=HASTY)
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server, "faces.zip")[-1] == "bytes=1000-"


def test_a_wrong_file_makes_room_for_the_next_mirror(server, folder):
    (server.folder / "copy.zip").write_bytes(OTHER)
    file = registered(server.url("copy.zip"), server.url("faces.zip"), md5=hashlib.md5(CONTENT).hexdigest())
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server, "copy.zip") == ranges(server, "faces.zip") == [None]


@pytest.mark.parametrize("spoil", [cut(1000), announce(-10), document(CONTENT + b"more", "application/zip")])
def test_a_file_of_another_size_makes_room_for_the_next_mirror(server, folder, spoil):
    server.misbehave("faces.zip", spoil)
    file = registered(server.url("faces.zip"), server.url("copy.zip"), bytes=len(CONTENT))
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server, "copy.zip") == [None]


def test_an_endless_file_is_stopped_at_the_published_size(server, folder):
    server.misbehave("faces.zip", [chunked(), stall(50_000)])
    with pytest.raises(DataError, match="expected 20,000 bytes, got more"):
        download(registered(server.url("faces.zip"), bytes=20_000), folder, patience=HASTY)


def test_a_file_that_is_announced_too_large_is_stopped_early(server, folder):
    server.misbehave("faces.zip", stall(50_000))
    with pytest.raises(DataError, match="expected 99,999 bytes, the server announces 102,404"):
        download(registered(server.url("faces.zip"), bytes=99_999), folder, patience=HASTY)
    assert len(server.requests) == 1


def test_an_empty_file_is_never_right(server, folder):
    server.misbehave("faces.zip", document(b"", "application/zip"))
    with pytest.raises(DataError, match="expected some bytes, got 0"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)


def test_a_local_mirror_is_copied(server, folder):
    (server.folder / "mehr Köpfe 100%.zip").write_bytes(CONTENT)
    url = (server.folder / "mehr Köpfe 100%.zip").as_uri()
    assert "%" in url
    path = download(registered(url, sha256=digest(CONTENT)), folder, patience=HASTY)
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()


def test_a_local_copy_makes_a_part_needless(server, folder):
    server.misbehave("faces.zip", drop(1000), status(404))
    file = registered(server.url("faces.zip"), (server.folder / "faces.zip").as_uri())
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert {file.name for file in folder.iterdir() if file.suffix != ".lock"} == {"faces.zip", "SHA256SUMS"}


def test_a_wrong_local_file_leaves_nothing(server, folder):
    url = (server.folder / "faces.zip").as_uri()
    with pytest.raises(DataError, match="expected md5"):
        download(registered(url, md5="0" * 32), folder, patience=HASTY)
    assert [file.name for file in folder.iterdir()] == ["faces.zip.lock"]


def test_a_local_mirror_of_another_machine_is_refused(folder):
    with pytest.raises(DataError, match="expected file:///<absolute path>"):
        download(registered("file://data/faces.zip"), folder, patience=HASTY)


# --- pages instead of files --------------------------------------------------------------------------------------


def test_a_quota_page_is_called_by_its_title(server, folder):
    server.misbehave("faces.zip", page("Google Drive -\n Quota exceeded"))
    with pytest.raises(DataError, match="got an HTML page titled 'Google Drive - Quota exceeded' instead of the file"):
        download(registered(server.url("faces.zip"), bytes=len(CONTENT)), folder, patience=HASTY)
    assert not (folder / "faces.zip.part").exists()


def test_after_a_page_the_next_mirror_is_tried(server, folder):
    server.misbehave("faces.zip", page())
    file = registered(server.url("faces.zip"), server.url("copy.zip"))
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT


def test_a_long_page_is_not_waited_for(server, folder):
    long = b"<!-- a -->" * 100 + b"<HTML>" + b"." * 20_000
    server.misbehave("faces.zip", [document(long, "text/html"), stall(18_000)])
    with pytest.raises(DataError, match="got an HTML page that begins"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert len(server.requests) == 1


def test_a_page_that_broke_off_is_not_gone_on_with(server, folder):
    server.misbehave("faces.zip", [page(), drop(60)])
    file = registered(server.url("faces.zip"), bytes=len(CONTENT))
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server) == [None, None]


HTML = b"\n <!doctype HTML><title>Sign in</title>"
XML = b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
JSON = b'{"error": "rate limited"}'


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("faces.zip", HTML, "an HTML page titled 'Sign in'"),
        ("faces.zip", b"<?xml version='1.0'?>\n<html xmlns=''></html>", "an HTML page that begins"),
        ("faces.zip", XML, "an XML document that begins .*AccessDenied"),
        ("faces.zip", JSON, "a JSON document that begins .*rate limited"),
        ("list.txt", HTML, "an HTML page"),
        ("list.json", HTML, "an HTML page"),
        ("list.xml", JSON, "a JSON document"),
    ],
)
def test_a_document_instead_of_the_file_is_reported_as_one(server, folder, name, content, what):
    server.misbehave("faces.zip", document(content, "application/octet-stream"))
    with pytest.raises(DataError, match=f"got {what}.* instead of the file"):
        download(registered(server.url("faces.zip"), name=name), folder, patience=HASTY)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("index.html", HTML),
        ("list.xml", XML),
        ("list.json", JSON),
        ("list.txt", JSON),
        ("list.txt", b"<error> is what the first line says"),
        ("weights.safetensors", b"\x20\x01\0\0\0\0\0\0" + JSON),
        ("faces.tar", b"{odd}/name.jpg" + b"\0" * 100),
    ],
)
def test_a_document_that_was_to_come_is_taken(server, folder, name, content):
    server.misbehave("faces.zip", document(content, "text/html"))
    file = registered(server.url("faces.zip"), name=name)
    assert download(file, folder, patience=HASTY).read_bytes() == content


# --- a file that is there ----------------------------------------------------------------------------------------


def place(folder: Path, content: bytes, name: str = "faces.zip") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_a_file_that_is_there_is_not_asked_for(server, folder):
    place(folder, CONTENT)
    file = registered(server.url("faces.zip"), sha256=digest(CONTENT))
    assert download(file, folder, patience=HASTY) == folder / "faces.zip"
    assert server.requests == []
    assert recorded(folder) == {"faces.zip": digest(CONTENT)}


def test_a_wrong_file_is_an_error_and_stays(server, folder):
    path = place(folder, OTHER)
    with pytest.raises(DataError) as error:
        download(registered(server.url("faces.zip"), sha256=digest(CONTENT)), folder, patience=HASTY)
    assert str(path) in str(error.value)
    assert f"expected sha256 {digest(CONTENT)}, got {digest(OTHER)}" in str(error.value)
    assert "Replace it by the right one, or remove it and run this again." in str(error.value)
    assert path.read_bytes() == OTHER
    assert recorded(folder) == {}


def test_a_file_without_mirror_has_to_be_there(folder):
    with pytest.raises(DataError, match=f"^{folder / 'faces.zip'} is missing"):
        download(registered(), folder)
    assert not folder.exists()
    place(folder, CONTENT)
    assert download(registered(), folder) == folder / "faces.zip"


def test_a_link_to_nowhere_is_missing_not_replaced(server, folder):
    folder.mkdir()
    (folder / "faces.zip").symlink_to(folder / "unmounted/faces.zip")
    with pytest.raises(DataError, match="faces.zip is missing"):
        download(registered(server.url("faces.zip")), folder, patience=HASTY)
    assert (folder / "faces.zip").is_symlink()


def test_a_page_that_a_person_saved_is_not_trusted(folder):
    place(folder, HTML)
    with pytest.raises(DataError, match="is not the registered file: got an HTML page titled 'Sign in'"):
        download(registered(), folder)
    assert recorded(folder) == {}


# --- SHA256SUMS --------------------------------------------------------------------------------------------------


def test_the_first_sight_of_an_unpublished_hash_counts_and_is_said(server, folder, capsys):
    file = registered(server.url("faces.zip"), bytes=len(CONTENT))
    path = download(file, folder, patience=HASTY)
    assert (
        f"no hash is published; from now on the file has to have SHA-256 {digest(CONTENT)}" in capsys.readouterr().err
    )
    download(file, folder, patience=HASTY)
    assert "no hash is published" not in capsys.readouterr().err
    path.write_bytes(OTHER)
    for check in (lambda: download(file, folder), lambda: verify(file, path)):
        with pytest.raises(DataError, match=rf"expected sha256 {digest(CONTENT)} \(recorded in .*SHA256SUMS\)"):
            check()
    path.unlink()
    (server.folder / "faces.zip").write_bytes(OTHER)
    with pytest.raises(DataError, match="recorded in"):
        download(file, folder, patience=HASTY)
    assert not path.exists()


def test_a_published_hash_is_recorded_without_a_word(server, folder, capsys):
    download(registered(server.url("faces.zip"), sha256=digest(CONTENT)[:8]), folder, patience=HASTY)
    assert recorded(folder) == {"faces.zip": digest(CONTENT)}
    assert "no hash is published" not in capsys.readouterr().err


def test_a_published_hash_counts_more_than_a_recorded_one(server, folder):
    place(folder, f"{digest(OTHER)}  faces.zip\n".encode(), "SHA256SUMS")
    download(registered(server.url("faces.zip"), sha256=digest(CONTENT)), folder, patience=HASTY)
    assert recorded(folder) == {"faces.zip": digest(CONTENT)}


def test_sha256sum_understands_the_list_and_other_entries_stay(server, folder):
    place(folder, OTHER, "b zebra.zip")
    place(folder, f"{digest(OTHER).upper()} *b zebra.zip\n".encode(), "SHA256SUMS")
    for name in ("c.zip", "a.zip"):
        download(registered(server.url("faces.zip"), name=name), folder, patience=HASTY)
    assert list(recorded(folder)) == ["a.zip", "b zebra.zip", "c.zip"]
    assert recorded(folder)["b zebra.zip"] == digest(OTHER)
    check = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    assert check.stdout == "a.zip: OK\nb zebra.zip: OK\nc.zip: OK\n"


def test_a_line_that_is_none_is_named(folder):
    place(folder, f"{digest(OTHER)}  faces.zip\nfaces.zip: OK\n".encode(), "SHA256SUMS")
    with pytest.raises(DataError, match="SHA256SUMS, line 2: expected '<sha256>  <name>'.*got 'faces.zip: OK'"):
        recorded(folder)


def test_many_files_at_once_are_all_recorded(server, folder):
    files = [registered(server.url("faces.zip"), name=f"{i}.zip") for i in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda file: download(file, folder, patience=Patience(timeout=10)), files))
    assert set(recorded(folder)) == {file.name for file in files}


# --- verify ------------------------------------------------------------------------------------------------------


def test_verify_returns_the_hash(folder):
    path = place(folder, CONTENT)
    assert verify(registered(git_blob=hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()), path) == digest(
        CONTENT
    )


@pytest.mark.parametrize(
    "known", [{"bytes": 5}, {"sha256": "0" * 8}, {"md5": "0" * 32}, {"git_blob": "0" * 40, "md5": None}]
)
def test_verify_says_what_differs(folder, known):
    with pytest.raises(DataError, match="is not the registered file: expected"):
        verify(registered(**known), place(folder, CONTENT))


def test_verify_names_a_missing_file(folder):
    with pytest.raises(DataError, match="faces.zip is missing"):
        verify(registered(), folder / "faces.zip")


# --- the machine around ------------------------------------------------------------------------------------------


def test_two_processes_download_a_file_once(server, folder, capsys):
    server.misbehave("faces.zip", [drip(0.001), cut(500)])
    file = registered(server.url("faces.zip"), sha256=digest(CONTENT[:500]))
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: download(file, folder, patience=Patience(timeout=10)), range(2)))
    assert paths == [folder / "faces.zip"] * 2
    assert len(server.requests) == 1
    assert "another process is downloading it" in capsys.readouterr().err


def test_a_full_disk_is_an_oserror_and_the_part_stays(server, folder):
    file = registered(server.url("faces.zip"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))  # to the writer it looks like a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            download(file, folder, patience=HASTY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (folder / "faces.zip.part").read_bytes() == CONTENT[:30_000]
    assert len(server.requests) == 1
    assert download(file, folder, patience=HASTY).read_bytes() == CONTENT
    assert ranges(server)[-1] == "bytes=30000-"


def test_a_folder_that_cannot_be_made_is_an_oserror(server, tmp_path):
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(OSError):
        download(registered(server.url("faces.zip")), tmp_path / "occupied/raw", patience=HASTY)


def test_a_log_shows_progress_with_what_was_there_before(server, folder, capsys):
    file = registered(server.url("faces.zip"))
    leave_part(server, file, folder, 51_202)
    capsys.readouterr()
    download(file, folder, patience=HASTY)
    log = capsys.readouterr().err
    assert "faces.zip:  50%" in log
    assert "faces.zip: 100%" in log
    assert "102k/102k" in log
