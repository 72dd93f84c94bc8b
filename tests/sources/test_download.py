"""A registered file arrives whole and right from whatever server, or the error says why not."""

import gzip
import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from spl.common.errors import DataError
from spl.config.registry import RegisteredFile
from spl.sources.download import download
from spl.sources.transfer import RetryPolicy
from spl.sources.verify import recorded, verify
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
HASTY = RetryPolicy(timeout=0.6, attempts=3, backoff=0.01, slowest=500)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


GIT_BLOB = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
HASH = {"sha256": digest(CONTENT)}


def registered(*mirrors: str, name: str = "faces.zip", **known) -> RegisteredFile:
    return RegisteredFile(name=name, mirrors=mirrors, **known)


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


@pytest.fixture
def fetch(server, folder):
    """A function that downloads faces.zip from the paths of the server, and returns what has come."""

    def fetch(*paths: str, policy: RetryPolicy = HASTY, **known) -> bytes:
        file = registered(*map(server.url, paths or ("faces.zip",)), **known)
        return download(file, folder, policy=policy).read_bytes()

    return fetch


def ranges(server: Server, path: str = "faces.zip") -> list[str | None]:
    return [request.range for request in server.asked(path)]


def leave_part(server: Server, fetch, size: int, **known) -> None:
    """Download the beginning only."""
    server.misbehave("faces.zip", drop(size), status(404))
    with pytest.raises(DataError, match=f"The {size:,} bytes that came are kept in .*faces.zip.part; a new attempt"):
        fetch(**known)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.suffix != ".lock"}


# --- One server ---------------------------------------------------------------------------------------------------

AFTER_1000 = [None, "bytes=1000-"]
RECOVERED = {
    "nothing": ([], {}, [None]),
    "no length": ([chunked()], {}, [None]),
    "drops": ([drop(1000), drop(500)], {}, [*AFTER_1000, "bytes=1500-"]),
    "drops that bring bytes do not count": ([drop(400)] * 9, {}, [None, *(f"bytes={400 * i}-" for i in range(1, 10))]),
    "stall": ([stall(1000)], {}, AFTER_1000),
    "broken without length": ([[chunked(), drop(5000)], without("Content-Range")], {}, [None, "bytes=4967-", None]),
    "a range that ends early": ([drop(1000), cut(500)], {}, [*AFTER_1000, "bytes=1500-"]),
    "weak validator": ([[header("ETag", 'W/"1"'), drop(1000)], without("ETag")], {}, AFTER_1000),
    "no validator": ([[without("ETag", "Last-Modified"), drop(1000)]], {}, [None, None]),
    "no validator, but a hash": ([[without("ETag", "Last-Modified"), drop(1000)]], HASH, AFTER_1000),
    "no ranges": ([drop(1000), whole()], {}, AFTER_1000),
    "another range": ([drop(1000), from_byte(1001)], {}, [*AFTER_1000, None]),
    "a range of another size": (
        [drop(1000), header("Content-Range", "bytes 1000-102403/999999")],
        {},
        [*AFTER_1000, "bytes=102404-"],
    ),
    "too much announced": ([announce(+10)], {}, [None, "bytes=102404-"]),
    "a page that breaks off": ([[page(), drop(60)]], HASH, [None, "bytes=60-", None]),
    "a page that stalls": ([[document(b"<html>" + b"." * 20_000, "text/html"), stall(18_000)]], {}, [None, None]),
    **{f"{code}": ([status(code)] * 2, {}, [None] * 3) for code in (429, 500, 502, 503, 504)},
}


@pytest.mark.parametrize(("faults", "known", "asked"), RECOVERED.values(), ids=RECOVERED)
def test_a_fault_that_passes_is_recovered_from(server, folder, fetch, faults, known, asked):
    server.misbehave("faces.zip", *faults)
    assert fetch(**known) == CONTENT
    assert ranges(server) == asked
    assert all(request.headers["accept-encoding"] == "identity" for request in server.requests)
    assert names(folder) == {"faces.zip", "SHA256SUMS"}


XML = b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
REFUSED = {
    "slow": ([drip(0.01)] * 9, {}, "the server has become too slow .*given up after 3 attempts", 3),
    "never further": ([[whole(), drop(1000)]] * 9, {}, "connection broke .*given up after 3 attempts", 4),
    "503 for ever": (
        [status(503)] * 9,
        {},
        "the server answered 503 Service Unavailable, given up after 3 attempts",
        3,
    ),
    "unreadable Retry-After": ([status(429, retry_after="soon")], {}, "Invalid Retry-After header: soon", 1),
    "circles": ([redirect("/faces.zip")] * 50, {}, "redirects", 31),
    "encoded": ([header("Content-Encoding", "gzip")], {}, r"encoded \(gzip\)", 1),
    "a range that was not asked for": ([from_byte(0)], {}, "answered 206", 1),
    "page": ([page("Quota -\n exceeded")], {}, "got a web page instead of the file: 'Quota - exceeded Sorry", 1),
    "XML": ([document(XML, "x/y")], {}, "got a web page instead of the file: 'AccessDenied'", 1),
    "JSON": ([document(b'{"error": 1}', "x/y")], {}, "got a web page instead of the file: '{\"error\": 1}'", 1),
    "Git LFS": (
        [document(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "x/y")],
        {},
        "got a pointer of Git LFS instead of the file, which `git lfs pull` brings: 'version https://git-lfs",
        1,
    ),
    "empty": ([document(b"", "application/zip")], {}, "expected some bytes, got 0", 1),
    "too short": ([cut(1000)], HASH, "expected sha256", 1),
    "too little announced": ([announce(-10)], HASH, "expected sha256", 1),
    "too long": ([document(CONTENT + b"more", "x/y")], HASH, "expected sha256", 1),
    "another file": ([], {"sha256": digest(OTHER)}, f"expected sha256 {digest(OTHER)}, got {digest(CONTENT)}", 1),
    "another file, by its start": ([], {"sha256": "01234567"}, "expected sha256 01234567, got", 1),
    "another file, by MD5": ([], {"md5": "0" * 32}, "expected md5 0000", 1),
    "another file, by git": ([], {"git_blob": "0" * 40}, "expected git_blob 0000", 1),
    "another file in pieces": ([drop(1000), [], drop(1000)], {"md5": "0" * 32}, "expected md5 0000", 4),
    **{f"{c}": ([status(c)], {}, f"the server answered {c}", 1) for c in (400, 401, 403, 404, 410, 451, 501)},
}


@pytest.mark.parametrize(("faults", "known", "reason", "requests"), REFUSED.values(), ids=REFUSED)
def test_a_mirror_that_is_of_no_use_is_left_for_the_next(server, folder, fetch, faults, known, reason, requests):
    server.misbehave("faces.zip", *faults)
    with pytest.raises(DataError, match=rf"could not be downloaded:\n  {server.url('faces.zip')}: .*{reason}"):
        fetch(**known)
    assert not (folder / "faces.zip").exists()
    assert len(server.requests) == requests
    server.misbehave("faces.zip", *faults)
    if known in ({}, HASH):
        assert fetch("faces.zip", "copy.zip", **known) == CONTENT


@pytest.mark.parametrize("known", [HASH, {"sha256": digest(CONTENT)[:8]}, {"git_blob": GIT_BLOB}])
def test_what_is_published_of_a_file_is_compared(fetch, known):
    assert fetch(**known) == CONTENT


@pytest.mark.parametrize("reaction", [[], ignore_if_range()])
def test_a_file_that_changed_meanwhile_is_not_mixed(server, fetch, reaction):
    server.misbehave("faces.zip", drop(1000), [change(OTHER), *([reaction] if reaction else [])])
    assert fetch() == OTHER
    assert server.requests[1].if_range == f'"{digest(CONTENT)[:16]}"'


def test_a_redirect_is_followed_and_gone_on_with(server, fetch):
    server.misbehave("old.zip", redirect("/faces.zip"), redirect("/faces.zip"))
    server.misbehave("faces.zip", drop(1000))
    assert fetch("old.zip") == CONTENT
    assert ranges(server) == AFTER_1000


def test_a_name_with_blanks_and_a_query_is_found(server, folder):
    (server.folder / "some faces.zip").write_bytes(CONTENT)
    url = server.url("some faces.zip") + "?export=download&confirm=t"
    assert download(registered(url), folder, policy=HASTY).read_bytes() == CONTENT
    assert server.requests[0].target.endswith("/some%20faces.zip?export=download&confirm=t")


def test_a_gz_that_the_server_labels_as_gzip_arrives_as_it_is(server, fetch):
    packed = gzip.compress(CONTENT)
    server.misbehave("faces.tar.gz", [document(packed, "x/y"), header("Content-Encoding", "gzip")])
    assert fetch("faces.tar.gz", name="faces.tar.gz") == packed


@pytest.mark.parametrize("content", [b"\x7b\x01\0\0\0\0\0\0{}", b"{odd}/name.jpg" + b"\0" * 100, b"1.jpg 0\n"])
def test_data_that_begins_like_a_page_is_taken(server, fetch, content):
    server.misbehave("faces.zip", document(content, "text/html"))
    assert fetch() == content


def test_proxies_of_the_environment_are_used(server, folder, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.address)
    monkeypatch.setenv("http_proxy", server.address)
    file = registered("http://images.invalid/faces.zip")
    assert download(file, folder, policy=HASTY).read_bytes() == CONTENT
    assert server.requests[0].target == "http://images.invalid/faces.zip"


def test_a_server_that_is_not_there_is_given_up_after_all_attempts(server, folder):
    nobody = Server(server.folder)  # holds its port, but nobody answers
    file = registered(nobody.url("faces.zip"))
    nobody._http.server_close()
    with pytest.raises(DataError, match=r"no answer \(.*refused\).* given up after 3 attempts"):
        download(file, folder, policy=HASTY)


@pytest.mark.parametrize("asked", ["1", "Fri, 31 Dec 2199 23:59:59 GMT"])
def test_retry_after_is_honoured_within_reason(server, fetch, asked):
    server.misbehave("faces.zip", status(429, retry_after=asked))
    started = time.monotonic()
    fetch(policy=RetryPolicy(timeout=5, longest_pause=0.5))
    assert 0.5 <= time.monotonic() - started < 5


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
    policy = RetryPolicy(timeout=5, attempts=len(drops) + 1, backoff=0)
    with Server(folder) as server:
        server.misbehave("faces.zip", *(ending(after) for ending, after in drops))
        file = registered(server.url("faces.zip"), sha256=digest(content) if published else None)
        assert download(file, folder / "raw", policy=policy).read_bytes() == content


# --- What no hash vouches for -----------------------------------------------------------------------------------------

SMALL = replace(HASTY, largest=len(CONTENT) - 1)
TOO_LARGE = "it has more than 102,403 bytes, and no hash is published that tells its end"


@pytest.mark.parametrize("faults", [[], [chunked()], [drop(60_000), chunked()]], ids=["announced", "endless", "broken"])
def test_a_download_ends_at_a_limit_if_no_hash_is_published(server, folder, fetch, faults):
    server.misbehave("faces.zip", *faults)
    with pytest.raises(DataError, match=f"faces.zip: {TOO_LARGE}"):
        fetch(policy=SMALL)
    assert names(folder) == set()
    assert fetch(policy=SMALL, **HASH) == CONTENT


def test_a_local_mirror_is_copied_up_to_the_limit_and_only_if_it_is_a_file(server, folder):
    os.mkfifo(server.folder / "fifo.zip")
    (server.folder / "empty.zip").touch()
    local = [(server.folder / name).as_uri() for name in ("fifo.zip", "empty.zip", ".", "faces.zip")]
    urls = ["file:///proc/self/environ", "file:///dev/zero", *local]
    with pytest.raises(DataError) as error:
        download(registered(*urls), folder, policy=SMALL)
    reasons = [*["there is no file with content that can be read"] * 5, TOO_LARGE]
    assert str(error.value).splitlines()[1:-1] == [f"  {u}: {reason}" for u, reason in zip(urls, reasons, strict=True)]
    assert download(registered(urls[-1], **HASH), folder, policy=SMALL).read_bytes() == CONTENT


def test_a_way_from_https_to_http_is_taken_only_with_a_hash(server, folder, monkeypatch):
    send = HTTPAdapter.send

    def answer(adapter, request, **options):
        if request.url.startswith("http:"):
            return send(adapter, request, **options)
        response = requests.Response()
        response.status_code, response.url, response.request, response.raw = 302, request.url, request, io.BytesIO()
        response.headers["Location"] = server.url("faces.zip")
        return response

    monkeypatch.setattr(HTTPAdapter, "send", answer)
    with pytest.raises(DataError, match="the server leads from https to http, and no hash is published"):
        download(registered("https://images.invalid/faces.zip"), folder, policy=HASTY)
    assert names(folder) == set()
    assert download(registered("https://images.invalid/faces.zip", **HASH), folder, policy=HASTY).exists()


@pytest.mark.parametrize(
    "faults",
    [
        [status(403)],
        [drop(10)] * 9,
        [redirect("ftp://me:S3cret@host/a?key=S3cret")],
        [redirect("http://me:S3cret@host:port/a?S3cret")],
        [redirect("/a?S3cret")] * 50,
        [page()],
    ],
    ids=["403", "broken", "elsewhere", "no address", "circles", "page"],
)
def test_no_message_has_the_password_or_the_query_of_an_address(server, folder, capfd, faults):
    server.misbehave("faces.zip", *faults)
    nobody = Server(server.folder)
    nobody._http.server_close()
    urls = [server.url("faces.zip"), nobody.url("a.zip")]
    secret = [url.replace("//", "//me:S3cret@") + "?token=S3cret" for url in urls]
    with pytest.raises(DataError) as error:
        download(registered(*secret), folder, policy=HASTY)
    for url, line in zip(urls, str(error.value).splitlines()[1:], strict=False):
        assert line.startswith(f"  {url}: ")
    assert "S3cret" not in str(error.value)
    assert "S3cret" not in "".join(capfd.readouterr())
    assert server.requests[0].headers["authorization"].startswith("Basic ")  # it was used


# --- A later call ---------------------------------------------------------------------------------------------------


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, fetch, capsys):
    leave_part(server, fetch, 51_202)
    capsys.readouterr()
    assert fetch() == CONTENT
    assert ranges(server)[-1] == "bytes=51202-"
    log = capsys.readouterr().err
    assert "faces.zip:  50%" in log
    assert "faces.zip: 100%" in log
    assert "102k/102k" in log


@pytest.mark.parametrize(
    ("damage", "asked"),
    [
        (lambda part: part.write_bytes(b"\0" * 3000), ["bytes=3000-", None]),
        (lambda part: part.write_bytes(CONTENT + b"more"), ["bytes=102408-", None]),
        (lambda part: part.with_name("faces.zip.part.json").write_text('{"url":'), [None]),
    ],
    ids=["other bytes", "too many bytes", "no note"],
)
def test_a_damaged_part_is_started_again(server, folder, fetch, damage, asked):
    leave_part(server, fetch, 3000, **HASH)
    damage(folder / "faces.zip.part")
    assert fetch(**HASH) == CONTENT
    assert ranges(server)[2:] == asked


def test_a_killed_download_loses_nothing(server, folder, fetch):
    server.misbehave("faces.zip", stall(50_000))
    code = (
        "import sys; from pathlib import Path; from spl.sources.download import *;"
        "download(RegisteredFile(name='faces.zip', mirrors=(sys.argv[1],)), Path(sys.argv[2]))"
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
    assert fetch() == CONTENT
    assert ranges(server) == [None, "bytes=50000-"]


def test_a_full_disk_is_an_oserror_and_the_part_stays(server, folder, fetch):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))  # to the writer it looks like a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (folder / "faces.zip.part").read_bytes() == CONTENT[:30_000]
    assert fetch() == CONTENT
    assert ranges(server) == [None, "bytes=30000-"]


def test_two_processes_download_a_file_once(server, fetch, capsys):
    server.misbehave("faces.zip", [drip(0.003), cut(500)])
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: fetch(policy=RetryPolicy(timeout=1, slowest=1)), range(2)))
    assert found == [CONTENT[:500]] * 2
    assert len(server.requests) == 1
    assert "another process is downloading it" in capsys.readouterr().err


# --- Several mirrors ------------------------------------------------------------------------------------------------


def test_one_error_lists_every_mirror_and_says_what_to_do(server, folder):
    server.misbehave("faces.zip", status(403))
    server.misbehave("copy.zip", drop(1000), *[status(503)] * 9)
    urls = [server.url("faces.zip"), server.url("copy.zip"), "file:///nowhere/faces.zip", "file://data/faces.zip"]
    with pytest.raises(DataError) as error:
        download(registered(*urls), folder, policy=HASTY)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{folder / 'faces.zip'} could not be downloaded:"
    assert lines[1] == f"  {urls[0]}: the server answered 403 Forbidden"
    assert lines[2].startswith(f"  {urls[1]}: the server answered 503 Service Unavailable")
    assert lines[3] == f"  {urls[2]}: there is no file with content that can be read"
    assert lines[4] == f"  {urls[3]}: expected file:///<absolute path>"
    assert lines[5].startswith("Try again later, or get the file by other means and place it at")
    assert f"The 1,000 bytes that came are kept in {folder / 'faces.zip.part'}" in lines[5]


def test_another_mirror_starts_again(server, fetch):
    (server.folder / "copy.zip").write_bytes(OTHER)
    server.misbehave("faces.zip", drop(1000), status(404))
    assert fetch("faces.zip", "copy.zip") == OTHER
    assert ranges(server, "copy.zip") == [None]


def test_a_part_is_kept_for_the_mirror_that_it_came_from(server, fetch):
    server.misbehave("faces.zip", drop(1000), status(404), status(404), status(404))
    server.misbehave("copy.zip", *[status(404)] * 2)
    for _ in range(2):
        with pytest.raises(DataError, match="The 1,000 bytes that came are kept"):
            fetch("copy.zip", "faces.zip")
    assert [request.path for request in server.requests[-2:]] == ["faces.zip", "copy.zip"]
    server.misbehave("faces.zip", [])
    assert fetch("copy.zip", "faces.zip") == CONTENT
    assert ranges(server)[-1] == "bytes=1000-"


def test_a_local_mirror_is_copied_and_makes_a_part_needless(server, folder):
    (server.folder / "mehr Köpfe 100%.zip").write_bytes(CONTENT)
    url = (server.folder / "mehr Köpfe 100%.zip").as_uri()
    server.misbehave("faces.zip", drop(1000), status(404))
    path = download(registered(server.url("faces.zip"), url, **HASH), folder, policy=HASTY)
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()
    assert names(folder) == {"faces.zip", "SHA256SUMS"}


def test_a_wrong_local_file_leaves_nothing(server, folder):
    with pytest.raises(DataError, match="expected md5"):
        download(registered((server.folder / "faces.zip").as_uri(), md5="0" * 32), folder, policy=HASTY)
    assert names(folder) == set()


# --- A file that is there -------------------------------------------------------------------------------------------


def place(folder: Path, content: bytes, name: str = "faces.zip") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_a_file_that_is_there_is_not_asked_for(server, folder, fetch):
    place(folder, CONTENT)
    assert fetch(**HASH) == CONTENT
    assert server.requests == []
    assert recorded(folder) == {"faces.zip": digest(CONTENT)}


@pytest.mark.parametrize(
    ("content", "known", "fault"),
    [
        (OTHER, HASH, f"expected sha256 {digest(CONTENT)}, got {digest(OTHER)}"),
        (CONTENT, {"md5": "0" * 32}, "expected md5 0000"),
        (CONTENT, {"git_blob": "0" * 40}, "expected git_blob 0000"),
        (b"\n <!doctype HTML><title>Sign in</title>", {}, "got a web page instead of the file: 'Sign in'"),
    ],
)
def test_a_wrong_file_is_an_error_and_stays(server, folder, fetch, content, known, fault):
    path = place(folder, content)
    with pytest.raises(DataError, match=rf"{path} is not the registered file: {fault}.*\n.*or remove it and run this"):
        fetch(**known)
    with pytest.raises(DataError, match=fault):
        verify(registered(**known), path)
    assert path.read_bytes() == content
    assert recorded(folder) == {}


def test_a_file_without_mirror_has_to_be_there(folder):
    with pytest.raises(DataError, match=f"^{folder / 'faces.zip'} is missing"):
        download(registered(), folder)
    assert not folder.exists()
    path = place(folder, CONTENT)
    assert download(registered(), folder) == path
    assert verify(registered(git_blob=GIT_BLOB), path) == digest(CONTENT)


def test_a_link_to_nowhere_is_missing_not_replaced(folder, fetch):
    folder.mkdir()
    (folder / "faces.zip").symlink_to(folder / "unmounted/faces.zip")
    with pytest.raises(DataError, match="faces.zip is missing"):
        fetch()
    assert (folder / "faces.zip").is_symlink()


# --- SHA256SUMS -----------------------------------------------------------------------------------------------------


def test_the_first_sight_of_an_unpublished_hash_counts_and_is_said(server, folder, fetch, capsys):
    fetch()
    said = f"no hash is published; from now on the file has to have SHA-256 {digest(CONTENT)}"
    assert said in capsys.readouterr().err
    fetch()
    assert said not in capsys.readouterr().err
    place(folder, OTHER)
    with pytest.raises(DataError, match=rf"expected sha256 {digest(CONTENT)} \(recorded in .*SHA256SUMS\)"):
        fetch()
    (folder / "faces.zip").unlink()
    (server.folder / "faces.zip").write_bytes(OTHER)
    with pytest.raises(DataError, match="recorded in"):
        fetch()


def test_a_published_hash_counts_more_than_a_recorded_one(folder, fetch, capsys):
    place(folder, f"{digest(OTHER)}  faces.zip\n".encode(), "SHA256SUMS")
    fetch(sha256=digest(CONTENT)[:8])
    assert recorded(folder) == {"faces.zip": digest(CONTENT)}
    assert "no hash is published" not in capsys.readouterr().err


def test_sha256sum_understands_the_list_and_other_entries_stay(folder, fetch):
    place(folder, OTHER, "b zebra.zip")
    place(folder, f"{digest(OTHER).upper()} *b zebra.zip\n".encode(), "SHA256SUMS")
    for name in ("c.zip", "a.zip"):
        fetch(name=name)
    check = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    assert check.stdout == "a.zip: OK\nb zebra.zip: OK\nc.zip: OK\n"


def test_a_line_that_is_none_is_named(folder):
    place(folder, f"{digest(OTHER)}  faces.zip\nfaces.zip: OK\n".encode(), "SHA256SUMS")
    with pytest.raises(DataError, match="SHA256SUMS, line 2: expected '<sha256>  <name>'.*got 'faces.zip: OK'"):
        recorded(folder)


def test_many_files_at_once_are_all_recorded(folder, fetch):
    files = {f"{i}.zip" for i in range(12)}
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: fetch(name=name, policy=RetryPolicy(timeout=10)), files))
    assert set(recorded(folder)) == files
