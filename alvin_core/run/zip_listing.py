"""How much a zip lists, known before it is listed: each entry of the listing takes ten times its bytes in memory."""

from __future__ import annotations

import struct
from typing import IO

__all__ = ["listing_bytes"]

END, END_SIZE = b"PK\x05\x06", 22
LOCATOR, LOCATOR_SIZE = b"PK\x06\x07", 20
LONGEST_COMMENT = 2**16
IS_ELSEWHERE = 2**32 - 1  # the size is too large for its field, and stands in another record


def listing_bytes(file: IO[bytes]) -> int:
    """Return how many bytes the listing at a zip's end says that it has; 0 where there is no such end.

    Parameters
    ----------
    file : file of bytes
        Is read from another place afterwards.
    """
    size = file.seek(0, 2)
    start = file.seek(max(0, size - END_SIZE - LONGEST_COMMENT - LOCATOR_SIZE))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + END_SIZE:
        return 0
    (listed,) = struct.unpack_from("<I", tail, at + 12)
    locator = at - LOCATOR_SIZE
    if listed == IS_ELSEWHERE and locator >= 0 and tail[locator : locator + 4] == LOCATOR:
        (place,) = struct.unpack_from("<Q", tail, locator + 8)
        file.seek(min(place, start + at))
        record = file.read(48)
        if len(record) == 48:
            (listed,) = struct.unpack_from("<Q", record, 40)
    return int(listed)
