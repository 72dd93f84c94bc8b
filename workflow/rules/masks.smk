"""Irregular masks in six ratio bins, and the fixed image-mask pairs.

OUTPUTS:

    data/sources/masks.json     where the raw masks lie; .csv lists them
    data/masks/masks.csv        every mask with its hole ratio and bin, rejected ones with the reason
    data/pairs/{dataset}.csv    which mask meets which test image, equal for every method
"""


rule fetch_masks:
    """Draw the miniature world's masks, download what the registry knows, or find what a person has supplied."""
    output:
        record="data/sources/masks.json",
        listing="data/sources/masks.csv",
    log:
        "logs/fetch_masks.log",
    benchmark:
        "benchmarks/results/fetch_masks.tsv"
    priority: 10  # short, on several cores: before long ones on one core each, which would come first together
    threads: 4
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        sources=sources_file,
        settings=settings_of("fetch_masks"),
    shell:
        "python -m spl fetch-masks --params {params.file:q} --sources {params.sources:q} --out {output.record:q}"
        " --workers {threads} 2> {log:q}"


rule group_masks:
    """Binarise every mask, check the polarity, group by measured hole ratio."""
    input:
        source="data/sources/masks.json",
    output:
        masks="data/masks/masks.csv",
        record="data/masks/record.json",
    log:
        "logs/group_masks.log",
    benchmark:
        "benchmarks/results/group_masks.tsv"
    threads: 1 if params.masks.source.kind == "miniature" else MANY
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("group_masks"),
    shell:
        "python -m spl group-masks --params {params.file:q} --source {input.source:q} --out data/masks"
        " --workers {threads} 2> {log:q}"


rule pair_masks:
    """Draw one mask for every test image (paper section 4.3)."""
    input:
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
    output:
        pairs="data/pairs/{dataset}.csv",
        record="data/pairs/{dataset}.json",
    log:
        "logs/pair_masks/{dataset}.log",
    benchmark:
        "benchmarks/results/pair_masks/{dataset}.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("pair_masks"),
    shell:
        "python -m spl pair-masks --params {params.file:q} --dataset {wildcards.dataset} --images {input.images:q}"
        " --masks {input.masks:q} --out {output.pairs:q} 2> {log:q}"


rule masks:
    """Target: the grouped masks."""
    input:
        "data/masks/masks.csv",
