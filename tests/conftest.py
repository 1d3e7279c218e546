"""What all tests share: no network, and no clock in property-based tests."""

from __future__ import annotations

import os

# Before any test imports a library that reads it.
os.environ["HF_HUB_OFFLINE"] = "1"

from hypothesis import settings

# A shared machine may stop for a second at any moment; a slow example is no wrong example.
settings.register_profile("alvin", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("alvin")
