"""The map's bundle: what the browser runs, and the address that it comes from.

Streamlit sends a component's script with every change of the component's data. The map's is 250 KB, so what Streamlit
sends is three lines that import it from an address with a hash in it, which a browser asks for once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alvin_core import AlvinError

__all__ = ["BUNDLE_ROUTES", "Bundle", "bundle"]

DIST = Path(__file__).with_name("dist")
FOR_EVER = "public, max-age=31536000, immutable"  # the address holds a hash of the content

# A failed import is forgotten, so that the next change of the data tries again.
_LOADER = """\
let bundle;
export default async function (component) {
  bundle ??= import(new URL("%s", document.baseURI).href).catch((error) => { bundle = undefined; throw error; });
  return (await bundle).default(component);
}
"""


@dataclass(frozen=True)
class Bundle:
    """The built script and style.

    Attributes
    ----------
    js : bytes
    css : str
    revision : str
        Sixteen hexadecimal digits that tell one script from another.
    """

    js: bytes
    css: str
    revision: str

    @property
    def address(self) -> str:
        """Where the server offers the script."""
        return f"/api/assets/map-{self.revision}.js"

    @property
    def loader(self) -> str:
        """The script that Streamlit sends: it imports the other."""
        return _LOADER % self.address


@lru_cache(maxsize=1)
def bundle(folder: Path = DIST) -> Bundle:
    """Read the built script and style.

    Raises
    ------
    AlvinError
        When a file is missing: the package was built without it.
    """
    try:
        js, css = (folder / "map.js").read_bytes(), (folder / "map.css").read_text(encoding="utf-8")
    except OSError as error:
        raise AlvinError(
            f"the map's bundle is missing ({error.filename}); install a complete package, "
            "or build it with dashboard/components/map/check.sh"
        ) from error
    return Bundle(js, css, hashlib.blake2b(js, digest_size=8).hexdigest())


async def _script(request: Request) -> Response:
    built = bundle()
    if request.path_params["revision"] != built.revision:  # a page older than the server: it has to be loaded again
        return Response("this version of the map is gone; reload the page", 404, media_type="text/plain")
    headers = {"Cache-Control": FOR_EVER, "X-Content-Type-Options": "nosniff"}
    return Response(built.js, media_type="text/javascript", headers=headers)


BUNDLE_ROUTES = [Route("/api/assets/map-{revision}.js", _script)]
"""For Streamlit's ``st.App``, beside those of `dashboard.api`."""
