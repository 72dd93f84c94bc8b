"""Raw images and prepared images.

OUTPUTS:

    data/sources/images/{dataset}.json      where the raw images lie; .csv lists them
    data/prepared/{dataset}/manifest.csv    every image at the network's size, with its hash
    data/structure/{dataset}/               smoothed training images, only where a method learns from them
"""


rule fetch_images:
    """Draw the miniature world, download what the registry knows, or find what a person has supplied."""
    output:
        record="data/sources/images/{dataset}.json",
        listing="data/sources/images/{dataset}.csv",
    log:
        "logs/fetch_images/{dataset}.log",
    benchmark:
        "benchmarks/results/fetch_images/{dataset}.tsv"
    priority: 10  # short, on several cores: before long ones on one core each, which would come first together
    threads: 4
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        sources=sources_file,
        settings=settings_of("fetch_images"),
    shell:
        "python -m spl fetch-images --params {params.file:q} --sources {params.sources:q} --dataset {wildcards.dataset}"
        " --out {output.record:q} --workers {threads} 2> {log:q}"


rule prepare_images:
    """Crop, resize and store every image (the released resize convention)."""
    input:
        source="data/sources/images/{dataset}.json",
    output:
        manifest="data/prepared/{dataset}/manifest.csv",
        record="data/prepared/{dataset}/record.json",
    log:
        "logs/prepare_images/{dataset}.log",
    benchmark:
        "benchmarks/results/prepare_images/{dataset}.tsv"
    threads: many_if_real
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("prepare_images"),
    shell:
        "python -m spl prepare-images --params {params.file:q} --dataset {wildcards.dataset} --source {input.source:q}"
        " --out data/prepared/{wildcards.dataset} --workers {threads} 2> {log:q}"


rule smooth_images:
    """Smooth the training images by relative total variation: the structure that MFE learns."""
    input:
        images="data/prepared/{dataset}/manifest.csv",
    output:
        manifest="data/structure/{dataset}/manifest.csv",
        record="data/structure/{dataset}/record.json",
    log:
        "logs/smooth_images/{dataset}.log",
    benchmark:
        "benchmarks/results/smooth_images/{dataset}.tsv"
    threads: many_if_real
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("smooth_images"),
    shell:
        "python -m spl smooth-images --params {params.file:q} --dataset {wildcards.dataset} --images {input.images:q}"
        " --out data/structure/{wildcards.dataset} --workers {threads} 2> {log:q}"


rule data:
    """Target: all prepared images and pairs."""
    input:
        PREPARED,
        STRUCTURE,
        PAIRS,
