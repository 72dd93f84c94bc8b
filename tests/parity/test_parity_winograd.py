"""The released networks with fewer multiplications give the same images, in float32 and within the same tolerances."""

import pytest
import torch

from spl.models.ec import InpaintGenerator
from spl.models.lama import build_lama
from spl.models.mfe import build_mfe
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_released_spl
from spl.models.winograd import MinimalFilter, speed_up
from spl.weights.layouts import Layout

MFE_PARTS = {
    "encoder": (Layout.MFE_ENCODER, "EN"),
    "equalisation": (Layout.MFE_EQUALISATION, "MEDFE"),
    "decoder": (Layout.MFE_DECODER, "DE"),
}


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "build", "parts", "mask"),
    [
        ("spl", build_released_spl, {"": (Layout.SPL, "generator")}, "mask"),
        ("rn", build_rn, {"": (Layout.RN, "generator")}, "mask"),
        ("rfr", build_rfr, {"": (Layout.RFR, "generator")}, "hole"),
        ("mfe", build_mfe, MFE_PARTS, "mask"),
        ("ec", InpaintGenerator, {"": (Layout.EC_INPAINTING, "inpaint_generator")}, "mask"),
        ("lama", build_lama, {"": (Layout.LAMA, "generator")}, "mask"),
    ],
)
def test_images(read_fixture, name, build, parts, mask):
    fixture, network = read_fixture(name), build().eval()
    for part, (layout, state) in parts.items():
        released = fixture.released_state(generator=state) if name in ("spl", "rn") else state
        fixture.fill(network.get_submodule(part), layout, released)
    speed_up(network)
    assert sum(isinstance(layer.forward, MinimalFilter) for layer in network.modules()) >= 8
    inputs = [fixture.image(), fixture.mask(mask)]
    if name == "ec":
        inputs.append(torch.from_numpy(fixture.arrays["out/edge"]))
    output = network(*inputs)
    image = output[0] if isinstance(output, tuple) else output
    fixture.check({"image": 2 * image - 1 if name == "mfe" else image})
