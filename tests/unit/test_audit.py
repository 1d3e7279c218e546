"""The audit passes only when every package was looked up, and the sources use nothing that runs data."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("audit_of_dependencies", ROOT / "benchmarks" / "audit.py")
assert _SPEC is not None
assert _SPEC.loader is not None
audit = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(audit)

FLAW = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}
CLEAN = [{"name": "One.Two", "version": "1", "vulns": []}, {"name": "three", "version": "2", "vulns": []}]


def run(tmp_path: Path, answer: Any, ignore: str = "ignore = []", stderr: str = "") -> int:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "audit.toml").write_text(ignore, encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("# pinned\none-two==1\nthree==2\n", encoding="utf-8")
    said = answer if isinstance(answer, str) else json.dumps({"dependencies": answer})
    done = SimpleNamespace(stdout=said, stderr=stderr, returncode=0)
    code: int = audit.main([], lambda *_, **__: done, tmp_path)
    return code


def test_an_audit_passes_when_all_were_looked_up_and_none_has_a_flaw(tmp_path: Path) -> None:
    assert run(tmp_path, CLEAN) == 0


@pytest.mark.parametrize(
    "answer",
    ["", "[]", "{}", [], CLEAN[:1], [CLEAN[0], {"name": "three", "skip_reason": "not found on PyPI"}]],
    ids=range(6),
)
def test_an_audit_that_looked_up_less_than_all_fails_and_says_so(
    tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, answer, stderr="Traceback\nname or service not known") == 2
    assert "NOT AUDITED" in capsys.readouterr().err


def test_a_flaw_fails_unless_it_is_let_pass_with_a_reason_until_a_day_to_come(tmp_path: Path) -> None:
    flawed = [CLEAN[0], {"name": "three", "version": "2", "vulns": [FLAW]}]
    let = '[[ignore]]\nid = "{}"\nreason = "{}"\nuntil = {}\n'
    for number, (ignore, code) in enumerate(
        (
            ("ignore = []", 1),
            (let.format("PYSEC-1", "not used", "9999-01-01"), 0),
            (let.format("CVE-1", "not used", "9999-01-01"), 0),
            (let.format("CVE-2", "not used", "9999-01-01"), 1),
            (let.format("PYSEC-1", "", "9999-01-01"), 2),
            (let.format("PYSEC-1", "not used", "2020-01-01"), 2),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run(folder, flawed, ignore) == code, ignore


# -- the sources -------------------------------------------------------------------------------------------------------

# (file, what): why it may stand there.
ALLOWED: dict[tuple[str, str], str] = {}


def what_runs_data(tree: ast.AST) -> Iterator[str]:
    """Name what may run code that lies in data: loaders, evaluation, a shell, HTML that nobody escaped."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            yield from _of_call(node)


MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
CALLS = {"torch.load", "os.system", "os.popen", "yaml.load", "pd.read_pickle", "subprocess.getoutput"}
BUILT_IN = {"eval", "exec", "compile", "__import__"}
TRUE = {"allow_pickle", "trust_remote_code", "unsafe_allow_html", "unsafe_allow_javascript", "shell"}


def _of_call(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    if (isinstance(node.func, ast.Name) and name in BUILT_IN) or name in CALLS:
        yield name
    for keyword in node.keywords:
        is_false = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        if keyword.arg in TRUE and not is_false:
            yield str(keyword.arg)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "f(trust_remote_code=asked)",
        "subprocess.run(command, shell=True)",
        "eval(text)",
        "exec(text)",
        "st.markdown(text, unsafe_allow_html=True)",
        "pd.read_pickle(path)",
    ],
    ids=range(10),
)
def test_what_runs_data_is_found(source: str) -> None:
    assert list(what_runs_data(ast.parse(source)))


def test_what_only_looks_like_it_is_not() -> None:
    assert not list(what_runs_data(ast.parse("model.eval(); re.compile('x'); np.load(p, allow_pickle=False)")))


def test_nothing_in_the_sources_runs_what_lies_in_data() -> None:
    found = set()
    for package in ("alvin_core", "dashboard", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            if "node_modules" not in path.parts:
                for what in what_runs_data(ast.parse(path.read_text(encoding="utf-8"))):
                    found.add((path.relative_to(ROOT).as_posix(), what))
    assert found == set(ALLOWED)
