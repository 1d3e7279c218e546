from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from alvin_core import device as device_module
from alvin_core.device import DevicePlan, apply_threads, halving_batches, is_out_of_memory, plan_device
from alvin_core.errors import DeviceError
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RuntimeSettings


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(device_module, "_cpu_flags", set)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    card = SimpleNamespace(capability=(9, 0))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: card.capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {device.index or 0}")
    return card


@pytest.mark.usefixtures("no_accelerator")
def test_auto_is_the_cpu_where_there_is_nothing_else() -> None:
    plan = plan_device(RuntimeSettings(threads=3))
    assert plan == DevicePlan("cpu", 3, "float32", "CPU, 3 threads")
    assert plan.kind == "cpu"


@pytest.mark.usefixtures("no_accelerator")
def test_one_thread_is_not_called_threads() -> None:
    assert plan_device(RuntimeSettings(threads=1)).name == "CPU, 1 thread"


@pytest.mark.usefixtures("no_accelerator")
def test_threads_follow_the_environment_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_GIVEN_THREADS", "5")
    assert plan_device(RuntimeSettings()).threads == 5
    assert plan_device(RuntimeSettings(threads=2)).threads == 2
    monkeypatch.setattr(device_module, "_GIVEN_THREADS", "many")
    assert plan_device(RuntimeSettings()).threads >= 1


def test_threads_once_applied_are_not_taken_for_the_users_wish() -> None:
    code = (
        "import os; from alvin_core.device import *; from alvin_core.settings import RuntimeSettings as Runtime; "
        "apply_threads(999); print(plan_device(Runtime(device='cpu')).threads)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "3"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "3", done.stderr


@pytest.mark.usefixtures("two_gpus")
def test_auto_prefers_cuda() -> None:
    plan = plan_device(RuntimeSettings(threads=1))
    assert (plan.device, plan.name, plan.inference_dtype) == ("cuda", "Card 0", "bfloat16")


@pytest.mark.usefixtures("two_gpus")
def test_a_card_is_chosen_by_number() -> None:
    plan = plan_device(RuntimeSettings(device="cuda:1", threads=1))
    assert (plan.device, plan.name, plan.kind) == ("cuda:1", "Card 1", "cuda")


def test_an_old_card_works_in_float32(two_gpus: SimpleNamespace) -> None:
    two_gpus.capability = (7, 5)
    assert plan_device(RuntimeSettings(threads=1)).inference_dtype == "float32"


@pytest.mark.usefixtures("two_gpus")
def test_a_card_that_is_not_there_is_refused_with_the_last_that_is() -> None:
    with pytest.raises(DeviceError, match=r"'cuda:7' is not there: torch finds 2; the last is cuda:1"):
        plan_device(RuntimeSettings(device="cuda:7"))


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "'cuda' is not there: torch finds no CUDA device; use 'auto' or 'cpu'"),
        ("mps", "'mps' is not there: it needs an Apple GPU"),
        ("tpu", "'tpu' is unknown; choose auto, cpu, cuda"),
        ("cuda:x", "'cuda:x' is unknown"),
        ("meta", "'meta' is unknown"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_a_remedy(device: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        plan_device(RuntimeSettings(device=device))


@pytest.mark.usefixtures("no_accelerator")
def test_without_numba_a_cpu_with_avx2_works_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_cpu_flags", lambda: {"avx2"})
    monkeypatch.setitem(sys.modules, "numba", None)
    assert plan_device(RuntimeSettings(threads=1)).inference_dtype == "float32"
    with pytest.raises(DeviceError, match="'int16' does not work without numba; set it to 'float32' or 'auto'"):
        plan_device(RuntimeSettings(inference_dtype="int16"))


INT16_PLAN = (
    "from alvin_core import device; from alvin_core.settings import RuntimeSettings; "
    "device._cpu_flags = lambda: {'avx2'}; print(device.plan_device(RuntimeSettings(device='cpu')).inference_dtype); "
    "import numpy as np; from alvin_core.neighbors.sets import nearest_sets; "
    "print(nearest_sets(np.eye(2, 3, dtype='f'), np.eye(3, dtype='f'), k=1).tolist())"
)


def test_numba_that_is_installed_and_cannot_be_imported_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.5 or less')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", INT16_PLAN], capture_output=True, text=True, env=environment)
    assert done.stdout.split("\n") == ["float32", "[[0], [1]]", ""], done.stderr


@pytest.mark.parametrize("variable", ["NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"])
def test_numba_that_is_told_to_compile_for_another_processor_takes_float32(variable: str) -> None:
    environment = {**os.environ, variable: "generic" if variable == "NUMBA_CPU_NAME" else ""}
    code = INT16_PLAN.partition("import numpy")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout == "float32\n", done.stderr


@pytest.mark.usefixtures("no_accelerator")
def test_16_bit_whole_numbers_are_refused_where_the_processor_does_not_say_that_it_is_fast_at_them() -> None:
    with pytest.raises(DeviceError, match="'int16' does not work on this CPU, which does not say that it has AVX2"):
        plan_device(RuntimeSettings(inference_dtype="int16"))


@pytest.mark.usefixtures("two_gpus")
def test_16_bit_whole_numbers_are_refused_on_a_card() -> None:
    with pytest.raises(DeviceError, match="'int16' does not work on cuda:1; set it to 'float32' or 'auto'"):
        plan_device(RuntimeSettings(device="cuda:1", inference_dtype="int16"))


@pytest.mark.usefixtures("two_gpus")
def test_a_card_never_takes_what_the_processor_beside_it_is_fast_at(
    two_gpus: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_gpus.capability = (7, 5)
    monkeypatch.setattr(device_module, "_cpu_flags", lambda: {"avx2"})
    assert plan_device(RuntimeSettings(threads=1)).inference_dtype == "float32"


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"sse4_2"}, "float32"),
        ({"avx2"}, "int16"),
        ({"avx2", "avx512f"}, "float32"),
        ({"avx2", "avx512f", "avx512_bf16"}, "bfloat16"),
        ({"amx_bf16"}, "bfloat16"),
    ],
)
def test_a_cpu_works_in_the_number_format_that_its_instructions_make_fast(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], expected: str
) -> None:
    monkeypatch.setattr(device_module, "_cpu_flags", lambda: flags)
    assert plan_device(RuntimeSettings(threads=1)).inference_dtype == expected


def test_a_number_format_that_was_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, given in (
        ({"amx_bf16"}, "float32"),
        ({"avx2"}, "float32"),
        ({"avx2"}, "bfloat16"),
        ({"avx2", "avx512f"}, "int16"),
    ):
        monkeypatch.setattr(device_module, "_cpu_flags", lambda flags=flags: flags)
        settings = RuntimeSettings(device="cpu", inference_dtype=given)  # type: ignore[arg-type]
        assert plan_device(settings).inference_dtype == given


def test_mps_never_works_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(device_module, "_cpu_flags", lambda: {"amx_bf16"})
    assert plan_device(RuntimeSettings(device="mps", threads=1)).inference_dtype == "float32"
    with pytest.raises(DeviceError, match="does not work on mps; set it to 'float32' or 'auto'"):
        plan_device(RuntimeSettings(device="mps", inference_dtype="bfloat16"))


def test_one_number_of_threads_reaches_every_library(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, int] = {}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        monkeypatch.setenv(name, "9")  # put back after the test
    monkeypatch.setattr(torch, "set_num_threads", lambda n: told.update(torch=n))
    monkeypatch.setitem(sys.modules, "faiss", SimpleNamespace(omp_set_num_threads=lambda n: told.update(faiss=n)))
    numba = SimpleNamespace(set_num_threads=lambda n: told.update(numba=n), config=SimpleNamespace(NUMBA_NUM_THREADS=2))
    monkeypatch.setitem(sys.modules, "numba", numba)
    monkeypatch.setattr(device_module, "threadpool_limits", lambda threads, user_api: told.update({user_api: threads}))
    apply_threads(3)
    assert told == {"blas": 3, "torch": 3, "faiss": 3, "numba": 2}  # numba takes no more than it was started with
    assert os.environ["OMP_NUM_THREADS"] == os.environ["RAYON_NUM_THREADS"] == "3"


def test_numpy_s_own_matrix_product_keeps_to_the_number_as_well() -> None:
    code = (
        "import numpy, threadpoolctl; from alvin_core.device import apply_threads; apply_threads(1); "
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info() if pool['user_api'] == 'blas'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "{1}", done.stderr


def test_no_threads_at_all_is_refused() -> None:
    with pytest.raises(DeviceError, match="0 threads asked for; at least 1 is needed"):
        apply_threads(0)


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import sys, alvin_core.device; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory, says a text"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def _batches(*sizes: int) -> list[np.ndarray]:
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


def test_a_batch_that_does_not_fit_is_halved_and_all_that_follow_too() -> None:
    events: list[ProgressEvent] = []
    tried: list[int] = []

    def work(rows: np.ndarray) -> list[int]:
        tried.append(len(rows))
        if len(rows) > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return rows.tolist()

    done = list(halving_batches(_batches(3, 8, 8), work, stage="encode", progress=events.append))
    assert tried == [3, 8, 4, 4, 4, 4]
    assert [row for _, result in done for row in result] == list(range(19))
    assert [rows.tolist() for rows, _ in done] == [result for _, result in done]
    assert [event.note for event in events] == ["out of memory with 8 examples at once; going on with 4"]


def test_a_batch_is_halved_as_often_as_it_takes() -> None:
    def work(rows: np.ndarray) -> int:
        if len(rows) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return int(rows[0])

    assert [result for _, result in halving_batches(_batches(5), work, stage="encode")] == [0, 1, 2, 3, 4]


def test_one_example_that_does_not_fit_is_an_error_with_a_remedy() -> None:
    def work(rows: np.ndarray) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match=r"encode: .* even for one example; lower encoder.max_length"):
        list(halving_batches(_batches(4), work, stage="encode"))


def test_halving_names_what_it_halves_and_the_remedy_of_its_stage() -> None:
    def work(rows: np.ndarray) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    notes: list[str] = []
    halved = halving_batches(
        _batches(2), work, stage="retrieve", unit="anchor", remedy="do less", progress=lambda e: notes.append(e.note)
    )
    with pytest.raises(DeviceError, match=r"retrieve: .* even for one anchor; do less"):
        list(halved)
    assert notes == ["out of memory with 2 anchors at once; going on with 1"]


def test_other_errors_pass_through_halving() -> None:
    def work(rows: np.ndarray) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        list(halving_batches(_batches(4), work, stage="encode"))
