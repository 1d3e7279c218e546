"""A run as files, and out of sight: its labels, all of it in one file, and the way into the trash."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.acting import pack_run, trash_run
from dashboard.people import help_why_not, may
from dashboard.state import go, notify
from dashboard.theme import plain
from dashboard.uploading import clean_uploads, discard_upload, new_place
from dashboard.views.runs_source import in_use
from dashboard.views.runs_trash import TRASHED

if TYPE_CHECKING:
    from alvin_core import RunInfo

__all__ = ["labels_file", "render_keeping"]

PACKED: Final = "_runs_packed"  # (run id, path) of the run that was packed last
FORMATS: Final = {"csv": ("CSV", "text/csv"), "jsonl": ("JSONL", "application/jsonl"), "parquet": ("Parquet", "")}


def render_keeping(info: RunInfo) -> None:
    """Draw the buttons."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"run_keep_{info.id}"):
        st.html('<span class="alvin-note">Labels</span>', width="content")
        for format_, (title, mime) in FORMATS.items():
            st.download_button(
                title,
                data=partial(labels_file, info.id, format_),
                file_name=f"{info.name}-labels.{format_}",
                mime=mime or "application/vnd.apache.parquet",
                key=f"labels_{format_}_{info.id}",
                on_click="ignore",
                help=f"The {info.n_labeled:,} labels that hold now",
            )
        st.html('<span class="alvin-note">Run</span>', width="content")
        _pack(info)
        st.button(
            "Delete",
            key=f"delete_{info.id}",
            type="tertiary",
            disabled=not may("owner"),
            on_click=_trash,
            args=(info,),
            help=help_why_not("owner") or "It goes to the trash, from where it can be brought back.",
        )


def labels_file(run_id: str, format_: str) -> bytes:
    """Return `dashboard.data.labels_file`; an error is shown on the page too."""
    try:
        return data.labels_file(run_id, format_)
    except AlvinError as error:
        notify(str(error), kind="error")
        raise


def _pack(info: RunInfo) -> None:
    """Pack the run when it is asked for, then offer the file."""
    asked = st.button(
        "Pack into one file",
        key=f"pack_{info.id}",
        disabled=not may("owner"),
        help=help_why_not("owner")
        or "Settings, rounds, labels, marks and data, to keep or to send. Whoever has the file can read the texts.",
    )
    if asked:
        with st.spinner(f"Packing {plain(info.name)}: its rounds are read, written and checked…"):
            _make_packed(info)
    run_id, n_rounds, path = st.session_state.get(PACKED, ("", 0, Path()))
    if (run_id, n_rounds) != (info.id, info.n_rounds) or not path.is_file():
        return
    st.download_button(
        f"Download {plain(path.name)} ({path.stat().st_size / 2**20:,.1f} MB)",
        data=path.read_bytes,
        file_name=path.name,
        mime="application/zip",
        key=f"packed_{info.id}",
        type="primary",
        on_click="ignore",
    )


def _make_packed(info: RunInfo) -> None:
    store = data.store()
    old = st.session_state.pop(PACKED, None)
    if old is not None:
        discard_upload(store, old[2])
    clean_uploads(store, in_use())
    try:
        # Not by the name alone, which would lose a part that looks like an ending.
        path = pack_run(store, info.id, new_place(store, "run.zip").with_name(f"{info.name}.zip"))
    except AlvinError as error:
        notify(str(error), kind="error")
        st.rerun()
    st.session_state[PACKED] = (info.id, info.n_rounds, path)


def _trash(info: RunInfo) -> None:
    try:
        trash_run(data.store(), info.id)
    except AlvinError as error:
        notify(str(error), kind="error")
        return
    data.forget_run(info.id)
    st.session_state[TRASHED] = (info.id, info.name)
    if st.query_params.get("run") in (info.id, info.name):
        go(run="")
