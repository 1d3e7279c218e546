"""The learning rate over the steps of a training."""

from __future__ import annotations

__all__ = ["warmup_then_decay"]


def warmup_then_decay(step: int, n_steps: int, warmup: float) -> float:
    """Return the share of the full learning rate at a step: up along a line, then down along another.

    Parameters
    ----------
    step : int
        0 for the first step; the last is ``n_steps - 1``.
    n_steps : int
        Steps of the whole training.
    warmup : float
        Share of the steps in which the rate rises, in [0, 1).

    Returns
    -------
    float
        In (0, 1]. No step is wasted on a rate of zero: the ends of the two lines lie just outside the training.
    """
    n_rising = int(warmup * n_steps)
    if step < n_rising:
        return (step + 1) / (n_rising + 1)
    return (n_steps - step) / (n_steps - n_rising)
