"""One run per dataset, method and seed.

OUTPUTS:

    results/weights/{dataset}/{method}/seed{seed}/weights.safetensors
    results/weights/{dataset}/{method}/seed{seed}/run.json       resolved settings, inputs, steps, cost, versions
    results/weights/{dataset}/{method}/seed{seed}/log.csv        losses over time
    results/weights/{dataset}/{method}/seed{seed}/samples.png    input, output, composited, image of a training batch

Log and samples are not declared to Snakemake: released weights have neither. Resume state lives undeclared under
checkpoints/, so that stopping Snakemake loses nothing.
"""


rule train_method:
    """Train one method on one dataset with one seed, resuming by itself; or convert its released weights."""
    input:
        images=lambda w: [] if run_of(w).released else f"data/prepared/{w.dataset}/manifest.csv",
        masks=lambda w: [] if run_of(w).released else "data/masks/masks.csv",
        teachers=lambda w: [teacher_file(teacher) for teacher in run_of(w).teachers],
        structure=lambda w: f"data/structure/{w.dataset}/manifest.csv" if run_of(w).structure else [],
        fetched=lambda w: fetched(run_of(w).vgg_file(), *run_of(w).released_files()),
    output:
        weights="results/weights/{dataset}/{method}/seed{seed}/weights.safetensors",
        run="results/weights/{dataset}/{method}/seed{seed}/run.json",
    log:
        "logs/train_method/{dataset}/{method}/seed{seed}.log",
    benchmark:
        "benchmarks/results/train_method/{dataset}/{method}/seed{seed}.tsv"
    priority: 1  # the long jobs first, so that the short ones fill the gaps
    threads: cores
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
        nodes=1,
    params:
        file=params_file,
        settings=settings_of("train_method"),
        loaders=lambda w, threads: max(0, threads // processes_of(w) - THREADS),
    shell:
        "python -m spl train-method --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --seed {wildcards.seed}"
        " --images data/prepared/{wildcards.dataset}/manifest.csv --masks data/masks/masks.csv"
        " --teachers results/teachers --structure data/structure/{wildcards.dataset}"
        " --out results/weights/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed}"
        " --workers {params.loaders} --nodes {resources.nodes} 2> {log:q}"


rule weights:
    """Target: the weights of every method with a network."""
    input:
        WEIGHTS,
