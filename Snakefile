"""Reproduces SPL (IJCAI 2021): data -> masks -> teacher -> train -> evaluate -> Table 1.   Try: make table1"""

from pathlib import Path


container: "docker://python:3.11"  # any Python 3.11 or 3.12 with requirements.lock installed


configfile: str(Path(workflow.basedir) / "params.yaml")


include: "workflow/rules/common.smk"  # params.yaml checked; settings slices; names of all files
include: "workflow/rules/data.smk"  # raw pictures, prepared images
include: "workflow/rules/masks.smk"  # six ratio bins, fixed image-mask pairs
include: "workflow/rules/teacher.smk"  # the frozen pretext network
include: "workflow/rules/train.smk"  # one run per dataset and method
include: "workflow/rules/evaluate.smk"  # per-image evidence, the same pairs for every method
include: "workflow/rules/report.smk"  # Table 1 and the example pictures


rule all:
    """Everything this reproduction delivers."""
    input:
        table1="results/table1.md",  # PSNR, SSIM, MAE by dataset, method, mask ratio
        comparisons="results/comparisons.csv",  # paired differences with intervals
        cost="results/cost.csv",  # parameters, multiplications, seconds, memory by method
        examples=EXAMPLES,  # input, each method, ground truth
