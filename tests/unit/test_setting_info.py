"""Settings as a form shows them: nothing left out, and the limits shown are the limits held."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from alvin_core.errors import SettingsError
from alvin_core.setting_info import SettingInfo, describe_settings
from alvin_core.setting_limits import About
from alvin_core.settings import RunSettings

INFOS = {info.name: info for info in describe_settings()}
NUMBERS = {name: info for name, info in INFOS.items() if info.type_ in ("int", "float", "depth")}


def plain_names(settings: Any, prefix: str = "") -> list[str]:
    """Names of all settings, read from the values and not from the annotations."""
    names: list[str] = []
    for name, value in settings.to_dict().items():
        names += [f"{name}.{inner}" for inner in value] if isinstance(value, dict) else [prefix + name]
    return names


def accepts(name: str, value: object) -> bool:
    try:
        RunSettings().with_value(name, value)
    except SettingsError:
        return False
    return True


def just_beyond(info: SettingInfo, limit: float, direction: int) -> float:
    if info.type_ == "float":
        return math.nextafter(limit, direction * math.inf)
    return int(limit) + direction


def test_every_setting_is_described_once_and_no_other() -> None:
    assert sorted(INFOS) == sorted(plain_names(RunSettings()))
    assert len(INFOS) == len(describe_settings())


def test_the_form_begins_with_the_run_and_keeps_groups_together() -> None:
    groups = [info.group for info in describe_settings()]
    assert list(dict.fromkeys(groups)) == [
        "Run",
        "Encoder",
        "Training",
        "Groups",
        "Annotation",
        "ALVIN",
        "Other strategies",
        "Device",
    ]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)
    assert [info.name for info in describe_settings()][:3] == ["strategy", "budget", "initial"]


@pytest.mark.parametrize("name", INFOS)
def test_the_default_is_the_settings_own_and_is_accepted(name: str) -> None:
    value: Any = RunSettings()
    for part in name.split("."):
        value = getattr(value, part)
    assert INFOS[name].default == value
    assert accepts(name, value)


@pytest.mark.parametrize("name", INFOS)
def test_help_is_one_plain_line(name: str) -> None:
    text = INFOS[name].help
    assert 10 < len(text) <= 110
    assert text.endswith(".")
    assert re.search(r"[*_`#<>\[\]\n$]", text) is None


@pytest.mark.parametrize("name", NUMBERS)
def test_the_least_value_is_where_it_is_said_to_be(name: str) -> None:
    info = NUMBERS[name]
    assert info.minimum is not None
    at = info.minimum if info.type_ == "float" else int(info.minimum)
    assert accepts(name, at) is info.minimum_allowed
    assert accepts(name, just_beyond(info, info.minimum, 1))
    assert not accepts(name, just_beyond(info, info.minimum, -1))


@pytest.mark.parametrize("name", [name for name, info in NUMBERS.items() if info.maximum is not None])
def test_the_greatest_value_is_where_it_is_said_to_be(name: str) -> None:
    info = NUMBERS[name]
    assert info.maximum is not None
    at = info.maximum if info.type_ == "float" else int(info.maximum)
    assert accepts(name, at) is info.maximum_allowed
    assert accepts(name, just_beyond(info, info.maximum, -1))
    assert not accepts(name, just_beyond(info, info.maximum, 1))


@pytest.mark.parametrize("name", [name for name, info in NUMBERS.items() if info.maximum is None])
def test_without_a_greatest_value_great_ones_are_accepted(name: str) -> None:
    assert accepts(name, 10**9 if INFOS[name].type_ != "float" else 1e9)


@pytest.mark.parametrize("name", INFOS)
def test_choices_are_accepted_and_nothing_beside_them(name: str) -> None:
    info = INFOS[name]
    assert (info.choices is not None) == (info.type_ in ("choice", "depth"))
    assert all(accepts(name, choice) for choice in info.choices or ())
    if info.choices is not None:
        assert not accepts(name, "none-of-these")


@pytest.mark.parametrize("name", INFOS)
def test_nothing_is_accepted_where_the_setting_is_optional_and_only_there(name: str) -> None:
    assert accepts(name, None) is INFOS[name].optional


@pytest.mark.parametrize("name", [name for name, info in INFOS.items() if info.type_ == "float"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_no_number_may_be_infinite_or_missing(name: str, value: float) -> None:
    assert not accepts(name, value)


@pytest.mark.parametrize("name", [name for name, info in INFOS.items() if info.type_ == "str"])
def test_texts_are_more_than_blanks(name: str) -> None:
    assert not accepts(name, "  ")
    assert accepts(name, "cpu")


def test_settings_made_by_hand_are_checked_as_those_from_a_file() -> None:
    with pytest.raises(SettingsError, match="budget = True is out of range: it must be at least 1"):
        RunSettings(budget=True)
    with pytest.raises(SettingsError, match="space = None is unknown; choose one of: model, encoder"):
        RunSettings(space=None)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="budget = 'many' is out of range: it must be at least 1"):
        RunSettings(budget="many")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("about", "limits"),
    [
        (About("x"), ""),
        (About("x", least=1), "at least 1"),
        (About("x", above=0), "above 0"),
        (About("x", most=3), "at most 3"),
        (About("x", below=3), "below 3"),
        (About("x", least=0, below=1), "in [0, 1)"),
        (About("x", above=0, below=1), "in (0, 1)"),
        (About("x", above=0, most=1), "in (0, 1]"),
        (About("x", least=8, most=9, unit="tokens"), "between 8 and 9 tokens"),
        (About("x", filled=True), "more than blanks"),
    ],
)
def test_limits_read_as_words(about: About, limits: str) -> None:
    assert about.limits == limits


def test_a_setting_becomes_json() -> None:
    values = json.loads(json.dumps(INFOS["training.trainable_layers"].to_dict()))
    assert values["type"] == "depth"
    assert (values["default"], values["choices"], values["minimum"]) == (0, ["all"], 0)
