"""Speed of training steps and of filling images, against a base commit: interleaved runs, a CSV with a row a network.

    python -m benchmarks [PIECE ...] [--base 5ce9190] [--device cpu] [--threads 2] [--runs 7] [--minutes 5]

A piece is `infer/spl/fp32/1`: kind, method, precision (with `+compile`: compiled), batch. A part of it, such as `infer`
or `infer/spl/`, stands for all that contain it; without any, all that suit the device are measured. Each takes at most
`--minutes`, writes its rows when it is done, and is not measured again for the same two commits on the same machine;
what was not finished is named at the end. `--size` is the side of the images. The base is a temporary git worktree.

Shares are those of one large convolution's speed, timed beside every run; GFLOP are those of the direct way.
"""

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

ROOT = Path(__file__).parents[1]
METHODS = ("spl", "spl_released", "rn", "rfr", "mfe", "ec")
LEAST_RUNS = 3
SAME = ("piece", "commit", "base", "device", "machine", "torch", "threads", "size")
FACTS = ("runs", "seconds", "seconds_least", "seconds_most", "cpu_seconds", "images_per_second", "gflop",
         "share_of_ceiling", "peak_memory_mib", "of_base", "of_base_least", "of_base_most", "of_base_cpu")  # fmt: skip


def pieces_for(device):
    """Return the names of all pieces that suit a device."""
    if device == "cpu":
        return [f"{kind}/{method}/fp32/{batch}" for kind, batch in (("step", 2), ("infer", 1)) for method in METHODS]
    variants = ("fp32", "tf32", "bf16", "bf16+compile")
    training = [f"step/{method}/{variant}/{batch}" for method in METHODS for variant in variants for batch in (4, 16)]
    return training + [
        f"infer/{method}/{variant}/{batch}" for method in METHODS for variant in variants for batch in (1, 16)
    ]


class Worker:
    """A process that makes runs with the package of one checkout."""

    def __init__(self, tree, piece, arguments):
        kind, method, variant, batch = piece.split("/")
        precision, _, compiled = variant.partition("+")
        settings = {"piece": {"kind": kind, "method": method, "precision": precision, "compiled": bool(compiled),
                              "batch": int(batch)},
                    "device_name": arguments.device, "threads": arguments.threads, "size": arguments.size}  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks/worker.py"), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(tree)},
        )  # fmt: skip

    def run(self):
        """Return the answer to one run; None if the process has died."""
        try:
            self.process.stdin.write("run\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def stop(self):
        """End the process."""
        self.process.kill()
        self.process.wait()


def measure(piece, trees, arguments):
    """Return the answers of both trees, run by run; of fewer runs than LEAST_RUNS if time or memory did not suffice."""
    deadline = time.monotonic() + 60 * arguments.minutes
    workers = [Worker(tree, piece, arguments) for tree in trees]
    pairs, longest = [], 0.0
    try:
        for number in range(1 + arguments.runs):  # the first is slower
            began = time.monotonic()
            if began + longest > deadline:
                break
            order = workers if number % 2 else workers[::-1]
            answers = {id(worker): worker.run() for worker in order}
            if None in answers.values():
                break
            longest = max(longest, time.monotonic() - began) if number else 0.0
            if number:
                pairs.append([answers[id(worker)] for worker in workers])
    finally:
        for worker in workers:
            worker.stop()
    return pairs


def summarise(pairs, batch):
    """Return the facts of the first tree."""
    ours = [pair[0] for pair in pairs]
    seconds = sorted(answer["seconds"] for answer in ours)
    shares = [answer["gflop"] / answer["seconds"] / answer["ceiling"] for answer in ours]
    facts = {
        "runs": len(pairs), "seconds": median(seconds), "seconds_least": seconds[0], "seconds_most": seconds[-1],
        "cpu_seconds": median(answer["cpu_seconds"] for answer in ours), "images_per_second": batch / median(seconds),
        "gflop": ours[0]["gflop"], "share_of_ceiling": median(shares), "peak_memory_mib": ours[-1]["mib"],
    }  # fmt: skip
    if len(pairs[0]) == 2:
        ratios = sorted(ours["seconds"] / base["seconds"] for ours, base in pairs)
        facts |= {"of_base": median(ratios), "of_base_least": ratios[0], "of_base_most": ratios[-1]}
        facts["of_base_cpu"] = median(ours["cpu_seconds"] / base["cpu_seconds"] for ours, base in pairs)
    return {name: round(value, 4) for name, value in facts.items()}


def git(*words):
    """Return what git says."""
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True).stdout.strip()


def machine(device):
    """Return the name of the processor."""
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def main():
    """Measure the pieces that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pieces", nargs="*", metavar="PIECE")
    parser.add_argument("--base", help="a commit to compare with")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("benchmarks.csv"))
    arguments = parser.parse_args()
    known = pieces_for(arguments.device)
    chosen = [piece for piece in known if not arguments.pieces or any(part in piece for part in arguments.pieces)]
    chosen += [part for part in arguments.pieces if part.count("/") == 3 and part not in chosen]
    here = {
        "commit": git("describe", "--always", "--dirty", "--exclude=*"),
        "base": git("rev-parse", "--short", arguments.base) if arguments.base else "",
        "device": arguments.device, "machine": machine(arguments.device), "torch": torch.__version__,
        "threads": arguments.threads, "size": arguments.size,
    }  # fmt: skip
    rows = list(csv.DictReader(arguments.out.open())) if arguments.out.exists() else []
    done = [tuple(row[name] for name in SAME) for row in rows]
    unfinished = []
    with tempfile.TemporaryDirectory() as folder:
        trees = [ROOT]
        if arguments.base:
            git("worktree", "add", "--detach", f"{folder}/base", arguments.base)
            trees.append(Path(folder) / "base")
        try:
            for piece in chosen:
                if tuple(str(({"piece": piece} | here)[name]) for name in SAME) in done:
                    continue
                pairs = measure(piece, trees, arguments)
                if len(pairs) < LEAST_RUNS:
                    unfinished.append(piece)
                    continue
                row = {"piece": piece} | here | summarise(pairs, int(piece.rpartition("/")[2]))
                is_new = not arguments.out.exists()
                with arguments.out.open("a", newline="") as file:
                    writer = csv.DictWriter(file, [*SAME, *FACTS])
                    if is_new:
                        writer.writeheader()
                    writer.writerow(row)
                print("  ".join(f"{name} {row[name]}" for name in ("piece", *FACTS) if name in row), flush=True)
        finally:
            if arguments.base:
                git("worktree", "remove", "--force", f"{folder}/base")
    if unfinished:
        print(f"not finished, for want of time or memory: {' '.join(unfinished)}")


if __name__ == "__main__":
    main()
