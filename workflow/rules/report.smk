"""Table 1 and the example pictures, from CSV and PNG files alone.

OUTPUTS:

    results/table1.{csv,md,tex,json}             ours, the paper's, the gap, the interval
    results/comparisons.csv                      paired differences between methods
    results/cost.csv                             parameters, multiplications, seconds, memory
    results/figures/examples_{dataset}.png       input, each method, ground truth
"""


rule table1:
    """Aggregate the per-image evidence into Table 1."""
    input:
        per_image=PER_IMAGE,
    output:
        csv="results/table1.csv",
        markdown="results/table1.md",
        latex="results/table1.tex",
        metrics="results/table1.json",
        comparisons="results/comparisons.csv",
    log:
        "logs/table1.log",
    benchmark:
        "benchmarks/results/table1.tsv"
    params:
        file=params_file,
        settings=canonical(settings.table_settings(params)),
    shell:
        "python -m spl table1 --params {params.file:q} --evidence results/eval --out results 2> {log:q}"


rule measure_cost:
    """Measure what filling a picture costs by every method, with nothing else running on a small machine."""
    output:
        table="results/cost.csv",
        record="results/cost.json",
    log:
        "logs/measure_cost.log",
    benchmark:
        "benchmarks/results/measure_cost.tsv"
    threads: 8  # of at most as many as there are
    resources:
        gpu=GPU,
    params:
        file=params_file,
        settings=canonical(settings.cost_settings(params)),
    shell:
        "python -m spl cost --params {params.file:q} --out {output.table:q} 2> {log:q}"


rule draw_examples:
    """Show input, each method and ground truth for a few test images of every ratio bin."""
    input:
        per_image=expand("results/eval/{{dataset}}/{method}/per_image.csv", method=METHODS),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
    output:
        picture="results/figures/examples_{dataset}.png",
    log:
        "logs/draw_examples/{dataset}.log",
    benchmark:
        "benchmarks/results/draw_examples/{dataset}.tsv"
    params:
        file=params_file,
        settings=lambda w: canonical(settings.example_settings(params, w.dataset)),
    shell:
        "python -m spl examples --params {params.file:q} --dataset {wildcards.dataset} --evidence results/eval"
        " --pairs {input.pairs:q} --images {input.images:q} --masks {input.masks:q} --out {output.picture:q} 2> {log:q}"
