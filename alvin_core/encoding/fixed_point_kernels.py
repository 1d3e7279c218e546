"""Compiled products of 16-bit whole numbers, for processors with AVX2. Imported only where numba is.

Their instruction ``vpmaddwd`` multiplies 16 pairs of 16-bit numbers and adds neighbours, twice a cycle: twice the
products of float32's multiply-add. LLVM does not find it in a loop that keeps many sums in registers, so the innermost
loop is written in LLVM's own terms.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from alvin_core.compiling import FAST, compiled
from alvin_core.types import Float32Array

__all__ = ["COLUMNS", "LARGEST", "LARGEST_NORM", "LONGEST", "ROWS", "SMALLEST", "SPARE_NORM", "multiply"]

ROWS, COLUMNS = 6, 16  # of one tile: its sums fill 12 of the 16 vector registers
BLOCK = 16 * ROWS  # rows made whole at once: with 1,536 columns they fill half of a second-level cache
LARGEST = 32766.0  # of a 16-bit number, and room for rounding
LARGEST_NORM = 46340.0  # two vectors of whole numbers this long have a product below 2 ** 31
SPARE_NORM = 8.0  # for what float32 loses in the length of a row, at most n_in * 2 ** -24 of its square
LONGEST = 8192  # inputs for which that is enough
SMALLEST = np.float32(1e-30)  # a row whose largest number is below counts as zero: its squares would vanish

_I16x16 = ir.VectorType(ir.IntType(16), 16)
_I32x8 = ir.VectorType(ir.IntType(32), 8)
_F32x8 = ir.VectorType(ir.FloatType(), 8)


@intrinsic
def _at(typing_context: Any, array: Any, offset: Any) -> Any:
    """Return the address of an array's byte."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.gep(builder.bitcast(made.data, ir.IntType(8).as_pointer()), [arguments[1]])

    return types.voidptr(array, types.intp), generate


def _load(builder: Any, kind: Any, start: Any, offset: Any, align: int) -> Any:
    """Load a value of a kind from a byte offset; vectors lie wherever rows do, so the alignment is said."""
    if isinstance(offset, int):
        offset = ir.Constant(ir.IntType(64), offset)
    return builder.load(builder.bitcast(builder.gep(start, [offset]), kind.as_pointer()), align=align)


def _spread(builder: Any, value: Any, kind: Any) -> Any:
    """Return a vector of 8 with the value in each place."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_I32x8, [0] * 8))


def _add_products(builder: Any, sums: list[list[Any]], rows: list[Any], panel: Any, n_pairs: Any) -> None:
    """Write the loop that adds the products of all pairs of inputs to the tile's sums."""
    long = ir.IntType(64)
    function_type = ir.FunctionType(_I32x8, [_I16x16, _I16x16])
    multiply_add = cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.avx2.pmadd.wd")
    with cgutils.for_range(builder, n_pairs, intp=long) as loop:
        column_byte = builder.mul(loop.index, ir.Constant(long, 4 * COLUMNS))
        halves = [
            _load(builder, _I16x16, panel, builder.add(column_byte, ir.Constant(long, 32 * half)), 2) for half in (0, 1)
        ]
        row_byte = builder.mul(loop.index, ir.Constant(long, 4))
        for row, row_sums in zip(rows, sums, strict=True):
            pair = _spread(builder, _load(builder, ir.IntType(32), row, row_byte, 2), _I32x8)
            for place, half in zip(row_sums, halves, strict=True):
                products = builder.call(multiply_add, [builder.bitcast(pair, _I16x16), half])
                builder.store(builder.add(builder.load(place), products), place)


@intrinsic
def _tile(
    typing_context: Any,
    rows: Any,
    row_steps: Any,
    panel: Any,
    panel_steps: Any,
    bias: Any,
    out: Any,
    n_pairs: Any,
    n_out: Any,
) -> Any:
    """Write ROWS × COLUMNS outputs: whole-number sums, times the steps of row and column, plus the bias."""
    signature = types.void(*[types.voidptr] * 6, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first_row, row_steps, panel, panel_steps, bias, out, n_pairs, n_out = arguments
        long = ir.IntType(64)
        zero = ir.Constant(_I32x8, [0] * 8)
        sums = [[cgutils.alloca_once(builder, _I32x8) for _ in (0, 1)] for _ in range(ROWS)]
        for place in (place for row_sums in sums for place in row_sums):
            builder.store(zero, place)
        row_bytes = builder.mul(n_pairs, ir.Constant(long, 4))
        rows = [builder.gep(first_row, [builder.mul(row_bytes, ir.Constant(long, row))]) for row in range(ROWS)]
        _add_products(builder, sums, rows, panel, n_pairs)
        for row, row_sums in enumerate(sums):
            row_step = _spread(builder, _load(builder, ir.FloatType(), row_steps, 4 * row, 4), _F32x8)
            start = builder.gep(out, [builder.mul(n_out, ir.Constant(long, 4 * row))])
            for half, place in enumerate(row_sums):
                value = builder.fmul(builder.sitofp(builder.load(place), _F32x8), row_step)
                value = builder.fmul(value, _load(builder, _F32x8, panel_steps, 32 * half, 4))
                value = builder.fadd(value, _load(builder, _F32x8, bias, 32 * half, 4))
                target = builder.gep(start, [ir.Constant(long, 32 * half)])
                builder.store(value, builder.bitcast(target, _F32x8.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, generate


@compiled(FAST)
def _round_row(row: Float32Array, limit: np.float32, rounded: NDArray[np.int16]) -> np.float32:
    """Write a row as whole numbers of Euclidean length below ``limit`` and a bit; return what one of them is worth."""
    largest = np.float32(0)
    for k in range(len(row)):
        largest = max(largest, abs(row[k]))
    squares = np.float32(0)
    by_largest = np.float32(1) / largest if largest > SMALLEST else np.float32(0)
    for k in range(len(row)):
        share = row[k] * by_largest  # first divided, so that no square overflows or vanishes
        squares += share * share
    step = largest * max(np.sqrt(squares) / limit, np.float32(1 / LARGEST))
    by_step = np.float32(1) / step
    if not (largest > SMALLEST and step < np.inf and squares < np.inf):
        rounded[:] = 0
        return np.float32(squares * np.float32(0) + step * np.float32(0))  # NaN where the row was not finite, else 0
    for k in range(len(row)):
        rounded[k] = np.int16(np.int32(np.rint(row[k] * by_step)))
    return np.float32(step)


@compiled(FAST)
def multiply(
    values: Float32Array,
    limit: np.float32,
    panels: NDArray[np.int16],
    steps: Float32Array,
    bias: Float32Array,
    out: Float32Array,
) -> None:
    """Write ``values @ weights.T + bias``, the values rounded row by row.

    Parameters
    ----------
    values : float32 array of shape (n, n_in)
    limit : float32
        Longest row of whole numbers, so that no sum leaves 32 bits.
    panels : int16 array of shape (n_out / COLUMNS, n_in / 2, COLUMNS, 2)
    steps, bias : float32 arrays of shape (n_out,)
        What a whole number of each output's weights is worth, and what is added.
    out : float32 array of shape (n_padded, n_out)
        ``n_padded`` is n, rounded up to a multiple of ROWS.
    """
    n, n_in = values.shape
    n_padded, n_out = out.shape
    rounded = np.empty((min(BLOCK, n_padded), n_in), dtype=np.int16)
    row_steps = np.empty(len(rounded), dtype=np.float32)
    for start in range(0, n_padded, BLOCK):
        n_rows = min(BLOCK, n_padded - start)
        for row in range(n_rows):
            if start + row < n:
                row_steps[row] = _round_row(values[start + row], limit, rounded[row])
            else:
                rounded[row] = 0
                row_steps[row] = 0
        for panel in range(len(panels)):
            for row in range(0, n_rows, ROWS):
                _tile(
                    _at(rounded, row * n_in * 2),
                    _at(row_steps, row * 4),
                    _at(panels, panel * n_in * COLUMNS * 2),
                    _at(steps, panel * COLUMNS * 4),
                    _at(bias, panel * COLUMNS * 4),
                    _at(out, ((start + row) * n_out + panel * COLUMNS) * 4),
                    n_in // 2,
                    n_out,
                )
