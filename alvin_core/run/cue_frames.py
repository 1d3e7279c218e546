"""Single cues as frames: their history over the rounds, and the examples that hold one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alvin_core.data.dataset import UNLABELED
from alvin_core.errors import DataError, SettingsError
from alvin_core.run.cue_statistics import CueQuery, check_choice, cues_frame, labeled_classes
from alvin_core.run.cue_tables import cue_table
from alvin_core.run.frames import class_names, example_columns
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.run.looking import row_of
from alvin_core.shortcuts import BASES, Base, base_shares, competency_z, local_mutual_information
from alvin_core.store.rounds import list_rounds

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["class_code", "examples_of_cue", "history_frame", "own_cues"]

STATUSES = ("labeled", "selected", "pool")


def history_frame(handle: RunHandle, pairs: Sequence[tuple[str, str]], base: Base = "observed") -> pd.DataFrame:
    """Return what became of cues in the labeled set of each round; see `RunCues.cue_history`."""
    import pandas as pd

    check_choice("base", base, BASES)
    with handle.store.read() as session:
        handle.check_exists(session)
        rounds = list_rounds(session, handle.row.id)
    held = held_classes(handle, *(one.last_seq for one in rounds))
    table = cue_table(handle)
    codes = [class_code(handle, label) for _, label in pairs]
    members = [table.members(cue) for cue, _ in pairs]
    lines: list[dict[str, Any]] = []
    for stored, classes in zip(rounds, held, strict=True):
        n_class = np.bincount(classes[classes != UNLABELED], minlength=len(table.dataset.classes))
        shares = base_shares(n_class, base)
        for (cue, label), code, holds in zip(pairs, codes, members, strict=True):
            held_by = classes[holds[: len(classes)].nonzero()[0]]
            n, n_label = int((held_by != UNLABELED).sum()), int((held_by == code).sum())
            lines.append(
                {
                    "round": stored.round_no,
                    "cue": cue,
                    "label": label,
                    "n": n,
                    "share": n_label / n if n else np.nan,
                    "base_share": shares[code],
                    "z": float(competency_z(n_label, n, shares[code])),
                    "lmi": float(local_mutual_information(n_label, n, n_class[code], max(int(n_class.sum()), 1))),
                }
            )
    return pd.DataFrame(lines, columns=["round", "cue", "label", "n", "share", "base_share", "z", "lmi"])


def class_code(handle: RunHandle, label: str) -> int:
    """Return the code of a class.

    Raises
    ------
    DataError
        When the data set has no such class.
    """
    classes = handle.dataset.classes
    if label not in classes:
        raise DataError(f"no class is called {label!r}; the classes are: {', '.join(classes)}")
    return classes.index(label)


def examples_of_cue(handle: RunHandle, round_no: int, cue: str, label: str, most: int) -> pd.DataFrame:
    """Return examples that hold a cue, those that contradict it first; see `RunCues.cue_examples`."""
    import pandas as pd

    _check_most(most)
    stored, arrays = handle.round(round_no)
    code = class_code(handle, label)
    held = labeled_classes(handle, stored.last_seq)
    table = cue_table(handle)
    members = table.members(cue)
    probs = arrays["probs"]
    n = min(len(held), len(probs))  # what was added after the round has no prediction in it
    status = np.where(held[:n] != UNLABELED, 0, np.where(table.dataset.splits[:n] == "pool", 2, -1))
    selected = arrays["selected_rows"]
    status[selected[status[selected] == 2]] = 1
    rows = np.flatnonzero(members[:n] & (status >= 0))
    predicted, confidence = probs[rows].argmax(axis=1), probs[rows].max(axis=1, initial=0)
    follows = np.where(status[rows] == 0, held[rows], predicted) == code
    order = np.lexsort((rows, -confidence, status[rows], follows))
    order = np.concatenate([order[~follows[order]][:most], order[follows[order]][:most]])
    rows = rows[order]
    examples = example_columns(table.dataset, rows)
    texts: dict[str, Any] = {name: examples[name] for name in ("text", "text_a", "text_b") if name in examples}
    columns: dict[str, Any] = {
        "id": examples["id"],
        **texts,
        "status": [STATUSES[one] for one in status[rows].tolist()],
        "label": [name or "" for name in class_names(table.dataset, held[rows])],
        "predicted": class_names(table.dataset, predicted[order]),
        "confidence": confidence[order],
        "follows": follows[order],
    }
    return pd.DataFrame(columns)


def own_cues(handle: RunHandle, round_no: int, example_id: str, label: str, most: int) -> pd.DataFrame:
    """Return the strongest significant cues of an example; see `RunCues.example_cues`."""
    query = CueQuery()
    class_code(handle, label)
    _check_most(most)
    found = cues_frame(handle, round_no, query)
    row = row_of(handle, example_id)
    held = cue_table(handle).held_by(row, query.kinds)
    is_own = found["significant"] & (found["z"] > 0) & found["cue"].isin(held)
    own = found.loc[is_own, ["cue", "kind", "name", "label", "z"]].head(most).reset_index(drop=True)
    return own.assign(follows=own["label"] == label)


def _check_most(most: int) -> None:
    if most < 0:
        raise SettingsError(f"most = {most} is out of range: it must be at least 0")
