"""Evidence on the fixed pairs.

OUTPUTS:

    results/eval/{dataset}/{method}/seed{seed}/per_image.csv     every metric of every test image
    results/eval/{dataset}/{method}/seed{seed}/composited/       the filled pictures
    results/perceptual/{dataset}/{method}/seed{seed}.csv         LPIPS by image; FID and KID in the record beside it
    results/guidance/{dataset}/{method}.safetensors              semantic priors or edges of some test images
    results/detections/{dataset}/{method}.csv                    objects found in the filled pictures
    results/detections/{dataset}/ground_truth.csv                and in the uncorrupted ones
"""


rule evaluate_method:
    """Fill every test image and measure it; refuses weights whose run record disagrees with params.yaml."""
    input:
        unpack(run_files),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
    output:
        per_image="results/eval/{dataset}/{method}/seed{seed}/per_image.csv",
        record="results/eval/{dataset}/{method}/seed{seed}/record.json",
    log:
        "logs/evaluate_method/{dataset}/{method}/seed{seed}.log",
    benchmark:
        "benchmarks/results/evaluate_method/{dataset}/{method}/seed{seed}.tsv"
    resources:
        gpu=lambda w: GPU if w.method in NETWORKS else 0,
    params:
        file=params_file,
        settings=lambda w: canonical(slices.evaluation_settings(params, w.dataset, w.method, int(w.seed))),
    shell:
        "python -m spl evaluate --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --seed {wildcards.seed} --pairs {input.pairs:q} --images {input.images:q} --masks {input.masks:q}"
        " --weights results/weights/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed}"
        " --out results/eval/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed} 2> {log:q}"


rule measure_perceptual:
    """Measure LPIPS, FID and KID where their networks' weights are at hand."""
    input:
        per_image="results/eval/{dataset}/{method}/seed{seed}/per_image.csv",
        images="data/prepared/{dataset}/manifest.csv",
    output:
        table="results/perceptual/{dataset}/{method}/seed{seed}.csv",
        record="results/perceptual/{dataset}/{method}/seed{seed}.json",
    log:
        "logs/measure_perceptual/{dataset}/{method}/seed{seed}.log",
    benchmark:
        "benchmarks/results/measure_perceptual/{dataset}/{method}/seed{seed}.tsv"
    resources:
        gpu=GPU,
    params:
        file=params_file,
        settings=canonical(slices.perceptual_settings(params)),
    shell:
        "python -m spl perceptual --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --seed {wildcards.seed} --evidence results/eval/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed}"
        " --images {input.images:q} --out {output.table:q} 2> {log:q}"


rule keep_guidance:
    """Keep the semantic priors of SPL, or the edges of EdgeConnect, for some test images."""
    input:
        unpack(first_run_files),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
    output:
        guidance="results/guidance/{dataset}/{method}.safetensors",
        record="results/guidance/{dataset}/{method}.json",
    log:
        "logs/keep_guidance/{dataset}/{method}.log",
    benchmark:
        "benchmarks/results/keep_guidance/{dataset}/{method}.tsv"
    resources:
        gpu=GPU,
    params:
        file=params_file,
        settings=lambda w: canonical(slices.guidance_settings(params, w.dataset, w.method)),
    shell:
        "python -m spl guidance --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --pairs {input.pairs:q} --images {input.images:q} --masks {input.masks:q} --out {output.guidance:q} 2> {log:q}"


rule detect_objects:
    """Find the objects in the filled pictures of a method, or in the uncorrupted ones."""
    input:
        unpack(detection_sources),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
    output:
        table="results/detections/{dataset}/{pictures}.csv",
        record="results/detections/{dataset}/{pictures}.json",
    log:
        "logs/detect_objects/{dataset}/{pictures}.log",
    benchmark:
        "benchmarks/results/detect_objects/{dataset}/{pictures}.tsv"
    resources:
        gpu=GPU,
    params:
        file=params_file,
        settings=lambda w: canonical(slices.detection_settings(params, w.dataset, filled_by(w))),
        method=lambda w: f"--method {w.pictures}" if filled_by(w) else "",
    shell:
        "python -m spl detect --params {params.file:q} --dataset {wildcards.dataset} {params.method}"
        " --pairs {input.pairs:q} --images {input.images:q} --out {output.table:q} 2> {log:q}"


rule evaluation:
    """Target: the evidence of every method on every dataset."""
    input:
        PER_IMAGE,
        PERCEPTUAL,
        GUIDANCE,
        DETECTIONS,
