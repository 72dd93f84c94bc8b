"""The paper's figures, each as PDF and PNG, and the example pictures.

A figure reads tables, pictures and kept priors, never trained weights: changing what it shows trains nothing.

OUTPUTS:

    results/figures/fig1.{pdf,png}               one picture, several methods, detections, the prior
    results/figures/fig2.{pdf,png}               the architecture
    results/figures/fig3.{pdf,png}               methods side by side
    results/figures/fig4.{pdf,png}               ablations
    results/figures/fig5.{pdf,png}               semantic priors beside edges
    results/figures/grid.{pdf,png}               grid search, where the experiment has one
    results/figures/examples_{dataset}.png       input, each method, ground truth
"""


rule draw_fig1:
    """Draw Figure 1: one picture, several methods, what a detector finds, and the prior."""
    input:
        unpack(shown_in("fig1")),
    output:
        pdf="results/figures/fig1.pdf",
        png="results/figures/fig1.png",
    log:
        "logs/draw_fig1.log",
    benchmark:
        "benchmarks/results/draw_fig1.tsv"
    params:
        file=params_file,
        settings=figure_slice("fig1"),
    shell:
        "python -m spl figure fig1 --params {params.file:q} --out results/figures/fig1 2> {log:q}"


rule draw_fig2:
    """Draw Figure 2: the architecture, from the network itself."""
    output:
        pdf="results/figures/fig2.pdf",
        png="results/figures/fig2.png",
    log:
        "logs/draw_fig2.log",
    benchmark:
        "benchmarks/results/draw_fig2.tsv"
    params:
        file=params_file,
        settings=figure_slice("fig2"),
    shell:
        "python -m spl figure fig2 --params {params.file:q} --out results/figures/fig2 2> {log:q}"


rule draw_fig3:
    """Draw Figure 3: methods side by side on pictures of every dataset."""
    input:
        unpack(shown_in("fig3")),
    output:
        pdf="results/figures/fig3.pdf",
        png="results/figures/fig3.png",
    log:
        "logs/draw_fig3.log",
    benchmark:
        "benchmarks/results/draw_fig3.tsv"
    params:
        file=params_file,
        settings=figure_slice("fig3"),
    shell:
        "python -m spl figure fig3 --params {params.file:q} --out results/figures/fig3 2> {log:q}"


rule draw_fig4:
    """Draw Figure 4: the ablations as bars."""
    input:
        numbers="results/figure4.csv",
    output:
        pdf="results/figures/fig4.pdf",
        png="results/figures/fig4.png",
    log:
        "logs/draw_fig4.log",
    benchmark:
        "benchmarks/results/draw_fig4.tsv"
    params:
        file=params_file,
        settings=figure_slice("fig4"),
    shell:
        "python -m spl figure fig4 --params {params.file:q} --out results/figures/fig4 2> {log:q}"


rule draw_fig5:
    """Draw Figure 5: semantic priors beside edges."""
    input:
        unpack(shown_in("fig5")),
    output:
        pdf="results/figures/fig5.pdf",
        png="results/figures/fig5.png",
    log:
        "logs/draw_fig5.log",
    benchmark:
        "benchmarks/results/draw_fig5.tsv"
    params:
        file=params_file,
        settings=figure_slice("fig5"),
    shell:
        "python -m spl figure fig5 --params {params.file:q} --out results/figures/fig5 2> {log:q}"


rule draw_grid:
    """Draw the grid search."""
    input:
        numbers="results/grid.csv",
    output:
        pdf="results/figures/grid.pdf",
        png="results/figures/grid.png",
    log:
        "logs/draw_grid.log",
    benchmark:
        "benchmarks/results/draw_grid.tsv"
    params:
        file=params_file,
        settings=figure_slice("grid"),
    shell:
        "python -m spl figure grid --params {params.file:q} --out results/figures/grid 2> {log:q}"


rule draw_examples:
    """Show input, each method and ground truth for a few test images of every ratio bin."""
    input:
        per_image=lambda w: evidence([w.dataset], params.table_methods),
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
        settings=lambda w: canonical(report_slices.example_settings(params, w.dataset)),
    shell:
        "python -m spl figure examples --params {params.file:q} --dataset {wildcards.dataset}"
        " --out {output.picture:q} 2> {log:q}"


rule figures:
    """Target: every figure."""
    input:
        PAPER_FIGURES,
        EXAMPLES,
