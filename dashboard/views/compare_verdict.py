"""What a comparison says: the verdict in words, learning curves with intervals, labels saved, and the report."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import comparing
from dashboard.figures.curves import arm_styles, learning_curve
from dashboard.palette import theme
from dashboard.report_parts import arm_key
from dashboard.state import Place
from dashboard.theme import empty_state, picture, section_title
from dashboard.views.compare_choice import Choice

if TYPE_CHECKING:
    from alvin_core import ArmDifference, Comparison, ComparisonSummary, LabelsToReach
    from dashboard.figures.curves import ArmStyle

__all__ = ["curve_measures", "render_curves", "render_labels", "render_verdict"]

MARKS: Final = {"better": "▲", "worse": "▼", "no measurable difference": "=", "too few seeds": "?"}
ONE_SEED: Final = (
    "One run of each strategy has no verdict: another seed could turn the difference around, and no interval can be "
    "told. A comparison with several seeds (ten are usual) has one."
)
CURVE_HEIGHT: Final = 236


def render_verdict(place: Place, choice: Choice) -> None:
    """Draw the verdict, labels saved, and the button for the report."""
    section_title("Verdict", help="Differences over the whole learning curve, paired by seed, corrected by Holm.")
    with st.container(key="verdict"):
        if choice.comparison is None:
            st.html(f'<p class="compare-headline">No verdict.</p><p>{ONE_SEED}</p>')
            return
        try:
            summary = comparing.stored_summary(choice.comparison, choice.states)
        except AlvinError as error:
            empty_state("Nothing can be said yet.", str(error))
            return
        st.html(_words(summary))
        _report(choice.comparison, summary)


def _words(summary: ComparisonSummary) -> str:
    """The headline, what so few seeds would have missed, and a line for each difference, clear ones first."""
    head = f'<p class="compare-headline">{escape(summary.headline())}</p>'
    if power := summary.power():
        head += f'<p class="alvin-muted">{escape(power)}</p>'
    notes = "".join(f"<li>{escape(note)}</li>" for note in summary.notes)
    order = list(MARKS)
    ordered = sorted(summary.primary, key=lambda one: order.index(one.difference.verdict))
    lines = "".join(_line(one) for one in ordered)
    return (
        head + (f'<ul class="compare-notes">{notes}</ul>' if notes else "") + f'<ul class="compare-lines">{lines}</ul>'
    )


def _line(one: ArmDifference) -> str:
    verdict = one.difference.verdict
    return f'<li class="{verdict.split()[0]}"><i aria-hidden="true">{MARKS[verdict]}</i>{escape(one.sentence)}</li>'


def render_labels(choice: Choice) -> None:
    """Draw how many labels each arm needs to do as well as the reference at the end."""
    if choice.comparison is None:
        return
    try:
        summary = comparing.stored_summary(choice.comparison, choice.states)
    except AlvinError:  # the verdict beside it says so
        return
    if not summary.labels_to_reach:
        return
    section_title(
        f"Labels to do as well as {summary.reference} with {summary.n_labeled[-1]:,}",
        help="Where an arm's mean curve first reaches the reference's last value, on straight lines between rounds, "
        "and how many labels that saves; an interval over seeds is given where every seed gets there.",
    )
    arms = list(dict.fromkeys(one.arm for one in summary.labels_to_reach))
    found = {(one.measure, one.arm): one for one in summary.labels_to_reach}
    rows = []
    for one in {one.measure: one for one in summary.labels_to_reach}.values():
        cells = "".join(f"<td>{_saved(found.get((one.measure, arm)))}</td>" for arm in arms)
        rows.append(f"<tr><td>{escape(one.words)}: {one.target:.2f}</td>{cells}</tr>")
    heads = "".join(f"<th>{escape(arm)}</th>" for arm in arms)
    st.html(
        f'<table class="compare-table"><thead><tr><th>to reach</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _saved(one: LabelsToReach | None) -> str:
    """``168 labels: 82 saved (−1 to 214)``; or that it never gets there, and with how many seeds."""
    if one is None:
        return "–"
    each = one.saved_per_seed
    missed = f"{one.n_not_reached} of {len(one.per_seed)} seeds never do" if one.n_not_reached else ""
    if one.n_labeled is None or one.saved is None:
        return f"not reached <small>{missed}</small>"
    told = missed if each is None or not math.isfinite(each.low) else f"{_whole(each.low)} to {_whole(each.high)}"
    return f"{one.n_labeled:,.0f} labels: <b>{_whole(one.saved)} saved</b>" + (
        f" <small>({told})</small>" if told else ""
    )


def _whole(value: float) -> str:
    return f"{value:,.0f}".replace("-", "−")


def _report(comparison: Comparison, summary: ComparisonSummary) -> None:
    def page() -> bytes:
        from dashboard.report_page import report_page
        from dashboard.reporting import provenance

        return report_page(summary, provenance(comparison)).encode("utf-8", errors="replace")

    st.download_button(
        "HTML report",
        data=page,
        file_name=f"{comparison.name}.html",
        mime="text/html",
        key="compare_report",
        icon=":material/download:",
        on_click="ignore",
        help="One file with all curves, differences and where they come from; it needs no network.",
    )


def render_curves(place: Place, choice: Choice) -> None:
    """Draw the learning curves in and out of distribution and of the worst group."""
    section_title("Learning curves", help="Means over seeds; bands are 95 % intervals of the mean.")
    with st.container(key="curves"):
        try:
            if choice.comparison is not None:
                summary = comparing.stored_summary(choice.comparison, choice.states)
            else:
                summary = comparing.summary_of_runs(choice.sides)
        except AlvinError as error:
            empty_state("There are no curves to compare.", str(error))
            return
        look = theme(place.dark)
        st.html(f'<div class="compare-key">{_key(arm_styles(summary.arms, summary.reference, look))}</div>')
        if len(summary.seeds) == 1:
            st.html('<div class="alvin-muted">One seed: no interval. What looks like a difference may be chance.</div>')
        measures = curve_measures(summary)
        for column, (title, options) in zip(st.columns(len(measures), gap="small"), measures.items(), strict=True):
            with column:
                _curve(summary, title, options, place)


def _key(styles: Mapping[str, ArmStyle]) -> str:
    """The key of the lines, its drawings as images: Streamlit takes others out."""
    return re.sub(
        "<svg.*?</svg>",
        lambda found: picture(found[0].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1), ""),
        arm_key(styles),
    )


def curve_measures(summary: ComparisonSummary) -> dict[str, tuple[str, ...]]:
    """Return titles of the curves to draw, and which measures each can show; the first is what it shows at first."""
    found = {
        "In distribution": [one for one in summary.measures if one == "accuracy:test"],
        "Out of distribution": [one for one in summary.measures if one.startswith("accuracy:ood")],
        "Worst group": [one for one in summary.measures if one.startswith("worst_group:")],
    }
    shown = {title: tuple(options) for title, options in found.items() if options}
    return shown or {"Measures": summary.measures}


def _curve(summary: ComparisonSummary, title: str, options: tuple[str, ...], place: Place) -> None:
    measure, key = options[0], title.split()[0].lower()
    if len(options) == 1:
        curve = summary.curve(measure, summary.arms[0])
        st.html(f'<div class="compare-caption"><b>{title}</b> {escape(curve.words)}</div>')
    else:
        measure = st.selectbox(
            title,
            options,
            key=f"curve_{key}",
            format_func=lambda one: f"{title}: {one.partition(':')[2].removeprefix('ood:')}",
            label_visibility="collapsed",
        )
    figure = learning_curve(summary, measure, look=theme(place.dark), legend=False)
    figure.update_layout(height=CURVE_HEIGHT)
    figure.update_yaxes(range=_range(summary, measure))
    st.plotly_chart(figure, key=f"curve_chart_{key}", config={"displayModeBar": False})


def _range(summary: ComparisonSummary, measure: str) -> list[float]:
    """Return the ends of the axis: all lines and bands, not less than 0.1, so that chance does not look like a gap."""
    ends = [
        value
        for arm in summary.arms
        for one in summary.curve(measure, arm).rounds
        if one is not None
        for value in (one.low, one.mean, one.high)
        if math.isfinite(value)
    ]
    low, high = max(min(ends, default=0.0), 0.0), min(max(ends, default=1.0), 1.0)
    pad = max(0.1 - (high - low), 0.04 * (high - low)) / 2
    return [max(low - pad, 0.0), min(high + pad, 1.0)]
