"""The training loop: it owns *when* things happen; a method owns *how* a step is made.

    for batch in batches: losses = method.step(*batch, step=step); if due: log, save

Every changing state is in the checkpoint or follows from seed and step number, so a run that was stopped and
resumed gives the same weights, bit for bit on one type of CPU with equal threads.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from spl.common.errors import TrainingError
from spl.common.progress import say
from spl.config.training import Decay
from spl.tensors.loaders import BatchNumbers, SampleStream, stream_batches
from spl.tensors.processes import mean_over_processes
from spl.training.checkpoint import NAME, load_state, save_state
from spl.training.distributed import World, unwrap
from spl.training.ema import EMA
from spl.training.progress import Progress, TrainingLog
from spl.training.schedule import lr_factor


class Method(Protocol):
    """Networks, optimizers and step that the loop runs."""

    networks: dict[str, nn.Module]
    """All trained networks by name."""
    optimizers: dict[str, torch.optim.Optimizer]

    step: Callable[..., dict[str, Tensor]]
    """(tensors of a batch, step=) Make one training step; return the losses by name, scalars."""


class Plan(NamedTuple):
    """Timetable of a run."""

    settings: str
    """Canonical JSON of the settings and the input hashes: a state resumes only under equal ones."""
    product: str
    """Name of the network whose weights the run is for."""
    batch_size: int
    epochs: int
    decay: Decay
    ema: float | None
    checkpoint_seconds: float = 600.0
    log_every: int = 10
    kept: tuple[int, ...] = ()
    """Epochs after which the product is passed to `on_keep`."""


class Outcome(NamedTuple):
    """Product of a finished run."""

    weights: dict[str, Tensor]
    steps: int
    images_seen: int
    seconds: float
    """Wall time over all sessions of the run."""
    losses: dict[str, float]
    """Mean of the last logged steps."""


def train(
    method: Method,
    stream: SampleStream,
    plan: Plan,
    folder: Path,
    *,
    world: World,
    workers: int = 0,
    should_stop: Callable[[int], bool] = lambda step: False,
    on_save: Callable[[nn.Module], None] = lambda product: None,
    on_keep: Callable[[nn.Module, int], None] = lambda product, epoch: None,
) -> Outcome | None:
    """Train to the end, or until `should_stop(steps_done)`; return None if stopped early.

    Keeps its state and `log.csv` under `folder` and resumes from them; passes the product, or its moving average, to
    `on_save` whenever the main process saves, and to `on_keep` after the epochs to keep. Several processes stop where
    the next row of the log is due.
    Raises: TrainingError if a loss is not finite.
    """
    # Set-up: everything that has a state, as it was when the run was stopped.
    total_steps = plan.epochs * stream.steps_per_epoch
    trained = unwrap(method.networks[plan.product])
    ema = EMA(trained, plan.ema) if plan.ema else None
    product = ema.network if ema else trained
    log = TrainingLog(folder / "log.csv", active=world.is_main)
    parts = _stateful(method, ema) | {"log": log}
    resumed = load_state(folder, plan.settings, parts, world.device)
    if resumed is None and world.is_main:
        (folder / NAME).unlink(missing_ok=True)  # other settings or inputs: never report it as the last good one
    done, seconds = resumed or (0, 0.0)
    log.cut_back(done)
    progress = Progress(done, total_steps, plan.batch_size, active=world.is_main)
    base_lrs = {name: optimizer.defaults["lr"] for name, optimizer in method.optimizers.items()}
    numbers = BatchNumbers(done, total_steps, batch_size=plan.batch_size, rank=world.rank, world_size=world.size)
    began = saved = time.monotonic()
    recent: list[dict[str, Tensor]] = []  # losses of the steps since the last fetch, on the device
    stop = False

    for step, batch in enumerate(stream_batches(stream, numbers, workers=workers), start=done):
        # One step.
        factor = lr_factor(plan.decay, step=step, steps_per_epoch=stream.steps_per_epoch, total_steps=total_steps)
        for name, optimizer in method.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = base_lrs[name] * factor
        losses = method.step(*(tensor.to(world.device, non_blocking=True) for tensor in batch), step=step)
        recent.append({name: loss.detach() for name, loss in losses.items()})
        if ema:
            ema.update(trained, step)
        done = step + 1
        epoch, within = divmod(done, stream.steps_per_epoch)
        if not within and epoch in plan.kept and world.is_main:
            on_keep(product, epoch)

        # Every few steps: fetch the losses, which waits for the device, and share the flags of all processes.
        log_due, stop_asked = done % plan.log_every == 0 or done == total_steps, should_stop(done)
        if log_due or (stop_asked and world.size == 1):
            fetched = _on_host(recent)
            first_bad = next(
                (i for i, values in enumerate(fetched) if not all(map(math.isfinite, values.values()))), None
            )
            save_due = time.monotonic() - saved > plan.checkpoint_seconds
            stop, save_due = world.any(stop_asked, save_due)
            if first_bad is not None:
                raise _not_finite(done - len(fetched), fetched, first_bad, folder)
            log.add(fetched)
            recent.clear()
            if log_due:
                log.write(done, lr_factor=factor)
            if save_due:
                saved = time.monotonic()
            if (stop or save_due or done == total_steps) and world.is_main:
                elapsed = seconds + time.monotonic() - began
                states = {name: part.state_dict() for name, part in parts.items()}
                save_state(folder, states | {"settings": plan.settings, "step": done, "seconds": elapsed})
                on_save(product)
        progress.advance(done, log.last)
        if stop:
            break

    progress.close()
    if stop and done < total_steps:
        if world.is_main:
            say(f"stopped after step {done} of {total_steps}; the state is kept in {folder}: the same command goes on")
        return None
    return Outcome(
        weights={name: value.detach().cpu().contiguous() for name, value in product.state_dict().items()},
        steps=done,
        images_seen=done * plan.batch_size,
        seconds=seconds + time.monotonic() - began,
        losses=log.last,
    )


def _stateful(method: Method, ema: EMA | None) -> dict[str, Any]:
    """Collect everything that has a state, by its name in the checkpoint."""
    parts: dict[str, Any] = {f"network/{name}": unwrap(network) for name, network in method.networks.items()}
    parts |= {f"optimizer/{name}": optimizer for name, optimizer in method.optimizers.items()}
    return parts | ({"ema": ema.network} if ema else {})


def _on_host(losses: list[dict[str, Tensor]]) -> list[dict[str, float]]:
    """Fetch the losses of several steps from the device at once, as means over all processes."""
    rows = mean_over_processes(torch.stack([torch.stack(list(step.values())) for step in losses])).tolist()
    return [dict(zip(step, row, strict=True)) for step, row in zip(losses, rows, strict=True)]


def _not_finite(before: int, losses: list[dict[str, float]], bad: int, folder: Path) -> TrainingError:
    """Describe the first step whose losses are not finite; `before` steps were made before the given ones."""
    listed = ", ".join(f"{name} {value:g}" for name, value in losses[bad].items())
    checkpoint = folder / NAME
    last_good = (
        f"the last good checkpoint is {checkpoint}" if checkpoint.exists() else "no checkpoint was written before"
    )
    return TrainingError(
        f"a loss is not finite at step {before + bad + 1}: {listed}; {last_good}. Lower the learning rate in "
        "params.yaml, or with bf16 use precision: fp32."
    )
