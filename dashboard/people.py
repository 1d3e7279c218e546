"""Who sits before the page, and what they may do.

Where no sign-in is configured there is nobody to tell apart: whoever reaches the server is an owner without a name, and
the server listens on this machine alone. Where it is, a person is the verified address in the cookie that the server
signed, with the role that the sign-in file gives it now (`dashboard.sign_in`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from alvin_core import AlvinError
from dashboard.own_store import why_closed
from dashboard.plain_text import plain
from dashboard.sign_in import sign_in

__all__ = [
    "CLOSED",
    "ROLES",
    "NotAllowedError",
    "Person",
    "Role",
    "help_why_not",
    "is_known",
    "may",
    "person",
    "require",
    "why_not",
]

Role = Literal["viewer", "annotator", "owner"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)  # each may do what those before it may
MEANS: Final[dict[Role, str]] = {
    "viewer": "look at runs",
    "annotator": "label",
    "owner": "start, change and delete runs",
}


class NotAllowedError(AlvinError):
    """Somebody asked for what their role does not cover, or nobody may do here; or they are not signed in."""


@dataclass(frozen=True)
class Person:
    """Somebody before the page.

    Attributes
    ----------
    name : str
        The address that they signed in with; empty where no sign-in is configured.
    role : {"viewer", "annotator", "owner"}
    signed_in : bool
    """

    name: str
    role: Role
    signed_in: bool


CLOSED: Final = "the store may only be read, so nothing can be changed"  # the line on top of the page says why
ANYBODY: Final = Person(name="", role="owner", signed_in=False)


def person() -> Person:
    """Return who sits before the page of this script run.

    Raises
    ------
    NotAllowedError
        When sign-in is configured and nobody is signed in, or who is has no role.
    """
    access = sign_in()
    if access is None:
        return ANYBODY
    found = access.look(_claims())
    if found.role is None:
        raise NotAllowedError(found.refusal)
    return Person(name=found.name, role=found.role, signed_in=True)


def is_known() -> bool:
    """Return whether somebody is signed in, with a role or without."""
    access = sign_in()
    return access is not None and access.look(_claims()).state != "out"


def may(role: Role) -> bool:
    """Return whether the person before the page has this role, or one above it."""
    return not why_not(role)


def why_not(role: Role) -> str:
    """Say why the person before the page may not do what needs this role; empty when they may.

    Where the store may only be read, everybody is a viewer.
    """
    try:
        here = person()
    except NotAllowedError as error:
        return str(error)
    if role != "viewer" and why_closed():
        return CLOSED
    if ROLES.index(here.role) >= ROLES.index(role):
        return ""
    able = " or ".join(ROLES[ROLES.index(role) :])
    return f"{here.name} is signed in as {here.role}; to {MEANS[role]} takes the role {able}: ask who runs this server"


def help_why_not(role: Role) -> str | None:
    """Return `why_not` as a button's help, which Streamlit reads as Markdown; None when they may."""
    refusal = why_not(role)
    return plain(refusal) if refusal else None


def require(role: Role) -> Person:
    """Return the person before the page, who must have this role or one above it.

    Raises
    ------
    NotAllowedError
        When they do not; the message names the role that it takes.
    """
    refusal = why_not(role)
    if refusal:
        raise NotAllowedError(refusal)
    return person()


def _claims() -> dict[str, Any]:
    """What the cookie of this session said when the browser connected; nothing outside a session."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx(suppress_warning=True)
    return {} if context is None else dict(context.user_info)
