"""Does a change move a number? Compare this checkout with an older commit, both run on this machine.

    make compare BASE=5ce9190             about ten minutes
    make compare BASE=5ce9190 WHOLE=1     the embedded default too, a quarter of an hour for each side

The older commit stands in a git worktree under .compare/, the working tree in a copy beside it. Each side states facts:

    jobs     what `snakemake -n all` plans for every preset: rule, wildcards, inputs, outputs (no shell commands)
    settings for every preset what each step depends on; for every leaf of two presets which steps change with it, or
             that every other value is refused
    files    after a tiny run of the demo: bytes of images, masks, pairs, weights; columns of tables; records
    steps    hashes of all that optimisers hold, before the first step and after each of up to three
    whole    as `files`, for the embedded default

The tiny run has neither a grid search nor data from elsewhere. Of the report and of PDF only the presence is compared.
Facts of the older commit are kept, so a second call runs only the new side. Nothing here depends on where a checkout
keeps its modules: commands are called by name, and `tools/probe.py` finds definitions by name.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
HOME = REPOSITORY / ".compare"
PROBE = REPOSITORY / "tools/probe.py"
sys.path.insert(0, str(REPOSITORY))

from tests.conftest import read_raw  # noqa: E402
from tests.workflow.conftest import copy_repository, shrink  # noqa: E402

PRESETS = ("demo", "paper", "study_1", "grid")

RENAMED: dict[str, str] = {
    "results/table1.json": "results/metrics.json",
    "results/metrics.csv": "results/further_metrics.csv",
    "results/figure4.csv": "results/ablations.csv",
    "steps train --dataset": "steps train-method --dataset",
    r"data/prepared/(\w+)/structure": r"data/structure/\1",
    "results/guidance": "results/priors",
    "keep_guidance": "export_priors",
    r"^(settings \w+) perception\b": r"\1 perceptual_network",
}
"""Renamings on purpose: pattern -> new, applied to the names of the older commit's facts."""

VOLATILE = {"seconds", "seconds_per_image", "peak_memory_mib", "versions", "spl_version"}
"""Columns and keys in which two runs of one commit differ."""

BOOKKEEPING = {"format", "cpu", "step", "wildcards", "settings", "inputs", "outputs", "device", "sha256"}
"""Keys of a record that say how its numbers came about; hashes in them change with a column's name."""

DATED = {".pdf", ".html"}
"""Files that hold a date or a path: they only have to be there."""

SHOWN = 30
"""Differences that are printed of each kind."""

Facts = dict[str, Any]


def main() -> None:
    """Compare, print what differs, and end with 1 if something does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("--whole", action="store_true", help="run the embedded default, too")
    arguments = parser.parse_args()
    commit = run("git", "rev-parse", "--short=12", f"{arguments.base}^{{commit}}", checkout=REPOSITORY).strip()
    old_side, new_side = HOME / commit, HOME / "new"
    HOME.mkdir(exist_ok=True)
    if not old_side.exists():
        run("git", "worktree", "add", "--force", "--detach", str(old_side), commit, checkout=REPOSITORY)
    shutil.rmtree(new_side, ignore_errors=True)
    copy_repository(new_side)
    old_facts = HOME / f"{commit}.{digest_of(what_facts_follow_from())}"
    with ThreadPoolExecutor(2) as pool:  # one core each
        sides = pool.submit(kept, Path(f"{old_facts}.json"), lambda: facts(old_side)), pool.submit(facts, new_side)
        old, new = (side.result() for side in sides)
    if arguments.whole:  # one after the other: each takes all cores
        old |= kept(Path(f"{old_facts}.whole.json"), lambda: whole_facts(old_side))
        new |= whole_facts(new_side)
    sys.exit(report(old, new, commit))


def what_facts_follow_from() -> bytes:
    """Return what kept facts depend on beside the commit: how they are found, and with which libraries."""
    own = Path(__file__).read_text().partition("# Facts ---")[2]
    return (own + PROBE.read_text() + tiny_parameters() + (REPOSITORY / "requirements.lock").read_text()).encode()


def kept(file: Path, make: Callable[[], Facts]) -> Facts:
    """Return the facts in a file, after stating them if it is missing."""
    if not file.exists():
        file.write_text(json.dumps(make()))
    return json.loads(file.read_text())


def run(*command: str, checkout: Path, folder: Path | None = None) -> str:
    """Run a command with one side's code and return what it printed; stop with all of it if it fails."""
    scripts = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),  # before the installed package, which is the working tree's
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("SPL_SOURCES", None)
    done = subprocess.run(command, cwd=folder or checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} of {checkout} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def report(old: Facts, new: Facts, commit: str) -> int:
    """Print how many facts of each kind are equal, and what differs; return 1 if something does."""
    old = {renamed(name): value for name, value in old.items()}
    if not any(name.startswith("settings ") for name in old):
        print(f"{commit} does not state settings in today's form: not compared")
        new = {name: value for name, value in new.items() if not name.startswith("settings ")}
    different = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    kinds = Counter(name.split()[0] for name in old.keys() | new.keys())
    assert {"jobs", "files", "steps"} <= kinds.keys(), f"only {', '.join(kinds)}: something states nothing"
    wrong = Counter(name.split()[0] for name in different)
    print(f"Compared with {commit}:")
    for kind, count in kinds.items():
        print(f"  {kind:8} {count - wrong[kind]} facts equal, {wrong[kind]} different")
    for kind in wrong:
        for name in [name for name in different if name.split()[0] == kind][:SHOWN]:
            print(f"{name}\n    was {str(old.get(name))[:300]}\n    is  {str(new.get(name))[:300]}")
    return bool(different)


def renamed(name: str) -> str:
    """Return the new name of an old fact."""
    for old, new in RENAMED.items():
        name = re.sub(old, new, name)
    return name


# Facts -------------------------------------------------------------------------------------------


def facts(checkout: Path) -> Facts:
    """State everything about one side but the whole default."""
    found: Facts = {}
    for preset in PRESETS:
        with tempfile.TemporaryDirectory() as empty:
            command = ["snakemake", "-n", "--configfile", f"presets/{preset}.yaml", "--directory", empty, "--", "all"]
            found |= {f"jobs {preset}: {job}": True for job in planned_jobs(run(*command, checkout=checkout))}
    is_old = not (checkout / "spl/steps/settings.py").exists()  # before steps and commands had one name
    for preset in () if is_old else PRESETS:
        for question in ("settings", "leaves") if preset in ("demo", "paper") else ("settings",):
            told = run(sys.executable, str(PROBE), question, f"presets/{preset}.yaml", checkout=checkout)
            found |= {f"settings {preset} {name}": value for name, value in json.loads(told).items()}
    tiny = checkout / ".tiny"
    shutil.rmtree(tiny, ignore_errors=True)
    tiny.mkdir()
    (tiny / "params.yaml").write_text(tiny_parameters(checkout))
    build(checkout, tiny, cores=1)
    found |= {f"files {name}": value for name, value in file_facts(tiny)}
    for job in trainings(old=is_old):
        hashes = run(sys.executable, str(PROBE), "steps", *job, "--out", "probed", checkout=checkout, folder=tiny)
        found |= {f"steps {' '.join(job)}, {name}": value for name, value in json.loads(hashes).items()}
    return found


def whole_facts(checkout: Path) -> Facts:
    """Run the embedded default and state its files."""
    whole = checkout / ".whole"
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    shutil.copyfile(checkout / "presets/demo.yaml", whole / "params.yaml")
    build(checkout, whole, cores=os.cpu_count() or 1)
    return {f"whole {name}": value for name, value in file_facts(whole)}


def build(checkout: Path, folder: Path, *, cores: int) -> None:
    """Let one side's workflow build everything of the params.yaml in a folder."""
    command = ["snakemake", "--cores", str(cores), "--configfile", str(folder / "params.yaml")]
    run(*command, "--directory", str(folder), "--", "all", checkout=checkout)


def tiny_parameters(checkout: Path = REPOSITORY) -> str:
    """Return the parameters of the tiny run: the tests' own, made of a side's demo."""
    return yaml.safe_dump(shrink(read_raw(checkout / "presets/demo.yaml")), sort_keys=False)


def trainings(*, old: bool) -> Iterator[list[str]]:
    """Yield the commands that train the teachers and the methods of the tiny run."""
    raw = yaml.safe_load(tiny_parameters())
    yield from (["train-teacher", "--teacher", teacher] for teacher in raw["teachers"])
    for method, recipe in raw["methods"].items():
        if "training" in recipe:
            yield ["train" if old else "train-method", "--dataset", "paris", "--method", method]


def planned_jobs(printed: str) -> Iterator[str]:
    """Yield every job of a dry run as one line: rule, inputs, outputs, wildcards."""
    jobs = re.findall(r"^(?:local)?rule .*(?:\n    .*)*", printed, re.MULTILINE)
    assert re.search(rf"^total +{len(jobs)}$", printed, re.MULTILINE), "the dry run cannot be read"
    for job in jobs:
        rule, *lines = map(str.strip, job.splitlines())
        yield " | ".join([rule, *(line for line in lines if line.startswith(("input:", "output:", "wildcards:")))])


def file_facts(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield name and content of what a run has left: a hash of a file or of a column, a record without its times."""
    for path in sorted(path for top in ("data", "results") for path in (folder / top).rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if path.suffix in DATED:
            yield name, "is there"
        elif path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            yield f"{name}: columns", list(table.columns)
            for column in table.columns.difference(list(VOLATILE)):
                yield f"{name}: {column}", digest_of(table[column].to_csv(index=False).encode())
        elif path.suffix == ".json":
            yield name, digest_of(json.dumps(without_times(json.loads(path.read_text()))).encode())
        else:
            yield name, digest_of(path.read_bytes())


def without_times(value: Any) -> Any:
    """Leave out of JSON what two runs of one commit do not share, and of a record what is not a number."""
    if isinstance(value, dict):
        left_out = VOLATILE | BOOKKEEPING if "settings" in value else VOLATILE
        kept = {key: entry for key, entry in value.items() if key not in left_out and not key.endswith("_sha256")}
        return {key: without_times(entry) for key, entry in kept.items()}
    return [without_times(entry) for entry in value] if isinstance(value, list) else value


def digest_of(content: bytes) -> str:
    """Return a short hash."""
    return hashlib.sha256(content).hexdigest()[:16]


if __name__ == "__main__":
    main()
