"""A finished run without a training."""

import torch

from spl.models.build import build_generator
from spl.steps.records import take, write_record
from spl.weights.files import save_weights


def finish_run(run, data, folder, *, seed=0):
    """Write a run of random weights on hand-made data; return its network."""
    torch.manual_seed(seed)
    network = build_generator(run.recipe, image_size=run.image_size, teacher_channels=4).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_weights(network.state_dict(), folder / "weights.safetensors")
    inputs, outputs = take(images=data.images, masks=data.masks), {"weights": folder / "weights.safetensors"}
    write_record(folder / "run.json", run, inputs, outputs, teacher_channels=4)
    return network
