"""What a person sees of a run, in the place of Snakemake's own output; Snakemake's log file stays whole.

A run does not begin while a job of an earlier one trains what it would train: it would be trained twice.
"""

import logging

from spl.common.locks import holder_of
from spl.steps.display import Display

SECONDS = {"train_method": 76, "train_teacher": 118, "smooth_images": 30}  # means in the demo on two cores


def expected_seconds(job):
    """What is planned for a job, else what it took the last time, or one of its rule in the demo; nothing for a target."""
    if row := row_of(job.wildcards, job.rule.name):
        return float(row["seconds"])
    try:
        return float(Path(job.benchmark).read_text().splitlines()[1].split("\t")[0])
    except (OSError, TypeError, IndexError, ValueError):
        return 0 if job.is_norun else SECONDS.get(job.rule.name, 5)


def still_trained(jobs):
    """Runs among some jobs that an earlier Snakemake's jobs train, each with who does."""
    runs = ["{dataset}/{method}/seed{seed}".format(**job.wildcards) for job in jobs if job.rule.name == "train_method"]
    holders = {run: holder_of(Path(f"checkpoints/{run}.lock")) for run in runs}
    return [f"{run} is being trained by {holder}" for run, holder in holders.items() if holder]


onstart:
    if running := still_trained(workflow.dag.needrun_jobs()):
        advice = "Let it end, or end it (kill, scancel), which saves its state, and run again."
        raise WorkflowError("\n".join(running), advice)
    output = workflow.output_settings
    if not (workflow.touch or output.verbose or output.quiet):  # Snakemake's own was asked for, or silence
        events = logging.getLogger("snakemake.logging")
        for handler in [handler for handler in events.handlers if handler.name == "DefaultStreamHandler"]:
            expected = {job.jobid: expected_seconds(job) for job in workflow.dag.needrun_jobs()}
            events.addHandler(Display(expected, handler.stream))
            events.removeHandler(handler)
