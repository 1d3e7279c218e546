"""Ready plans: what the field usually does, in one place and by name. Every explicit choice overrides them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from alvin_core.errors import SettingsError
from alvin_core.shown import shown

__all__ = ["PROTOCOLS", "Protocol", "get_protocol"]


@dataclass(frozen=True)
class Protocol:
    """A ready plan, apart from the strategies.

    Attributes
    ----------
    name : str
    about : str
        One line for people.
    settings : mapping of dotted setting names to values
        What it sets; every other setting has its default.
    rounds, n_seeds : int
    """

    name: str
    about: str
    settings: Mapping[str, Any]
    rounds: int
    n_seeds: int


# The protocol as active learning with pre-trained encoders is usually run, after CAL (Margatina et al. 2021) and
# Lesci & Vlachos (2024) [field]; its numbers are ours: those of Korakakis et al. (2024) could not be read.
_FINE_TUNING = Protocol(
    name="fine-tuning",
    about="all layers of bert-base-uncased, 100 labels + 10 rounds of 50, 10 seeds",
    settings=MappingProxyType(
        {
            "initial": 100,
            "budget": 50,
            "training.trainable_layers": "all",
            "encoder.name": "bert-base-uncased",
        }
    ),
    rounds=10,
    n_seeds=10,
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({one.name: one for one in (_FINE_TUNING,)})


def get_protocol(name: str) -> Protocol:
    """Look a protocol up.

    Raises
    ------
    SettingsError
        When there is none of this name.
    """
    if name not in PROTOCOLS:
        near = difflib.get_close_matches(name, PROTOCOLS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SettingsError(f"no protocol is called {shown(name)}; {hint}there are: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
