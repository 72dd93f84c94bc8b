"""A plan as a table, and its sums."""

from collections.abc import Sequence

import pandas as pd

from spl.common.labels import method_title
from spl.common.printed import DASH, duration, simple_table
from spl.config.experiment import Params
from spl.planning.plan import Job, elapsed

GPUS = (1, 2, 4, 8)


def to_csv(jobs: Sequence[Job]) -> str:
    """Print a row for each job."""
    rows = [
        {
            "rule": job.rule, "wildcards": job.place, "threads": job.threads, "gpu": job.gpu, "mem_mb": job.mem_mb,
            "runtime": job.runtime, "seconds": round(job.seconds, 1), "memory_mib": round(job.memory_mib),
            "gpu_mib": round(job.gpu_mib), "disk_mb": round(job.disk_mb, 1),
        }
        for job in jobs
    ]  # fmt: skip
    return pd.DataFrame(rows).to_csv(index=False)


def render(jobs: Sequence[Job], params: Params, *, device: str, cores: int) -> str:
    """Print a line for every data set and method, one for every other step, and the sums."""
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        method = str(job.wildcards.get("method", ""))
        groups.setdefault((str(job.wildcards.get("dataset", "")), method or job.rule), []).append(job)
    of_methods = {key: found for key, found in groups.items() if key[1] in params.methods}
    rest = [job for key, found in groups.items() if key not in of_methods for job in found]
    rows = [_row(dataset, method_title(method), found) for (dataset, method), found in of_methods.items()]
    rows += [_row("", "data, teachers, tables, figures", rest), _row("", "sum", jobs)]
    head = ["data set", "what", "training", "all jobs", "memory", "GPU memory", "disk"]
    longest = max(jobs, key=lambda job: job.seconds)
    lines = [f"Planned for: {device}", "", simple_table(head, rows, heads=2).to_markdown()]
    lines.append(f"Longest: {longest.rule} {longest.place}, {duration(longest.seconds)}.")
    trainings = sum(job.seconds for job in jobs if job.rule in ("train_method", "train_teacher"))
    lines.append(f"Trainings are {trainings / sum(job.seconds for job in jobs):.0%} of the time.")
    if gpu_seconds := sum(job.seconds for job in jobs if job.gpu):
        lines.append(f"GPU time: {_days(gpu_seconds)}.")
        each = [f"{_days(elapsed(jobs, cores=10**6, gpus=number))} on {number}" for number in GPUS]
        lines.append(f"From start to end, cores not limiting: {', '.join(each)} GPUs.")
    else:
        lines.append(f"From start to end on {cores} cores: {duration(elapsed(jobs, cores=cores, gpus=0))}.")
    return "\n".join(lines)


def _row(dataset: str, what: str, jobs: Sequence[Job]) -> list[str]:
    trained = sum(job.seconds for job in jobs if job.rule in ("train_method", "train_teacher"))
    gpu = max(job.gpu_mib for job in jobs)
    return [
        dataset, what, _days(trained) if trained else DASH, _days(sum(job.seconds for job in jobs)),
        f"{max(job.memory_mib for job in jobs) / 1024:.1f} GB", f"{gpu / 1024:.1f} GB" if gpu else DASH,
        f"{sum(job.disk_mb for job in jobs) / 1000:,.1f} GB",
    ]  # fmt: skip


def _days(seconds: float) -> str:
    return duration(seconds) if seconds < 48 * 3600 else f"{seconds / 86400:,.1f} days"
