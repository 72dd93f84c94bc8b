"""Exported networks fill as torch does, or there is no file."""

import re
import sys
from contextlib import suppress

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from spl.common.errors import DataError
from spl.common.files import sha256
from spl.filling import export_onnx as exporting
from spl.filling.export_onnx import export_onnx
from spl.filling.files import fill_image
from spl.filling.inpainter import load_inpainter
from spl.filling.onnx import load_exported
from spl.models.rfr import PartialConv2d
from spl.released.convert import convert_released
from tests.conftest import REPOSITORY
from tests.corpus import BILEVEL, ERASED, MASK, PHOTOGRAPH, REFUSED, USED, write_file
from tests.filling.fabricate import GREY, write_grey, write_run
from tests.released.fabricate import MODELS, release, run_of, small

PAPER = MODELS["spl"] | {"semantic_learner": "residual", "fusion": "gamma"}


def released_rn(folder):
    """A run as `spl weights convert` makes it."""
    folder.mkdir()
    source = release("rn", small("rn", folder), folder / "released")
    convert_released(run_of("rn", source, folder), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function that returns the run of a network, and the file that it was exported to, once."""
    folder, done = tmp_path_factory.mktemp("exported"), {}

    def export(name):
        if name not in done:
            make = {
                "spl": lambda: write_run(folder / "spl", "spl", PAPER, size=32),
                "rn": lambda: released_rn(folder / "rn"),
                "migan": lambda: write_run(folder / "migan", "migan", {}, size=16),
            }
            done[name] = make[name](), folder / f"{name}.onnx"
            export_onnx(*done[name])
        return done[name]

    return export


# --- Parity with torch ------------------------------------------------------------------------------------------------

NETWORKS = ["spl", "rn", "migan"]
FILES = [*USED, BILEVEL, ERASED, *REFUSED]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_fills_every_image_as_torch_does(exported, name, tmp_path):
    MASK.save(tmp_path / "mask.png")
    hole = np.asarray(MASK) > 0
    inpainters, received = [load_inpainter(source) for source in exported(name)], []
    for number, file in enumerate(FILES):
        image, found = write_file(file, PHOTOGRAPH, tmp_path / f"{number}"), []
        for way, inpainter in enumerate(inpainters):
            out = tmp_path / f"{number}/filled{way}.png"
            try:
                fill_image(inpainter, image, tmp_path / "mask.png", out, hole="white")
                found.append(np.asarray(Image.open(out)).astype(int))
            except DataError as error:
                found.append(str(error))
        received.append([isinstance(one, str) for one in found])
        if isinstance(found[0], str):
            assert found[0] == found[1]
        else:
            scale = 257 if found[0].max() > 255 else 1
            assert np.array_equal(found[0][~hole], found[1][~hole])
            assert np.abs(found[0] - found[1]).max() <= scale, file.name
            assert found[1][hole].std() > 1
    refused = len(REFUSED)
    assert received == [[False, False]] * (len(FILES) - refused) + [[True, True]] * refused


def test_a_network_without_bounds_on_its_size_takes_any_batch_and_size(exported):
    for name, shapes in {"spl": [(1, 32, 32), (2, 16, 40)], "rn": [(1, 16, 40)], "migan": [(2, 16, 16)]}.items():
        session = onnxruntime.InferenceSession(exported(name)[1])
        for shape in shapes:
            image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
            (filled,) = session.run(None, {"image": image, "mask": np.zeros(shape, np.uint8)})
            assert np.array_equal(filled, image)
    with pytest.raises(Exception, match="Got: 2 Expected: 1"):  # RN pools its statistics over a batch
        both = {"image": np.zeros((2, 16, 16, 3), np.uint8), "mask": np.zeros((2, 16, 16), np.uint8)}
        onnxruntime.InferenceSession(exported("rn")[1]).run(None, both)


def test_a_file_says_what_it_is_and_whose(exported):
    run, file = exported("rn")
    facts = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert facts == {
        "spl.format": "1", "spl.version": "0.1.0", "spl.recipe": "rn", "spl.image_size": "64",
        "spl.dataset": "paris", "spl.method": "rn", "spl.seed": "1", "spl.mask": "not 0 = hole",
        "spl.weights_sha256": sha256(run / "weights.safetensors"),
        "spl.source": "RN, released weights of Places2", "spl.licence": "MIT (of the repository that has them)",
    }  # fmt: skip
    facts = {entry.key: entry.value for entry in onnx.load(exported("spl")[1]).metadata_props}
    assert facts["spl.source"] == "trained by spl on paris"
    assert "spl.licence" not in facts


def test_the_page_shows_how_another_program_fills(exported, tmp_path, monkeypatch):
    page = (REPOSITORY / "docs/inpaint.md").read_text()
    (code,) = re.findall(r"^```python\n(import numpy.*?onnxruntime.*?)^```", page, re.M | re.S)
    (tmp_path / "spl.onnx").write_bytes(exported("spl")[1].read_bytes())
    image, mask = (given.resize((32, 32)) for given in (PHOTOGRAPH, MASK))
    image.save(tmp_path / "image.png")
    mask.save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/inpaint.md", "exec"), {})
    filled, before, hole = np.asarray(Image.open("filled.png")), np.asarray(image), np.asarray(mask) > 0
    assert np.array_equal(filled[~hole], before[~hole])
    assert (filled[hole] != before[hole]).mean() > 0.9


# --- The other networks -----------------------------------------------------------------------------------------------


def test_mfe_is_exported(tmp_path):
    export_onnx(write_run(tmp_path, "mfe", MODELS["mfe"], size=16), tmp_path / "mfe.onnx")
    assert load_exported(tmp_path / "mfe.onnx")[1] == 16


class Rim(nn.Module):
    """The layer of RFR that is hard to translate: sums of windows, some of which have nothing known."""

    def __init__(self):
        super().__init__()
        self.conv = PartialConv2d(3, 3, 3)

    def forward(self, image, mask):
        return self.conv(image * (1 - mask), 3 * (1 - mask))[0].abs()


@pytest.mark.parametrize("own", [True, False])
def test_what_does_not_fill_as_torch_does_leaves_no_file(tmp_path, monkeypatch, own):
    """With torch's own translation of RFR's pooling, which forgets the divisor."""
    folder = write_run(tmp_path / "run", "rfr", MODELS["rfr"], size=64, generator=Rim())
    monkeypatch.setattr(exporting, "load_generator", lambda *_, **__: Rim())
    if own:
        export_onnx(folder, tmp_path / "rim.onnx")
        return
    monkeypatch.setattr(exporting, "TRANSLATIONS", {})
    with pytest.raises(DataError, match=r"not exported: onnxruntime's fill of .* is \d+ levels from torch's"):
        export_onnx(folder, tmp_path / "rim.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


class Rounded(Rim):
    """A network whose values torch rounds to the wrong side in single precision."""

    def forward(self, image, mask):
        off = image.dtype == torch.float32 and not torch.compiler.is_exporting()
        return super().forward(image, mask) / 2 + 0.2 * off


def test_where_roundings_decide_double_precision_counts(tmp_path, monkeypatch):
    folder = write_run(tmp_path / "run", "rfr", MODELS["rfr"], size=64, generator=Rounded())
    monkeypatch.setattr(exporting, "load_generator", lambda *_, **__: Rounded())
    monkeypatch.setattr(nn.Module, "double", lambda self: self)
    with pytest.raises(DataError, match="not exported"):
        export_onnx(folder, tmp_path / "rounded.onnx")
    monkeypatch.undo()
    monkeypatch.setattr(exporting, "load_generator", lambda *_, **__: Rounded())
    export_onnx(folder, tmp_path / "rounded.onnx")


def test_edgeconnect_is_refused_with_the_reason(spl, tmp_path):
    folder = write_run(tmp_path, "ec", MODELS["ec"], size=32)
    ended = spl("export", "onnx", "--weights", folder, "--out", tmp_path / "ec.onnx")
    assert ended.status == 1
    assert "cannot be exported: EdgeConnect looks for edges by scikit-image's Canny" in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "ec.onnx").exists()


class Outside(Rim):
    """A network that leaves torch."""

    def forward(self, image, mask):
        return image * float(image.mean().numpy())


def test_what_torch_cannot_translate_is_refused_in_one_line(tmp_path, monkeypatch):
    folder = write_run(tmp_path / "run", "rfr", MODELS["rfr"], size=64, generator=Rim())
    monkeypatch.setattr(exporting, "load_generator", lambda *_, **__: Outside())
    with pytest.raises(DataError, match=r"run cannot be exported: torch translates no such network \(\w+: .+\)$"):
        export_onnx(folder, tmp_path / "rim.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "options", [(), ("--model", "big"), ("--model", "migan", "--weights", "run"), ("--weights", "run", "--out", "a.pt")]
)
def test_one_network_and_an_onnx_file_are_named(spl, options):
    ended = spl("export", "onnx", "--out", "out.onnx", *options)
    assert ended.status == 2
    assert "expected one of --weights FOLDER, --model big-lama, migan, miniature[:DATASET/METHOD]" in ended.err


# --- Files that are none ----------------------------------------------------------------------------------------------

OURS = {"spl.format": "1", "spl.image_size": "32"}


def test_a_file_is_filled_by_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    hole = np.asarray(MASK) > 0
    filled = np.asarray(load_inpainter(write_grey(tmp_path / "grey.onnx", **OURS))(PHOTOGRAPH, hole))
    assert np.array_equal(filled[~hole], np.asarray(PHOTOGRAPH)[~hole])
    assert np.median(filled[hole]) == GREY


def other_program(path):
    write_grey(path)


def other_format(path):
    write_grey(path, **OURS | {"spl.format": "2"})


def damaged(path):
    write_grey(path, **OURS)
    path.write_bytes(path.read_bytes()[:-60])


def image(path):
    PHOTOGRAPH.save(path, "PNG")


def weights_elsewhere(path):
    model = onnx.load(write_grey(path, **OURS))
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)


def custom_operation(path):
    model = onnx.load(write_grey(path, **OURS))
    model.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    model.graph.node[2].domain = "mine"
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "does not exist"),
        (other_program, "is an ONNX file of another program; expected one of spl export onnx, of format 1"),
        (other_format, "is an ONNX file of format 2; expected one of spl export onnx, of format 1"),
        (damaged, "is damaged, or no ONNX file that onnxruntime can run"),
        (image, "is damaged, or no ONNX file that onnxruntime can run"),
        (weights_elsewhere, "keeps weights in other files, which are not read"),
        (custom_operation, "is damaged, or no ONNX file that onnxruntime can run"),
    ],
)
def test_what_is_no_exported_network_is_refused_in_one_line(tmp_path, write, message):
    with suppress(FileNotFoundError):
        write(tmp_path / "model.onnx")
    with pytest.raises(DataError, match=rf"model\.onnx {message}.*Export it again.*spl export onnx") as raised:
        load_inpainter(tmp_path / "model.onnx")
    assert "\n" not in str(raised.value)


def test_another_device_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"grey\.onnx is run on the CPU, not on cuda"):
        load_inpainter(write_grey(tmp_path / "grey.onnx", **OURS), "cuda")
