"""The table of cues with its tools: which set, what kinds, how counted and sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import streamlit as st

from alvin_core import AlvinError
from dashboard import cue_data
from dashboard.cue_data import CORRECTIONS, KINDS, CueOptions
from dashboard.cue_words import cue_name, kind_name, shown_p
from dashboard.palette import LIGHT
from dashboard.state import Place
from dashboard.theme import empty_state, plain
from dashboard.views import shortcuts_choice as choice
from dashboard.views.holding import hold
from dashboard.views.shortcuts_choice import set_param

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from pandas.io.formats.style import Styler

__all__ = ["render_cues", "shown_table"]

SHOWN: Final = 500  # cues sent to the browser
ROW: Final = 27  # pixels
TABLE_HEIGHT: Final = 316
CORRECTION_NAMES: Final = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}
SETS: Final = {"labeled": "Labeled", "pool": "Pool"}


def render_cues(place: Place) -> None:
    """Draw the tools and the table."""
    options = choice.read_options()
    _tools(options)
    try:
        frame = cue_data.cue_table(place.run_id, place.round_no, options)
    except AlvinError as error:
        empty_state("This table cannot be shown.", str(error))
        return
    if frame.empty:
        empty_state("No cue is found.", "Search for less, lower the smallest count, or show more kinds under Options.")
    else:
        _table(place, options, frame)
    _note(options, frame)


def shown_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of cues as the screen has it, a row for each row of ``frame``."""
    import pandas as pd

    return pd.DataFrame(
        {
            "cue": [cue_name(str(one)) for one in frame["cue"]],
            "goes with": frame["label"].astype(str),
            "n": frame["n"].astype(int),
            "share": 100 * frame["share"].astype(float),
            "of all": 100 * frame["base_share"].astype(float),
            "z": frame["z"].astype(float),
            "LMI": frame["lmi"].astype(float),
            "p": [
                shown_p(float(p)) + (" ●" if mark else "")
                for p, mark in zip(frame["p_adjusted"], frame["significant"], strict=True)
            ],
        }
    )


def _table(place: Place, options: CueOptions, frame: pd.DataFrame) -> None:
    shown = frame.head(SHOWN)
    # Another table is another element: a row that is chosen in one would else be chosen in the next.
    content = "\n".join(shown["cue"].astype(str)).encode("utf-8", "surrogatepass")
    key = f"cues_{crc32(content):08x}_{place.round_no}_{options.of}"
    now = choice.chosen(place)
    with st.container(key="token_table"):
        st.dataframe(
            _with_choice(shown_table(shown), [now is not None and cue == now.cue for cue in shown["cue"]]),
            key=key,
            hide_index=True,
            height=TABLE_HEIGHT,
            row_height=ROW,
            on_select=lambda: _chosen(key, shown),
            selection_mode="single-cell",  # a click anywhere in a row, where rows want their own box to be hit
            column_config=_columns(options),
        )


def _with_choice(frame: pd.DataFrame, is_chosen: Sequence[bool]) -> Styler:
    """Colour the row of the chosen cue; it is the only one in bold, too."""
    style = f"background-color: {LIGHT.accent}33; font-weight: 700"
    return frame.style.apply(lambda column: [style if one else "" for one in is_chosen], axis=0)


def _chosen(key: str, shown: pd.DataFrame) -> None:
    cells = st.session_state[key]["selection"]["cells"]
    if cells and 0 <= cells[0][0] < len(shown):
        row = shown.iloc[cells[0][0]]
        choice.choose(str(row["cue"]), str(row["label"]))
        choice.follow()


def _columns(options: CueOptions) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    said = f"Adjusted for every cue in the table ({CORRECTION_NAMES[options.correction]}); ● is below .05."
    return {
        "cue": text(width=140, help="A word, a phrase, an attribute's value, or how many words two texts share"),
        "goes with": text(width=112, help="The label that comes with it more often than chance"),
        "n": number(width=42, help="Examples that hold it", format="localized"),
        "share": number(width=50, format="%.0f %%", help="Of those, the share that has the label"),
        "of all": number(width=46, format="%.0f %%", help="The label's share in all examples of the set"),
        "z": number(width=42, format="%.1f", help="Competency statistic (Gardner et al. 2021): 0 is no relation"),
        "LMI": number(
            width=48,
            format="%.3f",
            help="Local mutual information (Schuster et al. 2019): strong and frequent cues are high",
        ),
        "p": text("adj. p", width=70, help=said),
    }


def _note(options: CueOptions, frame: pd.DataFrame) -> None:
    n_marked = int(frame["significant"].sum()) if len(frame) else 0
    st.caption(
        plain(
            f"{n_marked:,} of {len(frame):,} cues are beyond chance (●, adjusted p below .05, "
            f"{CORRECTION_NAMES[options.correction]}). A cue is a shortcut only where it should not decide the label: "
            "that is yours to judge."
        )
    )


def _tools(options: CueOptions) -> None:
    with st.container(key="cue_tools", horizontal=True, vertical_alignment="center", gap="small"):
        hold("cue_of", options.of)
        st.segmented_control(
            "Count in",
            list(SETS),
            key="cue_of",
            format_func=SETS.get,  # type: ignore[arg-type]
            required=True,
            label_visibility="collapsed",
            help="The examples this round was trained on, or the whole pool where its labels are known",
            on_change=lambda: _set(choice.OF, "cue_of", usual="labeled"),
        )
        hold("cue_find", options.find)
        st.text_input(
            "Find a cue",
            key="cue_find",
            placeholder="Find a cue …",
            label_visibility="collapsed",
            max_chars=100,
            on_change=lambda: _set(choice.FIND, "cue_find"),
            width=150,
        )
        hold("cue_sort", options.sort)
        st.segmented_control(
            "Sort by",
            list(cue_data.SORTS),
            key="cue_sort",
            format_func={"z": "by z", "lmi": "by LMI"}.get,  # type: ignore[arg-type]
            required=True,
            label_visibility="collapsed",
            on_change=lambda: _set(choice.SORT, "cue_sort", usual="z"),
        )
        with st.popover("Options", key="cue_options", icon=":material/tune:"):
            _options(options)


def _options(options: CueOptions) -> None:
    hold("cue_kinds", list(options.kinds))
    st.pills(
        "Kinds of cue",
        list(KINDS),
        key="cue_kinds",
        selection_mode="multi",
        format_func=kind_name,
        on_change=_set_kinds,
    )
    hold("cue_correction", options.correction)
    st.selectbox(
        "Correct significance by",
        list(CORRECTIONS),
        key="cue_correction",
        format_func=CORRECTION_NAMES.get,  # type: ignore[arg-type]
        help="Holm: hardly any false mark. Benjamini-Hochberg: at most one in twenty of the marked is false.",
        on_change=lambda: _set(choice.CORRECTION, "cue_correction", usual="holm"),
    )
    hold("cue_min", options.min_count)
    st.number_input(
        "In at least so many examples",
        1,
        choice.MOST_COUNT,
        key="cue_min",
        on_change=lambda: _set(choice.LEAST, "cue_min", usual=str(CueOptions().min_count)),
    )


def _set(name: str, key: str, usual: str = "") -> None:
    value = str(st.session_state[key]).strip()
    set_param(name, "" if value == usual else value)


def _set_kinds() -> None:
    kinds = [kind for kind in KINDS if kind in st.session_state["cue_kinds"]]
    set_param(choice.KIND, "" if tuple(kinds) == CueOptions().kinds else ",".join(kinds))
