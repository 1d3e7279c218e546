"""A run that somebody packed into one file, taken into this store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.acting import store_upload, unpack_run
from dashboard.state import go, notify
from dashboard.theme import plain
from dashboard.uploading import MAX_BYTES, discard_upload
from dashboard.views.runs_source import in_use

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = ["render_import"]

PROBLEM: Final = "_runs_import_problem"


def render_import() -> None:
    """Draw the form, and do what it says."""
    with st.expander("Import a run from one file", key="import_run_form"):
        file: UploadedFile | None = st.file_uploader(
            f"A .zip that “Pack into one file” or alvin pack wrote, up to {MAX_BYTES // 2**20} MB",
            key="import_file",
            max_upload_size=MAX_BYTES // 2**20,
        )
        left, right = st.columns(2, gap="small")
        with left:
            path = st.text_input("or its path on this machine", key="import_path", placeholder="/data/run.zip").strip()
        with right:
            name = st.text_input(
                "Name here",
                key="import_name",
                placeholder="as it was",
                max_chars=64,
                help="Where the packed name is taken, it gets a number.",
            ).strip()
        if st.button("Import", key="import_run", disabled=file is None and not path):
            st.session_state.pop(PROBLEM, None)
            with st.spinner("Reading the file: every part of it is checked first…"):
                _import(file, path, name)
        if st.session_state.get(PROBLEM):
            st.error(plain(st.session_state[PROBLEM]))


def _import(file: UploadedFile | None, given: str, name: str) -> None:
    """Unpack, open the run and go there; on an error nothing is in the store, and the reason is shown."""
    store = data.store()
    stored: Path | None = None
    try:
        if file is not None:
            stored = store_upload(store, file.name, file, in_use())
        run = unpack_run(store, stored or Path(given), name=name or None)
    except AlvinError as error:
        shown = str(error) if stored is None or file is None else str(error).replace(str(stored), file.name)
        st.session_state[PROBLEM] = shown
        return
    finally:
        if stored is not None:
            discard_upload(store, stored)
    notify(f"{run.name} was imported, with {run.n_rounds} rounds and {len(run.labels()):,} labels.", kind="info")
    go(run=run.name)
    st.rerun()
