"""What a person sees of a run, in the place of Snakemake's own output; Snakemake's log file stays whole."""

import logging

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


onstart:
    output = workflow.output_settings
    if not (workflow.touch or output.verbose or output.quiet):  # Snakemake's own was asked for, or silence
        events = logging.getLogger("snakemake.logging")
        for handler in [handler for handler in events.handlers if handler.name == "DefaultStreamHandler"]:
            expected = {job.jobid: expected_seconds(job) for job in workflow.dag.needrun_jobs()}
            events.addHandler(Display(expected, handler.stream))
            events.removeHandler(handler)
