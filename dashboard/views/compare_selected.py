"""What each run selected in the round: confidence, overlap, classes and groups over the rounds, diversity."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import SideBySide
from dashboard.figures.curves import arm_styles
from dashboard.figures.side import histogram_bars, share_lines
from dashboard.palette import theme
from dashboard.state import Place
from dashboard.theme import picture, section_title, term
from dashboard.views.compare_choice import Choice

if TYPE_CHECKING:
    from alvin_core import SideRun, SideShares

__all__ = ["render_selected"]

MISSING: Final = "–"
MOST_SHARES: Final = 12  # groups in the table


def render_selected(place: Place, choice: Choice, found: SideBySide) -> None:
    """Draw the card."""
    colors = _colors(place, choice)
    left, right = st.columns([0.44, 0.56], gap="medium")
    with left:
        section_title(
            f"Confidence of the selected, round {found.round_no}",
            help="How sure each run's own model was of the examples that it selected; bins are the same for all.",
        )
        st.html(_histograms(choice, found, colors))
        section_title("Overlap", help="Examples that both selected in this round, of those that at least one did.")
        st.html(_overlaps(choice, found))
    with right:
        section_title(
            "Diversity",
            help="Distances in each model's own space, as a share of the typical distance between two pool examples "
            "there: only so can those of different models be compared.",
        )
        st.html(_figures(choice, found))
        section_title(
            "Classes and groups over the rounds",
            help="Line: their share among what each round selected. Dashed: among the labels it trained on.",
        )
        st.html(_shares(choice, found, colors))


def _colors(place: Place, choice: Choice) -> list[str]:
    """Each side's colour, as in the curves."""
    names = [side.label for side in choice.sides]
    if choice.comparison is None:
        styles = arm_styles(names, names[0], theme(place.dark))
    else:
        from dashboard.comparing import stored_summary

        summary = stored_summary(choice.comparison, choice.states)
        styles = arm_styles(summary.arms, summary.reference, theme(place.dark))
    return [styles[name].color for name in names]


def _head(choice: Choice) -> str:
    names = "".join(f"<th><b>{side.letter.upper()}</b> {escape(side.label)}</th>" for side in choice.sides)
    return f"<thead><tr><th></th>{names}</tr></thead>"


def _histograms(choice: Choice, found: SideBySide, colors: Sequence[str]) -> str:
    top = max((max(one.confidence, default=0) for one in found.runs), default=0)
    rows = "".join(
        histogram_bars(
            f"{side.letter.upper()} {side.label}", one.confidence, found.edges, top, color, one.mean_confidence
        )
        for side, one, color in zip(choice.sides, found.runs, colors, strict=True)
    )
    ends = f"<span>{found.edges[0]:.2f}</span><span>confidence</span><span>1.00</span>"
    return f'<div class="compare-histograms">{rows}<div class="compare-axis">{ends}</div></div>'


def _overlaps(choice: Choice, found: SideBySide) -> str:
    rows = []
    for one in found.overlaps:
        first, second = (choice.sides[at].letter.upper() for at in (one.first, one.second))
        jaccard = MISSING if one.jaccard is None else f"{one.jaccard:.2f}"
        cells = (
            f"<b>{first}</b> and <b>{second}</b>",
            f"{one.shared:,} of {one.either:,}",
            jaccard,
            f"{one.labeled_shared:,} of {one.labeled_either:,}",
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ("", "selected by both", term("Jaccard", "The examples of both over those of at least one: 1 is the same."),
             "labels in common so far")  # fmt: skip
    head = "".join(f"<th>{one}</th>" for one in heads)
    return f'<table class="compare-table"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _figures(choice: Choice, found: SideBySide) -> str:
    rows = (
        ("to the nearest label", [_relative(one, one.to_labeled) for one in found.runs]),
        ("between two selected", [_relative(one, one.among) for one in found.runs]),
        (
            "mean entropy, nats",
            [MISSING if one.mean_entropy is None else f"{one.mean_entropy:.2f}" for one in found.runs],
        ),
        ("chosen by no other", [f"{one.n_only:,} of {one.n_selected:,}" for one in found.runs]),
    )
    body = "".join(
        f"<tr><td>{name}</td>{''.join(f'<td>{value}</td>' for value in values)}</tr>" for name, values in rows
    )
    return f'<table class="compare-table compare-figures">{_head(choice)}<tbody>{body}</tbody></table>'


def _relative(one: SideRun, distance: float | None) -> str:
    return MISSING if distance is None or not one.spread else f"{distance / one.spread:.2f}"


def _shares(choice: Choice, found: SideBySide, colors: Sequence[str]) -> str:
    """A row for each group, else for each class; in each run's column the shares over the rounds."""
    by_group = any(one.labeled_groups for one in found.shares)
    if not any(one.selected_groups if by_group else one.selected_classes for one in found.shares):
        return '<div class="alvin-muted">The labels of what is selected are not known, so there are no shares.</div>'
    of_run = [[one for one in found.shares if one.run == at] for at in range(len(found.runs))]
    names = sorted({name for one in found.shares for name in (*_labeled(one, by_group), *_selected(one, by_group))})
    rows = []
    for name in names[:MOST_SHARES]:
        cells = []
        for rounds, color in zip(of_run, colors, strict=True):
            selected = [_selected(one, by_group).get(name, 0.0) if one.n_selected else None for one in rounds]
            labeled = [_labeled(one, by_group).get(name, 0.0) for one in rounds]
            told = f"{name}, rounds 0 to {found.round_no}"
            line = picture(share_lines(selected, labeled, label=told, color=color), told)
            now = MISSING if selected[-1] is None else f"{selected[-1]:.0%}"
            cells.append(
                f'<td><span class="compare-share">{line}<b>{now}</b><small>labels {labeled[-1]:.0%}</small></span></td>'
            )
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    more = len(names) - MOST_SHARES
    note = f'<div class="alvin-muted">and {more:,} more</div>' if more > 0 else ""
    body = "".join(rows)
    table = f'<table class="compare-table compare-figures">{_head(choice)}<tbody>{body}</tbody></table>'
    return f'<div class="compare-wide">{table}</div>{note}'


def _selected(one: SideShares, by_group: bool) -> dict[str, float]:
    return one.selected_groups if by_group else one.selected_classes


def _labeled(one: SideShares, by_group: bool) -> dict[str, float]:
    return one.labeled_groups if by_group else one.labeled_classes
