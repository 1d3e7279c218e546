"""One step of the segment search on eight numbers at once, written as vector code.

From a loop that appends the indices of low numbers the compiler makes one unpredictable branch for each
number. As below it is one comparison of eight numbers and one table look-up, without a branch. The code is
LLVM's own, so it becomes what the processor has: AVX2, SSE, NEON.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["LANES", "SUBSETS", "append_below"]

LANES = 8


def _subsets() -> NDArray[np.uint8]:
    """Return, for each set of lanes written as a byte, its members in front: of shape (256 * LANES,)."""
    table = np.zeros((2**LANES, LANES), np.uint8)
    for chosen in range(2**LANES):
        members = [lane for lane in range(LANES) if chosen >> lane & 1]
        table[chosen, : len(members)] = members
    return table.ravel()


SUBSETS = _subsets()

_BYTE, _INT, _LONG, _FLOAT = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_BYTES, _INTS, _FLOATS = (ir.VectorType(number, LANES) for number in (_BYTE, _INT, _FLOAT))


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _load(builder: Any, address: Any, vector_type: Any, align: int) -> Any:
    loaded = builder.load(builder.bitcast(address, vector_type.as_pointer()))
    loaded.align = align
    return loaded


def _repeated(builder: Any, number: Any, vector_type: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector_type, ir.Undefined), number, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, ir.Constant(vector_type, ir.Undefined), ir.Constant(_INTS, [0] * LANES))


@intrinsic
def append_below(
    typing_context: Any,
    first: Any,
    second: Any,
    start: Any,
    weight: Any,
    rest: Any,
    bar: Any,
    subsets: Any,
    found: Any,
    n_found: Any,
) -> Any:
    """Append to ``found`` where ``weight * first + rest * second`` is below ``bar``; return the new ``n_found``.

    Parameters
    ----------
    first, second : float32 arrays
        Read from ``start`` to ``start + LANES``.
    start : int64
    weight, rest, bar : float32
    subsets : uint8 array
        ``SUBSETS``.
    found : int32 array
        Must have LANES places from ``n_found`` on: all are written, whatever is found.
    n_found : int64

    Notes
    -----
    Two products and a sum, each rounded, never fused: so lower numbers in never give a higher one out, to the
    last bit, which is what makes a block's bound a bound.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def address(argument: int, index: Any) -> Any:
            return _address(context, builder, signature.args[argument], arguments[argument], index)

        begin, in_front = arguments[2], arguments[8]
        one, other = (_load(builder, address(argument, begin), _FLOATS, 4) for argument in (0, 1))
        products = [
            builder.fmul(_repeated(builder, arguments[argument], _FLOATS), numbers)
            for argument, numbers in ((3, one), (4, other))
        ]
        is_below = builder.fcmp_ordered("<", builder.fadd(*products), _repeated(builder, arguments[5], _FLOATS))
        chosen = builder.zext(builder.bitcast(is_below, _BYTE), _LONG)
        row = address(6, builder.mul(chosen, ir.Constant(_LONG, LANES)))
        lanes = builder.zext(_load(builder, row, _BYTES, 1), _INTS)
        indices = builder.add(lanes, _repeated(builder, builder.trunc(begin, _INT), _INTS))
        stored = builder.store(indices, builder.bitcast(address(7, in_front), _INTS.as_pointer()))
        stored.align = 4
        return builder.add(in_front, builder.ctpop(chosen))

    number = types.float32
    return types.int64(first, second, types.int64, number, number, number, subsets, found, types.int64), generate
