"""A run's settings as a form, made from what the engine says of each."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from alvin_core import RunSettings, SettingInfo, SettingsError, describe_settings, strategy_names
from dashboard.theme import plain

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = ["chosen_settings", "render_first", "render_groups", "setting_key"]

PROBLEM: Final = "_runs_settings_problem"
FIRST: Final = ("strategy", "annotator", "training.trainable_layers", "initial", "budget", "seed", "space")
STRATEGY: Final = "strategy"
LABELS: Final = {
    "strategy": "Strategy",
    "budget": "Examples a round",
    "initial": "Initial examples",
    "annotator": "Who labels",
    "space": "Space of the anchors",
    "training.trainable_layers": "Layers to train",
    "annotation.overlap": "People per example",
    "annotation.overlap_share": "Share that several people label",
    "bald.n_draws": "BALD: draws",
    "cal.k": "CAL: neighbors",
    "alfa_mix.eps": "ALFA-Mix: eps",
    "typiclust.n_neighbors": "TypiClust: neighbors",
    "typiclust.max_clusters": "TypiClust: most clusters",
    "anchoral.base": "AnchorAL: base strategy",
    "anchoral.n_anchors": "AnchorAL: anchors a class",
    "anchoral.n_neighbors": "AnchorAL: neighbors",
    "anchoral.subpool": "AnchorAL: largest subpool",
    "counter_shortcut.slice": "Counter-shortcut: slice",
}
DEEPEST: Final = 24  # layers offered; a settings file may name more
MOST_WHOLE: Final = 2**53 - 1  # that a browser counts exactly
ANNOTATION: Final = "Annotation"  # the group of settings, as the engine calls it
AUTOMATIC: Final = "automatic"
OPTIONS: Final = {"0": "0: a small head (fast)", "all": "all: fine-tuning"}


def setting_key(name: str) -> str:
    """Return the key of a setting's widget."""
    return f"set_{name.replace('.', '_')}"


@lru_cache(maxsize=1)
def _infos() -> Mapping[str, SettingInfo]:
    return {info.name: info for info in describe_settings()}


def chosen_settings() -> tuple[RunSettings | None, str]:
    """Return what the form says, or None and why it cannot be."""
    try:
        return RunSettings().with_values({name: _value(info) for name, info in _infos().items()}), ""
    except SettingsError as error:
        return None, str(error)


def _value(info: SettingInfo) -> Any:
    value = st.session_state.get(setting_key(info.name), info.default)
    if info.type_ == "str" and isinstance(value, str):
        value = value.strip()
        return None if not value and info.optional else value
    return value


def render_first(column_count: int = 3) -> list[Any]:
    """Draw the few settings that matter first, and return the columns, the last with room left."""
    columns = st.columns(column_count, gap="small")
    for place, name in enumerate(FIRST):
        with columns[place % column_count]:
            _field(_infos()[name], with_help=True)
    return columns


def render_groups() -> None:
    """Draw all other settings, group by group, and what can be done with them together."""
    groups: dict[str, list[SettingInfo]] = {}
    for name, info in _infos().items():
        if name not in FIRST:
            groups.setdefault(info.group, []).append(info)
    for group, infos in groups.items():
        n_changed = sum(_value(info) != info.default for info in infos)
        with st.expander(f"{group} · {n_changed} changed" if n_changed else group, key=f"group_{group.lower()}"):
            columns = st.columns(2, gap="medium")
            for place, info in enumerate(infos):
                with columns[place % 2]:
                    _field(info, with_help=False)
                    st.html(f'<div class="alvin-note">{html.escape(info.help)}</div>')
            if group == ANNOTATION:
                st.html(f'<div class="alvin-note" role="status">{_sharing_words()}</div>')
    _together()
    problem = st.session_state.get(PROBLEM)
    if problem:
        st.error(plain(problem))


def _sharing_words() -> str:
    """Say what the settings of annotation come to."""
    overlap, share = (_value(_infos()[f"annotation.{name}"]) for name in ("overlap", "overlap_share"))
    if not overlap or overlap == 1 or not share:
        return "As it stands: each example is labeled by one person, and no two people are given the same one."
    budget = _value(_infos()["budget"])
    some = "each example" if share == 1 else f"{share:.0%} of each proposal, drawn by the seed,"
    rest = "" if share == 1 else " The rest is labeled by one person each."
    total = ceil(round(share * budget, 9)) * (overlap - 1) + budget
    oracle = ""
    if _value(_infos()["annotator"]) == "oracle":
        oracle = " But here the data set answers: this counts for what people label on the page Label."
    return (
        f"As it stands: {overlap} people label {some} without seeing what the others said; the label of most of them "
        f"counts, and at a tie one more is asked.{rest} A round of {budget:,} examples takes {total:,} labels, and the "
        f"page Label tells how far people agree.{oracle}"
    )


def _field(info: SettingInfo, *, with_help: bool) -> None:
    """Draw one setting by its type. What it holds outlives other pages and a failed start."""
    key, label = setting_key(info.name), LABELS.get(info.name) or _label(info.name)
    if key not in st.session_state:
        st.session_state[key] = _as_shown(info, info.default)
    limits = f" ({info.limits})" if info.limits and info.type_ in ("int", "float") else ""
    said = plain(f"{info.help}{limits}") if with_help else None
    if info.name == STRATEGY:
        st.selectbox(label, strategy_names(), key=key, help=said, persist_state="session")
    elif info.type_ in ("choice", "depth"):
        options = info.choices if info.type_ == "choice" else _depths(st.session_state[key], info)
        st.selectbox(label, options or (), key=key, help=said, persist_state="session", format_func=_option)
    elif info.type_ == "bool":
        st.checkbox(label, key=key, help=said, persist_state="session")
    elif info.type_ == "str":
        hint = AUTOMATIC if info.optional else ""
        st.text_input(label, key=key, help=said, placeholder=hint, persist_state="session")
    else:
        _number(info, key, label, said)


def _number(info: SettingInfo, key: str, label: str, said: str | None) -> None:
    whole = info.type_ == "int"
    kind = int if whole else float
    # A form of many types: which of them a number has, the engine says when the program runs.
    least: Any = None if info.minimum is None else kind(info.minimum)
    most: Any = kind(info.maximum) if info.maximum is not None else MOST_WHOLE if whole else None
    start: Any = None if info.optional else "min"
    step: Any = 1 if whole else 0.0001 if info.name.endswith("rate") else 0.01
    st.number_input(
        label,
        least,
        most,
        value=start,
        step=step,
        format=None if whole else "%g",
        key=key,
        help=said,
        placeholder=AUTOMATIC if info.optional else None,
        persist_state="session",
    )


def _label(name: str) -> str:
    words = name.rsplit(".", 1)[-1].replace("_", " ")
    return words[:1].upper() + words[1:]


def _option(value: object) -> str:
    return OPTIONS.get(str(value), str(value))


def _depths(now: object, info: SettingInfo) -> tuple[object, ...]:
    more = (now,) if isinstance(now, int) and now > DEEPEST else ()
    return (*range(DEEPEST + 1), *more, *(info.choices or ()))


def _as_shown(info: SettingInfo, value: Any) -> Any:
    if info.type_ == "str":
        return value or ""
    return float(value) if info.type_ == "float" and value is not None else value


def _together() -> None:
    with st.container(horizontal=True, gap="small", key="settings_tools"):
        st.button("Reset to defaults", key="settings_reset", on_click=_reset)
        with st.popover("Settings as a file", key="settings_toml", width="content"):
            settings, problem = chosen_settings()
            if settings is None:
                st.caption(plain(problem))
            else:
                st.download_button(
                    "Download as TOML",
                    settings.to_toml(),
                    file_name="settings.toml",
                    mime="application/toml",
                    key="settings_download",
                    on_click="ignore",
                )
                st.code(settings.to_toml(), language="toml", height=220)
            st.file_uploader(
                "Take settings from a TOML file", key="settings_file", max_upload_size=1, on_change=_read_file
            )


def _reset() -> None:
    st.session_state.pop(PROBLEM, None)
    _show(RunSettings())


def _show(settings: RunSettings) -> None:
    tree = settings.to_dict()
    for name, info in _infos().items():
        value: Any = tree
        for part in name.split("."):
            value = value[part]
        st.session_state[setting_key(name)] = _as_shown(info, value)


def _read_file() -> None:
    """Take the settings of a file, all or none."""
    file: UploadedFile | None = st.session_state["settings_file"]
    st.session_state.pop(PROBLEM, None)
    if file is None:
        return
    try:
        settings = RunSettings.from_toml_text(file.getvalue())
        _refuse_unknown_strategy(settings.strategy)
    except SettingsError as error:
        st.session_state[PROBLEM] = f"The settings file was not taken: {error}"
        return
    _show(settings)


def _refuse_unknown_strategy(name: str) -> None:
    """Raise where the form has no such choice; the settings themselves take any name."""
    if name not in strategy_names():
        raise SettingsError(f"strategy = {name!r} is unknown; choose one of: {', '.join(strategy_names())}")
