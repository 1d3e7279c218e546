"""Settings: their ranges, and their way through TOML and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.errors import SettingsError
from alvin_core.settings import RunSettings, TrainingSettings, default_store


def test_settings_come_back_from_toml_as_they_went(tmp_path: Path) -> None:
    settings = RunSettings().with_values(
        {"strategy": "entropy", "alvin.alpha": 0.5, "alvin.max_pairs": 2000, "training.trainable_layers": "all"}
    )
    path = tmp_path / "settings.toml"
    path.write_text(settings.to_toml(), encoding="utf-8")
    assert RunSettings.from_toml(path) == settings


def test_settings_come_back_from_json_as_they_went() -> None:
    settings = RunSettings().with_value("training.epochs", 3)
    assert RunSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.strip()))
def test_any_encoder_name_survives_toml(name: str) -> None:
    import tomllib

    settings = RunSettings().with_value("encoder.name", name)
    assert RunSettings.from_dict(tomllib.loads(settings.to_toml())) == settings


def test_a_whole_number_may_stand_for_a_fraction_and_nothing_else() -> None:
    assert RunSettings().with_value("alvin.alpha", 3).alvin.alpha == 3.0
    with pytest.raises(SettingsError, match="expected: a number"):
        RunSettings().with_value("alvin.alpha", "3")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("budget", 0, "budget = 0 is out of range: it must be at least 1"),
        ("budget", 1.5, "expected: a whole number"),
        ("budget", True, "expected: a whole number"),
        ("initial", 1, "initial = 1 is out of range"),
        ("seed", -1, "seed = -1 is out of range"),
        ("space", "outer", "space = 'outer' is unknown; choose one of: model, encoder"),
        ("space", 3, "space = 3 is of the wrong kind; expected: 'model' or 'encoder'"),
        ("space", None, "space = None is of the wrong kind; expected: 'model' or 'encoder'"),
        ("alvin.k", 0, "alvin.k = 0 is out of range"),
        (
            "alvin.rank",
            "best",
            "alvin.rank = 'best' is unknown; choose one of: uncertainty, certainty, distance, frequency, random",
        ),
        ("alvin.alfa", 1.0, "no setting is called 'alvin.alfa'"),
        ("alvin", 3, "alvin = 3 must be a table"),
        ("training.trainable_layers", -1, "0, a number of layers, or 'all'"),
        (
            "training.trainable_layers",
            "some",
            "training.trainable_layers = 'some' is unknown; expected: a whole number or 'all'",
        ),
        (
            "training.trainable_layers",
            1.5,
            "training.trainable_layers = 1.5 is of the wrong kind; expected: a whole number or 'all'",
        ),
        ("training.learning_rate", 2.0, "training.learning_rate = 2.0 is out of range"),
        ("training.warmup", 1.0, "in [0, 1)"),
        ("training.epochs", 0, "training.epochs = 0"),
        ("training.dropout", -0.1, "training.dropout = -0.1"),
        ("training.weight_decay", -1.0, "training.weight_decay = -1.0"),
        ("training.hidden", 1, "training.hidden = 1"),
        ("encoder.max_length", 4, "between 8 and 8192 tokens"),
        ("encoder.pooling", "max", "encoder.pooling = 'max' is unknown; choose one of: mean, cls"),
        ("encoder.name", "  ", "the name or folder of an encoder"),
        ("runtime.threads", -2, "runtime.threads = -2"),
        ("nowhere.alpha", 1.0, "no setting is called 'nowhere.alpha'"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(name: str, value: object, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        RunSettings().with_value(name, value)
    assert message in str(caught.value)


def test_values_that_fit_only_together_are_checked_together() -> None:
    settings = RunSettings().with_values({"budget": 10, "initial": 20})
    assert (settings.budget, settings.initial) == (10, 20)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("budget = ", "settings file .*: Invalid value"),
        ("budget = 0", "budget = 0 is out of range"),
        ("no_such = 1", "no setting is called 'no_such'"),
    ],
)
def test_a_bad_settings_file_is_an_error_of_ours(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        RunSettings.from_toml(path)


def test_a_missing_settings_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings file .*none.toml"):
        RunSettings.from_toml(tmp_path / "none.toml")


@pytest.mark.parametrize("depth", [0, 2, "all"])
def test_every_depth_has_all_its_defaults(depth: int | str) -> None:
    resolved = TrainingSettings(trainable_layers=depth).resolved()  # type: ignore[arg-type]
    for name in ("epochs", "learning_rate", "head_learning_rate", "batch_size"):
        assert getattr(resolved, name) is not None


def test_what_is_set_is_not_replaced_by_the_default() -> None:
    assert TrainingSettings(epochs=3).resolved().epochs == 3


@pytest.mark.parametrize(("value", "folder"), [(None, "alvin-store"), ("", "alvin-store"), ("/runs", "/runs")])
def test_the_store_is_the_default_where_none_or_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None, folder: str
) -> None:
    monkeypatch.delenv("ALVIN_STORE", raising=False)
    if value is not None:
        monkeypatch.setenv("ALVIN_STORE", value)
    assert default_store() == Path(folder)
