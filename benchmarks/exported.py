"""Seconds to fill an image by an exported network (onnxruntime), beside torch, on the CPU.

    python benchmarks/exported.py [NETWORK ...] [--threads 2] [--runs 7] [--size 256]

Networks are those of presets/paper.yaml, with fresh weights, at `--size`, and big-lama and migan at 512; all if none is
named. Each way has a process of its own, with the same number of threads; their runs are interleaved, and the first is
not counted. Prints a table in Markdown: medians, least and most, and the median of paired ratios. `--width` shrinks the
networks, to try the script.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
WAYS = ("torch", "onnxruntime")


def build_run(name, folder, size, width):
    """Write the run of a network with fresh weights."""
    import torch

    from spl.config.load import load_params
    from spl.config.methods import Network
    from spl.filling.pretrained import PRETRAINED
    from spl.models.build import build_generator
    from spl.steps.records import write_record
    from spl.steps.settings import RunSettings
    from spl.weights.files import save_weights

    torch.manual_seed(0)
    if name in PRETRAINED:
        network, size = PRETRAINED[name].network, PRETRAINED[name].size
    else:
        recipe = load_params(ROOT / "presets/paper.yaml").methods[name]
        network = Network(recipe=recipe.recipe, model=recipe.model.model_dump() | ({"width": width} if width else {}))
    generator = build_generator(network, image_size=size, teacher_channels=152)
    save_weights(generator.state_dict(), folder / "weights.safetensors")
    run = RunSettings(dataset="none", method=name, seed=0, image_size=size, recipe=network)
    write_record(folder / "run.json", run, {}, {"weights": folder / "weights.safetensors"}, teacher_channels=152)
    return size


def work(source, size, threads):
    """Fill an image for every line on standard input; answer with the seconds. Runs in a process of its own."""
    import numpy as np

    from spl.filling.inpainter import load_inpainter

    inpainter = load_inpainter(source, "cpu")
    if not source.endswith(".onnx"):
        import torch

        torch.set_num_threads(threads)
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    hole = np.zeros((size, size), bool)
    hole[size // 4 : 3 * size // 4, size // 8 : size // 2] = True
    for _ in sys.stdin:
        start = time.perf_counter()
        inpainter.fill(image, hole, strategy="whole")
        print(json.dumps(time.perf_counter() - start), flush=True)


def measure(sources, size, threads, runs):
    """Return the seconds of every run, by way."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, "--work", source, "--size", str(size), "--threads", str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )
        for source in sources
    ]  # fmt: skip
    seconds = [[] for _ in workers]
    try:
        for number in range(1 + runs):
            for place in (0, 1) if number % 2 else (1, 0):
                workers[place].stdin.write("run\n")
                workers[place].stdin.flush()
                seconds[place].append(json.loads(workers[place].stdout.readline()))
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    return [found[1:] for found in seconds]


def main():
    """Measure what is asked for; a network that cannot be exported is named with the reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.size, arguments.threads)
        return
    from spl.common.errors import DataError
    from spl.filling.export_onnx import export_onnx

    names = arguments.networks or ["spl", "spl_released", "rn", "rfr", "mfe", "migan", "big-lama"]
    print(f"| network | size | {' | '.join(f'{way}: s' for way in WAYS)} | onnxruntime / torch | MB |")
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            run, file = Path(folder) / "run", Path(folder) / "network.onnx"
            size = build_run(name, run, arguments.size, arguments.width)
            try:
                export_onnx(run, file)
            except DataError as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            found = measure([str(run), str(file)], size, arguments.threads, arguments.runs)
            cells = [f"{median(own):.3f} ({min(own):.3f} to {max(own):.3f})" for own in found]
            ratio = median(ours / theirs for theirs, ours in zip(*found, strict=True))
            print(
                f"| {name} | {size} | {' | '.join(cells)} | {ratio:.2f} | {file.stat().st_size / 1e6:.0f} |", flush=True
            )


if __name__ == "__main__":
    main()
