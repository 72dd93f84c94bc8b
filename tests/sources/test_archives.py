"""Archives are read where they lie; unsafe, damaged and absurd ones are refused, and nothing is left behind."""

import errno
import io
import os
import socket
import stat
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spl.common.errors import DataError
from spl.sources import archives
from spl.sources.raw_files import Place, RawFiles, read_place, translate_glob

CONTENT = {"a/1.jpg": b"one", "a/2.jpg": b"two" * 1000, "list.txt": b"1.jpg 0\n"}
FORMATS = ["x.tar", "x.tar.gz", "x.tgz", "x.tar.xz", "x.zip", "stored.zip"]


def write_archive(path, content=CONTENT, *, folders=True):
    """Write an archive of the format that the name says."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".zip":
        method = zipfile.ZIP_STORED if path.name.startswith("stored") else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as archive:
            if folders:
                archive.writestr("a/", b"")
            for name, data in content.items():
                archive.writestr(name, data)
        return path
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as archive:
        if folders:
            folder = tarfile.TarInfo("a")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
        for name, data in content.items():
            add(archive, name, data)
    return path


def add(archive, name, data=b"x", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))


def contents(root, names=()):
    files = RawFiles(root, names)
    return {path: read_place(root, files[path]) for path in files}


@pytest.mark.parametrize("name", FORMATS)
def test_members_of_every_format_are_read_by_name(tmp_path, name):
    write_archive(tmp_path / name)
    assert contents(tmp_path) == CONTENT
    plain = {f"{name}.unpacked.tar"} if "z" in name and "zip" not in name else set()  # the rest is read in place
    assert {path.name for path in tmp_path.iterdir()} == {name} | plain


def test_a_compressed_tar_is_decompressed_once_and_again_if_it_was_replaced(tmp_path):
    archive, plain = write_archive(tmp_path / "x.tar.gz"), tmp_path / "x.tar.gz.unpacked.tar"
    contents(tmp_path)
    first = plain.stat().st_ino
    assert contents(tmp_path) == CONTENT
    assert plain.stat().st_ino == first
    write_archive(archive, {"a/1.jpg": b"another"})
    assert contents(tmp_path) == {"a/1.jpg": b"another"}


NAMES = st.from_regex(r"[a-z]{1,9}(/[a-zà-ü ]{1,120}){0,2}\.jpg", fullmatch=True)


@given(content=st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=6))
@pytest.mark.parametrize("name", ["x.tar", "x.zip", "stored.zip"])
def test_any_names_and_contents_come_back_as_the_library_reads_them(tmp_path_factory, name, content):
    folder = tmp_path_factory.mktemp("archive")
    path = write_archive(folder / name, content, folders=False)
    assert contents(folder) == content
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            assert {entry: archive.read(entry) for entry in archive.namelist()} == content


@pytest.mark.parametrize(
    ("form", "name"),
    [("x.tar", "x.tar.gz"), ("x.zip", "x.tar"), ("x.tar.gz", "x.tar"), ("x.tar.xz", "x.zip"), ("x.tar", "x.zip")],
)
def test_an_archive_is_what_its_content_says(tmp_path, form, name):
    write_archive(tmp_path / form).rename(tmp_path / name)
    assert contents(tmp_path) == CONTENT


@pytest.mark.parametrize("name", ["PK.jpg", "BZh9.jpg"])
def test_a_tar_may_begin_with_the_letters_of_another_format(tmp_path, name):
    write_archive(tmp_path / "x.tar", {name: b"x"}, folders=False)
    assert contents(tmp_path) == {name: b"x"}


APART = unicodedata.normalize("NFD", "café.jpg")


@pytest.mark.parametrize("form", ["x.tar", "x.zip"])
@pytest.mark.parametrize(
    ("stored", "path"), [("pics\\a.jpg", "pics/a.jpg"), ("./a//b.jpg", "a/b.jpg"), (APART, "café.jpg")]
)
def test_names_of_other_systems_are_read_in_one_way(tmp_path, form, stored, path):
    write_archive(tmp_path / form, {"empty\\": b"", stored: b"x"}, folders=False)
    assert contents(tmp_path) == {path: b"x"}


@pytest.mark.parametrize(("stored", "path"), [("é".encode(), "é.jpg"), (b"\x82\xa0", "éá.jpg")])
def test_a_zip_without_the_flag_for_utf_8_may_have_such_names(tmp_path, stored, path):
    archive = write_archive(tmp_path / "x.zip", {"~~.jpg": b"x"}, folders=False)
    archive.write_bytes(archive.read_bytes().replace(b"~~", stored))
    assert contents(tmp_path) == {path: b"x"}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_with_any_kind_of_headers_is_listed(tmp_path, form):
    long = f"{'b' * 50}/{'x' * 90}.jpg"
    with tarfile.open(tmp_path / "x.tar", "w", format=form) as archive:
        add(archive, "./ä.jpg", b"abc")
        add(archive, long, b"long")
    assert contents(tmp_path) == {"ä.jpg": b"abc", long: b"long"}


# --- Archives that are rejected ---------------------------------------------------------------------------------------


def refused(path, match):
    with pytest.raises(DataError, match=match):
        RawFiles(path.parent)
    left = {path.name, f"{path.name}.unpacked.tar"}
    assert {file.name for file in path.parent.iterdir()} <= left, "something is left behind"
    assert not list(path.parent.parent.glob("evil*"))


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "/evil.jpg",
        "a/../../evil.jpg",
        "C:/evil.jpg",
        "a\\..\\evil.jpg",
        "..\\evil.jpg",
        "\\evil.jpg",
        ".a/../../evil.jpg",
    ],
)
@pytest.mark.parametrize("form", ["x.tar", "x.tar.gz", "x.zip"])
def test_names_that_leave_the_folder_are_refused(tmp_path, form, name):
    (tmp_path / "in").mkdir()
    refused(write_archive(tmp_path / "in" / form, {name: b"x"}, folders=False), "leaves the archive's folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("form", ["x.tar", "x.tar.gz"])
def test_links_and_devices_are_refused(tmp_path, form, kind):
    with tarfile.open(tmp_path / form, "w:gz" if form.endswith("gz") else "w") as archive:
        add(archive, "a.jpg", b"", type=kind, linkname="/etc/passwd")
    refused(tmp_path / form, r"a\.jpg is a link or a device")


def test_links_in_a_zip_are_refused(tmp_path):
    entry = zipfile.ZipInfo("a.jpg")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    refused(tmp_path / "x.zip", r"a\.jpg is a link")


@pytest.mark.parametrize("form", ["x.zip", "x.tar.gz"])
def test_absurd_expansion_is_refused(tmp_path, monkeypatch, form):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1 << 10)
    refused(write_archive(tmp_path / form, {"a.bmp": bytes(5 << 20)}), "would expand to more than")
    assert not (tmp_path / "x.tar.gz.unpacked.tar").exists()


def test_a_member_that_holds_more_than_it_says_is_refused(tmp_path):
    path = write_archive(tmp_path / "x.zip", {"a.jpg": b"a" * 5000})
    damaged = path.read_bytes().replace((5000).to_bytes(4, "little"), (4000).to_bytes(4, "little"))
    path.write_bytes(damaged)
    files = RawFiles(tmp_path)
    with pytest.raises(DataError, match="was replaced since it was listed"):
        read_place(tmp_path, files["a.jpg"])


def test_overlapping_members_are_refused(tmp_path):
    path = write_archive(tmp_path / "x.zip", {"a.jpg": b"a" * 500, "b.jpg": b"b" * 500}, folders=False)
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\1\2")
    content[second + 42 : second + 46] = (0).to_bytes(4, "little")  # both entries point to the first member
    path.write_bytes(content)
    refused(path, "members overlap")


@pytest.mark.parametrize("form", ["x.tar", "x.zip", "x.tar.gz", "x.tar.xz"])
@pytest.mark.parametrize("damaged", [None, b"", b"no archive", b"<html>quota"])
def test_a_damaged_archive_is_named(tmp_path, form, damaged):
    path = write_archive(tmp_path / form, {f"{i}.jpg": bytes([i]) * 3000 for i in range(9)})
    content = path.read_bytes()
    # Half of the second member, so that also a .tar, which has no index at its end, shows the cut.
    path.write_bytes(content[: 5000 if form == "x.tar" else len(content) // 2] if damaged is None else damaged)
    refused(path, r"is damaged or no archive")


def test_a_name_that_is_there_twice_is_named(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add(archive, "a.jpg")
        add(archive, "./a.jpg")
    refused(tmp_path / "x.tar", r"a\.jpg is there twice in x\.tar")
    write_archive(tmp_path / "x.tar")
    write_archive(tmp_path / "y.tar")
    with pytest.raises(DataError, match=r"a/1\.jpg is there in x\.tar and in y\.tar"):
        RawFiles(tmp_path)


@pytest.mark.parametrize(
    "hidden", [".b.jpg", "a/._b.jpg", "__MACOSX/b.jpg", "a/@eaDir/b.jpg/THUMB.jpg", "#recycle/b.jpg", ".a/b.jpg"]
)
def test_hidden_files_and_service_folders_are_left_out(tmp_path, hidden):
    write_archive(tmp_path / "packed/x.zip", {"a/1.jpg": b"1", hidden: b"2"})
    for name in ("a/1.jpg", hidden):
        (tmp_path / "plain" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "plain" / name).touch()
    assert set(contents(tmp_path / "packed")) == set(contents(tmp_path / "plain")) == {"a/1.jpg"}


def test_where_nothing_may_be_written_a_link_elsewhere_to_a_compressed_tar_is_read(tmp_path, monkeypatch):
    theirs, mine = write_archive(tmp_path / "theirs/x.tar.gz"), tmp_path / "mine"

    def atomic(path, of=archives.atomic):
        if path.parent == theirs.parent:
            raise OSError(errno.EROFS, "Read-only file system")
        return of(path)

    monkeypatch.setattr(archives, "atomic", atomic)
    refused(theirs, f"a folder of your own that holds a link to it: ln -s {theirs} <folder>/")
    mine.mkdir()
    (mine / "x.tar.gz").symlink_to(theirs)
    assert contents(mine) == CONTENT


# --- Folders ----------------------------------------------------------------------------------------------------------


def test_unpacked_images_win_over_the_archive_they_came_from(tmp_path):
    write_archive(tmp_path / "x.tar")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").write_bytes(b"unpacked")
    assert contents(tmp_path)["a/1.jpg"] == b"unpacked"
    assert contents(tmp_path, ["x.tar"]) == CONTENT  # unless the registry names the archive


def test_links_to_files_and_folders_are_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/1.jpg").write_bytes(b"x")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/2.jpg").symlink_to(tmp_path / "elsewhere/1.jpg")
    assert contents(tmp_path / "set") == {"folder/1.jpg": b"x", "2.jpg": b"x"}


@pytest.mark.parametrize(
    ("link", "target", "fault"),
    [
        ("loop", ".", "loop is a link that leads back to a folder above it"),
        ("a.jpg", "a.jpg", r"a\.jpg cannot be read: Too many levels of symbolic links"),
        ("a.jpg", "gone.jpg", r"a\.jpg cannot be read: No such file"),
    ],
)
def test_a_link_that_leads_back_or_nowhere_is_an_error(tmp_path, link, target, fault):
    (tmp_path / link).symlink_to(tmp_path / target)
    with pytest.raises(DataError, match=fault):
        RawFiles(tmp_path)


NOT_UTF_8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("path", [f"{NOT_UTF_8}.jpg", f"{NOT_UTF_8}/a.jpg", f"{NOT_UTF_8}.zip", "x.tar"])
def test_a_name_that_is_not_utf_8_is_shown(tmp_path, path):
    if path == "x.tar":
        write_archive(tmp_path / path, {f"{NOT_UTF_8}.jpg": b""})
    else:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    with pytest.raises(DataError, match=r"the name b'caf\\xe9[./\w]+' is not UTF-8\. Rename it: convmv"):
        RawFiles(tmp_path)


@pytest.mark.parametrize("name", ["a.jpg", "a.tar", "notes"])
@pytest.mark.parametrize("make", [
    os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
])  # fmt: skip
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path, monkeypatch, name, make):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    make(Path(name))
    with pytest.raises(DataError, match=f"{name} is a pipe, a socket or a device"):
        RawFiles(tmp_path)


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError):
        RawFiles(tmp_path / "none")


def test_a_file_that_changed_since_it_was_listed_is_refused(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"123")
    place = RawFiles(tmp_path)["a.jpg"]
    assert place == Place("a.jpg", 0, 3, 0)
    path.write_bytes(b"1234")
    with pytest.raises(DataError, match="was replaced since it was listed"):
        read_place(tmp_path, place)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_place(tmp_path, place)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("*.png", "a.png", True), ("*.png", "x/a.png", False), ("**/*.png", "a.png", True),
        ("**/*.png", "x/y/a.png", True), ("**/masks/*.png", "masks/a.png", True),
        ("*/masks/*.png", "masks/a.png", False),
        ("x/**", "x/y/a.png", True), ("a?.png", "ab.png", True), ("a?.png", "a/.png", False),
        ("[ab].png", "b.png", True),
        ("[!ab].png", "b.png", False), ("[0-9].png", "5.png", True), ("a+(b).png", "a+(b).png", True),
        ("*.png", "a.PNG", True), ("X/[a-c].PNG", "x/B.png", True), ("./x\\*.png", "x/a.png", True),
    ],
)  # fmt: skip
def test_globs_stay_within_a_folder_but_for_two_stars(glob, path, matches):
    assert bool(translate_glob(glob).fullmatch(path)) == matches
