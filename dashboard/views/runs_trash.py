"""The trash: an undo at once, and what lies in it for later."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError, list_trash
from dashboard import data
from dashboard.acting import delete_run, purge_trash, restore_run
from dashboard.state import go, notify

if TYPE_CHECKING:
    from alvin_core import RunInfo

__all__ = ["TRASHED", "render_trash", "render_undo"]

TRASHED: Final = "_runs_trashed"  # (id, name) of the run that was deleted last
DOOMED: Final = "_runs_doomed"  # id of the run that is to be deleted for good once confirmed, or ALL
ALL: Final = "all"


def render_undo() -> None:
    """Offer to take the last deletion back."""
    trashed = st.session_state.get(TRASHED)
    if trashed is None:
        return
    run_id, name = trashed
    with st.container(horizontal=True, vertical_alignment="center", key="undo_line"):
        st.html(f'<div role="status"><b>{html.escape(name)}</b> is in the trash.</div>')
        st.button("Undo", key="undo_delete", type="primary", on_click=_restore, args=(run_id,), width="content")
        st.button("Dismiss", key="undo_dismiss", type="tertiary", on_click=_forget, width="content")


def _forget() -> None:
    st.session_state.pop(TRASHED, None)


def _restore(run_id: str) -> None:
    try:
        restored = restore_run(data.store(), run_id)
    except AlvinError as error:
        notify(str(error), kind="error")
        return
    if st.session_state.get(TRASHED, ("",))[0] == run_id:
        _forget()
    go(run=restored.name)


def render_trash() -> None:
    """List the trash, with the way back and the way out."""
    trashed = list_trash(data.store())
    with st.expander(f"Trash ({len(trashed)})" if trashed else "Trash", key="trash"):
        if not trashed:
            st.caption("The trash is empty. Deleted runs lie here until they are deleted for good.")
            return
        for info in trashed:
            _render_row(info, info.deleted_at)
        if len(trashed) > 1:
            _confirmed(ALL, "Empty the trash", f"Delete these {len(trashed)} runs for good?")


def _render_row(info: RunInfo, deleted_at: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"trash_{info.id}"):
        st.html(
            f'<div class="runs-row"><b>{html.escape(info.name)}</b><div class="alvin-note">'
            f"{info.n_rounds} rounds, {info.n_labeled:,} labels · deleted "
            f"{html.escape(deleted_at[:16].replace('T', ' '))} UTC</div></div>"
        )
        st.button("Restore", key=f"restore_{info.id}", on_click=_restore, args=(info.id,), width="content")
        _confirmed(info.id, "Delete for good", f"Delete {info.name} with its labels for good?")


def _confirmed(which: str, title: str, question: str) -> None:
    """Draw a button that asks once more."""
    if st.session_state.get(DOOMED) != which:
        st.button(title, key=f"purge_{which}", type="tertiary", on_click=_doom, args=(which,), width="content")
        return
    with st.container(key=f"confirm_{which}", horizontal=True, vertical_alignment="center"):
        st.html(f"<b>{html.escape(question)}</b> It cannot be undone.")
        st.button("Delete for good", key="purge_confirm", on_click=_purge, args=(which,), width="content")
        st.button("Keep", key="purge_keep", type="tertiary", on_click=_doom, args=("",), width="content")


def _doom(which: str) -> None:
    st.session_state[DOOMED] = which


def _purge(which: str) -> None:
    _doom("")
    _forget()
    try:
        if which == ALL:
            purge_trash(data.store())
        else:
            # By way of the list: the engine deletes no single run out of the trash.
            delete_run(data.store(), restore_run(data.store(), which).id)
            data.forget_run(which)
    except AlvinError as error:
        notify(str(error), kind="error")
