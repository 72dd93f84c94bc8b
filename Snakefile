"""Reproduces SPL (IJCAI 2021): data -> masks -> teachers -> train -> evaluate -> Table 1, figures, report.   Try: make table1"""

from pathlib import Path


container: "spl.sif"  # made from Dockerfile: docs/cluster.md


if not config:  # else --configfile names another experiment, which stands alone

    configfile: str(Path(workflow.basedir) / "params.yaml")


include: "workflow/rules/common.smk"  # the experiment, checked and frozen; names of all files
include: "workflow/rules/display.smk"  # what a person sees of a run
include: "workflow/rules/data.smk"  # raw images, prepared images
include: "workflow/rules/masks.smk"  # six ratio bins, fixed image-mask pairs
include: "workflow/rules/teacher.smk"  # the frozen pretext networks
include: "workflow/rules/train.smk"  # one run per dataset, method and seed
include: "workflow/rules/evaluate.smk"  # per-image evidence, the same pairs for every method; objects, priors, edges
include: "workflow/rules/figures.smk"  # the paper's figures
include: "workflow/rules/report.smk"  # Table 1, the claims, the report


rule all:
    """Everything this reproduction delivers."""
    input:
        table1="results/table1.md",  # PSNR, SSIM, MAE by dataset, method, mask ratio
        tables=REPORTED,  # differences with intervals, ablations, further metrics, costs, claims
        figures=FIGURES,  # figures 1 to 5
        examples=EXAMPLES,  # input, each method, ground truth
        report="results/report.html",  # all of it on one page
