"""Long work in small finished pieces: a killed step goes on where it was, in any number of processes.

A shard is a run of rows. Its result is a table, written when all of its files are, so a table on disk means finished
work. The order of results does not depend on which process was faster.
"""

import csv
import hashlib
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple

from spl.common.errors import DataError
from spl.common.files import exchange, read_json, write_json, write_rows, writing
from spl.common.locks import locked, take_lock
from spl.common.progress import progress

SHARD_ROWS = 256
"""Rows of a shard: few enough that a kill loses seconds of work."""

Row = Sequence[Any]


class Shard(NamedTuple):
    """Some rows of a long list, the number of the first one, and the table that their results are written to."""

    first: int
    rows: tuple[Row, ...]
    table: Path


Work = Callable[[Shard], list[Row]]


@contextmanager
def resumable_folder(folder: Path, key: Any, *, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield a folder that becomes `folder` at the end, and keeps what an interrupted call has finished until then.

    `key` is a JSON value that decides all names in the folder; with another one it begins empty.
    Raises: DataError as `replace_folder` does.
    """
    with writing(folder, inputs) as (folder, temporary):
        note = temporary / "key.json"
        with locked(Path(f"{temporary}.workers"), waiting=f"{folder}: waiting for the end of a killed call's workers"):
            pass
        if not note.exists() or read_json(note) != key:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            write_json(note, key)
        for leftover in temporary.glob(".*.tmp*"):  # of a table that a killed call was writing
            leftover.unlink()
        yield temporary
        Path(f"{temporary}.workers").unlink(missing_ok=True)
        shutil.rmtree(temporary / "shards", ignore_errors=True)  # the slow part first
        note.unlink()
        exchange(temporary, folder)


def run_shards(
    rows: Iterable[Row],
    work: Work,
    folder: Path,
    *,
    workers: int,
    size: int = SHARD_ROWS,
    threads: bool = False,
    **shown: Any,
) -> Iterator[list[list[str]]]:
    """Yield the results of `work` shard by shard, in order; take those that are finished in `folder`/shards from there.

    Workers are processes, for which `work` has to be picklable, or `threads` of this one. It returns a list of rows,
    which come back as strings. What decides a result beside
    the rows belongs to the key of the `resumable_folder`. At most two shards a worker are in memory, of `size` rows
    each. The progress bar shows `total`, `what` and `unit`.
    Raises: what `work` raises, and DataError if a worker was killed; finished shards stay.
    """
    with progress(**shown) as bar:
        for results in _run(rows, work, folder, workers, size, threads):
            yield results
            bar.update(len(results))


def _run(
    rows: Iterable[Row], work: Work, folder: Path, workers: int, size: int, threads: bool
) -> Iterator[list[list[str]]]:
    tables = folder / "shards"
    tables.mkdir(exist_ok=True)
    shards = _shards(rows, tables, size)
    first = list(islice(shards, 2))
    if workers <= 1 or len(first) < 2:  # one shard is not worth a pool
        yield from (_results(work, shard) for shard in chain(first, shards))
        return
    if threads:
        pool = ThreadPoolExecutor(workers)
    else:
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (f"{folder}.workers",))
    try:
        waiting: deque[Future[list[list[str]]]] = deque(
            pool.submit(_results, work, shard) for shard in [*first, *islice(shards, 2 * workers - 2)]
        )
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(_results, work, shard) for shard in islice(shards, 1))
    except BrokenProcessPool:
        raise DataError(
            "a worker process was killed, perhaps for lack of memory. Run again: what is finished is kept."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _shards(rows: Iterable[Row], tables: Path, size: int) -> Iterator[Shard]:
    """Cut rows into shards; a table's name says what its content was made from."""
    remaining, number = iter(rows), 0
    while part := tuple(islice(remaining, size)):
        digest = hashlib.sha256(f"{part}".encode()).hexdigest()[:16]
        yield Shard(number * size, part, tables / f"{number:06d}-{digest}.csv")
        number += 1


def _results(work: Work, shard: Shard) -> list[list[str]]:
    """Do the work of a shard, unless its table is there."""
    if not shard.table.exists():
        write_rows(shard.table, work(shard))
    with shard.table.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _begin_worker(lock: str) -> None:
    """Hold a lock for as long as this process lives, and end it when the one that started it is killed."""
    take_lock(os.open(lock, os.O_WRONLY | os.O_CREAT), wait=True, shared=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter

    def watch() -> None:
        parent = parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
