"""A person sees how far a run is, when it ends, what warns and fails while it runs, and at its end what to do."""

import logging
import os
import time
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from spl.steps import display

ERROR = "Traceback (most recent call last):\n  in f()\nDataError: a.png is damaged:\n  replace it\n"
STEPS = "step 12/40 (30%), ETA 0:09, loss 1\nstep 30/40 (75%), ETA 2:00, loss 1\n"


def hour(seconds: float) -> str:
    return time.strftime("%H:%M", time.localtime(seconds))


class Run:
    """The events of a run as Snakemake logs them, and what is shown of them; the clock stands still."""

    def __init__(self, expected, *, terminal: bool, monkeypatch) -> None:
        self.clock, self.stream = time.time(), StringIO()
        self.stream.isatty = lambda: terminal
        quick = {"time": lambda: self.clock, "sleep": lambda seconds: time.sleep(0.01)}
        monkeypatch.setattr(display, "time", SimpleNamespace(**vars(time) | quick))
        self.handler = display.Display(expected, self.stream)
        self.logger = logging.Logger("run")
        self.logger.addHandler(self.handler)

    def log(self, event=None, level=logging.INFO, message="", **facts) -> None:
        self.logger.log(level, message, extra={"event": event} | facts)

    def begin(self, number, rule="train_method", said="", output=()) -> None:
        wildcards = {"dataset": "paris", "seed": str(number)}
        self.log("job_info", jobid=number, rule_name=rule, wildcards=wildcards, log=[f"{number}.log"], output=output)
        if said:
            Path(f"{number}.log").write_text(said)

    def finish(self, number) -> None:
        self.log("job_finished", job_id=number)

    def fail(self, number) -> None:
        self.log("error", logging.ERROR, "RuleException:\nCalledProcessError in Snakefile", exception="RuleException")
        self.log("job_error", logging.ERROR, jobid=number)

    def shown(self, until="") -> str:
        for _ in range(200):
            if until in self.stream.getvalue():
                break
            time.sleep(0.01)
        return self.stream.getvalue()

    def end(self) -> str:
        self.log(message="Complete log(s): run.log")
        for said in ("Exiting because a job execution failed.", "WorkflowError:\nAt least one job did not complete."):
            self.log("error", logging.ERROR, said)
        self.handler.close()
        self.handler.close()
        return self.shown()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = []

    def begin(expected, *, terminal=False):
        runs.append(Run(expected, terminal=terminal, monkeypatch=monkeypatch))
        return runs[0]

    yield begin
    runs[0].handler.close()


def test_jobs_weigh_what_they_cost(run):
    run = run({1: 60, 2: 10, 3: 130})
    run.begin(1)
    run.begin(2, rule="table1")
    run.clock += 120
    run.finish(2)
    run.finish(1)
    first, second = run.shown().splitlines()
    assert "1 of 3 jobs" in first
    ends = hour(run.clock + 130 * (120 + 60) / (70 + 60))  # at the pace so far
    assert second == f"35% done, 2 of 3 jobs, ends about {ends}; finished: train_method paris/1"


def test_a_terminal_shows_what_runs_in_one_line(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    run = run({1: 100, 2: 100}, terminal=True)
    run.begin(1, said=STEPS)
    run.begin(2, rule="evaluate_method")
    shown = run.shown(until="30/40, ev")
    assert "\n" not in shown
    ends = hour(run.clock + 120)  # as the training says
    assert (
        shown.rpartition("\r\x1b[2K")[2]
        == f"38% done, 0 of 2 jobs, ends about {ends}; now: train_method paris/1 30/40, e"[:59]
    )


def test_where_there_is_no_terminal_silence_is_broken_every_minute(run):
    run = run({1: 100})
    run.begin(1)
    time.sleep(0.1)
    assert not run.shown()
    run.clock += 61
    assert "0 of 1 jobs" in run.shown(until="now: train_method paris/1\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_warning_is_passed_on_once_while_its_job_runs(run, terminal):
    run = run({1: 100, 2: 100}, terminal=terminal)
    run.begin(1, said="warning: RN is 4 dB below Telea\nimages: no warning: nothing\nlib.py:3: UserWarning: old\n")
    if not terminal:
        run.finish(1)
    shown = run.shown(until="UserWarning")
    time.sleep(0.1)
    assert run.shown().count("train_method paris/1: warning: RN is 4 dB below Telea\n") == 1
    assert "train_method paris/1: lib.py:3: UserWarning: old\n" in shown
    assert "nothing" not in shown


def test_what_an_earlier_run_said_is_not_repeated(run):
    run = run({1: 100})
    Path("1.log").write_text("warning: old\n")
    os.utime("1.log", (run.clock - 60, run.clock - 60))
    run.begin(1)
    run.finish(1)
    assert "old" not in run.shown()


def test_the_end_says_where_to_look(run):
    run = run({1: 10, 2: 1})
    run.begin(1, rule="write_report", output=["results/report.html", "results/report.json"])
    run.finish(1)
    run.begin(2, rule="all")
    run.clock += 30
    run.finish(2)
    assert run.end().endswith(f"2 of 2 jobs done in 30 s. Look at {Path('results/report.html').absolute()}\n")


def test_after_a_failure_or_an_interruption_every_unfinished_job_says_why(run):
    run = run({1: 10, 2: 10, 3: 10, 4: 10})
    run.begin(1)
    run.finish(1)
    run.begin(2, said=ERROR)
    run.begin(3, said=STEPS + "stopped after step 31 of 40")
    run.fail(2)
    assert run.shown().endswith(
        f"stopped: train_method paris/2 ({Path('2.log').absolute()})\n"
        "    DataError: a.png is damaged:\n      replace it\n"
    )
    run.log("error", logging.ERROR, "2.csv was not made", exception="MissingOutputException")
    shown = run.end()
    _, stopped, summary = shown.partition("2.csv was not made\n")[2].splitlines()
    assert stopped == "    stopped after step 31 of 40"
    assert summary == (
        "1 of 4 jobs done in 0 s. "
        "What is done is kept; the same command goes on, once the cause of an error is gone. Log: run.log"
    )
    assert "CalledProcessError" not in shown


def test_an_interruption_is_acknowledged_at_once(run):
    run = run({1: 10})
    run.begin(1)
    run.log(message="Terminating processes on user request, this might take some time.")
    run.log(message="Removing output files of failed job")
    assert run.shown() == "Terminating processes on user request, this might take some time.\n"
