"""One training run per dataset and method.

OUTPUTS:

    results/weights/{dataset}/{method}/weights.safetensors
    results/weights/{dataset}/{method}/run.json       resolved settings, inputs, steps, cost, versions
    results/weights/{dataset}/{method}/log.csv        losses over time
    results/weights/{dataset}/{method}/samples.png    input, output, composited, image of a training batch

Resume state lives undeclared under checkpoints/, so that stopping Snakemake loses nothing.
"""


rule train_method:
    """Train one method on one dataset; resumes by itself."""
    input:
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
        teacher=lambda w: (
            ["results/teacher/weights.safetensors"] if settings.needs_teacher(params.methods[w.method]) else []
        ),
    output:
        weights="results/weights/{dataset}/{method}/weights.safetensors",
        run="results/weights/{dataset}/{method}/run.json",
        log="results/weights/{dataset}/{method}/log.csv",
        samples="results/weights/{dataset}/{method}/samples.png",
    log:
        "logs/train_method/{dataset}/{method}.log",
    benchmark:
        "benchmarks/results/train_method/{dataset}/{method}.tsv"
    wildcard_constraints:
        method="|".join(TRAINED) or "none",
    priority: 1  # the long jobs first, so that the short ones fill the gaps
    resources:
        gpu=GPU,
    params:
        file=params_file,
        settings=lambda w: canonical(settings.run_settings(params, w.dataset, w.method)),
    shell:
        "python -m spl train --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --images {input.images:q} --masks {input.masks:q} --teacher results/teacher/weights.safetensors"
        " --out results/weights/{wildcards.dataset}/{wildcards.method} --workers $(({threads} - 1)) 2> {log:q}"


rule weights:
    """Target: the weights of every trained method."""
    input:
        WEIGHTS,
