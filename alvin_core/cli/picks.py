"""Why a round picked what it picked: each example with its nearest anchor and that anchor's two parents."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from alvin_core.cli.output import counted, figure, one_line, percent, plain_table, say, screen_width

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.run import RoundRecord, Run

__all__ = ["pick_values", "show_picks"]

LONGEST_TEXT = 400  # characters of a picked text that are shown
INDENT = " " * 5


def pick_values(run: Run, round_no: int) -> list[dict[str, Any]]:
    """Return a round's picks as plain values, each with its nearest anchor, or None for strategies without anchors."""
    selection = run.selection(round_no)
    nearest = _nearest(run.provenance(round_no))
    texts = _text_by_id(run)
    picks = []
    for row in _rows(selection):
        anchor = nearest.get(row["id"])
        if anchor is not None:
            anchor = {
                **anchor,
                "minority_text": texts(anchor["minority_id"]),
                "majority_text": texts(anchor["majority_id"]),
            }
        picks.append({**row, "nearest_anchor": anchor})
    return picks


def show_picks(run: Run, record: RoundRecord, top: int) -> None:
    """Write a round's picks, best first, for people."""
    picks = pick_values(run, record.round)
    figures = record.selection
    say(f"{run.name}, round {record.round}: {record.strategy} picked {counted(len(picks), 'example')}", style="bold")
    rows = [
        ("mean confidence", f"{figure(figures.get('mean_confidence'))} (entropy's picks: {_entropys(figures)})"),
        ("shared with entropy", f"{percent(figures.get('overlap_entropy'))} of both picks together"),
        ("picked from", f"{figures.get('n_candidates', 0):,} candidates of {figures.get('n_pool', 0):,} in the pool"),
    ]
    plain_table(rows, indent="  ")
    for pick in picks[:top]:
        _show_pick(pick)
    if len(picks) > top:
        say()
        say(f"… and {len(picks) - top} more; see them with --top {len(picks)}, or all figures with --json")


def _entropys(figures: dict[str, Any]) -> str:
    return figure(figures.get("uncertainty_mean_confidence"))


def _show_pick(pick: dict[str, Any]) -> None:
    say()
    attribute = f" · {pick['attribute']}" if pick.get("attribute") else ""
    say(f"{pick['rank']:>3}  {pick['id']}{attribute} · predicted {pick['predicted']}, {_sure(pick)}", style="bold")
    width = screen_width()
    for text in _texts(pick):
        for line in textwrap.wrap(one_line(text, LONGEST_TEXT), width - len(INDENT)):
            say(INDENT + line)
    anchor = pick["nearest_anchor"]
    if anchor is None:
        return
    say(
        f"     near {counted(pick['n_anchors'], 'anchor')} of class {anchor['class']}; the nearest, at distance "
        f"{anchor['distance']:.3f}, lies between"
    )
    for role, weight in (("minority", anchor["weight"]), ("majority", 1 - anchor["weight"])):
        head = f"       {weight:4.0%} {role} {anchor[role + '_id']}: "
        say(head + one_line(anchor[role + "_text"], max(20, width - len(head))))


def _sure(pick: dict[str, Any]) -> str:
    return f"confidence {pick['confidence']:.2f}"


def _texts(pick: dict[str, Any]) -> list[str]:
    return [pick["text"]] if "text" in pick else [pick["text_a"], pick["text_b"]]


def _nearest(provenance: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the nearest anchor of each picked example."""
    if not len(provenance):
        return {}
    ordered = provenance.sort_values("distance", kind="stable").drop_duplicates("id")
    return {row.pop("id"): row for row in _rows(ordered)}


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as plain values; None where something is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): _plain(value) for name, value in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _text_by_id(run: Run) -> Any:
    dataset = run.dataset
    row_of_id = {id_: row for row, id_ in enumerate(dataset.ids.tolist())}

    def text(example_id: str) -> str:
        found = dataset.text_of(row_of_id[example_id])
        return found if isinstance(found, str) else " | ".join(found)

    return text
