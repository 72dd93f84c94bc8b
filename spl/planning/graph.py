"""The jobs of an experiment, as a dry run of the workflow prints them, and how long they take together."""

import heapq
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import spl
from spl.common.errors import SPLError


class Job(NamedTuple):
    """One call of a rule: what the workflow says, and what the plan adds."""

    rule: str
    wildcards: dict[str, str]
    reads: frozenset[str]
    makes: frozenset[str]
    threads: int
    gpu: int
    seconds: float = 0
    memory_mib: float = 0
    gpu_mib: float = 0
    disk_gb: float = 0

    @property
    def place(self) -> str:
        """The wildcards as one word each."""
        return " ".join(f"{name}={value}" for name, value in sorted(self.wildcards.items()))


def all_jobs(params: Path, *, on_gpus: bool) -> list[Job]:
    """Return the jobs of the workflow beside the package, done or not, as it asks for them with GPUs or without.

    Raises: SPLError with what Snakemake says if it cannot plan them.
    """
    snakefile = Path(spl.__file__).parents[1] / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "-s", snakefile, "--configfile", params, "--workflow-profile", "none"]
    done = subprocess.run(
        [
            *command,
            "-n",
            "--forceall",
            "--cores",
            "1000",
            "--resources",
            f"gpu={1000 * on_gpus}",
            "--nocolor",
            "--",
            "all",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SPLError(f"the workflow of {params} cannot be planned:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    jobs = []
    for block in re.split(r"^(?:local)?rule ", done.stdout + done.stderr, flags=re.MULTILINE)[1:]:
        rule, _, fields = block.partition(":\n")
        found = dict(re.findall(r"^    (\w+): (.*)$", fields, re.MULTILINE))
        files = [frozenset(filter(None, found.get(name, "").split(", "))) for name in ("input", "output")]
        if files[1]:  # else a target
            wildcards = dict(word.split("=", 1) for word in found.get("wildcards", "").split(", ") if word)
            gpu = sum(map(int, re.findall(r"\bgpu=(\d+)", found.get("resources", ""))))
            jobs.append(Job(rule, wildcards, *files, threads=int(found.get("threads", 1)), gpu=gpu))
    return jobs


def elapsed(jobs: Sequence[Job], *, cores: int, gpus: int) -> float:
    """Return the seconds until all are done, each started once its inputs, cores and GPUs are there, the longest first.

    A job that may use more cores than there are takes longer in proportion.
    """
    made, running, now = set[str](), list[tuple[float, int]](), 0.0
    waiting = sorted(range(len(jobs)), key=lambda i: -jobs[i].seconds)
    needs = [(min(job.threads, cores), min(job.gpu, gpus)) for job in jobs]
    outputs = frozenset[str]().union(*(job.makes for job in jobs))
    while waiting or running:
        for i in list(waiting):
            if jobs[i].reads & outputs <= made and needs[i][0] <= cores and needs[i][1] <= gpus:
                waiting.remove(i)
                cores, gpus = cores - needs[i][0], gpus - needs[i][1]
                heapq.heappush(running, (now + jobs[i].seconds * jobs[i].threads / needs[i][0], i))
        now, i = heapq.heappop(running)
        cores, gpus = cores + needs[i][0], gpus + needs[i][1]
        made |= jobs[i].makes
    return now
