"""The program behind `make bench`: what it says, and what it ends with."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "bench.py"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program, with benchmarks of a test's own in a folder of its own."""
    spec = importlib.util.spec_from_file_location("bench", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench", module)  # where a dataclass looks for its own module
    spec.loader.exec_module(module)
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    monkeypatch.setattr(module, "HERE", folder)
    (folder / "agrees.py").write_text("import sys\nprint('the peer takes, ratio 3.5', sys.argv[1:])\nprint('noise')\n")
    (folder / "disagrees.py").write_text("raise SystemExit('the neighbors differ')\n")
    (folder / "hangs.py").write_text("import time\ntime.sleep(60)\n")
    listed = {name: module.Benchmark(("--long",), 30) for name in ("agrees", "disagrees")}
    monkeypatch.setattr(module, "BENCHMARKS", listed | {"hangs": module.Benchmark((), 0.5)})
    return module


def test_benchmarks_that_agree_end_well_and_their_ratios_are_told_again_at_the_end(
    bench: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["agrees"]) == 0
    told = capsys.readouterr().out
    assert "agrees: the peer takes, ratio 3.5 ['--long']" in told.partition("== summary")[2]
    assert "noise" not in told.partition("== summary")[2]


def test_one_that_disagrees_or_hangs_fails_all_and_the_rest_are_run(
    bench: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["disagrees", "hangs", "agrees"]) == 1
    told = capsys.readouterr().out
    assert "the neighbors differ" in told
    summary = told.partition("== summary")[2]
    assert "| ended with code 1 |" in summary
    assert "| did not end in 0 s |" in summary
    assert "| well |" in summary


def test_the_quick_form_is_asked_for_by_name(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--quick", "agrees"]) == 0
    assert "['--quick']" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        bench.main(["unheard-of"])


def test_every_benchmark_that_is_listed_is_there() -> None:
    spec = importlib.util.spec_from_file_location("bench_as_it_is", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_as_it_is"] = module
    spec.loader.exec_module(module)
    assert [name for name in module.BENCHMARKS if not FILE.with_name(f"{name}.py").exists()] == []
