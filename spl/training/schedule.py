"""Learning-rate schedules as a pure function of the step, so that resuming needs no scheduler state."""

from spl.config.training import ConstantDecay, ExponentialDecay, LinearDecay, StepDecay


def lr_factor(
    decay: ConstantDecay | StepDecay | ExponentialDecay | LinearDecay,
    *,
    step: int,
    steps_per_epoch: int,
    total_steps: int,
) -> float:
    """Return what the base learning rate is multiplied by at `step` (counted from 0)."""
    epochs_done = step // steps_per_epoch
    match decay:
        case StepDecay():
            return decay.factor if epochs_done >= decay.after_epoch else 1.0
        case ExponentialDecay():
            # RN: after period p the rate is base * factor ** (p - 1), so periods 1 and 2 run at the base rate.
            return decay.factor ** max(epochs_done // decay.every - 1, 0)
        case LinearDecay():
            start = decay.start * total_steps
            return 1.0 if step < start else (total_steps - step) / (total_steps - start)
        case ConstantDecay():
            return 1.0
