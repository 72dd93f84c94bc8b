"""Released networks for anybody's images: nothing is fetched unasked, half-written, or other than is registered."""

import os
import signal
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import numpy as np
import pytest
import torch
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import sha256
from spl.config.methods import LaMaModel, Network
from spl.config.registry import load_registry
from spl.filling import pretrained
from spl.filling.inpainter import inpaint, load_inpainter
from spl.filling.networks import load_run
from spl.filling.pretrained import PRETRAINED, Pretrained, find_pretrained
from spl.models.build import as_inpainter
from spl.models.lama import build_lama
from spl.models.migan import build_migan
from spl.released import convert
from spl.released.layouts.lama import LAMA_RULES
from tests.released.fabricate import IMAGE_SIZE, MODELS, in_their_keys, migan_file, release, save_lightning, small
from tests.server import Server, drop, status

FILE = "rn.zip"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of the network `small` in an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/spl/small"


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return small("rn", tmp_path_factory.mktemp("params"))


@pytest.fixture
def server(tmp_path, generator):
    """A server that has a small RN as its authors saved it, packed with what does not matter."""
    folder = tmp_path / "served"
    path = release("rn", generator, folder)
    with zipfile.ZipFile(folder / FILE, "w") as archive:
        archive.write(path, f"models/{path.name}")
        archive.writestr("models/config.yaml", "a: 1")
        archive.writestr("__MACOSX/models/._weights.pth", "a")
    path.unlink()
    with Server(folder) as server:
        yield server


@pytest.fixture
def register(server, home, monkeypatch):
    """A function that makes `small` the name of that network, in a registry with this hash and these addresses."""

    def register(hash_=None, mirrors=(FILE,)):
        real = load_registry()["big_lama"]
        known = real.files[0].model_copy(
            update={
                "name": FILE,
                "mirrors": tuple(map(server.url, mirrors)),
                "sha256": hash_ or sha256(server.folder / FILE),
            }
        )
        by_hand = f"Open https://example.org and place {FILE} in {real.folder}."
        entry = real.model_copy(update={"title": "A small RN", "files": (known,), "by_hand": by_hand})
        monkeypatch.setattr(pretrained, "load_registry", lambda: {"small_rn": entry})
        network = Network(recipe="rn", model=MODELS["rn"])
        monkeypatch.setitem(PRETRAINED, "small", Pretrained("small_rn", FILE, network, IMAGE_SIZE))

    register()
    return register


def write_images(folder, size):
    """Write an image and its mask; return the options that name them, and what to write."""
    rng, mask = np.random.default_rng(1), np.zeros((size, size), np.uint8)
    mask[20:40, 30:50] = 255
    Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)).save(folder / "image.png")
    Image.fromarray(mask).save(folder / "mask.png")
    return [f"--{name}={folder / name}.png" for name in ("image", "mask", "out")]


@pytest.fixture
def files(tmp_path):
    """Such options for an image of the small network's size."""
    return write_images(tmp_path, IMAGE_SIZE)


def read(tmp_path, name):
    return np.asarray(Image.open(tmp_path / f"{name}.png"))


def own_fill(generator, image, hole):
    """What a network itself puts in place of an image, in 8 bits."""
    tensors = torch.tensor(image).permute(2, 0, 1)[None] / 255, torch.tensor(hole)[None, None].float()
    with torch.no_grad():
        output = as_inpainter(generator.eval())(*tensors)
    return (output.clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy().astype(np.uint8)


def contents(home):
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())


# --- From a name to a filled image ------------------------------------------------------------------------------------

WHOLE = ["SHA256SUMS", FILE, "run/run.json", "run/weights.safetensors"]


def test_a_name_is_all_it_takes(spl, register, server, home, generator, files, tmp_path):
    ended = spl("inpaint", *files, "--model", "small", "--fetch")
    assert ended.status == 0, ended.err
    for told in ("A small RN", server.url(FILE), "380 MB", "Licence: Apache-2.0", "by its authors on photographs"):
        assert told in ended.err
    image, out, hole = read(tmp_path, "image"), read(tmp_path, "out"), read(tmp_path, "mask") > 0
    assert np.array_equal(out[~hole], image[~hole])
    difference = out[hole].astype(int) - own_fill(generator, image, hole)[hole]
    assert np.abs(difference).max() <= 1
    assert contents(home) == WHOLE

    (tmp_path / "out.png").unlink()
    again = spl("inpaint", *files, "--model", "small")
    assert again.status == 0
    assert "Licence" not in again.err
    assert "converting" not in again.err
    assert np.array_equal(read(tmp_path, "out"), out)
    assert len(server.asked(FILE)) == 1
    assert np.array_equal(inpaint(image, hole, method="small"), out)


def test_a_file_that_somebody_has_placed_needs_no_server(register, server, home):
    register(mirrors=())
    home.mkdir(parents=True)
    (server.folder / FILE).rename(home / FILE)
    assert load_run(find_pretrained("small"), torch.device("cpu"))[1] == IMAGE_SIZE
    assert not server.requests


def shrunken(name, folder):
    """A network of the table, of small or smaller size, with what its authors' page would have: its file."""
    if name == "migan":
        generator, known = build_migan(size=256), PRETRAINED[name]._replace(file="migan_256_places2.pt", size=256)
        torch.save(migan_file(generator), folder / known.file)
        return generator, known
    network = Network(recipe="lama", model=LaMaModel(blocks=9))
    generator, known = build_lama(blocks=9), PRETRAINED[name]._replace(network=network, size=IMAGE_SIZE)
    generator.layers[-2].weight.data *= 100  # a fresh network is grey
    state = {f"generator.{key}": tensor for key, tensor in in_their_keys(generator, LAMA_RULES).items()}
    path = save_lightning(state | {"val_evaluator.scores.fid.a": torch.zeros(1)}, folder / "best.ckpt")
    with zipfile.ZipFile(folder / known.file, "w") as archive:
        archive.writestr("big-lama/config.yaml", "a: 1")
        archive.write(path, "big-lama/models/best.ckpt")
    path.unlink()
    return generator, known


@pytest.mark.parametrize("name", ["big-lama", "migan"])
def test_a_released_file_fills_as_its_network_does(spl, home, tmp_path, monkeypatch, name):
    (served := tmp_path / "served").mkdir()
    torch.manual_seed(1)
    generator, known = shrunken(name, served)
    registry = load_registry()
    with Server(served) as server:
        (file,) = (file for file in registry[known.source].files if file.name == known.file)
        here = {"sha256": sha256(served / known.file), "mirrors": (server.url(known.file),) if file.mirrors else ()}
        entry = registry[known.source].model_copy(update={"files": (file.model_copy(update=here),)})
        monkeypatch.setattr(pretrained, "load_registry", lambda: {known.source: entry})
        monkeypatch.setitem(PRETRAINED, name, known)
        if not file.mirrors:
            folder = home.with_name(name)
            folder.mkdir(parents=True)
            (served / known.file).rename(folder / known.file)
        ended = spl("inpaint", *write_images(tmp_path, known.size), "--model", name, "--fetch")
    assert ended.status == 0, ended.err
    (home.with_name(name) / known.file).unlink()
    assert find_pretrained(name)  # needs that file no more
    image, out, hole = read(tmp_path, "image"), read(tmp_path, "out"), read(tmp_path, "mask") > 0
    assert np.array_equal(out[~hole], image[~hole])
    own = own_fill(generator, image, hole)[hole]
    assert np.abs(out[hole].astype(int) - own).max() <= 1
    assert own.std() > 1


# --- Consent ----------------------------------------------------------------------------------------------------------


class Terminal(StringIO):
    """What a person types."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "fetched"), [("y\n", 1), ("Yes\n", 1), ("n\n", 0), ("\n", 0), ("", 0)])
def test_a_person_at_a_terminal_is_asked(spl, register, server, files, monkeypatch, answer, fetched):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    ended = spl("inpaint", *files, "--model", "small")
    told, _, rest = ended.err.partition("Fetch it? [y/N] ")
    assert server.url(FILE) in told
    assert ("was not fetched" in rest) == (not fetched)
    assert ended.status == 1 - fetched
    assert not ended.out  # which may be the image
    assert len(server.requests) == fetched


def test_where_nobody_can_be_asked_nothing_is_fetched(spl, register, server, home, files):
    ended = spl("inpaint", *files, "--model", "small")
    assert ended.status == 1
    assert f"{home / FILE} is missing, and was not fetched. To fetch it: --fetch, or fetch=True in Python." in ended.err
    assert f"place {FILE} in {home}." in ended.err
    with pytest.raises(DataError, match="was not fetched"):
        load_inpainter("small")
    assert not server.requests


# --- What cannot be fetched -------------------------------------------------------------------------------------------


def test_another_file_than_the_registered_one_is_never_used(register, server, home):
    register(hash_="0" * 64)
    with pytest.raises(DataError, match=r"expected sha256 0000.*(.|\n)*place it at .*small/rn\.zip"):
        find_pretrained("small", fetch=True)
    assert contents(home) == []
    (home / FILE).write_bytes((server.folder / FILE).read_bytes())
    with pytest.raises(DataError, match=r"rn\.zip is not the registered file: expected sha256 0000"):
        find_pretrained("small", fetch=True)
    assert contents(home) == [FILE]


def test_offline_a_message_says_which_file_to_place_where(register, server, home):
    server.misbehave(FILE, status(404))
    told = rf"could not be downloaded:\n.*404.*\n.*place it at {home / FILE}\.\nA small RN: Open https.* in {home}\.$"
    with pytest.raises(DataError, match=told):
        find_pretrained("small", fetch=True)


def test_what_only_a_person_can_get_is_not_asked_for(home):
    """MI-GAN, of the real registry."""
    folder = home.with_name("migan")
    told = rf"{folder}/migan_512_places2\.pt is missing .*\nMI-GAN.*https://drive\.google\.com.*in {folder}\."
    with pytest.raises(DataError, match=told):
        find_pretrained("migan", fetch=lambda: pytest.fail("asked"))


# --- Killed, and two at once ------------------------------------------------------------------------------------------


def in_a_child(work):
    """Do some work in a process of its own; return the signal that has ended it, or 0."""
    if not (child := os.fork()):
        try:
            work()
        finally:
            os._exit(3)
    return os.waitpid(child, 0)[1]


def test_a_run_that_was_killed_while_it_was_written_is_not_taken_for_one(register, home, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(convert, "write_record", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        assert in_a_child(lambda: find_pretrained("small", fetch=True)) == signal.SIGKILL
    left = contents(home)
    assert [name for name in left if name.endswith("weights.safetensors")] == [".run.partial/weights.safetensors"]
    load_run(find_pretrained("small"), torch.device("cpu"))
    assert contents(home) == WHOLE


def test_a_download_that_was_interrupted_goes_on(register, server, home):
    size = (server.folder / FILE).stat().st_size
    server.misbehave(FILE, drop(size // 2), status(404))
    with pytest.raises(DataError, match="goes on from there"):
        find_pretrained("small", fetch=True)
    assert contents(home) == [f"{FILE}.part", f"{FILE}.part.json"]
    find_pretrained("small", fetch=True)
    assert server.requests[-1].range == f"bytes={size // 2}-"
    assert contents(home) == WHOLE


def test_two_at_once_fetch_and_convert_once(register, server, home, monkeypatch, capsys):
    converted, real = [], convert.convert_released
    monkeypatch.setattr(convert, "convert_released", lambda *given: converted.append(given) or real(*given))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: find_pretrained("small", fetch=True), range(3)))
    assert found == [home / "run"] * 3
    assert len(server.requests) == len(converted) == 1
    assert contents(home) == WHOLE


@pytest.mark.parametrize("damage", ["weights.safetensors", "run.json"])
def test_a_damaged_run_is_converted_again(register, home, damage):
    folder = find_pretrained("small", fetch=True)
    whole = (folder / damage).read_bytes()
    (folder / damage).write_bytes(whole[:-100])
    find_pretrained("small")
    assert load_run(folder, torch.device("cpu"))[1] == IMAGE_SIZE
