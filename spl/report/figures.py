"""The figures, embedded, each with what it shows and by which rule that was chosen; and figure 4's numbers."""

from pathlib import Path

import pandas as pd
from PIL import Image

from spl.analysis.evidence import MASK_RATIOS
from spl.common.labels import RATIO_TITLES, method_title
from spl.common.metrics import METRICS, PAPER_METRICS
from spl.common.printed import DASH, Cell, Row, Table, interval, number
from spl.common.tables import as_numbers, read_table
from spl.data.pair_masks import spread_over_hole_ratios
from spl.report.table1 import standing
from spl.report.view import Figure, Part, Prose, Section, embed
from spl.steps.settings import ReportSettings, drawn_figures

TITLES = {"fig1": "Figure 1", "fig2": "Figure 2", "fig3": "Figure 3", "fig4": "Figure 4", "fig5": "Figure 5"}

SHOWN = "Description"
"""Entry of a PNG in which a figure names the pictures that it shows."""


def figures_section(settings: ReportSettings, results: Path, data: Path) -> Section:
    """Embed the figures 1 to 5 and the examples; one that is not there is named with the reason."""
    drawn, parts = drawn_figures(settings), list[Part]()
    if absent := [title for name, title in TITLES.items() if name not in drawn]:
        parts.append(Prose(f"Not part of this experiment: {', '.join(absent)} (null in the parameter file).", "note"))
    for name in (name for name in TITLES if name in drawn):
        parts.append(_picture(TITLES[name], results / f"figures/{name}.png", CAPTIONS[name](settings)))
    for dataset in settings.datasets:
        caption = _examples(settings, dataset, data)
        title = f"Examples, {dataset}"
        parts.append(_picture(title, results / f"figures/examples_{dataset}.png", caption))
    return Section("figures", "Figures", tuple(parts))


def ablations_section(settings: ReportSettings, results: Path) -> Section:
    """Show the numbers of figure 4."""
    title, ablations, table = "Figure 4 in numbers", settings.ablations, read_table(results / "ablations.csv")
    if ablations is None or table.empty:
        return Section("ablations", title, (Prose("This experiment has no ablations (ablations: null)."),))
    lead = Prose(
        f"Ablations of {method_title(ablations.reference)} on {ablations.dataset}. Below each mean "
        "stands the paired difference to the reference with its interval over images and trainings, undecided "
        "where that contains 0. The last column is where the paper puts the ablation."
    )
    numeric = ("value", "difference", "difference_low", "difference_high")
    table = table.assign(**{column: as_numbers(table[column]) for column in numeric})
    cells = table.set_index(["metric", "method", "mask_ratio"]).to_dict("index")
    lines = []
    for metric in PAPER_METRICS:
        for method in dict.fromkeys(table["method"]):
            found = [cells[metric, method, ratio] for ratio in MASK_RATIOS]
            order = Cell(found[0]["paper_order"] or DASH, look="left")
            shown = (*(_ablated(cell, metric) for cell in found), order)
            lines.append(Row((Cell(method_title(method)),), shown, group=METRICS[metric].title))
    head = (Cell("method"), *(Cell(RATIO_TITLES[ratio]) for ratio in MASK_RATIOS), Cell("paper", look="left"))
    return Section("ablations", title, (lead, Table((head,), tuple(lines))))


def grid_section(settings: ReportSettings, results: Path) -> Section | None:
    """Show the grid search; None where the experiment has none."""
    if settings.grid is None:
        return None
    table = read_table(results / "grid.csv")
    weights = list(dict.fromkeys(weight for block in settings.grid.points for weight in block))
    head = ["dataset", "rank", *weights, *(METRICS[metric].title for metric in PAPER_METRICS), "ΔPSNR to own weights"]
    numeric = [
        *PAPER_METRICS,
        "psnr_low",
        "psnr_high",
        "psnr_difference",
        "psnr_difference_low",
        "psnr_difference_high",
    ]
    table = table.assign(**{column: as_numbers(table[column]) for column in numeric})
    lines = []
    for row in table.sort_values(["dataset", "rank"], kind="stable").to_dict("records"):
        means = [Cell(number(row[m], METRICS[m].decimals + 1)) for m in PAPER_METRICS]
        low, high = row["psnr_difference_low"], row["psnr_difference_high"]
        change = Cell(number(row["psnr_difference"], 3, signed=True), interval(low, high, 3, signed=True))
        values = [Cell(f"{row[weight]:g}") for weight in weights]
        lines.append(Row((Cell(row["dataset"]),), (Cell(str(row["rank"])), *values, *means, change)))
    lead = (
        f"Loss weights of {method_title(settings.grid.method)} (paper section 3.4), compared on validation images; "
        "rank by PSNR, the best first. A row without a difference has the method's own weights."
    )
    picture = _picture("Grid search", results / "figures/grid.png", "The same numbers, drawn.")
    return Section("grid", "Grid search", (Prose(lead), Table((tuple(map(Cell, head)),), tuple(lines)), picture))


def _ablated(cell: dict, metric: str) -> Cell:
    decimals, low, high = METRICS[metric].decimals, cell["difference_low"], cell["difference_high"]
    if pd.isna(cell["difference"]):
        return Cell(number(cell["value"], decimals))
    look, word = standing(metric, low, high)
    between = " ".join(interval(low, high, decimals + 1, signed=True))
    notes = (f"{word}: {number(cell['difference'], decimals + 1, signed=True)} {between}",)
    return Cell(number(cell["value"], decimals), notes, look=look)


def _picture(title: str, path: Path, caption: str) -> Figure | Prose:
    """Embed a PNG; if the figure has written into it which pictures it shows, the caption says so."""
    if not path.is_file():
        return Prose(f"{title} has not been drawn: snakemake --cores all -- {path}", "note")
    with Image.open(path) as picture:
        shown = picture.info.get(SHOWN)
    source = embed(path.read_bytes(), "png")
    return Figure(title, source, f"{caption} Shown: {shown}." if shown else caption)


def _figure1(settings: ReportSettings) -> str:
    figure = settings.figures.fig1
    assert figure is not None
    return (
        f"One picture of {figure.dataset}: the input, results of {_names(figure.methods)} with the "
        f"objects that the detector finds in them {_score(settings)}, {_clusters(settings, figure.prior)}, and the "
        f"ground truth. {_rule(settings, figure.methods[-1], hiding=True)}"
    )


def _figure2(settings: ReportSettings) -> str:
    figure = settings.figures.fig2
    assert figure is not None
    size = settings.datasets[figure.dataset].image_size
    return (
        f"The network of {method_title(figure.method)} for {size} × {size} px, drawn from the model itself: modules "
        "and shapes are those of a forward pass."
    )


def _figure3(settings: ReportSettings) -> str:
    figure = settings.figures.fig3
    assert figure is not None
    columns = ", ".join(f"{number_of} of {dataset}" for dataset, number_of in figure.images.items())
    return (
        f"Input, results of {_names(figure.methods)} and ground truth below each other ({columns}); in the last column "
        f"a picture of {figure.detections} with the objects that the detector finds {_score(settings)}. "
        f"{_rule(settings, figure.methods[-1])} In the last column only pictures count whose hole hides at least half "
        "of an object, if there are any."
    )


def _figure4(settings: ReportSettings) -> str:
    ablations = settings.ablations
    assert ablations is not None
    return (
        f"{_names((ablations.reference, *ablations.methods))} on {ablations.dataset}, all hole ratios. "
        f"Whiskers are the {settings.evaluation.bootstrap.confidence:.0%} intervals of the paired differences to "
        f"{method_title(ablations.reference)}."
    )


def _figure5(settings: ReportSettings) -> str:
    figure = settings.figures.fig5
    assert figure is not None
    return (
        f"Pictures of {figure.dataset}: the input, the edges of {method_title(figure.edges)} and its "
        f"result, {_clusters(settings, figure.prior)} and its result, and the ground truth. "
        f"{_rule(settings, figure.prior)}"
    )


CAPTIONS = {"fig1": _figure1, "fig2": _figure2, "fig3": _figure3, "fig4": _figure4, "fig5": _figure5}


def _examples(settings: ReportSettings, dataset: str, data: Path) -> str:
    caption = (
        "Input, every method of Table 1 with its PSNR, and ground truth, at equally spaced ranks of the hole ratio."
    )
    pairs = data / f"pairs/{dataset}.csv"
    if not pairs.is_file():
        return caption
    table = read_table(pairs)
    rows = spread_over_hole_ratios(table["hole_ratio"].to_numpy(), settings.figures.examples)
    return f"{caption} Shown: {', '.join(table['image'][row] for row in rows)}."


def _rule(settings: ReportSettings, method: str, *, hiding: bool = False) -> str:
    """Say how the shown pictures were chosen."""
    figures = settings.figures
    among = f"{settings.evaluation.split} pictures with a hole ratio of at least {figures.min_hole_ratio:.0%}"
    if hiding:
        among += " whose hole, if there are such, hides at least half of an object"
    if figures.choice == "median":
        return f"Rule: of the {among}, those whose PSNR under {method_title(method)} is closest to the median."
    return f"Rule: drawn with the seed {settings.seed} from the {among}."


def _clusters(settings: ReportSettings, method: str) -> str:
    clusters = settings.figures.clusters
    scope = "over all kept pictures" if clusters.scope == "set" else "of each picture alone"
    return f"the semantic prior of {method_title(method)} by k-means ({clusters.number} clusters, {scope})"


def _score(settings: ReportSettings) -> str:
    assert settings.detection is not None
    return f"(score at least {settings.detection.min_score:g})"


def _names(methods: tuple[str, ...]) -> str:
    return ", ".join(map(method_title, methods))
