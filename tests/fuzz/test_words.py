"""Settings, plans, jobs, questions and rules: any value is taken or refused in words."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st
from made_up import bytes_near, json_values, nasty_texts, params_near, texts

from alvin_core.classroom import world
from alvin_core.classroom.phase_plan import WorldPhasePlan
from alvin_core.cli.comparing import Wishes, make_plan, parse_names, parse_seeds, parse_vary
from alvin_core.cli.json_file import check_json_file, write_json_file
from alvin_core.cli.options import parse_depth, parse_set
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.run.slice_rules import SliceRule
from alvin_core.setting_info import describe_settings
from alvin_core.settings import RunSettings
from alvin_core.store.runs import check_name
from alvin_core.strategies import check_strategy
from alvin_core.worker import answering
from alvin_core.worker.params import KINDS, checked_params

SETTINGS = tuple(info.name for info in describe_settings())
TABLES = tuple({name.partition(".")[0] for name in SETTINGS if "." in name})
GOOD_TOML = RunSettings().with_value("training.epochs", 3).to_toml().encode()
WORDS = (b"[", b"]", b"[[", b"=", b"\n", b"'''", b'"""', b"0x", b"nan", b"inf", b"1979-05-27", b"{a=", b".", b"\\u")
PLAN = ComparisonPlan(("alvin", "random"), (0, 1), 2).to_dict()


def test_settings_files_are_read_or_refused(fuzz, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"

    def take(content: bytes) -> None:
        path.write_bytes(content)
        settings = RunSettings.from_toml(path)
        assert RunSettings.from_toml_text(settings.to_toml()) == settings

    long_ones = st.sampled_from(
        [b"seed=0x" + b"f" * 9000, b"a." * 400 + b"b=1", b"seed=" + b"9" * 5000, b"x=" + b"[" * 9999]
    )
    fuzz(take, bytes_near([GOOD_TOML], words=WORDS) | long_ones, share=5)


def test_set_takes_any_words_or_refuses_them(fuzz) -> None:
    names = st.sampled_from([*SETTINGS, *TABLES]) | texts
    values = st.one_of(texts, json_values.map(as_word), st.sampled_from(["[" * 9999, "0x" + "f" * 9000, "9" * 5000]))
    fuzz(
        lambda given: check_strategy(RunSettings().with_values(parse_set(given))),
        st.lists(st.builds(lambda name, value: f"{name}={value}", names, values) | texts, max_size=3),
        share=5,
    )


def as_word(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # a number of too many digits
        return hex(value) if isinstance(value, int) else "[]"


def test_tables_of_settings_are_taken_or_refused(fuzz) -> None:
    tables = params_near(RunSettings().to_dict(), list(RunSettings().to_dict()))

    def take(values: dict[str, Any]) -> None:
        settings = RunSettings.from_dict(values)
        assert RunSettings.from_dict(settings.to_dict()) == settings
        parse_depth(str(values.get("strategy"))[:20])

    fuzz(take, tables, share=3)


def test_plans_of_comparisons_are_taken_or_refused(fuzz) -> None:
    def take(values: Any) -> None:
        plan = ComparisonPlan.from_dict(values)
        if len(plan.strategies) * len(plan.seeds) < 1000:
            assert plan.cells

    fuzz(take, params_near(PLAN, [*PLAN]) | json_values, share=4)


def test_wishes_of_comparisons_are_taken_or_refused(fuzz) -> None:
    word = st.none() | texts | st.sampled_from(["alvin,random", "3", "0,1,", "alvin.alpha=0.5,2", "k=", "99999999999"])
    wishes = st.builds(
        lambda strategies, seeds, rounds, vary, protocol, given: Wishes(
            strategies, seeds, rounds, tuple(vary), protocol, None, {}, tuple(given)
        ),
        *(word, word, st.none() | st.integers(-1, 5), st.lists(word.filter(bool), max_size=2)),
        *(st.none() | nasty_texts, st.lists(texts, max_size=2)),
    )

    def take(wish: Wishes) -> None:
        make_plan(wish)
        parse_names(wish.strategies or "")
        parse_seeds(wish.seeds or "")
        parse_vary(wish.vary)

    fuzz(take, wishes, share=3)


def test_names_of_runs_are_taken_or_refused(fuzz) -> None:
    def take(name: str) -> None:
        kept = check_name(name)
        assert kept.isascii()
        assert not {"/", "\\", "\0"} & set(kept)
        assert kept not in (".", "..")

    fuzz(take, texts | st.text(alphabet="ab-_.", max_size=80), share=2)


def test_rules_of_slices_are_taken_or_refused(fuzz) -> None:
    good = {"kind": "filter", "value": ["label=pos"], "contradicts": ""}
    conditions = st.lists(
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["label", "round", "status", ""]),
            st.sampled_from(["=", "==", ""]),
            texts,
        )
    )
    filters = st.fixed_dictionaries({"kind": st.just("filter"), "value": conditions, "contradicts": texts})

    def take(values: Any) -> None:
        rule = SliceRule.from_dict(values)
        assert SliceRule.from_dict(rule.to_dict()) == rule
        assert rule.words is not None
        assert rule.reads_labels in (True, False)
        assert rule.depends_on_round in (True, False)

    fuzz(take, params_near(good, [*good]) | filters, share=3)


COMPARE = {"path": "reviews", "strategies": ["alvin", "random"], "seeds": 2, "rounds": 1, "settings": {}, "vary": []}
CREATE = {"path": "reviews", "columns": {"text": "text"}, "settings": {}, "name": "n", "rounds": 1, "classes": ["a"]}
GOOD_PARAMS: dict[str, dict[str, Any]] = {
    "rounds": {"n": 2},
    "project": {"round": 0, "space": "model"},
    "create": CREATE,
    "compare": COMPARE,
    "phase": WorldPhasePlan().to_dict(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_are_taken_or_refused(kind: str, fuzz, tmp_path: Path) -> None:
    good = GOOD_PARAMS[kind]
    more = ("delete_after", "strict", "source", "comparison", "run", "seed")
    fuzz(lambda params: checked_params(kind, params, tmp_path / "store"), params_near(good, [*good, *more]), share=1.5)
    assert list(tmp_path.iterdir()) == []


class NoModels:
    """Where a question has come as far as the model, it was taken."""

    def get(self, run: str, round_no: int) -> Any:
        assert isinstance(run, str)
        assert isinstance(round_no, int)
        raise TakenError

    row = SimpleNamespace()


class TakenError(Exception):
    """The question was well-formed."""


@pytest.mark.parametrize("kind", ["counterfactual", "attribution", "world", "unknown"])
def test_questions_are_answered_or_refused(kind: str, fuzz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> None:
        raise TakenError

    monkeypatch.setattr(world, "make_world", taken)
    desk = answering.Desk(tmp_path)
    desk._models = NoModels()
    good: dict[str, dict[str, Any]] = {
        "counterfactual": {"run": "r", "round": 0, "texts": [["a film"]], "k": 5, "without": None},
        "attribution": {"run": "r", "round": 0, "text": ["a film"], "method": "occlusion", "class": "pos"},
        "world": {"seed": 0, "strategies": ["random"], "rounds": 0},
        "unknown": {"x": 1},
    }

    def take(params: dict[str, Any]) -> None:
        try:
            desk.answer(kind, params)
        except TakenError:
            return

    fuzz(take, params_near(good[kind], [*good[kind], "id", "vectors", "questions", "n_pool", "strength"]), share=1.2)


def test_figures_are_written_whole_or_refused(fuzz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def take(given: tuple[str, Any]) -> None:
        name, value = given
        if name == "-" or "/" in name or name.startswith("~"):
            return
        try:
            check_json_file(name)
            write_json_file(name, {"value": value})
        finally:
            left = list(folder.iterdir())
            assert not any(one.suffix == ".part" for one in left), left
            for one in left:
                one.unlink()

    plain = st.none() | st.booleans() | st.integers(-9, 9) | texts
    fuzz(take, st.tuples(texts, plain), share=2)
    assert list(tmp_path.iterdir()) == [folder]
