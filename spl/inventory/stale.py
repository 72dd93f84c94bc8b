"""Results on disk that do not belong to the current params.yaml, and where a result comes from. Records tell both.

After `dvc checkout` or `dvc exp run`, files of other settings may lie where Snakemake, which goes by times, believes
them up to date; `workflow/stage.sh` passes them to `snakemake --forcerun`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spl.common.errors import ParamsError, SPLError
from spl.common.files import read_json, sha256
from spl.config.experiment import Params
from spl.steps.records import FORMAT, differences, record_of, recorded_outputs
from spl.steps.settings import STEPS

FOLDERS = (Path("data"), Path("results"))


def stale_results(params: Params, places: Sequence[Path] = FOLDERS) -> list[Path]:
    """Return a file of every step of the experiment whose record has other settings or inputs, or an older format.

    `places` are folders, or records. Missing files are not returned: Snakemake makes them anyway.
    """
    return [next(iter(recorded_outputs(record)), record) for record in records(places) if faults(record, params)]


def records(places: Sequence[Path] = FOLDERS) -> Iterator[Path]:
    """Yield all records in folders, or those that are named."""
    for path in sorted(path for place in places for path in ([place] if place.is_file() else place.glob("**/*.json"))):
        content = read_json(path)
        if isinstance(content, dict) and "settings" in content:
            yield path


def faults(record: Path, params: Params) -> list[str]:
    """Say what is not right about the results that a record describes; nothing for those of another experiment."""
    content = read_json(record)
    if content.get("format") != FORMAT:
        return ["is of an older format"]
    try:
        wanted = STEPS[content["step"]].of(params, **content["wildcards"])
    except ParamsError:
        return []
    inputs = {name: file["path"] for name, file in content["inputs"].items() if Path(file["path"]).exists()}
    try:
        found = differences(record, wanted, {name: sha256(path) for name, path in inputs.items()})
    except SPLError as error:
        return [str(error)]
    edited = [path for path, digest in recorded_outputs(record).items() if path.exists() and sha256(path) != digest]
    found += [f"{path} was edited or replaced" for path in edited]
    raw = content.get("folder")
    return found if raw is None or Path(raw).exists() else [*found, f"{raw} is gone"]


def why(file: Path, params: Params) -> Iterator[str]:
    """Yield the chain from a file to raw data: under every file the step that made it, and what that read.

    What is not as it should be is said beside it. A step that was shown before is not taken apart again.
    """
    yield from _why(file, params, 0, set())


def _why(file: Path, params: Params, depth: int, shown: set[Path]) -> Iterator[str]:
    record, indent = record_of(file) or _own_record(file), "  " * depth
    if record is None:
        yield f"{indent}{file}  {'no step has made it' if file.exists() else 'is missing'}"
        return
    content, seen = read_json(record), record in shown
    made = " ".join([content["step"], *(f"{name}={value}" for name, value in content["wildcards"].items())])
    wrong = "".join(f"\n{indent}    ! {fault}" for fault in faults(record, params))
    yield f"{indent}{file}  {made}{' (above)' if seen else ''}{wrong}"
    shown.add(record)
    if not seen and "folder" in content:
        yield f"{indent}  {content['folder']}  raw files"
    for name in () if seen else content["inputs"]:
        yield from _why(Path(content["inputs"][name]["path"]), params, depth + 1, shown)


def _own_record(file: Path) -> Path | None:
    """Return a file that is itself a record, such as that of a fetch."""
    content: Any = read_json(file) if file.suffix == ".json" and file.exists() else None
    return file if isinstance(content, dict) and content.get("format") == FORMAT and "step" in content else None
