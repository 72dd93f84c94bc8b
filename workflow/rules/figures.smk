"""The paper's figures, each as PDF and PNG, and the example images.

A figure reads tables, images and kept priors, never trained weights: changing what it shows trains nothing.

OUTPUTS:

    results/figures/fig1.{pdf,png}               one image, several methods, detections, the prior
    results/figures/fig2.{pdf,png}               the architecture, from the network itself: it reads nothing
    results/figures/fig3.{pdf,png}               methods side by side
    results/figures/fig4.{pdf,png}               ablations
    results/figures/fig5.{pdf,png}               semantic priors beside edges
    results/figures/grid.{pdf,png}               grid search, where the experiment has one
    results/figures/examples_{dataset}.png       input, each method, ground truth
"""


rule draw_figure:
    """Draw one of the paper's figures, or the grid search."""
    input:
        per_image=lambda w: first("results/eval/{dataset}/{method}/seed{seed}/per_image.csv", shown_in(w).filled),
        images=lambda w: first("data/prepared/{dataset}/manifest.csv", shown_in(w).filled),
        masks=lambda w: first("data/masks/masks.csv", shown_in(w).filled),
        priors=lambda w: first("results/priors/{dataset}/{method}.safetensors", shown_in(w).priors),
        detections=lambda w: first("results/detections/{dataset}/ground_truth.csv", shown_in(w).searched),
        table=lambda w: {"fig4": "results/ablations.csv", "grid": "results/grid.csv"}.get(w.figure, []),
    output:
        pdf="results/figures/{figure}.pdf",
        png="results/figures/{figure}.png",
        record="results/figures/{figure}.json",
    log:
        "logs/draw_figure/{figure}.log",
    benchmark:
        "benchmarks/results/draw_figure/{figure}.tsv"
    wildcard_constraints:
        figure=r"fig\d+|grid",
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("draw_figure"),
    shell:
        "python -m spl draw-figure --params {params.file:q} --figure {wildcards.figure} --results results --data data"
        " --out {output.pdf:q} 2> {log:q}"


rule draw_examples:
    """Show input, each method and ground truth for a few test images of every ratio bin."""
    input:
        per_image=lambda w: first(
            "results/eval/{dataset}/{method}/seed{seed}/per_image.csv", [(w.dataset, m) for m in params.table_methods]
        ),
        pairs="data/pairs/{dataset}.csv",
        images="data/prepared/{dataset}/manifest.csv",
        masks="data/masks/masks.csv",
    output:
        image="results/figures/examples_{dataset}.png",
        record="results/figures/examples_{dataset}.json",
    log:
        "logs/draw_examples/{dataset}.log",
    benchmark:
        "benchmarks/results/draw_examples/{dataset}.tsv"
    resources:
        mem_mb=memory,
        runtime=minutes,
    params:
        file=params_file,
        settings=settings_of("draw_examples"),
    shell:
        "python -m spl draw-examples --params {params.file:q} --dataset {wildcards.dataset} --results results --data data"
        " --out {output.image:q} 2> {log:q}"


rule figures:
    """Target: every figure."""
    input:
        FIGURES,
        EXAMPLES,
