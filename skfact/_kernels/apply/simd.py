"""The inner steps of the compiled products, in vector instructions of any processor.

A *tile* holds a few vectors side by side, so that entry r of all of them is one row of the tile:
`WIDTH` bytes, two registers of an AVX-512 processor. Real rows are ``2 * lanes`` samples, complex
ones `lanes` real parts followed by `lanes` imaginary parts, where `lanes` is the number of reals
in half a row. Arrays are flat here, and a tile is always real. Positions and strides count reals,
in complex arrays too: their dtype says which operation is meant.

LLVM is asked for these operations directly since it does not find them by itself: it cannot know
that the rows that a block reads and writes do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skfact._kernels.apply.layout import WIDTH

FLAGS = ("contract", "nsz")  # a multiplication and an addition may become one instruction
INT = ir.IntType(64)


class Lanes:
    """Half a row of reals at a time: loads, stores and shuffles of a kernel being built."""

    def __init__(self, context: Any, builder: Any, real: Any) -> None:
        self.context, self.builder = context, builder
        self.size = real.bitwidth // 8
        self.count = WIDTH // 2 // self.size
        self.real = context.get_data_type(real)
        self.type = ir.VectorType(self.real, self.count)

    def data(self, array_type: Any, array: Any) -> Any:
        """Pointer to the first number of a flat array; complex ones are pairs of reals."""
        pointer = self.context.make_array(array_type)(self.context, self.builder, array).data
        if isinstance(array_type.dtype, types.Complex):
            return self.builder.bitcast(pointer, self.real.as_pointer())
        return pointer

    def at(self, pointer: Any, position: Any) -> Any:
        """Pointer to a vector of lanes."""
        entry = self.builder.gep(pointer, [position])
        return self.builder.bitcast(entry, self.type.as_pointer())

    def load(self, pointer: Any, position: Any) -> Any:
        return self.builder.load(self.at(pointer, position), align=self.size)

    def store(self, vector: Any, pointer: Any, position: Any) -> None:
        self.builder.store(vector, self.at(pointer, position), align=self.size)

    def shift(self, position: Any, steps: int, stride: Any) -> Any:
        """``position + steps * stride``."""
        stride = ir.Constant(INT, stride) if isinstance(stride, int) else stride
        return self.builder.add(position, self.builder.mul(ir.Constant(INT, steps), stride))

    def everywhere(self, pointer: Any, position: Any) -> Any:
        """One entry in all lanes."""
        entry = self.builder.load(self.builder.gep(pointer, [position]))
        nothing = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(nothing, entry, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, nothing, [0] * self.count)

    def shuffle(self, first: Any, second: Any, order: list[int]) -> Any:
        """Lanes of two vectors, numbered through, in any order."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.count), order)
        return self.builder.shuffle_vector(first, second, mask)

    def halves(self, pointer: Any, position: Any) -> tuple[Any, Any]:
        """A whole row: two vectors."""
        return self.load(pointer, position), self.load(pointer, self.shift(position, 1, self.count))

    def add_product(self, total: Any, x: Any, y: Any) -> Any:
        product = self.builder.fmul(x, y, flags=FLAGS)
        return self.builder.fadd(total, product, flags=FLAGS)

    def add_row_product(self, total: Any, x: Any, y: Any, is_complex: bool) -> tuple[Any, Any]:
        """``total + x * y``, entry by entry, for pairs of vectors."""
        first, second = total
        if not is_complex:
            return self.add_product(first, x[0], y[0]), self.add_product(second, x[1], y[1])
        first = self.add_product(first, x[0], y[0])
        second = self.add_product(second, x[0], y[1])
        first = self.add_product(first, self.builder.fneg(x[1]), y[1])
        return first, self.add_product(second, x[1], y[0])

    def transpose(self, rows: list[Any]) -> list[Any]:
        """Transpose as many vectors as there are lanes, in log2(lanes) perfect shuffles."""
        half = self.count // 2
        low = [i // 2 + self.count * (i % 2) for i in range(self.count)]
        high = [half + i for i in low]
        for _ in range(self.count.bit_length() - 1):
            pairs = zip(rows[:half], rows[half:], strict=True)
            rows = [self.shuffle(x, y, order) for x, y in pairs for order in (low, high)]
        return rows


def block_product(
    n_rows: int, n_columns: int | None = None, *, entries: str = "numbers", vector: str = "rows"
) -> Callable[..., Any]:
    """Build ``product(to, to_at, to_step, x, x_at, x_step, block, at, c)``.

    It multiplies `n_rows` rows of a block by its argument x and writes as many rows of a tile. All
    of x is read before anything is written, so that the result may take the place of x.

    Parameters
    ----------
    n_rows : int
        Rows of the block.
    n_columns : int, optional
        Its columns, which `c` must agree with: the loop over them is written out.
    entries : {"numbers", "rows"}
        An entry of the block is one number, or a row of them: one for each lane. The block is
        stored by columns.
    vector : {"rows", "numbers"}
        An entry of x is a row of a tile, or one number: the next lane of the same row.
    """

    @intrinsic
    def product(typing, to, to_at, to_step, x, x_at, x_step, block, at, c):  # type: ignore[no-untyped-def]
        two = types.intp, types.intp
        signature = types.void(to, *two, x, *two, block, *two)
        is_complex = isinstance(block.dtype, types.Complex)

        def build(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            to_, to_at_, to_step_, x_, x_at_, x_step_, block_, at_, c_ = arguments
            lanes = Lanes(context, builder, to.dtype)
            into, source = lanes.data(to, to_), lanes.data(x, x_)
            coefficients = lanes.data(block, block_)
            parts = 2 if is_complex else 1
            entry_size = 2 * lanes.count if entries == "rows" else parts
            zero = ir.Constant(lanes.type, None)
            totals = [
                [cgutils.alloca_once_value(builder, zero) for _ in range(2)] for _ in range(n_rows)
            ]

            def read(kind: str, pointer: Any, position: Any, distance: int) -> tuple[Any, Any]:
                """A row, or one number in all lanes; its imaginary part is at that distance."""
                if kind == "rows":
                    return lanes.halves(pointer, position)
                first = lanes.everywhere(pointer, position)
                if not is_complex:
                    return first, first
                return first, lanes.everywhere(pointer, lanes.shift(position, 1, distance))

            def add_column(k: Any) -> None:
                position = builder.add(x_at_, builder.mul(k, x_step_))
                factor = read(vector, source, position, lanes.count)
                column = builder.mul(k, ir.Constant(INT, n_rows * entry_size))
                column = builder.add(at_, column)
                for j, total in enumerate(totals):
                    position = lanes.shift(column, j, entry_size)
                    entry = read(entries, coefficients, position, 1)
                    so_far = tuple(builder.load(half) for half in total)
                    sums = lanes.add_row_product(so_far, entry, factor, is_complex)
                    for half, value in zip(total, sums, strict=True):
                        builder.store(value, half)

            if n_columns is None:
                with cgutils.for_range(builder, c_) as loop:
                    add_column(loop.index)
            else:
                for k in range(n_columns):
                    add_column(ir.Constant(INT, k))
            for j, total in enumerate(totals):
                row = lanes.shift(to_at_, j, to_step_)
                for i, half in enumerate(total):
                    lanes.store(builder.load(half), into, lanes.shift(row, i, lanes.count))
            return context.get_dummy_value()

        return signature, build

    return product


@intrinsic
def transpose_in(typing, tile, where, first, offset, X, position, stride):  # type: ignore[no-untyped-def]
    """Half rows ``where[first + i] + offset`` of the tile from entry i of `lanes` rows of X."""
    at = types.intp
    signature = types.void(tile, where, at, at, X, at, at)

    def build(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        tile_, where_, first_, offset_, X_, at, step = arguments
        lanes = Lanes(context, builder, tile.dtype)
        into, source, index = lanes.data(tile, tile_), lanes.data(X, X_), lanes.data(where, where_)
        rows = [lanes.load(source, lanes.shift(at, i, step)) for i in range(lanes.count)]
        for i, row in enumerate(lanes.transpose(rows)):
            half_row = builder.load(builder.gep(index, [lanes.shift(first_, i, 1)]))
            lanes.store(row, into, builder.add(half_row, offset_))
        return context.get_dummy_value()

    return signature, build


@intrinsic
def transpose_out(typing, Y, position, stride, tile, where, first, offset):  # type: ignore[no-untyped-def]
    """Entry i of `lanes` rows of Y from half rows ``where[first + i] + offset`` of the tile."""
    at = types.intp
    signature = types.void(Y, at, at, tile, where, at, at)

    def build(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        Y_, at, step, tile_, where_, first_, offset_ = arguments
        lanes = Lanes(context, builder, tile.dtype)
        into, source, index = lanes.data(Y, Y_), lanes.data(tile, tile_), lanes.data(where, where_)
        rows = []
        for i in range(lanes.count):
            half_row = builder.load(builder.gep(index, [lanes.shift(first_, i, 1)]))
            rows.append(lanes.load(source, builder.add(half_row, offset_)))
        for i, row in enumerate(lanes.transpose(rows)):
            lanes.store(row, into, lanes.shift(at, i, step))
        return context.get_dummy_value()

    return signature, build


@intrinsic
def copy_row(typing, to, to_at, x, x_at):  # type: ignore[no-untyped-def]
    """A row of a tile from as many neighbours in an array, or the other way round.

    Complex neighbours are taken apart in the row, and put together again.
    """
    signature = types.void(to, types.intp, x, types.intp)
    from_complex, to_complex = (isinstance(a.dtype, types.Complex) for a in (x, to))

    def build(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        to_, to_at_, x_, x_at_ = arguments
        lanes = Lanes(context, builder, x.dtype if to_complex else to.dtype)
        into, source, n = lanes.data(to, to_), lanes.data(x, x_), lanes.count
        first, second = halves = lanes.halves(source, x_at_)
        if from_complex:
            orders = [[2 * i + part for i in range(n)] for part in range(2)]
        elif to_complex:
            orders = [[start + i // 2 + n * (i % 2) for i in range(n)] for start in (0, n // 2)]
        if from_complex or to_complex:
            halves = tuple(lanes.shuffle(first, second, order) for order in orders)
        for i, half in enumerate(halves):
            lanes.store(half, into, lanes.shift(to_at_, i, n))
        return context.get_dummy_value()

    return signature, build
