"""Agreement of annotators, in a dialog: how far the labels can be relied on, who differs from whom, and on what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError, AnnotationNeeded
from dashboard.labelling import press_token
from dashboard.labelling_agreement import (
    Disagreement,
    alpha_verdict,
    alpha_words,
    disagreements,
    kappa_words,
    pair_of,
    unseen,
)
from dashboard.state import Place
from dashboard.theme import empty_state, figure_tile, section_title
from dashboard.views.label_bench import LISTED, REGION, Bench, bench_of, shown_text, texts_of

if TYPE_CHECKING:
    from alvin_core import Agreement

__all__ = ["show_agreement"]

MOST: Final = 200  # examples in the list
MOST_PEOPLE: Final = 12  # in the table of pairs; of more, those with most opinions
PREVIEW: Final = 160  # characters of a text in the list


@st.dialog("Agreement", width="large")
def show_agreement(place: Place) -> None:
    """Draw the dialog."""
    bench = bench_of(place)
    try:
        with st.spinner("Comparing opinions …"):  # the library that does takes a moment to load
            agreement = bench.run.agreement()
    except AnnotationNeeded:
        _nothing_yet(bench)
        return
    except AlvinError as error:
        empty_state("Agreement cannot be computed.", f"{error}.")
        return
    _figures(agreement)
    left, right = st.columns(2, gap="medium")
    with left:
        _pairs(agreement)
    with right:
        _classes(agreement)
    _examples(place, bench)


def _nothing_yet(bench: Bench) -> None:
    asked = bench.run.settings.annotation
    if asked.overlap == 1 or asked.overlap_share == 0:
        empty_state(
            "Each example of this run is labeled by one person.",
            "Agreement can be told where several people label the same examples. That is chosen when a run is started: "
            "on Runs, under Annotation.",
        )
        return
    empty_state(
        "No example has opinions of two people yet.",
        f"This run asks {asked.overlap} people for each shared example. As soon as two have labeled the same one, "
        "this says how far they agree.",
    )


def _figures(agreement: Agreement) -> None:
    alpha = "–" if agreement.alpha is None else f"{agreement.alpha:.2f}"
    single = f"{agreement.n_single:,} more have one opinion as yet, and are left out." if agreement.n_single else ""
    tiles = (
        figure_tile(
            alpha,
            "Krippendorff's alpha",
            "1 is perfect agreement, 0 what chance gives. From 0.80 labels count as reliable, from 0.667 as tentative.",
            alpha_verdict(agreement.alpha),
        ),
        figure_tile(
            f"{agreement.share_same:.0%}",
            "same label",
            "Of all pairs of opinions on one example. Chance is not taken out, so it looks better than alpha.",
        ),
        figure_tile(f"{agreement.n_examples:,}", "examples", f"With two opinions or more. {single}".strip()),
        figure_tile(f"{len(agreement.annotators):,}", "people"),
    )
    st.html(
        f'<div class="label-figures">{"".join(tiles)}</div><p class="label-verdict-words">{alpha_words(agreement)}</p>'
    )


def _pairs(agreement: Agreement) -> None:
    section_title("Who agrees with whom", help="Cohen's kappa of each two people: 1 is perfect, 0 what chance gives.")
    most_first = sorted(agreement.annotators, key=lambda name: (-agreement.annotators[name], name))
    names = sorted(most_first[:MOST_PEOPLE])
    head = "".join(f"<th><bdi>{shown_text(name)}</bdi></th>" for name in names[:-1])
    rows = []
    for number, name in enumerate(names[1:], 1):
        cells = "".join(
            _cell(agreement, name, other) if at < number else "<td></td>" for at, other in enumerate(names[:-1])
        )
        rows.append(f"<tr><th><bdi>{shown_text(name)}</bdi></th>{cells}</tr>")
    more = len(agreement.annotators) - len(names)
    cut = f" {more} more people gave fewer opinions." if more else ""
    st.html(
        f'<div class="label-kappa"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
        f'<div class="alvin-muted">Cohen\'s kappa, and how many examples both labeled. Orange: no better than '
        f"chance.{cut}</div>"
    )


def _cell(agreement: Agreement, one: str, other: str) -> str:
    pair = pair_of(agreement.pairs, one, other)
    if pair is None:
        return '<td class="none" title="no example in common">–</td>'
    value = "–" if pair.kappa is None else f"{pair.kappa:.2f}"
    share = 0 if pair.kappa is None else round(70 * max(0.0, min(1.0, pair.kappa)))
    low = " low" if pair.kappa is not None and pair.kappa <= 0 else ""
    return (
        f'<td class="kappa{low}" style="--share: {share}%" title="{shown_text(kappa_words(pair))}">'
        f"<b>{value}</b> <small>{pair.n:,}</small></td>"
    )


def _classes(agreement: Agreement) -> None:
    section_title(
        "Class by class", help="How often another person says the same, given that one person chose this class."
    )
    rows = []
    for one in agreement.classes:
        value = "–" if one.agreement is None else f"{one.agreement:.0%}"
        rows.append(f"<tr><th>{shown_text(one.label)}</th><td>{value}</td><td>{one.n:,}</td></tr>")
    st.html(
        '<div class="label-classes"><table><tr><th>class</th><td>agreed on</td><td>opinions</td></tr>'
        f"{''.join(rows)}</table></div>"
    )
    if agreement.confusions:
        lines = "".join(
            f"<li><b>{shown_text(one.labels[0])}</b> or <b>{shown_text(one.labels[1])}</b>: "
            f"{one.n_examples:,} example{'' if one.n_examples == 1 else 's'}</li>"
            for one in agreement.confusions[:5]
        )
        st.html(
            f'<div class="alvin-muted">Most often taken for one another:</div><ul class="label-confused">{lines}</ul>'
        )


def _examples(place: Place, bench: Bench) -> None:
    hidden = unseen(bench.desk.state, bench.annotator)
    opinions = bench.run.opinions()
    found = disagreements(opinions, hidden)
    n_hidden = len(disagreements(opinions, set())) - len(found)
    section_title("Where people differ", help="A click opens the example under Browse.")
    later = "Those that wait for more opinions are shown once they have their label, so that nobody follows another."
    if not found:
        st.html(f'<div class="alvin-muted">{later if n_hidden else "On no example: all who labeled it agree."}</div>')
        return
    more = f", the first {MOST:,} are listed" if len(found) > MOST else ""
    told = f" {later}" if n_hidden else ""
    st.html(f'<div class="alvin-muted">{len(found):,} examples{more}. A click opens one.{told}</div>')
    _table(place, bench, found[:MOST])


def _table(place: Place, bench: Bench, found: list[Disagreement]) -> None:
    import pandas as pd

    ids = [one.id for one in found]
    texts = [" ¶ ".join(part[:PREVIEW] for part in parts).replace("\0", "␀") for parts in texts_of(bench.run, ids)]
    frame = pd.DataFrame(
        {
            "id": ids,
            "said": [one.words for one in found],
            "label": [one.decided or "none yet" for one in found],
            "text": texts,
        }
    )
    key = f"agreement_list_{press_token(*ids)}"
    picked = st.dataframe(
        frame,
        key=key,
        height=min(35 + 31 * len(found), 260),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
    )
    rows = picked["selection"]["rows"]
    if rows:
        _open(place, ids, ids[rows[0]])
        st.rerun()


def _open(place: Place, ids: list[str], example_id: str) -> None:
    """Put an example in front, and let browsing go through the others."""
    desk = bench_of(place).desk
    for other in (LISTED, REGION):
        st.session_state.pop(other, None)
    desk.turn_to("browse")
    desk.found = ids
    desk.show(example_id)
