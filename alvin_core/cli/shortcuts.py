"""``alvin shortcuts``: which words and attributes go with which label, and what became of one over the rounds."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from alvin_core.cli.app import app
from alvin_core.cli.json_file import STANDARD_OUTPUT, JsonFileOption, check_json_file, write_json_file
from alvin_core.cli.options import RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, figure, listing, one_line, say, screen_width, tell

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.run import Run
    from alvin_core.shortcuts import Kind

CORRECTION_NAMES = {"holm": "Holm", "benjamini-hochberg": "Benjamini and Hochberg"}
WORDS = (
    "n: examples that hold the cue. share: of them, those with the label; of all: of the whole set. z: competency "
    "statistic, 0 is no relation. LMI: local mutual information, in thousandths of a nat. p: exact binomial, corrected "
    "for all cues counted; * below .05."
)
FOLLOW_WORDS = "z grows with n: a shortcut weakens where its share comes nearer to that of all."
LONGEST_NAME = 40
NARROWEST = 40
SMALLEST_P = 0.001

CorrectionOption = Annotated[
    Literal["holm", "benjamini-hochberg"], typer.Option("--correction", help="Of p, for the number of cues.")
]
BaseOption = Annotated[
    Literal["observed", "uniform"],
    typer.Option("--base", help="Compare with a label's share in the set, or with 1 ÷ the number of labels."),
]


@app.command(rich_help_panel="Runs", epilog="Example: `alvin shortcuts first --of pool --kind token,ngram`")
def shortcuts(
    run: RunArgument,
    round_no: Annotated[int | None, typer.Option("--round", "-r", min=0, help="The newest by default.")] = None,
    of: Annotated[
        Literal["labeled", "pool"], typer.Option("--of", help="What the round trained on, or the whole pool.")
    ] = "labeled",
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND,KIND", help="Of: token, ngram, attribute, overlap.")
    ] = "token,attribute,overlap",
    top: Annotated[int, typer.Option("--top", min=1, help="How many cues to show.")] = 20,
    min_count: Annotated[int, typer.Option("--min-count", min=1, help="Leave out cues in fewer examples.")] = 5,
    correction: CorrectionOption = "holm",
    base: BaseOption = "observed",
    follow: Annotated[
        str | None, typer.Option("--follow", metavar="CUE", help="One cue through the rounds, such as token:great.")
    ] = None,
    store: StoreOption = None,
    json_file: JsonFileOption = None,
) -> None:
    """Show which cues go with which label more than chance would have it.

    A cue is a word, an n-gram, a value of the attribute, or how many words the texts of a pair share. Strongest first,
    by the competency z-statistic.
    """
    from alvin_core.run import open_run

    check_json_file(json_file)
    opened = open_run(store_path(store), run)
    number = opened.n_rounds - 1 if round_no is None else round_no
    if number < 0:
        tell(f"the run {opened.name!r} has no round yet")
        return
    if follow is not None:
        _follow(opened, follow, number, base, json_file)
        return
    kinds = cast("list[Kind]", [one.strip() for one in kind.split(",") if one.strip()])
    frame = opened.cues(number, of=of, kinds=kinds, min_count=min_count, base=base, correction=correction)
    if json_file is not None:
        about = {"run": opened.name, "round": number, "of": of, "min_count": min_count}
        _write(json_file, frame, top, {**about, "base": base, "correction": correction})
    if json_file != STANDARD_OUTPUT:
        _show(frame, top)
        _say_what_was_tested(frame, of, min_count, CORRECTION_NAMES[correction])


def _write(json_file: str, frame: pd.DataFrame, top: int, about: dict[str, Any]) -> None:
    write_json_file(json_file, {**about, "n_cues": len(frame), "cues": _records(frame.head(top))})


def _show(frame: pd.DataFrame, top: int) -> None:
    heads = ("cue", "label", "n", "share", "of all", "z", "LMI", "p")
    rows = [
        (
            one_line(line["cue"], LONGEST_NAME),
            line["label"],
            f"{line['n']:,}",
            f"{line['share']:.0%}",
            f"{line['base_share']:.0%}",
            f"{line['z']:.1f}",
            f"{1000 * line['lmi']:.1f}",
            _p(line["p_adjusted"]) + (" *" if line["significant"] else "  "),
        )
        for line in frame.head(top).to_dict("records")
    ]
    listing(heads, rows, right=heads[2:])


def _say_what_was_tested(frame: pd.DataFrame, of: str, min_count: int, correction: str) -> None:
    of_what = "labeled examples" if of == "labeled" else "examples of the pool"
    n_significant = int(frame["significant"].sum())
    say()
    told = (
        f"{counted(len(frame), 'cue')} in at least {min_count} {of_what}; {n_significant:,} significant at .05, "
        f"corrected by the method of {correction}."
    )
    _say_wrapped(told)
    _say_wrapped(WORDS)


def _follow(run: Run, cue: str, last: int, base: Literal["observed", "uniform"], json_file: str | None) -> None:
    """Show a cue with the label that it goes with in the last round that is shown."""
    run.record(last)  # raises where there is no such round
    history = run.cue_history([(cue, label) for label in run.dataset.classes], base=base)
    history = history[history["round"] <= last]
    newest = history[history["round"] == last].fillna({"z": float("-inf")}).sort_values("z", kind="stable")
    label = str(newest["label"].iloc[-1])
    history = history[history["label"] == label]
    if json_file is not None:
        write_json_file(json_file, {"run": run.name, "cue": cue, "label": label, "rounds": _records(history)})
    if json_file == STANDARD_OUTPUT:
        return
    say(one_line(f"{cue} ({run.cue_words(cue)}) with the label {label}"), style="bold")
    heads = ("round", "n", "share", "of all", "z", "LMI")
    rows = [
        (
            line["round"],
            f"{line['n']:,}",
            _or_dash(line["share"], "{:.0%}"),
            f"{line['base_share']:.0%}",
            _or_dash(line["z"], "{:.1f}"),
            f"{1000 * line['lmi']:.1f}",
        )
        for line in history.to_dict("records")
    ]
    listing(heads, rows, right=heads)
    say()
    _say_wrapped(FOLLOW_WORDS)


def _say_wrapped(text: str) -> None:
    for line in wrap(text, max(NARROWEST, screen_width() - 1)):
        say(line, style="dim")


def _or_dash(value: float, form: str) -> str:
    return "–" if value != value else form.format(value)  # NaN alone differs from itself


def _p(value: float) -> str:
    return "<.001" if value < SMALLEST_P else figure(value)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain values; NaN, which JSON has not, as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in line.items()} for line in plain.to_dict("records")]
