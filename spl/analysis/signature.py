"""Signatures, as sacrebleu has them: a short hash of what two numbers share if they may be compared."""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from spl.analysis.evidence import Evidence, Seeds, evidence_files
from spl.common.errors import DataError, again
from spl.common.files import canonical_json, read_json
from spl.common.printed import count
from spl.common.tables import write_table
from spl.common.versions import versions
from spl.steps.records import read_record
from spl.steps.settings import TableSettings

Signed = dict[str, Any]
"""A `signature`, the facts `counted` in it, and those `beside` it, in which numbers to compare may differ."""


def sign(settings: TableSettings, results: Path, seeds: Seeds, evidence: Evidence) -> dict[str, Signed]:
    """Sign the numbers of every dataset; its methods share one signature.

    The contents of images and masks count, and their order, since RN's statistics pool over a batch; names do not.
    Raises: DataError if an evaluation is of another version of the metrics than this code.
    """
    found = {}
    for dataset, methods in seeds.items():
        records = {f: read_record(f.with_name("record.json")) for f in evidence_files(results, {dataset: methods})}
        pairs = max((measured.pairs for (name, _), measured in evidence.items() if name == dataset), key=len)
        if old := [f for f, record in records.items() if record["settings"]["metrics"] != settings.evaluation.metrics]:
            named = ", ".join(map(str, old))
            raise DataError(f"{named}: measured by another version of the metrics. Evaluate again: {again(*old)}")
        drawn, devices = {seed for own in methods.values() for seed in own}, {r["device"] for r in records.values()}
        found[dataset] = sign_pairs(settings, dataset, pairs, seeds=sorted(drawn), devices=sorted(devices))
    return found


def sign_pairs(settings: TableSettings, dataset: str, pairs: pd.DataFrame, **beside: list[Any]) -> Signed:
    """Sign what was measured on some pairs by this version of the metrics."""
    entry, protocol = settings.datasets[dataset], settings.evaluation
    counted = {
        "split": protocol.split, "size": entry.image_size, "crop": entry.crop, "batch": protocol.batch_size,
        "masks per image": int(pairs["image"].value_counts().max()), "metrics": f"v{protocol.metrics}",
        "pairs": (pairs["image_sha256"] + " " + pairs["mask_sha256"]).tolist(),
    }  # fmt: skip
    beside |= {"images": pairs["image"].tolist()}
    return {"signature": _print(counted), "counted": counted, "beside": {"spl": versions()["spl"], **beside}}


def _print(counted: dict[str, Any]) -> str:
    digest = hashlib.sha256(canonical_json(counted).encode()).hexdigest()[:8]
    crop, masks = f", crop {counted['crop']}" * bool(counted["crop"]), count(counted["masks per image"], "mask")
    return " · ".join([
        digest, counted["split"], count(len(counted["pairs"]), "pair"), f"{masks} per image",
        f"{counted['size']} px{crop}", f"batches of {counted['batch']}", f"metrics {counted['metrics']}",
    ])  # fmt: skip


def write_signed(path: Path, table: pd.DataFrame, signed: dict[str, Signed]) -> None:
    """Write a table in which every row has the signature of its dataset."""
    signatures = {dataset: own["signature"] for dataset, own in signed.items()}
    write_table(path, table.assign(signature=table["dataset"].map(signatures)))


def signature_lines(table: pd.DataFrame) -> list[str]:
    """Return a line for every dataset of a table that was read."""
    found = table.loc[table["signature"] != "", ["dataset", "signature"]].drop_duplicates()
    return [f"{dataset}: {signature}" for dataset, signature in found.to_numpy()]


def describe(dataset: str, signed: Signed) -> str:
    """Print a signature, and what stands beside it."""
    seeds, devices = (", ".join(map(str, signed["beside"][name])) for name in ("seeds", "devices"))
    return f"{dataset}: {signed['signature']} (seeds {seeds}; {devices}; spl {signed['beside']['spl']})"


def read_signatures(place: Path) -> dict[str, Signed]:
    """Read signatures.json, or that of a folder of results.

    Raises: DataError if it is something else, or not there.
    """
    path = place / "signatures.json" if place.is_dir() else place
    found = read_json(path)
    if not isinstance(found, dict) or not all("counted" in own for own in found.values()):
        raise DataError(f"{path} holds no signatures: expected the signatures.json that lies beside a table1.csv")
    return found


def differences(ours: Signed, theirs: Signed) -> list[str]:
    """Name every fact in which two signatures differ."""
    own, other = ours["counted"], theirs["counted"]
    shown, others = ({**facts, "pairs": len(facts["pairs"])} for facts in (own, other))
    differing = [fact for fact in shown | others if shown.get(fact) != others.get(fact)]
    found = [f"{fact}: {shown.get(fact)} against {others.get(fact)}" for fact in differing]
    known, images = {*other["pairs"]}, {pair.split()[0] for pair in other["pairs"]}
    named = [*zip(ours["beside"]["images"], own["pairs"], strict=True)]
    for what, has_image in (("images", False), ("masks", True)):
        lacking = [name for name, pair in named if pair not in known and (pair.split()[0] in images) is has_image]
        if lacking:
            found.append(f"{len(lacking)} of {count(len(named), 'pair')} have other {what}: first {lacking[0]}")
    return found or ["the pairs stand in another order"] * (own["pairs"] != other["pairs"])
