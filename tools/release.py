"""Write a release to dist/: the wheel, and what the embedded default has made.

    make release

The working tree is a commit, and its code has made results/, as their records say. Nothing is fetched; the same commit
and results give the same bytes. `spl inpaint --model miniature` reads the folder as it is.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

from spl.common.errors import DataError, SPLError
from spl.common.files import replace_folder, sha256, write_text
from spl.config.load import load_params
from spl.inventory.verify import FAULTLESS, verify
from spl.steps.paths import DATA, RELEASE, RESULTS
from spl.steps.records import read_record, recorded_outputs

TABLES = ("table1", "ablations", "further_metrics", "claims", "cost")
CODE = ("spl", "workflow", "Snakefile", "params.yaml", "requirements.lock")
"""What results follow from: they are those of a later commit, too, if it changes none of it."""


def release() -> str:
    """Check everything, then replace dist/ as a whole; return what it holds.

    Raises: SPLError naming the first thing that is not as it has to be.
    """
    if changed := git("status", "--porcelain"):
        raise DataError(f"the working tree is not a commit: {changed.splitlines()[0]}. Commit or remove what differs.")
    version, title, changes = checked_texts()
    records = checked_records(version)
    if RELEASE.exists() and not (RELEASE / "SHA256SUMS").exists():
        raise DataError(f"{RELEASE}/ holds something else than a release. Move it away.")
    sources = [Path("CITATION.cff"), *RESULTS.glob("figures/examples_*.png"), *records]
    sources += [path for record in records for path in recorded_outputs(record)]
    with replace_folder(RELEASE) as folder:
        build_wheel(folder)
        for path in sources:
            copy = folder / Path(*path.parts[len(path.parts) > 1 :])  # without data/ or results/
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        write_text(folder / "RELEASE.md", f"# {title}\n\nCommit {git('rev-parse', 'HEAD')}\n\n{changes}\n")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        sums = "".join(f"{sha256(path)}  {path.relative_to(folder)}\n" for path in files)
        write_text(folder / "SHA256SUMS", sums)
    return f"{RELEASE}/: {title}, {len(files)} files"


def checked_texts() -> tuple[str, str, str]:
    """Return the version, a title, and the version's section of the changelog, or what is unreleased so far.

    Raises: DataError if pyproject.toml, CHANGELOG.md and CITATION.cff disagree.
    """
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    citation, version = yaml.safe_load(Path("CITATION.cff").read_text()), project["version"]
    sections = re.split(r"^## ", Path("CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    heading, _, changes = next((text for text in sections if text.startswith(version)), sections[0]).partition("\n")
    if not (found := re.fullmatch(rf"Unreleased|{re.escape(version)} - (\d{{4}}-\d\d-\d\d)", heading)):
        raise DataError(f"CHANGELOG.md: expected a section '{version} - YYYY-MM-DD' or 'Unreleased', got {heading!r}.")
    expected = {"version": version, "license": project["license"], "date-released": found[1]}
    for key, value in expected.items():
        if str(citation.get(key)) != str(value):
            raise DataError(
                f"CITATION.cff: {key} is {citation.get(key)}; expected {value}, by pyproject.toml and CHANGELOG.md."
            )
    return version, f"spl {version}, {found[1] or 'unreleased'}", changes.strip()


def checked_records(version: str) -> list[Path]:
    """Return the records of tables, networks and pairs.

    Raises: SPLError if something is missing, edited, of other settings, or not made by the code of this commit.
    """
    records = [RESULTS / f"{name}.json" for name in TABLES]
    records += sorted([*RESULTS.glob("weights/*/*/*/run.json"), *DATA.glob("pairs/*.json")])
    for record in records:
        made = read_record(record)["versions"]
        changed = git("diff", "--name-only", made["commit"], "HEAD", "--", *CODE, otherwise="what no commit here holds")
        if changed or made["spl"] != version:
            raise DataError(
                f"{record} was made by spl {made['spl']}, commit {made['commit']}, which differs from this one in "
                f"{(changed or 'its version').splitlines()[0]}. Make it again: make table1"
            )
    for path, state, detail in verify(load_params("params.yaml"), records):
        if state not in FAULTLESS:
            raise DataError(f"{path}: {state} {detail}".rstrip() + ". Make it again: make table1")
    return records


def build_wheel(folder: Path) -> None:
    """Build the wheel of the commit with the installed setuptools, dated as the commit."""
    code = "import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])"
    env = os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
    with tempfile.TemporaryDirectory() as source:
        archive = subprocess.run(["git", "archive", "HEAD"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
        command = [sys.executable, "-c", code, folder]
        subprocess.run(command, cwd=source, env=env, stdout=subprocess.DEVNULL, check=True)


def git(*arguments: str, otherwise: str = "") -> str:
    """Return what git prints, or something else where it fails.

    Raises: DataError with git's message if there is nothing else.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode and not otherwise:
        raise DataError(done.stderr.strip())
    return otherwise if done.returncode else done.stdout.strip()


if __name__ == "__main__":
    try:
        print(release())
    except SPLError as error:
        sys.exit(f"no release: {error}")
