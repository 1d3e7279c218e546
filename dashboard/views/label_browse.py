"""Free browsing: finding examples by their words, by doubt, at random or on the map, and labelling a region at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import streamlit as st

from alvin_core import AlvinError
from dashboard import data
from dashboard.colouring import color_by
from dashboard.components.representation_map import read_state, representation_map
from dashboard.labelling import BulkPlan, plan_bulk, press_token
from dashboard.labelling_queue import counts_by_name
from dashboard.maps import map_data
from dashboard.plain_text import plain
from dashboard.regions import region_rows
from dashboard.state import Place
from dashboard.theme import empty_state
from dashboard.views.label_bench import LISTED, REGION, Bench, bench_of, opinions_of, pool_of, shown_text, texts_of
from dashboard.views.label_card import at_work, render_message, state_of, undo_button

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["render_finder", "render_region"]

MAP: Final = "map"  # key of the map's element
FIND: Final = "label_find"
SEARCH: Final = "label_search"
MOST: Final = 200  # examples in a list
MAP_HEIGHT: Final = 380
LONGEST_PREVIEW: Final = 200  # characters of a text in a list
# What the model predicts is to stay unknown until a label is given, so the map shows what people said, and greys the
# rest; and hovering fetches words without the prediction.
COLORING: Final = "group"


def render_finder(place: Place, bench: Bench) -> None:
    """Draw the ways to find examples."""
    ways = ["Search", "Random"] if not bench.n_rounds else ["Search", "Uncertain", "Random", "Map"]
    way = st.segmented_control(
        "Find examples by",
        ways,
        key=FIND,
        default=ways[0],
        required=True,
        label_visibility="collapsed",
        on_change=_changed_way,
        args=(place,),
    )
    if way == "Map":
        _map(place, bench)
        return
    if way == "Search":
        st.text_input(
            "Search the texts",
            key=SEARCH,
            placeholder="Words in the text, then Enter",
            label_visibility="collapsed",
            max_chars=200,
            on_change=_search,
            args=(place,),
        )
    elif way == "Random":
        st.button("Draw others at random", key="label_random", on_click=_draw, args=(place,))
    _list(place, bench)


# Lists


def _changed_way(place: Place) -> None:
    st.session_state.pop(LISTED, None)
    st.session_state.pop(REGION, None)
    bench, way = bench_of(place), st.session_state[FIND]
    if way == "Random":
        _draw(place)
    elif way == "Uncertain":
        opinions = opinions_of(bench)
        assert opinions is not None  # offered after the first round alone
        taken, left_out = _left_out(bench)
        found = opinions.most_uncertain(taken, MOST)
        said = f"The {len(found):,} unlabeled examples that the model is least sure of, by entropy.{left_out}"
        _take(bench, found, said)


def _left_out(bench: Bench, among: set[str] | None = None) -> tuple[set[str], str]:
    """Return what cannot be labeled now, since it has a label or others have it in hand, and say how many of those."""
    desk = bench.desk
    desk.look_again(bench.run, bench.annotator)
    desk.share(bench.run, bench.annotator)
    reserved = {one: names for one, names in desk.reserved.items() if among is None or one in among}
    said = f" In others' hands: {len(reserved):,} more ({counts_by_name(reserved)})." if reserved else ""
    return set(desk.held) | set(reserved), said


def _search(place: Place) -> None:
    bench, words = bench_of(place), str(st.session_state[SEARCH]).strip()
    if not words:
        st.session_state.pop(LISTED, None)
        bench.desk.found = []
        return
    hits = pool_of(bench.run).ids[bench.run.search(words)].tolist()
    taken, left_out = _left_out(bench, set(hits))
    unlabeled = [one for one in hits if one not in taken]
    cut = f"; the first {MOST:,} are listed" if len(unlabeled) > MOST else ""
    said = f"{len(hits):,} hold these words, {len(unlabeled):,} of them unlabeled{cut}.{left_out}"
    _take(bench, unlabeled[:MOST], said)


def _draw(place: Place) -> None:
    bench = bench_of(place)
    taken, left_out = _left_out(bench)
    unlabeled = [one for one in pool_of(bench.run).ids.tolist() if one not in taken]
    # Another draw at each press; nothing is computed from it, so it needs no seed.
    rows = np.random.default_rng().permutation(len(unlabeled))[:MOST]
    _take(bench, [unlabeled[row] for row in rows], f"{len(rows):,} of {len(unlabeled):,} unlabeled examples.{left_out}")


def _take(bench: Bench, ids: list[str], said: str) -> None:
    """Make found examples those that browsing goes through, beginning with the first."""
    bench.desk.found = ids
    bench.desk.show(ids[0] if ids else None)
    st.session_state[LISTED] = (said, _previews(bench, ids), press_token(*ids[:MOST]))


def _previews(bench: Bench, ids: list[str]) -> pd.DataFrame:
    """Return a table of examples with the beginnings of their texts."""
    import pandas as pd

    texts = texts_of(bench.run, ids)
    shown = [" ¶ ".join(text[:LONGEST_PREVIEW] for text in parts).replace("\0", "␀") for parts in texts]
    return pd.DataFrame({"id": ids, "text": shown})


def _list(place: Place, bench: Bench) -> None:
    said, frame, token = st.session_state.get(LISTED, ("", None, ""))
    if frame is None:
        return
    st.html(f'<div class="alvin-muted">{shown_text(said)}</div>')
    if len(frame):
        _table(place, frame, f"label_list_{token}", height=210)


def _table(place: Place, frame: pd.DataFrame, key: str, height: int) -> None:
    def pick() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            bench_of(place).desk.show(str(frame["id"].iloc[rows[0]]))
            st.session_state.pop(REGION, None)

    st.dataframe(frame, key=key, height=height, hide_index=True, on_select=pick, selection_mode="single-row")


# The map and its regions


def _map(place: Place, bench: Bench) -> None:
    newest = bench.n_rounds - 1
    columns = data.columns(place.run_id, newest)
    projection, note = data.shown_projection(place.run_id, newest)
    current = bench.desk.current
    described = map_data(
        bench.run,
        newest,
        color_by=COLORING,
        layers={"anchors": False, "segments": False},
        focus=pool_of(bench.run).index_of.get(current) if current else None,
        mode="lasso",
        height=MAP_HEIGHT,
        projection=projection,
        note=note,
        columns=columns,
    )
    described["texts"] += "blind/"
    representation_map(described, key=MAP, on_pick=_pick(place), on_region=_draw_region)
    st.html('<div class="alvin-muted">A click opens an example; a lasso shows what it holds.</div>')


def _pick(place: Place) -> Any:
    def open_picked() -> None:
        bench = bench_of(place)
        click, ids = read_state(st.session_state[MAP]), pool_of(bench.run).ids
        index = click.picked
        is_here = click.picked_view.startswith(f"{place.run_id}/")  # and not on the map of a run that was left
        if is_here and index is not None and index < len(ids):
            bench.desk.found = [str(ids[index])]
            bench.desk.show(str(ids[index]))
            st.session_state.pop(REGION, None)

    return open_picked


def _draw_region() -> None:
    st.session_state[REGION] = read_state(st.session_state[MAP]).region


def render_region(place: Place, bench: Bench) -> bool:
    """Draw what a lasso holds in place of the example; return False where none is drawn."""
    region = st.session_state.get(REGION)
    if region is None or not bench.n_rounds:
        return False
    try:
        plan = _plan(place, bench, region)
    except AlvinError as error:  # the map has moved since
        st.session_state.pop(REGION)
        empty_state("This region cannot be used.", f"{error}.")
        return True
    st.html(f'<div class="label-state" {state_of(bench)}></div>')
    st.html(f'<div class="label-head"><b>{plan.n_region:,} examples in the {shown_text(region["kind"])}</b></div>')
    st.html(f'<div class="label-region">{_touched(plan)}</div>')
    frame = _previews(bench, list(plan.ids[:MOST]))
    if len(frame):
        more = f", the first {MOST:,} are listed" if len(plan.ids) > MOST else ""
        st.html(f'<div class="alvin-muted">Without a label: {len(plan.ids):,}{more}. A click opens one.</div>')
        _table(place, frame, f"label_region_{press_token(*plan.ids)}", height=330)
    render_message(bench)
    _region_tools(place, bench, plan)
    return True


def _plan(place: Place, bench: Bench, region: dict[str, Any]) -> BulkPlan:
    """Count a region with the labels of this moment: the numbers on the screen are the server's own."""
    newest = bench.n_rounds - 1
    columns = data.columns(place.run_id, newest)
    projection, _ = data.shown_projection(place.run_id, newest)
    points = region_rows(
        region,
        columns,
        color_by(columns, COLORING),
        projection.xy,
        round_no=newest,
        revision=projection.revision,
        view=f"{place.run_id}/model",
    )
    bench.desk.look_again(bench.run, bench.annotator)
    bench.desk.share(bench.run, bench.annotator)
    labels = {one: label for one, (label, _) in bench.desk.held.items()}
    return plan_bulk(columns.ids[points].tolist(), labels, bench.desk.reserved)


def _touched(plan: BulkPlan) -> str:
    """Say which given labels a region touches."""
    given = ", ".join(f"{n:,} {shown_text(name)}" for name, n in plan.given.items())
    kept = f"{plan.n_labeled:,} have a label and keep it: {given}." if plan.given else "None of them has a label yet."
    whose = f" {len(plan.reserved):,} left out, in others' hands: {shown_text(counts_by_name(plan.reserved))}."
    return f"<b>{len(plan.ids):,}</b> without a label. {kept}{whose if plan.reserved else ''}"


def _region_tools(place: Place, bench: Bench, plan: BulkPlan) -> None:
    with st.container(key="label_tools", horizontal=True, gap="small", vertical_alignment="center"):
        chosen = st.selectbox(
            "Label all as",
            bench.run.dataset.classes,
            index=None,
            key="bulk_class",
            placeholder="Label all as …",
            label_visibility="collapsed",
            disabled=not plan.ids or not bench.can_label,
            width=190,
        )
        ready = chosen is not None and bool(plan.ids) and bench.can_label
        if st.button(f"Label {len(plan.ids):,} …", key="bulk", type="primary", disabled=not ready):
            _confirm(place, plan, cast("str", chosen))
        undo_button(place, bench)
        st.button("Close", key="label_region_close", on_click=_close)


def _close() -> None:
    st.session_state.pop(REGION, None)


@st.dialog("Label a region")
def _confirm(place: Place, plan: BulkPlan, label: str) -> None:
    """Say once more what is about to happen, with the counts that will be stored."""
    name = bench_of(place).annotator
    st.html(
        f'<div class="label-confirm"><p><b>{len(plan.ids):,}</b> examples get the label '
        f"<b>{shown_text(label)}</b>, given by {shown_text(name)}.</p><p>{_touched(plan)}</p>"
        "<p>All of them are stored, or none. One click takes them all back.</p></div>"
    )
    with st.container(horizontal=True):
        done = st.button(
            f"Label {len(plan.ids):,} examples as {plain(label)}",
            key="bulk_confirm",
            type="primary",
            on_click=_label_region,
            args=(place, plan, label),
        )
        if st.button("Cancel", key="bulk_cancel") or done:
            st.rerun()


def _label_region(place: Place, plan: BulkPlan, label: str) -> None:
    bench = at_work(place)
    if bench is not None:
        bench.desk.label_region(bench.run, plan, label, bench.annotator)
        data.labels_changed(place.run_id)
