"""What a browser may say on the page's web socket, and what it is not told, where people sign in.

Streamlit answers some messages that its own menu sends to whoever is connected, before the page's script looks who it
is: which repository and branch the program lies in and which files in it are not committed, and it empties everybody's
caches. It also greets each browser with the program's folder and the machine's id. Nothing of that is for those who
wait for a sign-in, and the page needs none of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["BadMessageError", "is_wanted", "without_the_machine"]

OF_STRANGERS: Final = frozenset(("rerun_script", "stop_script", "app_heartbeat"))
OF_PEOPLE: Final = OF_STRANGERS | {"file_urls_request", "backend_operation_request"}
OPERATIONS: Final = frozenset(("deferred_file", "dataframe_chunk"))  # downloads, and the rest of a long table
LONGEST: Final = 2**18  # bytes that a stranger may say at once: there are two buttons on that page
SCRIPT: Final = Path(__file__).with_name("app.py")
_SCRIPT_NAME: Final = str(SCRIPT).encode()


class BadMessageError(ValueError):
    """What no page of ours sends: a text, too much at once, or no message at all."""


def is_wanted(content: object, *, is_in: bool) -> bool:
    """Return whether a message of a browser is passed on.

    Parameters
    ----------
    content : object
        The bytes of a frame; anything else was none.
    is_in : bool
        Whether it comes from a person with a role.

    Raises
    ------
    BadMessageError
        When it is no message of a page.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from streamlit.proto.BackMsg_pb2 import BackMsg

    if not isinstance(content, bytes) or (not is_in and len(content) > LONGEST):
        raise BadMessageError
    try:
        message = BackMsg.FromString(content)
    except DecodeError as error:
        raise BadMessageError from error
    kind = message.WhichOneof("type")
    if kind is None:
        raise BadMessageError
    if kind == "backend_operation_request":
        return is_in and message.backend_operation_request.WhichOneof("payload") in OPERATIONS
    return kind in (OF_PEOPLE if is_in else OF_STRANGERS)


def without_the_machine(content: bytes) -> bytes:
    """Return a message to a browser without the program's folder, the machine's id and its Python."""
    if _SCRIPT_NAME not in content:  # every greeting has it
        return content
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg.FromString(content)
    if message.WhichOneof("type") != "new_session":
        return content
    greeting = message.new_session
    greeting.main_script_path = SCRIPT.name
    for name in greeting.initialize.user_info.DESCRIPTOR.fields_by_name:
        greeting.initialize.user_info.ClearField(name)
    greeting.initialize.environment_info.ClearField("python_version")
    greeting.initialize.environment_info.ClearField("server_os")
    return bytes(message.SerializeToString())
