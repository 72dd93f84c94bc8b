"""Progress of a run: a bar on a terminal, lines in a log file, a CSV to plot."""

import csv
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 10.0


class TrainingLog:
    """`log.csv`: one row per few steps with the mean losses since the last row."""

    def __init__(self, path: Path, *, active: bool) -> None:
        self.last: dict[str, float] = {}
        self._path, self._active = path, active
        self._sums: dict[str, float] = {}
        self._count = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what is not yet in the file."""
        return {"sums": self._sums, "count": self._count, "last": self.last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._sums, self._count, self.last = state["sums"], state["count"], state["last"]

    def cut_back(self, step: int) -> None:
        """Drop the rows of later steps, which a resumed run will write again."""
        if not self._active:
            return
        if step == 0:
            self._path.unlink(missing_ok=True)
        elif self._path.exists():
            header, *rows = self._path.read_text().splitlines()
            kept = [row for row in rows if int(row.split(",")[0]) <= step]
            self._path.write_text("\n".join([header, *kept]) + "\n")

    def add(self, steps: list[dict[str, float]]) -> None:
        """Take in the losses of some steps."""
        self._count += len(steps)
        for losses in steps:
            for name, value in losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + value

    def write(self, step: int, **columns: float) -> None:
        """Write the mean since the last row."""
        self.last = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        if not self._active:
            return
        row = {"step": step, **columns, **{name: f"{value:.6g}" for name, value in self.last.items()}}
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)


class Progress:
    """A tqdm bar with ETA, images/s and losses on a terminal; the same facts as lines elsewhere."""

    def __init__(self, done: int, total: int, batch_size: int, *, active: bool) -> None:
        self._bar = tqdm(
            total=total, initial=done, unit="step", disable=not (active and sys.stderr.isatty()), dynamic_ncols=True
        )
        self._lines = active and self._bar.disable
        self._first, self._total, self._batch_size = done, total, batch_size
        self._began = self._printed = time.monotonic()
        if active and done:
            print(f"resuming after step {done} of {total}", file=sys.stderr, flush=True)

    def advance(self, done: int, losses: dict[str, float]) -> None:
        """Show that `done` steps are done."""
        now = time.monotonic()
        rate = (done - self._first) / max(now - self._began, 1e-9)
        text = " ".join(f"{name} {value:.4g}" for name, value in losses.items())
        if not self._bar.disable:
            self._bar.set_postfix_str(f"{rate * self._batch_size:.1f} images/s {text}", refresh=False)
            self._bar.update()
        elif self._lines and (now - self._printed > LINE_SECONDS or done == self._total):
            self._printed = now
            minutes, seconds = divmod(round((self._total - done) / rate), 60)
            print(
                f"step {done}/{self._total} ({done / self._total:.0%}), ETA {minutes}:{seconds:02d}, "
                f"{rate * self._batch_size:.1f} images/s, {text}",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """End the bar."""
        self._bar.close()
