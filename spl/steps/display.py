"""What a person sees of a run of the workflow: how far it is, when it will end, warnings as they occur, how it went.

The Snakefile puts `Display` in the place of Snakemake's own output when jobs begin; Snakemake's log file stays whole.
"""

import logging
import re
import shutil
import threading
import time
from pathlib import Path
from typing import NamedTuple, TextIO

from spl.common.printed import duration

SILENCE = 60.0
"""Seconds after which a line is printed where there is no terminal."""
HALF_A_DAY = 43200
TAIL = 1 << 16
"""Bytes of a log that are looked at, every second."""
WARNING = re.compile(r"warning: |\S+: \w*Warning: ")
REPEATS = re.compile(r"RuleException:|Exiting because a job|WorkflowError:\nAt least one job")
"""What Snakemake says where the log of a job says more."""
TOLD = ("Terminating processes on user request", "Will exit after finishing")
ERROR = re.compile(r"[\w.]*(Error|Interrupt|Exception)\b")
STEP = re.compile(r"step (\d+)/(\d+) .*ETA (\d+):(\d+)")


class Job(NamedTuple):
    """A job that has begun."""

    name: str
    log: Path
    expected: float
    began: float

    def said(self) -> list[str]:
        """Return the last lines of the log; none if they are of an earlier run."""
        if not self.log.is_file() or self.log.stat().st_mtime < self.began - 1:
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - TAIL))
            return file.read().decode(errors="replace").splitlines()


class Display(logging.Handler):
    """Shows Snakemake's events: one live line on a terminal; elsewhere a line for every job, and every minute.

    Args:
        expected: the seconds that every job to come may take, by Snakemake's number of it.
        stream: where to show them.
    """

    def __init__(self, expected: dict[int, float], stream: TextIO) -> None:
        super().__init__()
        self._expected, self._stream, self._is_live = expected, stream, stream.isatty()
        self._running, self._done, self._warned = dict[int, Job](), 0.0, set[str]()
        self._count, self._product, self._log, self._ended = 0, Path(), "", False
        self._began = self._printed = time.time()
        threading.Thread(target=self._watch, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Show what an event changes."""
        match getattr(record, "event", None), vars(record):
            case "job_info", {"jobid": number, "rule_name": rule, "wildcards": named, "log": log, "output": output}:
                name = f"{rule} {'/'.join(map(str, dict(named).values()))}".rstrip()
                log = Path(*log[:1]).absolute()
                self._running[number] = Job(name, log, self._expected.get(number, 0.0), time.time())
                self._product = Path(output[0]).absolute() if output else self._product
            case "job_finished", {"job_id": number}:
                self._look(job := self._running.pop(number))
                self._count, self._done = self._count + 1, self._done + job.expected
                if not self._is_live:
                    self._print(f"{self._status()}; finished: {job.name}")
            case "tick", _ if self._is_live and not self._ended:
                self._print(self._status()[: shutil.get_terminal_size().columns - 1], end="")
            case "tick", _ if time.time() - self._printed > SILENCE:
                self._print(self._status())
            case "job_error", {"jobid": number} if number in self._running:
                self._stop(self._running.pop(number))
            case "error" | None, _:
                text = record.getMessage()
                self._log = text.partition("Complete log(s): ")[2] or self._log
                if text.startswith(TOLD) or (record.levelno > logging.INFO and not REPEATS.match(text)):
                    self._print(text)

    def close(self) -> None:
        """Say how it went."""
        super().close()
        if self._ended:
            return
        self._ended = True
        while self._running:
            self._stop(self._running.popitem()[1])
        said = f"{self._count} of {len(self._expected)} jobs done in {duration(time.time() - self._began)}."
        kept = f"What is done is kept; the same command goes on, once the cause of an error is gone. Log: {self._log}"
        self._print(f"{said} {kept if self._count < len(self._expected) else f'Look at {self._product}'}")

    def _watch(self) -> None:
        """Ask to show where the run is, until it ends."""
        while not self._ended:
            time.sleep(1)
            self.handle(logging.makeLogRecord({"event": "tick"}))  # takes the lock

    def _status(self) -> str:
        """Say how much of the work is done, when the rest will be, as fast as so far, and what runs."""
        now, done, names, longest = time.time(), self._done, list[str](), 0
        for job in self._running.values():
            step = self._look(job)
            names.append(job.name + (f" {step[1]}/{step[2]}" if step else ""))
            share = int(step[1]) / int(step[2]) if step else min(0.9, (now - job.began) / (job.expected + 1))
            done += share * job.expected
            longest = max(longest, 60 * int(step[3]) + int(step[4]) if step else 0)
        work, minute = sum(self._expected.values()), 60.0  # the first of which is taken to be as expected
        to_go = max(longest, (work - done) * (now - self._began + minute) / (done + minute))
        end = time.strftime("%H:%M" if to_go < HALF_A_DAY else "%a %d %b %H:%M", time.localtime(now + to_go))
        running = f"; now: {', '.join(names)}" if names else ""
        return f"{done / (work or 1):.0%} done, {self._count} of {len(self._expected)} jobs, ends about {end}{running}"

    def _look(self, job: Job) -> re.Match[str] | None:
        """Pass on the new warnings of a job; return what its log says last of its steps."""
        lines = job.said()
        for told in (f"{job.name}: {line}" for line in lines if WARNING.match(line)):
            if told not in self._warned:
                self._warned.add(told)
                self._print(told)
        return next(filter(None, map(STEP.match, reversed(lines))), None)

    def _stop(self, job: Job) -> None:
        """Say why a job has ended before its end."""
        self._look(job)
        lines = job.said() or ["(no message)"]
        error = max((i for i, line in enumerate(lines) if ERROR.match(line)), default=-1)
        self._print("\n    ".join([f"stopped: {job.name} ({job.log})", *lines[error:]]))

    def _print(self, text: str, end: str = "\n") -> None:
        self._printed = time.time()
        print("\r\x1b[2K" * self._is_live + text, end=end, file=self._stream, flush=True)
