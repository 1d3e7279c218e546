"""Every error that ALVIN Studio raises on purpose.

::

    AlvinError
    ├── DataError              what a user's file holds, or does not
    ├── SettingsError          a setting out of its range, or two that contradict each other
    ├── PoolError              more examples asked for than there are
    ├── EncoderError           a model that cannot be found, trusted or split
    ├── DeviceError            a device that is not there, or has too little memory
    ├── LabelError             labels submitted for the wrong example, class or run
    ├── AnnotationNeeded       the run waits for a person's labels
    ├── StoreError             the folder where runs live
    │   ├── RunNotFoundError
    │   ├── RunBusyError       another process works on the run
    │   └── StoreVersionError
    └── Cancelled              the user stopped the work

The library raises these; the command line turns each into one line and exit code 2. Messages give the
value, the limit and the remedy.
"""

from __future__ import annotations

__all__ = [
    "AlvinError",
    "AnnotationNeeded",
    "Cancelled",
    "DataError",
    "DeviceError",
    "EncoderError",
    "LabelError",
    "PoolError",
    "RunBusyError",
    "RunNotFoundError",
    "SettingsError",
    "StoreError",
    "StoreVersionError",
]


class AlvinError(Exception):
    """Base of every error raised on purpose."""


class DataError(AlvinError):
    """A user's data cannot be used as it is."""


class SettingsError(AlvinError):
    """A setting is out of its range, unknown, or contradicts another."""


class PoolError(AlvinError):
    """More examples were asked for than are there."""


class EncoderError(AlvinError):
    """An encoder cannot be found, trusted, read or split."""


class DeviceError(AlvinError):
    """A device is missing, or has too little memory even for one example."""


class LabelError(AlvinError):
    """Submitted labels do not fit the run they were submitted to."""


class AnnotationNeeded(AlvinError):
    """The run cannot go on before a person has annotated its proposal."""


class StoreError(AlvinError):
    """The store cannot be read or written."""


class RunNotFoundError(StoreError):
    """No run has this name or id."""


class RunBusyError(StoreError):
    """Another process is working on the run."""


class StoreVersionError(StoreError):
    """The store was written by another, incompatible version."""


class Cancelled(AlvinError):
    """The user stopped the work; everything finished before is kept."""
