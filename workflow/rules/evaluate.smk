"""Evidence on the fixed pairs.

OUTPUTS:

    results/eval/{dataset}/{method}/seed{seed}/per_image.csv     every metric of every test image
    results/eval/{dataset}/{method}/seed{seed}/composited/       the filled images
    results/epochs/{epoch}/eval/{dataset}/{method}/seed{seed}/   the same of a training after some of its epochs
    results/perceptual/{dataset}/{method}/seed{seed}.csv         LPIPS by image; FID and KID in the record beside it
    results/priors/{dataset}/{method}.safetensors              semantic priors or edges of some test images
    results/detections/{dataset}/ground_truth.csv                objects found in the uncorrupted images
    results/detections/{dataset}/{method}.csv                    and in the filled ones of every method
"""


rule evaluate_method:
    """Fill every test image and measure it; refuses weights whose run record disagrees with params.yaml."""
    input:
        weights=lambda w: weights_of(w.dataset, w.method, w.seed),
        filled=lambda w: list(getattr(run_of(w).recipe, "composited", {}).values()),  # by another program
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
    threads: cores
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        file=params_file,
        settings=settings_of("evaluate_method"),
        weights=weights_folder,
        out=lambda w, output: str(Path(output.per_image).parent),
    shell:
        "python -m spl evaluate-method --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --seed {wildcards.seed} --pairs {input.pairs:q} --images {input.images:q} --masks {input.masks:q}"
        " --weights {params.weights:q} --out {params.out:q} --workers {threads} 2> {log:q}"


use rule evaluate_method as evaluate_epoch with:
    output:
        per_image="results/epochs/{epoch}/eval/{dataset}/{method}/seed{seed}/per_image.csv",
        record="results/epochs/{epoch}/eval/{dataset}/{method}/seed{seed}/record.json",
    log:
        "logs/evaluate_epoch/{epoch}/{dataset}/{method}/seed{seed}.log",
    benchmark:
        "benchmarks/results/evaluate_epoch/{epoch}/{dataset}/{method}/seed{seed}.tsv"


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
    threads: cores
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        file=params_file,
        settings=settings_of("measure_perceptual"),
    shell:
        "python -m spl measure-perceptual --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --seed {wildcards.seed}"
        " --evaluation results/eval/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed}"
        " --images {input.images:q} --out {output.table:q} --workers {threads} 2> {log:q}"


rule export_priors:
    """Export the semantic priors of SPL, or the edges of EdgeConnect, of some test images."""
    input:
        weights=lambda w: weights_of(w.dataset, w.method, params.seeds_of(w.dataset, w.method)[0]),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
    output:
        priors="results/priors/{dataset}/{method}.safetensors",
        record="results/priors/{dataset}/{method}.json",
    log:
        "logs/export_priors/{dataset}/{method}.log",
    benchmark:
        "benchmarks/results/export_priors/{dataset}/{method}.tsv"
    threads: THREADS
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        file=params_file,
        settings=settings_of("export_priors"),
        weights=lambda w, input: str(Path(input.weights).parent),
    shell:
        "python -m spl export-priors --params {params.file:q} --dataset {wildcards.dataset} --method {wildcards.method}"
        " --pairs {input.pairs:q} --images {input.images:q} --masks {input.masks:q}"
        " --weights {params.weights:q} --out {output.priors:q} 2> {log:q}"


rule detect_objects:
    """Find the objects in the uncorrupted images and in the filled ones of every method, with one start of a detector."""
    input:
        detector=teacher_file(DETECTOR.teacher) if isinstance(DETECTOR, TeacherDetector) else [],
        fetched=fetched(DETECTOR.path) if isinstance(DETECTOR, TorchvisionDetector) else [],
        per_image=lambda w: first(
            "results/eval/{dataset}/{method}/seed{seed}/per_image.csv", [(w.dataset, m) for m in params.unlimited]
        ),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
    output:
        truth="results/detections/{dataset}/ground_truth.csv",
        record="results/detections/{dataset}/record.json",
    log:
        "logs/detect_objects/{dataset}.log",
    benchmark:
        "benchmarks/results/detect_objects/{dataset}.tsv"
    threads: THREADS
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        file=params_file,
        settings=settings_of("detect_objects"),
        out=lambda w, output: str(Path(output.truth).parent),
    shell:
        "python -m spl detect-objects --params {params.file:q} --dataset {wildcards.dataset} --pairs {input.pairs:q}"
        " --images {input.images:q} --results results --out {params.out:q} 2> {log:q}"


rule evaluation:
    """Target: the evidence of every method on every dataset."""
    input:
        PER_IMAGE,
        PERCEPTUAL,
        PRIORS,
        DETECTIONS,
