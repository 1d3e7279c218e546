"""The script that Streamlit runs for each visit and each click. What it shows is in `dashboard.page`."""

from __future__ import annotations

from importlib import import_module

from dashboard import starting

starting.wait()  # before anything is imported that may be on its way
import_module("dashboard.page").show()
starting.sent()
