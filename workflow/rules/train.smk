"""One run per dataset, method and seed.

OUTPUTS:

    results/weights/{dataset}/{method}/seed{seed}/weights.safetensors
    results/weights/{dataset}/{method}/seed{seed}/run.json       resolved settings, inputs, steps, cost, versions
    results/weights/{dataset}/{method}/seed{seed}/log.csv        losses over time
    results/weights/{dataset}/{method}/seed{seed}/samples.png    input, output, composited, image of a training batch

Released weights have no log and no samples, so these two are not declared. Resume state lives undeclared under
checkpoints/, so that stopping Snakemake loses nothing.
"""


rule train_method:
    """Train one method on one dataset with one seed, resuming by itself; or convert its released weights."""
    input:
        unpack(run_sources),
    output:
        weights="results/weights/{dataset}/{method}/seed{seed}/weights.safetensors",
        run="results/weights/{dataset}/{method}/seed{seed}/run.json",
    log:
        "logs/train_method/{dataset}/{method}/seed{seed}.log",
    benchmark:
        "benchmarks/results/train_method/{dataset}/{method}/seed{seed}.tsv"
    wildcard_constraints:
        method="|".join(NETWORKS) or "none",
    priority: 1  # the long jobs first, so that the short ones fill the gaps
    resources:
        gpu=lambda w: GPU if is_trained(w) else 0,
    params:
        file=params_file,
        settings=lambda w: canonical(slices.run_settings(params, w.dataset, w.method, int(w.seed))),
    shell:
        "python -m spl train --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --seed {wildcards.seed}"
        " --images data/prepared/{wildcards.dataset}/manifest.csv --masks data/masks/masks.csv"
        " --teachers results/teachers --structure data/prepared/{wildcards.dataset}/structure"
        " --out results/weights/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed} --workers $(({threads} - 1)) 2> {log:q}"


rule weights:
    """Target: the weights of every method that has some."""
    input:
        WEIGHTS,
