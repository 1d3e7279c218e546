"""Routes beside the page: arrays of maps, texts for hovering, what changed, and whether the server is ready.

Every answer is this process's own data, for its own page. A wrong address is answered in one line of JSON,
``{"error": …}``: with 400 where it is malformed, with 404 where nothing is there.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alvin_core import AlvinError, SettingsError, StoreError
from dashboard import map_arrays, watching
from dashboard.map_arrays import MapGoneError

if TYPE_CHECKING:
    from dashboard.map_arrays import Space

__all__ = ["LONGEST_TEXT", "ROUTES"]

LONGEST_TEXT = 2_000  # characters of a text sent for hovering
BINARY = "application/octet-stream"
JSON = "application/json"
FOR_EVER = "private, max-age=31536000, immutable"  # the address holds a hash of the content
NEVER = "no-store"  # labels change
GUARDS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}

_RUN = re.compile(r"[0-9a-f]{8}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_REVISION = re.compile(r"[0-9A-Za-z_-]{1,64}")
_WORD = re.compile(r"[a-z]{1,20}")
_SPACES = ("model", "encoder")

_log = logging.getLogger(__name__)


class _BadAddressError(AlvinError):
    """An address that nothing could be at."""


async def _positions(request: Request) -> Response:
    return await _answer(
        lambda: map_arrays.positions_bytes(_run_id(request), _number(request, "round"), _space(request), _of(request)),
        BINARY,
        FOR_EVER,
    )


async def _codes(request: Request) -> Response:
    return await _answer(
        lambda: map_arrays.codes_bytes(
            _run_id(request), _number(request, "round"), _part(request, "color_by", _WORD), _of(request)
        ),
        BINARY,
        FOR_EVER,
    )


async def _marks(request: Request) -> Response:
    return await _answer(
        lambda: map_arrays.marks_bytes(_run_id(request), _number(request, "round"), _of(request)), BINARY, FOR_EVER
    )


async def _anchors(request: Request) -> Response:
    return await _answer(
        lambda: map_arrays.anchors_json(_run_id(request), _number(request, "round"), _space(request), _of(request)),
        JSON,
        FOR_EVER,
    )


async def _texts(request: Request) -> Response:
    return await _answer(
        lambda: _as_json(_example(_run_id(request), _number(request, "round"), _number(request, "index"))), JSON, NEVER
    )


async def _blind_texts(request: Request) -> Response:
    """For maps on which people label: what the model says of a text comes after the label."""

    def make() -> bytes:
        example = _example(_run_id(request), _number(request, "round"), _number(request, "index"))
        if example["label"] is None:
            example |= {"predicted": None, "confidence": None}
        return _as_json(example)

    return await _answer(make, JSON, NEVER)


async def _watch(request: Request) -> Response:
    """For the page's own script, see `dashboard.watching`: ``-`` stands for no run."""
    run_id = "" if request.path_params["run_id"] == "-" else request.path_params["run_id"]
    return await _answer(lambda: _as_json(watching.look(_run_id(request) if run_id else "")), JSON, NEVER)


async def _ready(_: Request) -> Response:
    return Response(_as_json({"ready": True}), media_type=JSON, headers={"Cache-Control": NEVER, **GUARDS})


def _example(run_id: str, round_no: int, index: int) -> dict[str, Any]:
    """What a hover shows of a point. Its label only where it was given, by the round or since."""
    run, columns = map_arrays.run_of(run_id), map_arrays.columns_of(run_id, round_no)
    if index >= len(columns.ids):
        raise MapGoneError(f"point {index:,} is not on the map, which has {len(columns.ids):,}")
    texts = run.texts([int(columns.rows[index])])[0]
    label = int(columns.label[index]) if columns.labeled[index] else int(columns.label_now[index])
    return {
        "id": str(columns.ids[index]),
        "text": [text[:LONGEST_TEXT] for text in texts],
        "cut": any(len(text) > LONGEST_TEXT for text in texts),
        "label": columns.classes[label] if label >= 0 else None,
        "predicted": columns.classes[int(columns.predicted[index])],
        "confidence": float(columns.confidence[index]),
        "split": "labeled" if columns.labeled[index] else "pool",
    }


async def _answer(make: Callable[[], bytes], media_type: str, cache: str) -> Response:
    """Answer with what ``make`` returns. It runs in a thread: the store and a first map take time."""
    try:
        content = await run_in_threadpool(make)
    except _BadAddressError as error:
        return _refusal(400, str(error))
    except (MapGoneError, StoreError, SettingsError) as error:
        return _refusal(404, str(error))
    except AlvinError as error:
        return _refusal(500, str(error))
    except Exception:
        _log.exception("A route of the map failed")
        return _refusal(500, "the server failed to make this; its log tells why")
    return Response(content, media_type=media_type, headers={"Cache-Control": cache, **GUARDS})


def _refusal(status: int, message: str) -> Response:
    line = " ".join(message.split())
    headers = {"Cache-Control": NEVER, **GUARDS}
    return Response(_as_json({"error": line}), status_code=status, media_type=JSON, headers=headers)


def _as_json(value: dict[str, Any]) -> bytes:
    """ASCII with escapes: any text passes, lone surrogates as well."""
    return json.dumps(value, allow_nan=False).encode("ascii")


def _run_id(request: Request) -> str:
    return _part(request, "run_id", _RUN)


def _number(request: Request, name: str) -> int:
    return int(_part(request, name, _NUMBER))


def _of(request: Request) -> str:
    return _part(request, "revision", _REVISION)


def _space(request: Request) -> Space:
    space = request.path_params["space"]
    if space not in _SPACES:
        raise _BadAddressError(f"space {space[:40]!r} is unknown; it is one of {', '.join(_SPACES)}")
    return cast("Space", space)


def _part(request: Request, name: str, form: re.Pattern[str]) -> str:
    value = str(request.path_params[name])
    if not form.fullmatch(value):
        raise _BadAddressError(f"{name} = {value[:40]!r} is malformed")
    return value


_MAP = "/api/maps/{run_id}/{round}"

ROUTES = [
    Route(f"{_MAP}/codes/{{color_by}}/{{revision}}.bin", _codes),
    Route(f"{_MAP}/marks/{{revision}}.bin", _marks),
    Route(f"{_MAP}/{{space}}/{{revision}}/positions.bin", _positions),
    Route(f"{_MAP}/{{space}}/{{revision}}/anchors.json", _anchors),
    Route("/api/texts/{run_id}/{round}/{index}", _texts),
    Route("/api/texts/{run_id}/{round}/blind/{index}", _blind_texts),
    Route("/api/watch/{run_id}", _watch),
    Route("/api/ready", _ready),
]
"""For Streamlit's ``st.App``."""
