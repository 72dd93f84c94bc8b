"""Runs of fresh networks, and ONNX files that no network has made."""

import onnx
import torch
from onnx import TensorProto, helper

from spl.config.methods import Network
from spl.models.build import build_generator
from spl.steps.records import write_record
from spl.steps.settings import RunSettings
from spl.weights.files import save_weights

GREY = 77


def write_run(folder, recipe, model, *, size, generator=None):
    """Write the run of a fresh network, or of one that is given; return its folder."""
    torch.manual_seed(1)
    network = Network(recipe=recipe, model=model)
    generator = generator or build_generator(network, image_size=size, teacher_channels=3)
    save_weights(generator.state_dict(), folder / "weights.safetensors")
    run = RunSettings(dataset="paris", method=recipe, seed=1, image_size=size, recipe=network)
    write_record(folder / "run.json", run, {}, {"weights": folder / "weights.safetensors"}, teacher_channels=3)
    return folder


def write_grey(path, **facts):
    """Write an ONNX file that fills with grey, with these facts."""
    sides = ["batch", "height", "width"]
    image, filled = (
        helper.make_tensor_value_info(name, TensorProto.UINT8, [*sides, 3]) for name in ("image", "filled")
    )
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, sides)
    nodes = [
        helper.make_node("Cast", ["mask"], ["hole"], to=TensorProto.BOOL),
        helper.make_node("Unsqueeze", ["hole", "axis"], ["wide"]),
        helper.make_node("Where", ["wide", "grey", "image"], ["filled"]),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [3]),
        helper.make_tensor("grey", TensorProto.UINT8, [1], bytes([GREY]), raw=True),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "grey", [image, mask], [filled], constants),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    helper.set_model_props(model, facts)
    onnx.save(model, path)
    return path
