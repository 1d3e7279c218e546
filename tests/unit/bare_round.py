"""Run one tiny round where some libraries are not installed, and print what it selected.

python bare_round.py ENCODER_FOLDER LIBRARY...
"""

from __future__ import annotations

import json
import sys
from typing import Any


class Without:
    """A finder of modules that does not find some libraries."""

    def __init__(self, finder: Any, absent: set[str]) -> None:
        self._finder, self._absent = finder, absent

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] in self._absent else self._finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def main(folder: str, absent: set[str]) -> None:
    sys.meta_path[:] = [Without(finder, absent) for finder in sys.meta_path]
    import tiny_round

    result = tiny_round.tiny_round(folder)
    told = {
        "selected": result.selection.ids.tolist(),
        "alternatives": {name: one.ids.tolist() for name, one in result.alternatives.items()},
        "n_anchors": result.summary["anchors"]["n"],
        "imported": sorted({name.partition(".")[0] for name in sys.modules}),
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], set(sys.argv[2:]))
