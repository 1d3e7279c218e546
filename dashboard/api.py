"""Routes beside the page: arrays of maps, texts for hovering, what changed, and whether the server is ready.

Every answer is this process's own data, for its own page. A wrong address is answered in one line of JSON,
``{"error": …}``: with 400 where it is malformed, with 404 where nothing is there.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from importlib import import_module
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alvin_core import AlvinError, SettingsError, StoreError
from dashboard import starting

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
_TOKEN = re.compile(r"[0-9a-f]{32}")
_SIGN = re.compile(r"here|idle|leave")
_SPACES = ("model", "encoder")

_log = logging.getLogger(__name__)


class _BadAddressError(AlvinError):
    """An address that nothing could be at."""


async def _positions(request: Request) -> Response:
    return await _answer(
        lambda: _late("map_arrays").positions_bytes(
            _run_id(request), _number(request, "round"), _space(request), _of(request)
        ),
        BINARY,
        FOR_EVER,
    )


async def _codes(request: Request) -> Response:
    return await _answer(
        lambda: _late("map_arrays").codes_bytes(
            _run_id(request), _number(request, "round"), _part(request, "color_by", _WORD), _of(request)
        ),
        BINARY,
        FOR_EVER,
    )


async def _marks(request: Request) -> Response:
    return await _answer(
        lambda: _late("map_arrays").marks_bytes(_run_id(request), _number(request, "round"), _of(request)),
        BINARY,
        FOR_EVER,
    )


async def _anchors(request: Request) -> Response:
    return await _answer(
        lambda: _late("map_arrays").anchors_json(
            _run_id(request), _number(request, "round"), _space(request), _of(request)
        ),
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
    return await _answer(lambda: _as_json(_late("watching").look(_run_id(request) if run_id else "")), JSON, NEVER)


async def _seat(request: Request) -> Response:
    """For a tab in which somebody labels, see `dashboard.labelling_seat`: they are here, idle, or have left."""

    def make() -> bytes:
        token, sign = _part(request, "token", _TOKEN), _part(request, "sign", _SIGN)
        access = _late("sign_in").sign_in()
        names = None
        if access is not None:
            found = access.look(access.claims_of(request.cookies))
            names = (found.name,) if found.role in ("annotator", "owner") else ()
        return _as_json(_late("labelling_seat").hear(token, sign, names))

    return await _answer(make, JSON, NEVER)


async def _ready(_: Request) -> Response:
    return Response(_as_json({"ready": True}), media_type=JSON, headers={"Cache-Control": NEVER, **GUARDS})


async def _healthz(_: Request) -> Response:
    code, told = await run_in_threadpool(lambda: _late("health").health())
    headers = {"Cache-Control": NEVER, **GUARDS}
    return Response(_as_json(told), status_code=code, media_type=JSON, headers=headers)


async def _metrics(_: Request) -> Response:
    content = await run_in_threadpool(lambda: _late("health").metrics())
    headers = {"Cache-Control": NEVER, **GUARDS, "Content-Type": _late("health").METRICS_TYPE}
    return Response(content, headers=headers)


def _example(run_id: str, round_no: int, index: int) -> dict[str, Any]:
    """What a hover shows of a point. Its label only where it was given, by the round or since."""
    arrays = _late("map_arrays")
    run, columns = arrays.run_of(run_id), arrays.columns_of(run_id, round_no)
    if index >= len(columns.ids):
        raise arrays.MapGoneError(f"point {index:,} is not on the map, which has {len(columns.ids):,}")
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
    """Answer with what ``make`` returns, and count the answer."""
    began = perf_counter()
    response = await _answer_of(make, media_type, cache)
    _late("health").count_answer(response.status_code, perf_counter() - began)
    return response


async def _answer_of(make: Callable[[], bytes], media_type: str, cache: str) -> Response:
    # In a thread: the store and a first map take time.
    try:
        content = await run_in_threadpool(make)
    except AlvinError as error:
        return _refusal(_status_of(error), str(error))
    except Exception:
        _log.exception("A route of the map failed")
        return _refusal(500, "the server failed to make this; its log tells why")
    if cache == FOR_EVER:  # what a map draws
        starting.sent()
    return Response(content, media_type=media_type, headers={"Cache-Control": cache, **GUARDS})


def _late(name: str) -> ModuleType:
    """Return a module of the dashboard; in a thread, for the server answers before the store's libraries are there."""
    starting.wait()
    return import_module(f"dashboard.{name}")


def _status_of(error: AlvinError) -> int:
    if isinstance(error, _BadAddressError):
        return 400
    return 404 if isinstance(error, StoreError | SettingsError | _late("map_arrays").MapGoneError) else 500


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
    Route("/api/seats/{token}/{sign}", _seat, methods=["POST"]),
    Route("/api/ready", _ready),
    Route("/healthz", _healthz),
    Route("/metrics", _metrics),
]
"""For Streamlit's ``st.App``."""
