"""Tables, the claims and the report, from CSV and PNG files alone.

OUTPUTS:

    results/table1.{csv,md,tex}          ours, the paper's, the gap, the interval
    results/metrics.json                 the same means, as DVC shows them
    results/comparisons.csv              paired differences between methods
    results/signatures.json              what numbers must share to be compared with these
    results/further_metrics.csv          metrics beside the paper's
    results/ablations.csv                the numbers of Figure 4
    results/grid.csv                     grid search, where the experiment has one
    results/claims.{csv,md}              what the paper claims, and what this run says to it
    results/cost.csv                     parameters, multiplications, seconds, memory
    results/report.html                  all of it on one page
"""


rule table1:
    """Aggregate the per-image evidence into Table 1."""
    input:
        per_image=evaluated(DATASETS, params.table_methods),
        runs=[
            f"results/weights/{d}/{m}/seed{s}/run.json"
            for d, m, s in RUNS
            if m in NETWORKS and m in params.table_methods
        ],
    output:
        csv="results/table1.csv",
        markdown="results/table1.md",
        latex="results/table1.tex",
        metrics="results/metrics.json",
        comparisons="results/comparisons.csv",
        signatures="results/signatures.json",
        record="results/table1.json",
    log:
        "logs/table1.log",
    benchmark:
        "benchmarks/results/table1.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("table1"),
    shell:
        "python -m spl table1 --params {params.file:q} --results results --out {output.csv:q} 2> {log:q}"


rule further_metrics:
    """Aggregate the metrics beside the paper's."""
    input:
        per_image=PER_IMAGE,
        perceptual=PERCEPTUAL,
    output:
        csv="results/further_metrics.csv",
        record="results/further_metrics.json",
    log:
        "logs/further_metrics.log",
    benchmark:
        "benchmarks/results/further_metrics.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("further_metrics"),
    shell:
        "python -m spl further-metrics --params {params.file:q} --results results --out {output.csv:q} 2> {log:q}"


rule compare_ablations:
    """Compare every ablation with the method it varies."""
    input:
        per_image=(
            evaluated([params.ablations.dataset], [params.ablations.reference, *params.ablations.methods])
            if params.ablations
            else []
        ),
    output:
        csv="results/ablations.csv",
        record="results/ablations.json",
    log:
        "logs/compare_ablations.log",
    benchmark:
        "benchmarks/results/compare_ablations.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("compare_ablations"),
    shell:
        "python -m spl compare-ablations --params {params.file:q} --results results --out {output.csv:q} 2> {log:q}"


rule compare_grid:
    """Compare the points of the grid search on validation images."""
    input:
        per_image=evaluated(DATASETS, [params.grid.method, *grid_points(params)]) if params.grid else [],
    output:
        csv="results/grid.csv",
        record="results/grid.json",
    log:
        "logs/compare_grid.log",
    benchmark:
        "benchmarks/results/compare_grid.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("compare_grid"),
    shell:
        "python -m spl compare-grid --params {params.file:q} --results results --out {output.csv:q} 2> {log:q}"


rule check_claims:
    """Check what the paper claims against the evidence, one claim after the other."""
    input:
        per_image=PER_IMAGE,
        runs=[path.replace("weights.safetensors", "run.json") for path in WEIGHTS],
        detections=DETECTIONS,
        pairs=expand("data/pairs/{dataset}.csv", dataset=SEARCHED),
        masks="data/masks/masks.csv" if SEARCHED else [],
    output:
        csv="results/claims.csv",
        markdown="results/claims.md",
        record="results/claims.json",
    log:
        "logs/check_claims.log",
    benchmark:
        "benchmarks/results/check_claims.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("check_claims"),
    shell:
        "python -m spl check-claims --params {params.file:q} --results results --data data --out {output.csv:q} 2> {log:q}"


rule measure_cost:
    """Measure what filling an image costs by every method, with nothing else running on a small machine."""
    output:
        table="results/cost.csv",
        record="results/cost.json",
    log:
        "logs/measure_cost.log",
    benchmark:
        "benchmarks/results/measure_cost.tsv"
    threads: 8  # of at most as many as there are
    resources:
        mem_mb=memory,
        runtime=minutes,
        gpu=gpus,
    params:
        file=params_file,
        settings=settings_of("measure_cost"),
    shell:
        "python -m spl measure-cost --params {params.file:q} --out {output.table:q} 2> {log:q}"


rule write_report:
    """Write everything onto one page that opens offline."""
    input:
        tables=REPORTED,
        data=[path.replace("manifest.csv", "record.json") for path in PREPARED] + ["data/masks/record.json"],
        pairs=PAIRS + [path.replace(".csv", ".json") for path in PAIRS],
        figures=[path for path in FIGURES if path.endswith(".png")] + EXAMPLES,
        runs=[path.replace("weights.safetensors", "run.json") for path in WEIGHTS + TEACHERS],
    output:
        page="results/report.html",
        record="results/report.json",
    log:
        "logs/write_report.log",
    benchmark:
        "benchmarks/results/write_report.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        settings=settings_of("write_report"),
        file=str(PARAMS),  # embedded as it is, comments too; its name has its hash
    shell:
        "python -m spl write-report --params {params.file:q} --results results --data data --out {output.page:q}"
        " 2> {log:q}"
