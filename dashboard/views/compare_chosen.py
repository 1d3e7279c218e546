"""What is chosen on the maps: one example as each run's model sees it, or all that a lasso holds."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import numpy as np
import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.at_hand import index_of, row_of
from dashboard.colouring import color_by
from dashboard.regions import region_rows
from dashboard.state import Place, go
from dashboard.theme import section_title
from dashboard.views.compare_choice import Choice
from dashboard.views.compare_maps import FRAGMENTS, REGION, color_of, places_of
from dashboard.views.fresh import draw_again, refreshed

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from dashboard.comparing import Side

__all__ = ["region_frame", "render_chosen"]

SHOWN: Final = 300  # examples of a lasso in the table
LONGEST_CELL: Final = 240
HINT: Final = (
    "Hover: the same example lights up on every map. Click a point: what each model says of it. Hold Shift and drag: "
    "what each selected there."
)


def render_chosen(place: Place, choice: Choice) -> None:
    """Draw the card of the example in the address and the table of the lasso; for a fragment."""
    place = refreshed(place)
    region = st.session_state.get(REGION)
    if place.example is None and region is None:
        st.html(f'<div class="alvin-muted compare-hint">{HINT}</div>')
        return
    if place.example is not None:
        _example(place, choice)
    if region is not None:
        _region(place, choice, *region)


def _example(place: Place, choice: Choice) -> None:
    example, first = str(place.example), choice.sides[0]
    at = index_of(first.run_id, choice.round_no).get(example)
    with st.container(key="compare_example"):
        if at is None:
            st.html(f'<div class="alvin-muted">No pool example <bdi>{escape(example)}</bdi> is on these maps.</div>')
            return
        head, button = st.columns([0.9, 0.1], vertical_alignment="center")
        with head:
            st.html(f'<div class="alvin-card-title"><b>Example <bdi>{escape(example)}</bdi></b></div>')
        with button:
            st.button("Close", key="compare_close", on_click=_close, type="tertiary")
        parts = data.opened(first.run_id).texts([row_of(first.run_id, example)])[0]
        st.html("".join(f'<div class="alvin-text" dir="auto">{escape(part[:20_000])}</div>' for part in parts))
        rows = "".join(_example_row(choice, side, example, at) for side in choice.sides)
        heads = ("", "state", "predicted", "confidence", "rank", "why")
        st.html(
            '<table class="compare-table compare-models"><thead><tr>'
            + "".join(f"<th>{head}</th>" for head in heads)
            + f"</tr></thead><tbody>{rows}</tbody></table>"
        )


def _close() -> None:
    go(example="")
    draw_again(*FRAGMENTS)


def _example_row(choice: Choice, side: Side, example: str, at: int) -> str:
    columns = data.columns(side.run_id, choice.round_no)
    places = next(iter(columns.ranks.values()), None)
    n_ranked = 0 if places is None else int((places > 0).sum())
    rank = 0 if places is None else int(places[at])
    if columns.labeled[at]:
        state = f"labeled {columns.classes[int(columns.label[at])]}"
    else:
        state = "✓ selected" if columns.selected[at] else "unlabeled"
    cells = (
        state,
        columns.classes[int(columns.predicted[at])],
        f"{columns.confidence[at]:.2f}",
        f"{rank:,} of {n_ranked:,}" if rank else "–",
        _reason(side.run_id, choice.round_no, example),
    )
    name = f'<td class="name"><b>{side.letter.upper()}</b> {escape(side.label)}</td>'
    return f"<tr>{name}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


@lru_cache(maxsize=512)
def _reason(run_id: str, round_no: int, example: str) -> str:
    return data.opened(run_id).explain(round_no, example, 1).reason


def _region(place: Place, choice: Choice, letter: str, region: dict[str, Any]) -> None:
    side = next((side for side in choice.sides if side.letter == letter), None)
    with st.container(key="compare_region"):
        if side is None:
            return
        try:
            points = _points(place, choice, side, region)
        except AlvinError as error:
            st.html(f'<div class="alvin-muted">{escape(str(error))}</div>')
            return
        section_title(f"In the {region['kind']} on {letter.upper()}")
        st.html(_counts(choice, points))
        if len(points):
            _table(choice, points)


def _points(place: Place, choice: Choice, side: Side, region: dict[str, Any]) -> NDArray[np.int64]:
    columns = data.columns(side.run_id, choice.round_no)
    projection, _ = places_of(choice, side, place)
    return region_rows(
        region,
        columns,
        color_by(columns, color_of(place)),
        projection.xy,
        round_no=choice.round_no,
        revision=projection.revision,
        view=f"{side.run_id}/{place.space}",
    )


def _counts(choice: Choice, points: NDArray[np.int64]) -> str:
    told = []
    for side in choice.sides:
        columns = data.columns(side.run_id, choice.round_no)
        n_selected, n_labeled = int(columns.selected[points].sum()), int(columns.labeled[points].sum())
        told.append(
            f"<b>{side.letter.upper()}</b> {escape(side.label)}: {n_selected:,} selected, {n_labeled:,} labeled"
        )
    n = f"<b>{len(points):,}</b> example{'' if len(points) == 1 else 's'}"
    shown = "".join(f"<span>{one}</span>" for one in (n, *told))
    return f'<div class="alvin-count compare-counts">{shown}</div>'


def _table(choice: Choice, points: NDArray[np.int64]) -> None:
    ordered = _selected_first(choice, points)
    key = f"compare_table_{crc32(ordered.tobytes()):08x}_{choice.round_no}"
    ids = data.columns(choice.sides[0].run_id, choice.round_no).ids[ordered]
    st.dataframe(
        region_frame(choice, ordered[:SHOWN]),
        key=key,
        hide_index=True,
        height=min(260, 38 + 28 * len(ordered)),
        row_height=28,
        on_select=lambda: _open_row(key, ids),
        selection_mode="single-row",
        column_config={"text": st.column_config.TextColumn(width="large")},
    )
    if len(points) > SHOWN:
        st.caption(f"The first {SHOWN} are shown, those that some run selected first.")


def _selected_first(choice: Choice, points: NDArray[np.int64]) -> NDArray[np.int64]:
    n_by = np.zeros(len(points), dtype=np.int64)
    for side in choice.sides:
        n_by += data.columns(side.run_id, choice.round_no).selected[points]
    return points[np.argsort(-n_by, kind="stable")]


def _open_row(key: str, ids: NDArray[Any]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        go(example=str(ids[rows[0]]))
        draw_again(*FRAGMENTS)


def region_frame(choice: Choice, points: NDArray[np.int64]) -> pd.DataFrame:
    """Return a row for each point: its text, and a column for each run that says what the run made of it.

    Parameters
    ----------
    choice : Choice
    points : int array of shape (n,)
        Places on the map.
    """
    import pandas as pd

    first = data.columns(choice.sides[0].run_id, choice.round_no)
    texts = data.opened(choice.sides[0].run_id).texts(first.rows[points])
    shown: dict[str, Any] = {"text": [" | ".join(parts)[:LONGEST_CELL] for parts in texts]}
    for side in choice.sides:
        columns = data.columns(side.run_id, choice.round_no)
        shown[f"{side.letter.upper()} {side.label}"] = [_told(columns, int(point)) for point in points]
    return pd.DataFrame({**shown, "id": first.ids[points]})


def _told(columns: Any, point: int) -> str:
    if columns.labeled[point]:
        return f"labeled {columns.classes[int(columns.label[point])]}"
    predicted = f"{columns.classes[int(columns.predicted[point])]} {columns.confidence[point]:.2f}"
    return f"✓ selected · {predicted}" if columns.selected[point] else predicted
