"""What ``alvin compare`` does, step by step: find or make the comparison, carry it out, show what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from alvin_core.cli.cell_bars import CellWatch
from alvin_core.cli.comparing import Wishes, make_plan
from alvin_core.cli.json_file import STANDARD_OUTPUT, check_json_file, write_json_file
from alvin_core.cli.options import store_path
from alvin_core.cli.output import counted, say, tell, warn
from alvin_core.cli.sources import load, parse_classes
from alvin_core.errors import AlvinError, Cancelled, RunBusyError, SettingsError, StoreError
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.store.location import has_store

if TYPE_CHECKING:
    from alvin_core.data.columns import Columns
    from alvin_core.data.dataset import Dataset
    from alvin_core.experiments.comparison import Comparison

__all__ = ["Ask", "Source", "carry_out", "check_ask", "created", "resumed", "show"]

SPLIT_SEED = 0  # of data that comes without splits: the same examples for all seeds of the comparison


@dataclass(frozen=True)
class Source:
    """The data that a user named, and how to read it."""

    data: str
    columns: Columns
    strict: bool
    classes: str | None

    def read(self) -> Dataset:
        """Read it, and say what was noticed."""
        classes = parse_classes(self.classes)
        dataset = load(self.data, self.columns, strict=self.strict, seed=SPLIT_SEED, classes=classes)
        for warning in dataset.warnings:
            warn(warning)
        return dataset


@dataclass(frozen=True)
class Ask:
    """Everything that a user asked for beside plan and data."""

    store: str | None
    name: str | None
    backend: str
    workers: int | None
    reference: str | None
    test: str
    json_file: str | None
    quiet: bool

    @property
    def folder(self) -> Path:
        return store_path(self.store)

    def how_to_resume(self, name: str) -> str:
        """Return the command that goes on with a comparison."""
        where = "" if self.store is None else f" --store {shlex.quote(str(self.store))}"
        return f"alvin compare --name {shlex.quote(name)} --resume{where}"


def check_ask(ask: Ask) -> None:
    """Raise what would only show after hours of work.

    Raises
    ------
    SettingsError, StoreError
    """
    from alvin_core.experiments.backends import load_backend
    from alvin_core.statistics import PairedTest

    load_backend(ask.backend)
    if ask.test not in get_args(PairedTest):
        raise SettingsError(f"--test {ask.test!r} is unknown; choose one of: {', '.join(get_args(PairedTest))}")
    check_json_file(ask.json_file)


def created(source: Source | None, wishes: Wishes, ask: Ask) -> Comparison:
    """Make a new comparison.

    Raises
    ------
    SettingsError
        When no data is named, or the plan is not as it should be.
    StoreError
        When there is one of this name; with the command that goes on with it.
    """
    from alvin_core.experiments.comparison import create_comparison, default_comparison_name

    if source is None:
        raise SettingsError("--data is missing; name a file or a sample, such as: alvin compare --data reviews")
    name = default_comparison_name(source.data) if ask.name is None else ask.name
    _refuse_taken(name, ask)
    plan = make_plan(wishes)
    _check_reference(plan, ask)
    comparison = create_comparison(ask.folder, source.read(), plan, name=name, source=source.data)
    _introduce(comparison, ask)
    return comparison


def resumed(source: Source | None, wishes: Wishes, ask: Ask) -> Comparison:
    """Find the comparison to go on with, and add to its plan what was asked for beside it.

    Raises
    ------
    SettingsError
        When neither name nor data is given, the plan differs, or the data is other data.
    StoreError
        When there is no such comparison.
    """
    from alvin_core.experiments.comparison import default_comparison_name, open_comparison

    if ask.name is None and source is None:
        raise SettingsError("--resume needs to know which comparison: give its --name (`alvin comparisons` lists them)")
    name = ask.name or default_comparison_name(source.data if source else "")
    comparison = open_comparison(ask.folder, name)
    plan = make_plan(wishes, comparison.plan)
    if source is not None and (digest := source.read().digest()) != comparison.digest:
        raise SettingsError(
            f"the comparison {comparison.name!r} has other data: that of {comparison.source!r} has the digest "
            f"{comparison.digest[:12]}, {source.data!r} has {digest[:12]}; leave --data out to go on with its own, "
            "or choose another --name"
        )
    added = comparison.extend(plan)
    _check_reference(comparison.plan, ask)
    _introduce(comparison, ask)
    if added and not ask.quiet:
        tell(f"added: {'; '.join(added)}; the cells that were there are kept")
    return comparison


def carry_out(comparison: Comparison, ask: Ask, *, is_new: bool) -> None:
    """Do what is not finished.

    Raises
    ------
    Cancelled
        When the user stops it, with the command that goes on.
    AlvinError
        When cells fail.
    """
    from alvin_core.experiments.backends import BackendName

    backend: BackendName = "ray" if ask.backend == "ray" else "local"
    broken = _discarded_if_broken(comparison, ask, is_new)
    with CellWatch(quiet=ask.quiet) as watch, _kept_on_stop(comparison, ask), broken:
        comparison.run(backend=backend, workers=ask.workers, progress=watch)


def show(comparison: Comparison, ask: Ask) -> None:
    """Write what the comparison says: Markdown on standard output, all figures as JSON where they are wanted."""
    from alvin_core.experiments.exporting import comparison_values
    from alvin_core.experiments.report import summarize_comparison, to_markdown
    from alvin_core.statistics import PairedTest

    test: PairedTest = "sign-flip" if ask.test == "sign-flip" else "t"
    summary = summarize_comparison(comparison.results(), reference=ask.reference, test=test)
    if ask.json_file != STANDARD_OUTPUT:
        say(to_markdown(summary).rstrip("\n"))
    if ask.json_file is not None:
        write_json_file(ask.json_file, comparison_values(comparison, summary))


def _refuse_taken(name: str, ask: Ask) -> None:
    """Refuse, before any work is done, a name that is taken; say how that comparison goes on."""
    if not has_store(ask.folder):
        return
    from alvin_core.experiments.comparison import list_comparisons

    for info in list_comparisons(ask.folder):
        if info.name == name:
            raise StoreError(
                f"there is a comparison called {name!r} already, with {info.n_finished} of {info.n_cells} cells "
                f"finished; go on with `{ask.how_to_resume(name)}`, or choose another --name"
            )


def _check_reference(plan: ComparisonPlan, ask: Ask) -> None:
    names = [arm.name for arm in plan.arms]
    if ask.reference is not None and ask.reference not in names:
        raise SettingsError(f"--reference {ask.reference!r} is no arm; choose one of: {', '.join(names)}")


def _introduce(comparison: Comparison, ask: Ask) -> None:
    """Say on standard error what is compared; the result alone goes to standard output."""
    if ask.quiet:
        return
    plan, info = comparison.plan, comparison.info()
    settings, dataset = plan.settings, comparison.dataset
    names = [arm.name for arm in plan.arms]
    done = f", {info.n_finished} of them finished" if info.n_finished else ""
    tell(f"comparison {comparison.name}: {', '.join(names)} on {comparison.source}")
    tell(
        f"{counted(len(names), 'arm')} × {counted(len(plan.seeds), 'seed')} = {counted(info.n_cells, 'cell')}{done}; "
        f"{settings.initial} labels and {counted(plan.rounds, 'round')} of {settings.budget}, "
        f"of a pool of {len(dataset.rows_of('pool')):,}"
    )


@contextmanager
def _kept_on_stop(comparison: Comparison, ask: Ask) -> Iterator[None]:
    """Say, when the user stops the work, what is kept and how to go on."""
    try:
        yield
    except (KeyboardInterrupt, Cancelled) as error:
        info = comparison.info()
        raise Cancelled(
            f"stopped; the comparison {comparison.name!r} is kept with {info.n_finished} of {info.n_cells} cells "
            f"finished, and the whole rounds of the others; go on with: {ask.how_to_resume(comparison.name)}"
        ) from error


@contextmanager
def _discarded_if_broken(comparison: Comparison, ask: Ask, is_new: bool) -> Iterator[None]:
    """Say how a comparison with failed cells goes on.

    A new one of which not even a round could be done is taken out, so that the corrected command can have its name.
    """
    from alvin_core.run import delete_run

    try:
        yield
    except (Cancelled, RunBusyError):
        raise
    except AlvinError as error:
        states = comparison.states()
        if not is_new or any(state.n_rounds for state in states):
            how = ask.how_to_resume(comparison.name)
            raise type(error)(f"{error}; when that is mended, go on with: {how}") from error
        with suppress(AlvinError):  # what went wrong first is what the user must hear of
            for state in states:
                if state.run is not None:
                    delete_run(ask.folder, state.run)
            comparison.discard()
        raise
