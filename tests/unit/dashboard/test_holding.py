"""A widget that the page moves, and a browser that has not heard of it yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.views import holding
from dashboard.views.holding import LATE, by_hand, hold


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    session: dict[str, Any] = {}
    monkeypatch.setattr(holding, "st", SimpleNamespace(session_state=session))
    return session


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(holding, "monotonic", lambda: now[0])
    return now


def test_a_value_from_before_the_page_moved_the_widget_goes_no_further(session, clock) -> None:
    taken: list[object] = []
    moved = by_hand("stage", lambda: taken.append(session["stage"]))
    hold("stage", "train")
    hold("stage", "groups")  # by the button beside it
    session["stage"] = "train"  # an event that was under way
    moved()
    assert taken == []
    hold("stage", "groups")
    assert session["stage"] == "groups"


def test_what_the_user_moves_counts(session, clock) -> None:
    taken: list[object] = []
    moved = by_hand("stage", lambda: taken.append(session["stage"]))
    hold("stage", "train")
    session["stage"] = "rank"
    moved()  # nothing was replaced before
    hold("stage", "rank")
    hold("stage", "annotate")
    session["stage"] = "groups"
    moved()  # another value than the one before
    hold("stage", "groups")
    hold("stage", "interpolate")
    clock[0] += LATE
    session["stage"] = "groups"
    moved()  # the one before, but the browser has long heard
    assert taken == ["rank", "groups", "groups"]


def test_a_value_that_is_shown_already_is_not_set_anew(session, clock) -> None:
    hold("search", "ab")
    session["search"] = typed = "".join(["a", "b"])
    hold("search", "ab")
    assert session["search"] is typed


def test_a_widget_that_shows_nothing_can_be_given_nothing(session, clock) -> None:
    hold("choice", None)
    assert session == {"choice": None}
