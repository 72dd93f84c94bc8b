"""Runs of one network for `python -m benchmarks`, in a process of their own; the package is the one on PYTHONPATH.

Reads a piece as JSON from the command line, then makes a run for every line on standard input and answers with a line
of JSON. It knows the package of several commits, hence the two places of some imports.
"""

import json
import resource
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from spl.models.build import as_inpainter
from spl.models.ec import build_ec
from spl.models.mfe import build_mfe
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_paper_spl, build_released_spl
from spl.training.build import build_method

NETWORKS = {
    "spl": build_paper_spl,
    "spl_released": build_released_spl,
    "rn": build_rn,
    "rfr": build_rfr,
    "mfe": build_mfe,
    "ec": build_ec,
}


def main(piece, device_name, threads, size):
    """Answer one line on standard input after the other."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    device, tf32 = torch.device(device_name), piece["precision"] != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    image = torch.rand(piece["batch"], 3, size, size, device=device)
    mask = torch.zeros(piece["batch"], 1, size, size, device=device)
    mask[:, :, size // 4 : 3 * size // 4, size // 8 : size // 2] = 1
    run, gflop = {"infer": inference, "step": step}[piece["kind"]](piece, image, mask)
    ceiling = Ceiling(device, torch.bfloat16 if piece["precision"] == "bf16" else torch.float32)
    for _ in sys.stdin:
        seconds, cpu = timed(run, device)
        answer = {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "ceiling": ceiling.gflops(),
            "gflop": gflop,
            "mib": peak(device),
        }
        print(json.dumps(answer), flush=True)


def inference(piece, image, mask):
    """Return what fills a batch as an evaluation does, and its multiplications and additions in 1e9."""
    network = NETWORKS[piece["method"]]().to(image.device)
    with torch.no_grad(), FlopCounterMode(display=False) as operations:
        as_inpainter(network)(image, mask)
    try:
        from spl.models.winograd import speed_up
    except ImportError:
        pass  # older
    else:
        speed_up(network)
    if piece["compiled"]:
        network = torch.compile(network)
    inpainter = as_inpainter(network)

    @torch.no_grad()
    def run():
        with autocast(piece, image.device):
            return inpainter(image, mask)

    return run, operations.get_total_flops() / 1e9


def step(piece, image, mask):
    """Return what makes a training step without teacher and perceptual network, and its operations in 1e9."""
    recipe = recipe_of(piece)
    try:
        from spl.teachers.perception import Features
        from spl.training.context import TrainingContext as Context

        features_name = "extract_features"
    except ImportError:  # older
        from spl.training.perception import Features

        from spl.training.build import Surroundings as Context

        features_name = "perceive"
    from spl.training.distributed import World

    def small(image):
        maps = [F.avg_pool2d(image, 4)]
        return Features(maps, maps)

    sizes = {"image_size": image.shape[2], "steps_per_epoch": 1, "seed": 0}
    context = Context(world=World(0, 1, image.device), teacher=None, **sizes, **{features_name: small})
    method = build_method(recipe, context)
    if piece["compiled"]:
        method.networks = {name: torch.compile(network) for name, network in method.networks.items()}
    batch = [image, mask]
    if piece["method"] in ("mfe", "ec"):
        batch.append(mask if piece["method"] == "ec" else image)
    last = 10**6  # EdgeConnect's third stage: all of its networks

    def run():
        return method.step(*batch, step=last)

    with FlopCounterMode(display=False) as operations:
        run()
    return run, operations.get_total_flops() / 1e9


def recipe_of(piece):
    """Return the recipe of the paper's sizes, with the precision of the piece."""
    try:
        from spl.config.load import load_params
    except ImportError:  # older
        from spl.params import load_params
    import spl

    recipe = load_params(Path(spl.__file__).parents[1] / "presets/paper.yaml").methods[piece["method"]]
    precision = "bf16" if piece["precision"] == "bf16" else "fp32"
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"precision": precision})})


def autocast(piece, device):
    """Return the context of an inference."""
    return torch.autocast(device.type, torch.bfloat16) if piece["precision"] == "bf16" else nullcontext()


class Ceiling:
    """One large convolution, 256 to 256 channels at 128 x 128: what the machine can do in a moment."""

    def __init__(self, device, dtype):
        self.device, batch = device, 16 if device.type == "cuda" else 1
        make = {"device": device, "dtype": dtype}
        self.x = torch.randn(batch, 256, 128, 128, **make).to(memory_format=torch.channels_last)
        self.weight = torch.randn(256, 256, 3, 3, **make).to(memory_format=torch.channels_last)
        self.gflop = 2 * self.x.numel() * 256 * 9 / 1e9

    @torch.no_grad()
    def gflops(self):
        """Return the best of three, in 1e9 operations a second."""
        return self.gflop / min(
            timed(lambda: F.conv2d(self.x, self.weight, padding=1), self.device)[0] for _ in range(3)
        )


def timed(run, device):
    """Return the wall and CPU seconds of a run."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def peak(device):
    """Return the most memory that was held so far, in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
