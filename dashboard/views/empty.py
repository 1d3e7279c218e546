"""What a store without runs shows: what this is for, four samples to begin with, and the way to one's own data."""

from __future__ import annotations

import csv
import html
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

from alvin_core import AlvinError, sample_names, sample_path
from dashboard import data, jobs, people, state, theme
from dashboard.acting import enqueue_job
from dashboard.state import Place

__all__ = ["render"]


BEGIN = (
    "Start with a sample: in each, a shortcut is planted that is right nine times out of ten, and test sets that tell "
    "which model fell for it."
)


@dataclass(frozen=True)
class About:
    """A sample in words."""

    title: str
    task: str
    shortcut: str


ABOUT = {
    "reviews": About("Reviews", "Is a short review positive or negative?", "the genre gives it away"),
    "occupations": About("Occupations", "Surgeon or nurse, from a short biography?", "the gender of the person"),
    "nli": About("Inference", "Does one sentence follow from another?", "how many words they share"),
    "paraphrase": About("Paraphrase", "Do two sentences mean the same?", "how many words they share"),
}


def render(_: Place) -> None:
    """Offer the samples and an upload; once one is chosen, show how far its run is."""
    may_start = people.may("owner")
    with st.container(key="welcome"):
        begin = BEGIN if may_start else "An owner starts them; the page Classroom needs none."
        st.html(
            '<div class="alvin-hero">See which shortcut a model takes, and label against it.</div>'
            f'<div class="alvin-hero-text">There are no runs here yet. {begin}</div>'
        )
        if not may_start:
            return
        making = bool(jobs.active_ids(None))
        names = sample_names()
        for column, name in zip(st.columns(len(names)), names, strict=True):
            with column, theme.card(f"sample_{name}"):
                _sample(name, making=making)
        jobs.job_progress(None)
        with st.container(horizontal=True, vertical_alignment="center", key="own_data"):
            st.html('<span class="alvin-muted">Have data of your own?</span>', width="content")
            st.button("Upload a file", key="to_upload", on_click=lambda: state.go(page="runs"))


def _sample(name: str, *, making: bool) -> None:
    about = ABOUT.get(name, About(name, "", ""))
    shortcut = f"{theme.term('Shortcut', 'What looks like the answer in the pool and is not.')}: "
    st.html(
        f'<div class="alvin-sample"><b>{html.escape(about.title)}</b><br>{html.escape(about.task)}<br>'
        f'<span class="alvin-muted">{shortcut}{html.escape(about.shortcut)}<br>{_pool_size(name):,} in the '
        f"{theme.term('pool')}</span></div>"
    )
    st.button(
        f"Start with {theme.plain(name)}",
        key=f"sample_{name}",
        type="primary" if name == "reviews" else "secondary",
        width="stretch",
        disabled=making,
        on_click=_start,
        args=(name,),
    )


@lru_cache
def _pool_size(name: str) -> int:
    with sample_path(name).open(encoding="utf-8", newline="") as file:
        return sum(row["split"] == "pool" for row in csv.DictReader(file))


def _start(name: str) -> None:
    """Ask for the run and its round 0."""
    try:
        enqueue_job(data.store(), "create", params={"path": name, "rounds": 0})
    except AlvinError as error:
        state.notify(str(error), kind="error")
