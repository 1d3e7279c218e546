"""Training a round: the classifier from its pre-trained start to its training dynamics and its predictions.

:mod:`~alvin_core.training.trainer` needs torch and is imported where it is used; the values it gives are light.
"""

from __future__ import annotations

from alvin_core.training.dynamics import DynamicsRecorder
from alvin_core.training.predictions import Predictions

__all__ = ["DynamicsRecorder", "Predictions"]
