"""The frozen pretext network whose features supervise the semantic prior.

OUTPUTS:

    results/teacher/weights.safetensors    TResNet up to its second stage
    results/teacher/run.json               settings, inputs, mean average precision
"""


rule fetch_pretext:
    """Draw the labelled pretext set, or find the released weights a person has supplied."""
    output:
        record="data/sources/teacher.json",
    log:
        "logs/fetch_pretext.log",
    benchmark:
        "benchmarks/results/fetch_pretext.tsv"
    params:
        file=params_file,
        settings=canonical(settings.pretext_settings(params)),
    shell:
        "python -m spl fetch pretext --params {params.file:q} --record {output.record:q} --workers {threads} 2> {log:q}"


rule train_teacher:
    """Train TResNet with the asymmetric loss on the pretext set, or convert the released weights."""
    input:
        source="data/sources/teacher.json",
    output:
        weights="results/teacher/weights.safetensors",
        run="results/teacher/run.json",
    log:
        "logs/train_teacher.log",
    benchmark:
        "benchmarks/results/train_teacher.tsv"
    priority: 2  # most trainings wait for it
    resources:
        gpu=GPU,
    params:
        file=params_file,
        settings=canonical(settings.teacher_settings(params)),
    shell:
        "python -m spl train-teacher --params {params.file:q} --source {input.source:q} --out results/teacher 2> {log:q}"


rule teacher:
    """Target: the teacher."""
    input:
        "results/teacher/weights.safetensors",
