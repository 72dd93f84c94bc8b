"""The paper preset gets its data from servers that misbehave, and goes on after any interruption."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from spl.common.files import read_json
from tests.conftest import REPOSITORY, read_raw
from tests.server import Server, announce, cut, drop, page, stall, status, whole
from tests.workflow import real_archives as archives
from tests.workflow.conftest import Clone

KILLS = 6


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder with every archive, and a file in the place of a weight file."""
    folder = tmp_path_factory.mktemp("served")
    archives.write_places365_easy(folder)
    archives.write_celeba(folder)
    archives.write_masks(folder)
    (folder / "vgg16-397923af.pth").write_bytes(os.urandom(200_000))
    (folder / "vgg19-dcbb9e9d.pth").write_bytes(os.urandom(200_000))
    return folder


def place(folder: Path, params: dict, sources: dict, cache: Path, **environment: str) -> Clone:
    """A working folder with a parameter file and a registry of its own."""
    (folder / "paper.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "sources.yaml").write_text(yaml.safe_dump(sources, sort_keys=False))
    clone = Clone(folder, cache)
    clone.env |= {"SPL_SOURCES": str(folder / "sources.yaml"), "SPL_DOWNLOAD_TIMEOUT": "1"} | environment
    return clone


def snakemake(clone: Clone, *targets: str, ok: bool = True) -> str:
    return clone.snakemake("paper.yaml", "--", *targets, ok=ok)


def test_the_paper_preset_fetches_resumes_verifies_and_prepares_all_sets(served, tmp_path):
    with Server(served) as server:
        sources = archives.registry(served, lambda name: [server.url(f"gone/{name}"), *[server.url(name)] * 2])
        server.misbehave("places365standard_easyformat.tar", drop(30_000), status(503), drop(60_000), whole(), [])
        server.misbehave("img_align_celeba.zip", stall(20_000), cut(40_000), [])
        server.misbehave("list_eval_partition.txt", status(429))
        server.misbehave("test_mask.zip", announce(10_000), drop(5_000))
        server.misbehave("gone/test_mask.zip", page())
        clone = place(tmp_path, read_raw(REPOSITORY / "presets/paper.yaml"), sources, tmp_path / "cache")
        by_hand = tmp_path / "data/raw/paris_streetview"
        by_hand.mkdir(parents=True)
        archives.write_paris(by_hand)
        assert "missing" in clone.run("spl", "status", "--params", "paper.yaml")

        targets = ("data", "masks", "data/sources/weights/vgg.json")
        snakemake(clone, *targets)
        asked = len(server.requests)
        assert any(request.range for request in server.asked("places365standard_easyformat.tar"))
        assert any(request.range for request in server.asked("img_align_celeba.zip"))
        assert "Nothing to be done" in snakemake(clone, *targets)
        assert len(server.requests) == asked, "what was fetched is fetched again"

    for dataset, referenced in (("places2", archives.TRAIN + archives.TEST), ("celeba", 0), ("paris", 0)):
        record = read_json(tmp_path / f"data/prepared/{dataset}/record.json")
        assert record["images"] == {"train": archives.TRAIN, "test": archives.TEST}
        assert (record["referenced"], record["skipped"]) == (referenced, 0)
        assert len(pd.read_csv(tmp_path / f"data/pairs/{dataset}.csv")) == archives.TEST
    assert read_json(tmp_path / "data/masks/record.json")["masks_per_bin"]["20-30"] == archives.MASKS // 6
    downloads = {path.name for path in (tmp_path / "data/raw").rglob("*.part*")}
    assert not downloads, "something is half-written"
    assert re.search(r"^[\d,]+ right$", clone.run("spl", "verify", "--params", "paper.yaml"), re.MULTILINE)

    archive = tmp_path / "data/raw/places365_easy/places365standard_easyformat.tar"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    found = clone.run("spl", "verify", "--params", "paper.yaml", ok=False)
    assert f"{archive.relative_to(tmp_path)}: edited since data/sources/images/places2.json was written" in found
    assert f"{archive.relative_to(tmp_path)}: edited places365_standard/" in found  # the very image, too


# --- Kills ------------------------------------------------------------------------------------------------------------

STEPS = """
set -e
spl fetch-images --dataset celeba --params paper.yaml
spl prepare-images --dataset celeba --params paper.yaml --workers 2
spl fetch-masks --params paper.yaml
spl group-masks --params paper.yaml --workers 2
"""
RESULTS = (
    "data/sources/images/celeba.csv", "data/sources/images/celeba.json", "data/prepared/celeba/manifest.csv",
    "data/prepared/celeba/record.json", "data/sources/masks.csv", "data/masks/masks.csv", "data/masks/record.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough images and masks for several shards."""
    folder, count = tmp_path_factory.mktemp("many"), {"train": 650, "test": 50, "masks": 400}
    archives.write_celeba(folder, count["train"], count["test"])
    archives.write_masks(folder, count["masks"])
    return folder, count


def start(clone: Clone) -> subprocess.Popen:
    return subprocess.Popen(
        ["bash", "-c", STEPS], cwd=clone.folder, env=clone.env, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(clone: Clone) -> dict[str, bytes]:
    process = start(clone)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return {name: (clone.folder / name).read_bytes() for name in RESULTS}


def kill(process: subprocess.Popen, whole_group: bool) -> bool:
    """Kill -9 the running command, or all of its processes at once; tell whether it was still running."""
    if process.poll() is not None:
        return False
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
        for child in children[:1]:
            os.kill(int(child), signal.SIGKILL)
    process.wait()
    return True


def test_kills_at_random_moments_change_no_byte(many, tmp_path):
    served, count = many
    params = read_raw(REPOSITORY / "presets/paper.yaml")
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    with Server(served) as server:
        sources = archives.registry(served, lambda name: [server.url(name)], **count)
        calm, killed = (place(tmp_path / name, params, sources, tmp_path / "cache") for name in ("calm", "killed"))
        began = time.monotonic()
        expected = finish(calm)
        duration = time.monotonic() - began
        # Whoever is killed early never gets far, so moments are drawn from what one command takes.
        moments, kills, size = random.Random(0), 0, (served / "img_align_celeba.zip").stat().st_size
        for attempt in range(4 * KILLS):
            server.misbehave("img_align_celeba.zip", drop(moments.randrange(size)))
            process = start(killed)
            time.sleep(moments.uniform(0.1, 0.6 * duration))
            kills += kill(process, whole_group=bool(attempt % 2))
            process.stderr.close()
            if kills == KILLS:
                break
            if (killed.folder / RESULTS[-1]).exists():  # it came to the end: begin again
                for name in RESULTS:
                    (killed.folder / name).unlink(missing_ok=True)
        assert kills == KILLS
        assert finish(killed) == expected
    for path in (calm.folder / "data/prepared").rglob("*.png"):
        assert (killed.folder / path.relative_to(calm.folder)).read_bytes() == path.read_bytes()
    left = [path.name for path in (killed.folder / "data").rglob("*") if ".tmp" in path.name or path.suffix == ".part"]
    assert not left, "something is half-written"


if sys.platform != "linux":
    pytest.skip("kills are counted by /proc", allow_module_level=True)
