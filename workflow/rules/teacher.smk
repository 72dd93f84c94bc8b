"""The frozen pretext networks: teachers of the semantic prior, and the detector of the figures.

OUTPUTS:

    data/sources/pretext.json                        where the labelled images lie
    data/sources/weights/{source}.json               hashes of the registry's weight files that are read
    results/teachers/{teacher}/weights.safetensors
    results/teachers/{teacher}/run.json              settings, inputs, mean average precision
"""


rule fetch_pretext:
    """Draw the labelled pretext set."""
    output:
        record="data/sources/pretext.json",
        listing="data/sources/pretext.csv",
    log:
        "logs/fetch_pretext.log",
    benchmark:
        "benchmarks/results/fetch_pretext.tsv"
    priority: 10  # short, on several cores: before long ones on one core each, which would come first together
    threads: 4
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("fetch_pretext"),
    shell:
        "python -m spl fetch-pretext --params {params.file:q} --out {output.record:q} --workers {threads} 2> {log:q}"


rule fetch_weights:
    """Download weight files that the registry knows, or check what a person has supplied."""
    output:
        record="data/sources/weights/{source}.json",
    log:
        "logs/fetch_weights/{source}.log",
    benchmark:
        "benchmarks/results/fetch_weights/{source}.tsv"
    wildcard_constraints:
        source="|".join(name for name, source in registry.items() if source.kind == "weights"),
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        sources=sources_file,
        settings=settings_of("fetch_weights", registry=registry),
    shell:
        "python -m spl fetch-weights --params {params.file:q} --sources {params.sources:q} --source {wildcards.source}"
        " --out {output.record:q} 2> {log:q}"


rule train_teacher:
    """Train a pretext network on the labelled images, convert a released one, or freeze a random one."""
    input:
        source=lambda w: "data/sources/pretext.json" if teacher_of(w).pretext else [],
        listing=lambda w: "data/sources/pretext.csv" if teacher_of(w).pretext else [],
        fetched=lambda w: fetched(supplied_teacher_file(teacher_of(w).network)),
    output:
        weights="results/teachers/{teacher}/weights.safetensors",
        run="results/teachers/{teacher}/run.json",
    log:
        "logs/train_teacher/{teacher}.log",
    benchmark:
        "benchmarks/results/train_teacher/{teacher}.tsv"
    priority: 2  # most runs wait for it
    threads: THREADS
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        file=params_file,
        settings=settings_of("train_teacher"),
    shell:
        "python -m spl train-teacher --params {params.file:q} --teacher {wildcards.teacher}"
        " --source data/sources/pretext.json --out results/teachers/{wildcards.teacher} 2> {log:q}"


rule teachers:
    """Target: the teachers that something is made with."""
    input:
        TEACHERS,
