"""Table 1 as Markdown and LaTeX in the paper's shape, and as nested JSON for `dvc metrics`."""

import math

import pandas as pd

from spl.analysis.evidence import MASK_RATIOS, METRICS
from spl.analysis.table1 import PAPER_NAMES
from spl.common.labels import DECIMALS, RATIO_TITLES, method_title, metric_title

PAPER_TITLES = {"spl": "Ours", "rn": "RN", "rfr": "RFR", "mfe": "MFE"}
RELEASED_MARK = "†"
"""Behind cells of released weights."""


def to_markdown(table: pd.DataFrame, note: str) -> str:
    """Render metric x method against dataset x mask ratio; the paper's row stands, in italics, below each of ours."""
    datasets = list(dict.fromkeys(table["dataset"]))
    lines = [f"{note}\n"]
    head = [f"{dataset} {RATIO_TITLES[ratio]}" for dataset in datasets for ratio in MASK_RATIOS]
    lines += ["| | " + " | ".join(["method", *head]) + " |", "|---|---|" + "--:|" * len(head)]
    for metric, label, cells, is_paper in _rows(table, datasets):
        style = "*{}*" if is_paper else "{}"
        lines.append(f"| {metric_title(metric)} | " + " | ".join(style.format(text) for text in [label, *cells]) + " |")
    return "\n".join(lines) + "\n"


def to_latex(table: pd.DataFrame, note: str) -> str:
    """Render the same rows as a booktabs table."""
    datasets = list(dict.fromkeys(table["dataset"]))
    width = len(MASK_RATIOS)
    lines = [
        f"% {note}",
        r"\begin{tabular}{ll" + "c" * (width * len(datasets)) + "}",
        r"\toprule",
        " & " + "".join(f" & \\multicolumn{{{width}}}{{c}}{{{_escape(dataset)}}}" for dataset in datasets) + r" \\",
        " & " + "".join(f" & {_escape(RATIO_TITLES[ratio])}" for _ in datasets for ratio in MASK_RATIOS) + r" \\",
    ]
    previous = None
    for metric, label, cells, is_paper in _rows(table, datasets):
        lines += [r"\midrule"] if metric != previous else []
        head = _escape(metric_title(metric)) if metric != previous else ""
        label = rf"\textit{{{_escape(label)}}}" if is_paper else _escape(label)
        lines.append(f"{head} & {label} & " + " & ".join(map(_escape, cells)) + r" \\")
        previous = metric
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def to_metrics(table: pd.DataFrame) -> dict[str, dict]:
    """Nest our PSNR over all mask ratios by method and dataset: few enough for a column each in `dvc exp show`."""
    nested: dict[str, dict] = {}
    for row in table[(table["metric"] == "psnr") & (table["mask_ratio"] == "all")].to_dict("records"):
        if math.isfinite(row["ours"]):
            nested.setdefault(row["method"], {})[row["dataset"]] = round(row["ours"], 4)
    return {"psnr": nested}


def _rows(table: pd.DataFrame, datasets: list[str]) -> list[tuple[str, str, list[str], bool]]:
    """List (metric, label, cells, is the paper's) in the order of the printed table."""
    cells = table.set_index(["metric", "method", "dataset", "mask_ratio"]).to_dict("index")
    rows = []
    for metric in METRICS:
        for method in dict.fromkeys(table["method"]):
            found = [cells[metric, method, dataset, ratio] for dataset in datasets for ratio in MASK_RATIOS]
            rows.append((metric, method_title(method), [_ours(cell, DECIMALS[metric]) for cell in found], False))
            if any(pd.notna(cell["paper"]) for cell in found):
                printed = [_number(cell["paper"], DECIMALS[metric]) for cell in found]
                rows.append((metric, f"paper: {PAPER_TITLES[PAPER_NAMES[method]]}", printed, True))
    return rows


def _ours(cell: dict, decimals: int) -> str:
    mark = RELEASED_MARK if cell["status"].startswith("released") else ""
    if pd.isna(cell["ours_low"]) or math.isinf(cell["ours"]):
        return _number(cell["ours"], decimals) + mark
    half = (cell["ours_high"] - cell["ours_low"]) / 2
    spread = f" ({cell['seed_sd']:.{decimals}f})" if pd.notna(cell["seed_sd"]) else ""
    return f"{cell['ours']:.{decimals}f} ± {half:.{decimals}f}{spread}{mark}"


def _number(value: float, decimals: int) -> str:
    return "–" if value is None or pd.isna(value) else "∞" if math.isinf(value) else f"{value:.{decimals}f}"


def _escape(text: str) -> str:
    marks = {
        "_": r"\_",
        "%": r"\%",
        "±": r"$\pm$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "∞": r"$\infty$",
        "–": "--",
        "†": r"$^\dagger$",
    }
    return "".join(marks.get(letter, letter) for letter in text)
