"""Addresses of places for arrays: what fsspec knows, without a secret in it."""

from __future__ import annotations

import importlib
import re
from urllib.parse import parse_qsl, urlsplit

from alvin_core.errors import StoreError

__all__ = ["check_arrays_url", "missing_package"]

SECRET = re.compile(r"pass|secret|token|key|sig|credential", re.IGNORECASE)
LOCAL = ("file", "local")
# A place in one process's memory, inside another file, or made of what is never written to.
NO_PLACES = frozenset({"memory", "data", "zip", "tar", "libarchive", "reference", "generic", "git", "github", "gist"})
NO_SECRETS = (
    "fsspec reads credentials from the environment (such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) or from "
    "~/.config/fsspec; put them there, and leave them out of the address"
)


def check_arrays_url(url: str) -> str:
    """Return an address that arrays can be kept at.

    Parameters
    ----------
    url : str
        As fsspec has it: ``s3://bucket/folder``, ``gs://…``, ``abfs://…``, ``sftp://user@host/folder``; or a folder
        with all that leads to it, ``/shared/arrays``.

    Raises
    ------
    StoreError
        When it holds a password or a key, leads to no place that lasts, or fsspec or the package that it needs for
        that protocol is not installed. The message never shows a secret.
    """
    if not url or not url.isprintable() or url != url.strip():
        raise StoreError(f"{url[:60]!r} is no address for arrays; name one such as s3://bucket/folder, or a folder")
    for part in url.split("::"):
        _refuse_secret(part)
    last = url.split("::")[-1]
    if "://" not in last:
        if not last.startswith("/"):
            raise StoreError(f"{url!r} depends on where a process is started; name the folder from the root: /…")
        return url
    for part in url.split("::"):
        _check_protocol(part.split("://")[0], url)
    protocol, place = last.split("://", 1)
    if protocol in LOCAL and not place.startswith("/"):
        raise StoreError(f"{url!r} depends on where a process is started; name the folder from the root: file:///…")
    if not place.strip("/"):
        raise StoreError(f"{url!r} names no place; add a bucket or a folder, such as {protocol}://bucket/folder")
    return url


def missing_package(protocol: str) -> str | None:
    """Return what is to be installed for a protocol, as pip calls it; None where nothing is."""
    from fsspec import get_filesystem_class
    from fsspec.registry import known_implementations

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        module = str(known_implementations.get(protocol, {}).get("class", protocol)).split(".")[0]
        if module != "fsspec":
            return module
        cause = error.__cause__
        return getattr(cause, "name", None) or protocol
    except ValueError:
        return None
    return None


def _refuse_secret(part: str) -> None:
    try:
        split = urlsplit(part)
        has_password = split.password is not None
    except ValueError as error:
        raise StoreError(
            f"an address of arrays cannot be read: {error}; name one such as s3://bucket/folder"
        ) from error
    shown = f"{split.scheme}://…" if split.scheme else "it"
    if has_password:
        raise StoreError(f"the address of arrays ({shown}) has a password in it, which would be kept; {NO_SECRETS}")
    named = next((name for name, _ in parse_qsl(split.query, keep_blank_values=True) if SECRET.search(name)), None)
    if named is not None:
        raise StoreError(f"the address of arrays ({shown}) has a secret in it, {named!r}; {NO_SECRETS}")


def _check_protocol(protocol: str, url: str) -> None:
    if protocol in NO_PLACES:
        raise StoreError(f"{url!r} is no place that arrays could be kept at; name a bucket or a folder")
    try:
        names = importlib.import_module("fsspec.registry")
    except ImportError as error:
        raise StoreError(f"arrays at {url} need fsspec; pip install 'alvin-studio[team]'") from error
    if protocol not in names.known_implementations and protocol not in names.registry:
        raise StoreError(f"fsspec knows no {protocol!r}, as in {url}; name a place such as s3://bucket/folder")
    package = missing_package(protocol)
    if package is not None:
        raise StoreError(f"arrays at {protocol}:// need the package {package}; pip install {package}")
