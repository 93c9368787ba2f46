"""Memory as compiled code reads and writes it: numbers at addresses.

Compiled code is given addresses, not arrays: it would count references to an array at each call
and check each index for being negative. So every caller here must know its bounds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from collector.batch.compiled import compiled

_WORD, _WIDE = ir.IntType(64), ir.IntType(128)


def address(array: Any) -> int:
    """Return where an array's memory begins; the caller keeps the array."""
    assert array.flags.c_contiguous
    return int(array.ctypes.data)


def _instruction(result: Any, arguments: tuple[Any, ...], emit: Callable[..., Any]) -> Any:
    """Return a function for compiled code that is one piece of LLVM's language."""

    def code(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return emit(context, builder, *values)

    signature = result(*arguments)
    if len(arguments) == 1:
        return intrinsic(lambda _context, _one: (signature, code))
    return intrinsic(lambda _context, _one, _other: (signature, code))


def _loaded(bits: int) -> Callable[..., Any]:
    def emit(_: Any, builder: Any, base: Any, at: Any) -> Any:
        pointer = builder.inttoptr(builder.add(base, at), ir.IntType(bits).as_pointer())
        return builder.load(pointer, align=1)

    return emit


def _stored(context: Any, builder: Any, place: Any, value: Any) -> Any:
    builder.store(value, builder.inttoptr(place, _WORD.as_pointer()))
    return context.get_dummy_value()


def _folded(_: Any, builder: Any, one: Any, other: Any) -> Any:
    product = builder.mul(builder.zext(one, _WIDE), builder.zext(other, _WIDE))
    high = builder.lshr(product, ir.Constant(_WIDE, 64))
    return builder.trunc(builder.xor(product, high), _WORD)


def _as_double(_: Any, builder: Any, bits: Any) -> Any:
    return builder.bitcast(bits, ir.DoubleType())


_AT = (types.int64, types.int64)
byte_at: Any = _instruction(types.uint8, _AT, _loaded(8))
fixed32: Any = _instruction(types.uint32, _AT, _loaded(32))
fixed64: Any = _instruction(types.uint64, _AT, _loaded(64))
"""Read an unsigned number, ``at`` bytes behind ``base``; it need not be aligned."""

folded: Any = _instruction(types.uint64, (types.uint64, types.uint64), _folded)
"""Multiply two numbers to 128 bits and return the exclusive or of the product's halves."""

as_double: Any = _instruction(types.float64, (types.int64,), _as_double)
"""Read sixty-four bits as a floating-point number."""

_store: Any = _instruction(types.void, _AT, _stored)


@compiled
def get(base: int, index: int) -> Any:
    """Return the number at an index of an array of int64 that begins at ``base``."""
    return np.int64(fixed64(base, 8 * index))


@compiled
def put(base: int, index: int, value: int) -> None:
    """Set the number at an index of an array of int64 that begins at ``base``."""
    _store(base + 8 * index, np.int64(value))
