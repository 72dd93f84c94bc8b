"""Tables, the claims and the report, from CSV and PNG files alone.

OUTPUTS:

    results/table1.{csv,md,tex,json}     ours, the paper's, the gap, the interval
    results/comparisons.csv              paired differences between methods
    results/metrics.csv                  metrics beside the paper's
    results/figure4.csv                  ablations
    results/grid.csv                     grid search, where the experiment has one
    results/claims.{csv,md}              what the paper claims, and what this run says to it
    results/cost.csv                     parameters, multiplications, seconds, memory
    results/report.html                  all of it on one page
"""


rule table1:
    """Aggregate the per-image evidence into Table 1."""
    input:
        per_image=TABLE_EVIDENCE,
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
        settings=canonical(report_slices.table_settings(params)),
    shell:
        "python -m spl table table1 --params {params.file:q} --evidence results/eval --out results 2> {log:q}"


rule further_metrics:
    """Aggregate the metrics beside the paper's."""
    input:
        per_image=PER_IMAGE,
        perceptual=PERCEPTUAL,
    output:
        csv="results/metrics.csv",
    log:
        "logs/further_metrics.log",
    benchmark:
        "benchmarks/results/further_metrics.tsv"
    params:
        file=params_file,
        settings=canonical(report_slices.table_settings(params)),
    shell:
        "python -m spl table metrics --params {params.file:q} --out {output.csv:q} 2> {log:q}"


rule compare_ablations:
    """Compare every ablation with the method it varies."""
    input:
        per_image=ABLATION_EVIDENCE,
    output:
        csv="results/figure4.csv",
    log:
        "logs/compare_ablations.log",
    benchmark:
        "benchmarks/results/compare_ablations.tsv"
    params:
        file=params_file,
        settings=canonical(report_slices.ablation_settings(params)),
    shell:
        "python -m spl table ablations --params {params.file:q} --out {output.csv:q} 2> {log:q}"


rule compare_grid:
    """Compare the points of the grid search on validation images."""
    input:
        per_image=TABLE_EVIDENCE,
    output:
        csv="results/grid.csv",
    log:
        "logs/compare_grid.log",
    benchmark:
        "benchmarks/results/compare_grid.tsv"
    params:
        file=params_file,
        settings=canonical(report_slices.grid_settings(params)),
    shell:
        "python -m spl table grid --params {params.file:q} --out {output.csv:q} 2> {log:q}"


rule check_claims:
    """Check what the paper claims against the evidence, one claim after the other."""
    input:
        per_image=PER_IMAGE,
        detections=DETECTIONS,
        pairs=PAIRS,
    output:
        csv="results/claims.csv",
        markdown="results/claims.md",
    log:
        "logs/check_claims.log",
    benchmark:
        "benchmarks/results/check_claims.tsv"
    params:
        file=params_file,
        settings=canonical(report_slices.claim_settings(params)),
    shell:
        "python -m spl table claims --params {params.file:q} --out results 2> {log:q}"


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
        settings=canonical(slices.cost_settings(params)),
    shell:
        "python -m spl cost --params {params.file:q} --out {output.table:q} 2> {log:q}"


rule write_report:
    """Write everything onto one page that opens offline."""
    input:
        tables=REPORTED,
        data=[path.replace("manifest.csv", "record.json") for path in PREPARED] + ["data/masks/record.json"],
        pairs=PAIRS + [path.replace(".csv", ".json") for path in PAIRS],
        figures=[picture for picture in PAPER_FIGURES if picture.endswith(".png")] + EXAMPLES,
        runs=[path.replace("weights.safetensors", "run.json") for path in WEIGHTS + TEACHERS],
    output:
        page="results/report.html",
    log:
        "logs/write_report.log",
    benchmark:
        "benchmarks/results/write_report.tsv"
    params:
        file=params_file,
        settings=canonical(params),
    shell:
        "python -m spl report --params {params.file:q} --out {output.page:q} 2> {log:q}"
