"""Per-image evidence on the fixed pairs.

OUTPUTS:

    results/eval/{dataset}/{method}/per_image.csv     every metric of every test image
    results/eval/{dataset}/{method}/composited/       the filled pictures
"""


rule evaluate_method:
    """Fill every test image and measure it; refuses weights whose run record disagrees with params.yaml."""
    input:
        unpack(run_files),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
    output:
        per_image="results/eval/{dataset}/{method}/per_image.csv",
        record="results/eval/{dataset}/{method}/record.json",
    log:
        "logs/evaluate_method/{dataset}/{method}.log",
    benchmark:
        "benchmarks/results/evaluate_method/{dataset}/{method}.tsv"
    resources:
        gpu=lambda w: GPU if w.method in NETWORKS else 0,
    params:
        file=params_file,
        settings=lambda w: canonical(settings.evaluation_settings(params, w.dataset, w.method)),
    shell:
        "python -m spl evaluate --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --pairs {input.pairs:q} --images {input.images:q} --masks {input.masks:q}"
        " --weights results/weights/{wildcards.dataset}/{wildcards.method}"
        " --out results/eval/{wildcards.dataset}/{wildcards.method} 2> {log:q}"


rule evaluation:
    """Target: the evidence of every method on every dataset."""
    input:
        PER_IMAGE,
