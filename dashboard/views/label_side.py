"""Beside the example: who labels, how far it went, what the model said, what was labeled last, and the log."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError, csv_of
from dashboard import data, state
from dashboard.labelling import Given, Progress, pace_of, press_token
from dashboard.labelling_agreement import HIDDEN, blind
from dashboard.labelling_cues import in_words, own_cues
from dashboard.labelling_queue import left_of
from dashboard.people import may, person
from dashboard.plain_text import plain
from dashboard.state import Place
from dashboard.theme import section_title
from dashboard.views.label_agreement import show_agreement
from dashboard.views.label_bench import ANNOTATOR, Bench, bench_of, opinions_of, shown_text
from dashboard.views.label_card import undo

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.labelling_opinions import Opinion

__all__ = ["render_name", "render_side"]

LOG_ROWS: Final = 500  # shown; a download has all
LONGEST_NAME: Final = 60
NOTHING_YET: Final = "Nothing yet. Each label can be taken back here."


def render_name(bench: Bench) -> None:
    """Say who labels, or draw the field of the name. It goes into the address, so that a reload knows it."""
    here = person()
    if here.signed_in:
        verb = "looks on" if bench.refusal else "labels"
        st.html(f'<div class="label-who"><b><bdi>{shown_text(here.name)}</bdi></b> {verb}, as {here.role}</div>')
        return
    if bench.refusal:
        return
    st.text_input(
        "Your name",
        key=ANNOTATOR,
        placeholder="Your name, before the first label",
        max_chars=LONGEST_NAME,
        on_change=_named,
        # Streamlit forgets what a widget holds after a run that did not draw it, as those of other pages do not.
        persist_state="session",
        label_visibility="collapsed",
        help="It is stored with each of your labels. Whoever enters the same name is the same annotator here.",
    )
    seat = bench.desk.seat
    if seat is not None and seat.others():
        name = shown_text(bench.annotator)
        st.html(
            f'<div class="label-same">{name} labels in another window too: both share one queue and one opinion. '
            "Enter another name if that is somebody else.</div>"
        )


def _named() -> None:
    state.go(annotator=" ".join(str(st.session_state[ANNOTATOR]).split()))


def render_side(place: Place, bench: Bench) -> None:
    """Draw everything below the name."""
    _progress(bench)
    _opinion(bench)
    _recent(place, bench)
    with st.container(key="label_log", horizontal=True):
        if st.button("Agreement", key="open_agreement", width="stretch"):
            show_agreement(place)
        if st.button("Audit log and export", key="open_log", width="stretch"):
            _log(place)


def progress_of(bench: Bench) -> Progress:
    """Return how much of the newest proposal, or of the initial set, is labeled."""
    if bench.n_rounds:
        total = int(data.record(bench.run.id, bench.n_rounds - 1).selection["n"])
    else:
        total = bench.run.settings.initial if bench.run.annotator == "person" else 0
    n_open = len(bench.desk.queue) if bench.desk.state is None else bench.desk.state.n_open
    return Progress(done=max(total - n_open, 0), total=total)


def _progress(bench: Bench) -> None:
    progress = progress_of(bench)
    what = "proposed examples" if bench.n_rounds else "examples of the initial set"
    pace = pace_of(bench.desk.times)
    speed = "&nbsp;"
    if pace is not None:
        speed = f"{pace.per_minute:.0f} a minute over the last {pace.n} · {pace.median_seconds:.1f} s each (median)"
    oracle = ""
    if bench.run.annotator == "oracle" and progress.total:
        oracle = (
            '<div class="label-oracle">The data set answers what nobody labels here, at the next step. '
            "A label given here goes before its answer.</div>"
        )
    st.html(
        f'<div class="label-progress"><div><b>{progress.done:,} of {progress.total:,}</b> {what} labeled'
        f"{_opinions_to_go(bench)}</div>"
        f'<div class="label-bar" role="progressbar" aria-valuemin="0" aria-valuemax="{progress.total}" '
        f'aria-valuenow="{progress.done}"><i style="width:{100 * progress.share:.1f}%"></i></div>{_shared(bench)}'
        f'<div class="alvin-muted">{speed}</div>{oracle}</div>'
    )


def _shared(bench: Bench) -> str:
    """Say who has what of the rest, where somebody else is at work or several people are asked."""
    state = bench.desk.state
    if state is None or not state.n_open:
        return ""
    left = left_of(state, bench.annotator)
    if not bench.annotator or not (left.people or state.n_shared):
        return ""
    return f'<div class="label-left">{shown_text(left.words)}</div>'


def _opinions_to_go(bench: Bench) -> str:
    """Say how many opinions are wanted, where several people are asked for one example."""
    state = bench.desk.state
    if state is None or not state.n_shared or not state.n_open:
        return ""
    n = state.n_wanting
    return f" · {n:,} opinion{'' if n == 1 else 's'} to go"


def _opinion(bench: Bench) -> None:
    who = "the label" if bench.refusal else "you"
    section_title(f"The model, after {who}", help="What the newest round's model says of the example labeled last.")
    last = _labeled_last(bench)
    opinions = opinions_of(bench)
    if last is None or last.is_bulk or opinions is None:
        st.html(f'<div class="label-opinion alvin-muted">{_why_silent(bench, last)}<br>&nbsp;</div>')
        return
    found = opinions.of(last.ids[0])
    assert found is not None  # only pool examples are labeled
    said = "you" if last.annotator == bench.annotator else last.annotator
    st.html(f'<div class="label-opinion">{_in_words(found, last, said)}{_shortcuts(bench, last)}</div>')


def _labeled_last(bench: Bench) -> Given | None:
    """Return what this person labeled last; for those who look on, what anybody did."""
    if bench.refusal:
        return next(iter(bench.desk.recent), None)
    return bench.desk.last_of(bench.annotator) if bench.annotator else None


def _why_silent(bench: Bench, last: Given | None) -> str:
    if not bench.n_rounds:
        return "It speaks once round 0 is trained."
    if last is not None:
        return "It speaks of one example at a time; the last label was given to several."
    return f"It speaks once {'an example is labeled' if bench.refusal else 'you have labeled an example'}."


def _in_words(opinion: Opinion, given: Given, who: str) -> str:
    agrees = opinion.predicted == given.label
    verdict = "agrees" if agrees else "disagrees"
    rank = f"rank {opinion.rank:,} of {opinion.n_ranked:,}" if opinion.rank else "not ranked"
    return (
        f'<span class="label-verdict {verdict}">{"✓" if agrees else "≠"} {verdict}</span> '
        f"<b>{shown_text(opinion.predicted)}</b> {opinion.confidence:.2f}<br>"
        f'<span class="alvin-muted"><bdi>{shown_text(given.ids[0])}</bdi>: {shown_text(who)} said '
        f"{shown_text(given.label)} · round {opinion.round_no}, {rank}</span>"
    )


def _shortcuts(bench: Bench, given: Given) -> str:
    """Say whether the example follows or contradicts the strongest shortcuts of what the newest round trained on."""
    round_no = bench.n_rounds - 1
    try:
        found = own_cues(bench.run, round_no, given.ids[0], given.label)
    except AlvinError:  # the run is gone: the page says so
        return ""
    title = f"significant shortcuts of the {data.record(bench.run.id, round_no).n_labeled:,} labels of round {round_no}"
    if not found:
        told = f"It holds no significant shortcut of round {round_no}." if found is not None else "Counting words …"
        return f'<div class="label-cues alvin-muted" title="{title}">{told}</div>'
    lines = []
    for one in found:
        verb, cue = in_words(one)
        lines.append(f'<span class="{verb}">{"=" if one.follows else "≠"} {verb}</span> {shown_text(cue)}')
    return f'<div class="label-cues" title="{title}">{"<br>".join(lines)}</div>'


def _recent(place: Place, bench: Bench) -> None:
    section_title("Labeled last")
    if not bench.desk.recent:
        st.html(f'<div class="alvin-muted">{"Nothing yet." if bench.refusal else NOTHING_YET}</div>')
    with st.container(key="label_recent", gap=None):
        for place_no, one in enumerate(bench.desk.recent):
            with st.container(key=f"label_row_{place_no}", horizontal=True, gap="small"):
                what = f"{len(one.ids):,} examples" if one.is_bulk else one.ids[0]
                st.html(
                    f'<div class="label-line"><span class="label-chip">{shown_text(one.label)}</span>'
                    f"<bdi>{shown_text(what)}</bdi><span>{shown_text(one.annotator)}</span></div>"
                )
                if not bench.refusal:
                    _take_back(place, bench, one)


def _take_back(place: Place, bench: Bench, given: Given) -> None:
    """Draw the button that takes a label back; those of others are an owner's to take."""
    is_others = given.annotator != bench.annotator and not may("owner")
    st.button(
        "Undo",
        key=f"take_back_{press_token(given.time, *given.ids[:1])}",
        type="tertiary",
        width="content",
        disabled=is_others or not bench.can_label,
        help=plain(f"{given.annotator} gave it: {_who_may(given.annotator)} may take it back") if is_others else None,
        on_click=undo,
        args=(place, given),
    )


def _who_may(annotator: str) -> str:
    """Name who may take a label back: of several, whose addresses are joined with blanks, none may alone."""
    return "an owner" if " " in annotator else "they, or an owner,"


# The log, in a dialog: it is long, and seldom wanted.


@st.dialog("Audit log", width="large")
def _log(place: Place) -> None:
    run_id, bench = place.run_id, bench_of(place)
    run = bench.run
    log = blind(run.history(), bench.desk.state, bench.annotator)
    newest = log.iloc[::-1].head(LOG_ROWS)
    more = f", the newest {LOG_ROWS:,} are shown" if len(log) > LOG_ROWS else ""
    st.html(
        f'<div class="alvin-muted">{len(log):,} events{more}: every label, undo, skip, flag and note, who and when. '
        f"Nothing is ever taken out of it.{_about_hidden(log)}</div>"
    )
    st.dataframe(newest, hide_index=True, height=360, key="log_table")
    with st.container(horizontal=True, key="label_downloads"):
        name = run.name
        _download("Log, CSV", f"{name}-log.csv", "text/csv", lambda: csv_of(log).encode())
        _download("Log, JSON Lines", f"{name}-log.jsonl", "application/jsonl", lambda: _json_lines(log))
        labels = partial(data.labels_file, run_id)
        _download("Labels, CSV", f"{name}-labels.csv", "text/csv", partial(labels, "csv"))
        _download("Labels, JSON Lines", f"{name}-labels.jsonl", "application/jsonl", partial(labels, "jsonl"))


def _about_hidden(log: pd.DataFrame) -> str:
    n = int((log["label"] == HIDDEN).sum())
    if not n:
        return ""
    return f" {n:,} opinions are {HIDDEN} until the examples have their label, so that nobody follows another."


def _download(label: str, file_name: str, mime: str, make: object) -> None:
    key = "get_" + file_name.rsplit("-", 1)[1].replace(".", "_")
    st.download_button(label, make, file_name, mime, key=key, on_click="ignore")  # type: ignore[arg-type]


def _json_lines(log: pd.DataFrame) -> bytes:
    rows = log.astype(object).where(log.notna(), None).to_dict(orient="records")
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
