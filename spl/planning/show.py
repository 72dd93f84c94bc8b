"""A plan as a table, and its sums."""

import math
from collections.abc import Sequence

import pandas as pd

from spl.common.labels import method_title
from spl.common.printed import DASH, duration, simple_table
from spl.planning.graph import Job, elapsed

GPUS = (1, 2, 4, 8)
HEAD = ["data set", "method", "training", "everything", "memory", "GPU memory", "disk"]


def tabulate(jobs: Sequence[Job]) -> pd.DataFrame:
    """Return a row for each job, with what its rule asks for: a quarter more memory, half as much time again."""
    table = pd.DataFrame(jobs).drop(columns=["reads", "makes"]).round(2)
    table["wildcards"] = [job.place for job in jobs]
    table["mem_mb"] = [100 * math.ceil(1.25 * 1.048576 * job.memory_mib / 100) for job in jobs]
    table["runtime"] = [math.ceil(1.5 * job.seconds / 60) + 10 for job in jobs]
    return table


def render(jobs: Sequence[Job], *, device: str, cores: int) -> str:
    """Print a line for every data set and method, one for all other steps, and the sums."""
    rows = pd.DataFrame(jobs)
    rows["training"] = rows["seconds"].where(rows["rule"].isin(["train_method", "train_teacher"]), 0)
    for name in ("dataset", "method"):
        rows[name] = [job.wildcards.get(name, "") if "method" in job.wildcards else "" for job in jobs]
    cells = rows[rows["method"] != ""].groupby(["dataset", "method"])
    lines = [_line(str(dataset), str(method), part) for (dataset, method), part in cells]
    lines += [_line("", "", rows[rows["method"] == ""]), _line("sum", "", rows)]
    longest, gpu_seconds = max(jobs, key=lambda job: job.seconds), rows.loc[rows["gpu"] > 0, "seconds"].sum()
    ends = ", ".join(f"{_long(elapsed(jobs, cores=10**6, gpus=number))} on {number}" for number in GPUS)
    return "\n".join([
        f"Planned for: {device}", "", simple_table(HEAD, lines, heads=2).to_markdown(),
        f"{rows['training'].sum() / rows['seconds'].sum():.0%} of the time are trainings. "
        f"The longest job: {longest.rule} {longest.place}, {_long(longest.seconds)}.",
        f"GPU time: {_long(gpu_seconds)}. From start to end, if cores do not limit: {ends} GPUs." if gpu_seconds
        else f"From start to end on {cores} cores: {_long(elapsed(jobs, cores=cores, gpus=0))}.",
    ])  # fmt: skip


def _line(dataset: str, method: str, jobs: pd.DataFrame) -> list[str]:
    trained, gpu = jobs["training"].sum(), jobs["gpu_mib"].max() / 1024
    return [
        dataset, method_title(method) if method else "" if dataset else "everything else",
        _long(trained) if trained else DASH, _long(jobs["seconds"].sum()), f"{jobs['memory_mib'].max() / 1024:.1f} GB",
        f"{gpu:.1f} GB" if gpu else DASH, f"{jobs['disk_gb'].sum():,.1f} GB",
    ]  # fmt: skip


def _long(seconds: float) -> str:
    return duration(seconds) if seconds < 48 * 3600 else f"{seconds / 86400:,.1f} days"
