"""The claims as a Markdown page."""

import pandas as pd

from spl.common.labels import DECIMALS, RATIO_TITLES, method_title, metric_title

VERDICTS = ("supported", "not supported", "undecided", "not testable")

WORLDS = {
    "miniature world": "The verdicts are about the miniature world with its small networks; "
    "they say nothing about the paper's results.",
    "other pictures": "Some pictures are not the paper's (another source, layout, size or split), and verdicts about "
    "them say little about the paper's results.",
}


ONE_TRAINING = (
    "Where a method was trained once, a verdict is about that training. How far the next would differ is not known, "
    "and often counts more than the images do: give seeds in params.yaml three values or more."
)


def to_page(table: pd.DataFrame, *, confidence: float) -> str:
    """Render a summary of all claims, then every claim with its comparisons."""
    known = table.astype(object).where(table.notna(), "")
    lines = [
        "# The paper's claims\n",
        f"A difference is positive where the claim holds. Its {confidence:.0%} interval is over test images and, where "
        "methods were trained several times, over trainings; a claim is supported or not if the interval lies wholly "
        "on one side of 0. Intervals are not corrected for the number of comparisons. What an undecided one needs is "
        "right if its difference stays as measured.\n",
        *(f"**{text}**\n" for about, text in WORLDS.items() if (known["about"] == about).any()),
        *([f"**{ONE_TRAINING}**\n"] if (known["n_seeds"] == 1).any() else []),
        "| claim | source | " + " | ".join(VERDICTS) + " |",
        "|---|---|" + "--:|" * len(VERDICTS),
    ]
    claims = list(dict(list(known.groupby("claim", sort=False))).values())
    for rows in claims:
        counts = [str((rows["verdict"] == verdict).sum()) for verdict in VERDICTS]
        lines.append(f"| {rows['text'].iloc[0]} | {rows['source'].iloc[0]} | " + " | ".join(counts) + " |")
    for rows in claims:
        lines += [f"\n## {rows['text'].iloc[0]}\n", f"Paper: {rows['source'].iloc[0]}.\n", *_details(rows)]
    return "\n".join(lines) + "\n"


def _details(rows: pd.DataFrame) -> list[str]:
    """Render the comparisons of one claim; whose pictures they are about, where that differs."""
    differs = rows["about"].nunique() > 1
    head = ["about"] * differs + ["dataset", "method", "against", "metric", "masks", "paper", "difference", "images",
                                  "trainings", "verdict", "note"]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows.to_dict("records"):
        metric = row["metric"]
        cells = [
            *[row["about"]] * differs, row["dataset"], method_title(row["subject"]), method_title(row["rival"]),
            metric and metric_title(metric), RATIO_TITLES.get(row["mask_ratio"], ""),
            _signed(row["paper"], metric), _difference(row), _count(row["n_images"]), _count(row["n_seeds"]),
            row["verdict"], _note(row),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _difference(row: dict) -> str:
    number, low, high = (_signed(row[name], row["metric"]) for name in ("difference", "low", "high"))
    return f"{number} [{low}, {high}]" if low else number


def _note(row: dict) -> str:
    return f"{row['reason']} Needs {row['needed']}.".strip() if row["needed"] else row["reason"]


def _signed(value: float | str, metric: str) -> str:
    return "" if value == "" else f"{value:+.{DECIMALS[metric] + 1}f}"


def _count(value: float | str) -> str:
    return "" if value == "" else f"{value:.0f}"
