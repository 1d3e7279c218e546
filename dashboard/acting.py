"""Everything that people may change, and the role that each change takes.

Pages have no other way to change the store: what they import from here, and the runs that `dashboard.data` opens, ask
for the role of whoever sits before the page when the change is made. A button that is greyed out is a courtesy; this is
the lock. Where sign-in is configured, labels carry the name that was signed in with, whatever a message says, and who
is no owner takes back their own labels and opinions alone. Where the store may only be read nobody changes anything.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dashboard.people import NotAllowedError, Person, Role, require

if TYPE_CHECKING:
    from alvin_core import Run

__all__ = [
    "RUN_CHANGES",
    "STORE_CHANGES",
    "cancel_job",
    "check_dataset",
    "delete_run",
    "enqueue_job",
    "guarded",
    "pack_run",
    "purge_trash",
    "read_preview",
    "restore_run",
    "store_upload",
    "trash_run",
    "unpack_run",
]

# Packing, checks and previews change nothing, but hand out whole runs and read files of this machine.
STORE_CHANGES: Final[dict[str, tuple[Role, str]]] = {
    "cancel_job": ("owner", "alvin_core"),
    "check_dataset": ("owner", "alvin_core"),
    "delete_run": ("owner", "alvin_core"),
    "enqueue_job": ("owner", "alvin_core"),
    "pack_run": ("owner", "alvin_core"),
    "purge_trash": ("owner", "alvin_core"),
    "read_preview": ("owner", "dashboard.previewing"),
    "restore_run": ("owner", "alvin_core"),
    "store_upload": ("owner", "dashboard.uploading"),
    "trash_run": ("owner", "alvin_core"),
    "unpack_run": ("owner", "alvin_core"),
}
RUN_CHANGES: Final[dict[str, Role]] = {
    "add_example": "annotator",
    "flag": "annotator",
    "give_back": "annotator",
    "note": "annotator",
    "skip": "annotator",
    "submit": "annotator",
    "take": "annotator",
    "undo": "annotator",
    "unflag": "annotator",
    "unskip": "annotator",
    "delete_slice": "owner",
    "fork": "owner",
    "replay": "owner",
    "run_rounds": "owner",
    "save_slice": "owner",
    "step": "owner",
}
_OF_A_RUN: Final = ("delete_run", "pack_run", "restore_run", "trash_run")  # which they take second
_ONLY_OWN: Final = "only_own"  # what the engine calls that nobody else's work may be touched
_UNTOLD: Final = ("check_dataset", "read_preview", "take")  # by themselves they change nothing worth a line

_log = logging.getLogger(__name__)


def guarded(run: Run) -> Run:
    """Return the run; what changes it asks for a role from now on."""
    for name, role in RUN_CHANGES.items():
        method = getattr(run, name, None)
        if method is not None:
            setattr(run, name, _asking(method, name, role, run.id))
    return run


def _changing(name: str) -> Callable[..., Any]:
    role, home = STORE_CHANGES[name]

    def change(*args: Any, **kwargs: Any) -> Any:
        function = getattr(import_module(home), name)  # late: not every page needs every one
        return _asking(function, name, role, _run_of(name, args, kwargs))(*args, **kwargs)

    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"Do as `{home}.{name}` does, for people with the role {role}."
    return change


def _asking(function: Callable[..., Any], name: str, role: Role, run_id: str) -> Callable[..., Any]:
    """Return the function for people with a role; what they do, and what is refused, is logged."""

    @wraps(function)
    def asked(*args: Any, **kwargs: Any) -> Any:
        try:
            who = require(role)
        except NotAllowedError as error:
            beside = {"facts": {"run_id": run_id, "action": name}}
            _log.warning("%s was refused (run %s): %s", name, run_id or "-", str(error), extra=beside)
            raise
        result = _call(function, who, args, kwargs)
        if name not in _UNTOLD:
            _tell(who, name, run_id, args, kwargs)
        return result

    return asked


def _call(function: Callable[..., Any], who: Person, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the function for a person: under their name, and within what is theirs unless they are an owner."""
    signature = inspect.signature(function)
    if not who.signed_in or "annotator" not in signature.parameters:
        return function(*args, **kwargs)
    bound = signature.bind(*args, **kwargs)
    bound.arguments["annotator"] = who.name
    if _ONLY_OWN in signature.parameters and who.role != "owner":
        bound.arguments[_ONLY_OWN] = True
    return function(*bound.args, **bound.kwargs)


def _tell(who: Person, name: str, run_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Log who did what to which run: no text and no label is in it."""
    kind = f" {args[1]}" if name == "enqueue_job" and len(args) > 1 else ""
    words = f"{who.name or 'somebody at this machine'} did {name}{kind} (run {run_id or '-'})"
    _log.info("%s", words, extra={"facts": {"person": who.name, "action": name, "run_id": run_id}})


def _run_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The run that a change of the store is about, where it is about one."""
    named = args[1] if name in _OF_A_RUN and len(args) > 1 else kwargs.get("run")
    return named if isinstance(named, str) and named.isprintable() else ""


cancel_job = _changing("cancel_job")
check_dataset = _changing("check_dataset")
delete_run = _changing("delete_run")
enqueue_job = _changing("enqueue_job")
pack_run = _changing("pack_run")
purge_trash = _changing("purge_trash")
read_preview = _changing("read_preview")
restore_run = _changing("restore_run")
store_upload = _changing("store_upload")
trash_run = _changing("trash_run")
unpack_run = _changing("unpack_run")
