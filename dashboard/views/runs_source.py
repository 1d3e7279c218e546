"""Where a new run's data come from: a sample, a file on this machine, or one that the browser sends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import streamlit as st

from alvin_core import AlvinError, list_jobs, sample_names, sample_path
from dashboard import data
from dashboard.acting import read_preview, store_upload
from dashboard.people import require
from dashboard.previewing import OPTIONAL_ROLES, TEXT_ROLES, Preview, guess_columns
from dashboard.theme import plain
from dashboard.uploading import MAX_BYTES, discard_upload, shown_name

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = ["PAIR", "SINGLE", "Source", "chosen_source", "column_key", "forget_source", "in_use", "render_source"]

SOURCE: Final = "_runs_source"
PROBLEM: Final = "_runs_source_problem"
TAKEN: Final = "_runs_upload_taken"  # which upload was stored last
SHAPE_KEY: Final = "col_shape"
SINGLE: Final = "One text"
PAIR: Final = "A pair of texts"
HUB: Final = "hf:"


@dataclass(frozen=True)
class Source:
    """Data that somebody chose.

    Attributes
    ----------
    kind : {"sample", "path", "upload", "hub"}
    given : str
        What the worker is told.
    path : Path or None
        The file; None where it is not on this machine.
    name : str
        As it is shown. It may hold anything.
    preview : Preview
    """

    kind: Literal["sample", "path", "upload", "hub"]
    given: str
    path: Path | None
    name: str
    preview: Preview

    @property
    def n_bytes(self) -> int:
        """Size of the file; 0 where it is gone or not here."""
        try:
            return 0 if self.path is None else self.path.stat().st_size
        except OSError:
            return 0


def chosen_source() -> Source | None:
    """Return the data that are chosen now."""
    source: Source | None = st.session_state.get(SOURCE)
    return source


def column_key(role: str) -> str:
    """Return the key of the widget that says which column has a role."""
    return f"col_{role}"


def in_use() -> list[str]:
    """Return the files that jobs still have to read."""
    if not data.has_store():
        return []
    return [str(job.params.get("path", "")) for job in list_jobs(data.store(), active=True, limit=1000)]


def forget_source() -> None:
    """Let go of the chosen data, and of the upload that they may be."""
    source = st.session_state.pop(SOURCE, None)
    st.session_state.pop(PROBLEM, None)
    if source is not None and source.kind == "upload" and source.given not in in_use():
        discard_upload(data.store(), Path(source.given))


def render_source() -> None:
    """Offer the three ways, and say what is wrong with the one that was tried."""
    left, right = st.columns([0.5, 0.5], gap="medium")
    with left:
        st.pills(
            "A sample that comes with ALVIN Studio",
            sample_names(),
            key="sample_choice",
            on_change=_take_sample,
            help="Each has a planted shortcut, and test sets that tell which model fell for it.",
        )
        st.text_input(
            "or a path on this machine",
            key="data_path",
            on_change=_take_path,
            placeholder="/data/reviews.csv",
            persist_state="session",
            help="A file of any size, or hf:owner/name for a data set on the hub.",
        )
    with right:
        st.file_uploader(
            "or an upload: CSV, TSV, JSON Lines, Parquet, .gz",
            key="upload",
            on_change=_take_upload,
            max_upload_size=MAX_BYTES // 2**20,
            help=f"Up to {MAX_BYTES // 2**20} MB; give the path of what is larger. It is stored on this machine alone.",
        )
    problem = st.session_state.get(PROBLEM)
    if problem:
        st.error(plain(problem))


def _adopt(source: Source) -> None:
    """Take these data, and guess what their columns hold."""
    forget_source()
    st.session_state[SOURCE] = source
    guess = guess_columns(source.preview)
    for role in (*TEXT_ROLES, *OPTIONAL_ROLES):
        st.session_state[column_key(role)] = guess.get(role)
    st.session_state[SHAPE_KEY] = PAIR if "text_a" in guess else SINGLE


def _take_sample() -> None:
    name = st.session_state["sample_choice"]
    if name is None:
        forget_source()
        return
    st.session_state["data_path"] = ""
    try:
        path = sample_path(name)
    except AlvinError as error:
        _refuse(str(error))
        return
    _adopt(Source("sample", name, path, name, read_preview(path)))


def _take_path() -> None:
    require("owner")  # whether there is a file is told before it is read
    given = st.session_state["data_path"].strip()
    st.session_state["sample_choice"] = None
    if not given:
        forget_source()
    elif given.startswith(HUB):
        _adopt(Source("hub", given, None, given, Preview((), ())))
    else:
        _take_file(given)


def _take_file(given: str) -> None:
    try:
        path = Path(given).expanduser().absolute()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (RuntimeError, OSError, ValueError) as error:  # "~nobody/…", a name that is too long, a null byte
        _refuse(f"{given!r} cannot be a file: {error}")
        return
    if is_file:
        _adopt(Source("path", str(path), path, path.name, read_preview(path)))
    elif is_folder:
        _refuse(f"{given!r} is a folder; give one file in it")
    else:
        _refuse(f"there is no file {given!r} on this machine; check the path, or upload the file")


def _take_upload() -> None:
    file: UploadedFile | None = st.session_state["upload"]
    if file is None:
        source = chosen_source()
        if source is not None and source.kind == "upload":
            forget_source()
        return
    if st.session_state.get(TAKEN) == file.file_id:  # told once more when the page is left and drawn anew
        return
    st.session_state[TAKEN] = file.file_id
    st.session_state["sample_choice"] = None
    st.session_state["data_path"] = ""
    try:
        path = store_upload(data.store(), file.name, file, in_use())
    except AlvinError as error:
        _refuse(str(error))
        return
    _adopt(Source("upload", str(path), path, shown_name(file.name), read_preview(path)))


def _refuse(problem: str) -> None:
    forget_source()
    st.session_state[PROBLEM] = problem
