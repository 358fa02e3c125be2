"""Gram matrices of gathered rows in vector registers, and Cholesky factors in packed rows.

A block holds one observed row a line: [sqrt(w) v_j, sqrt(w) y_ij, 0...], padded to whole vectors. Its Gram
matrix then is the system, the right-hand side and the squared norm of the data in one.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numopt._kernels.cpu._completion_rows import axpy, dot, scaled_copy
from numopt._kernels.cpu._jit import jit

_ROWS = 4  # rows of a register tile
_FUSED = ("contract",)
_SUM = {"contract", "reassoc", "nsz"}


def _make_tile(columns):
    """Return G[a:a+4, b:b+columns*lanes] += block[:n, a:a+4]^T block[:n, b:...] as an intrinsic.

    A tile of 4 rows by up to 3 vectors needs 12 accumulators, 3 vectors and a broadcast: the 16 registers
    of AVX2. LLVM's loop vectoriser keeps the tile in memory instead and is 3 to 5 times slower.
    """
    parts = 2 if columns == 1 else 1  # enough independent sums to hide the latency

    @intrinsic
    def tile(typingctx, block, n, a, b, G):
        def codegen(context, builder, signature, args):
            element = context.get_data_type(signature.args[0].dtype)
            lanes = 4 if element == ir.DoubleType() else 8
            vector, wide = ir.VectorType(element, lanes), ir.VectorType(ir.DoubleType(), lanes)
            source = context.make_array(signature.args[0])(context, builder, args[0])
            target = context.make_array(signature.args[4])(context, builder, args[4])
            width = cgutils.unpack_tuple(builder, source.shape)[1]
            target_width = cgutils.unpack_tuple(builder, target.shape)[1]
            n, a, b = args[1:4]

            def number(value):
                return ir.Constant(n.type, value)

            def pointer(base, offset, kind):
                return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())

            def broadcast(x):
                first = ir.Constant(ir.IntType(32), 0)
                alone = builder.insert_element(ir.Constant(vector, ir.Undefined), x, first)
                everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
                return builder.shuffle_vector(alone, ir.Constant(vector, ir.Undefined), everywhere)

            zero = ir.Constant(vector, [0.0] * lanes)
            before = builder.block
            loop, done = builder.append_basic_block("tile"), builder.append_basic_block("tile.done")
            builder.cbranch(builder.icmp_signed(">", n, number(0)), loop, done)
            builder.position_at_end(loop)
            line = builder.phi(n.type)
            line.add_incoming(number(0), before)
            sums = [builder.phi(vector) for _ in range(parts * _ROWS * columns)]
            news = []
            for part in range(parts):
                start = builder.mul(builder.add(line, number(part)), width)
                right = [
                    builder.load(
                        pointer(source.data, builder.add(builder.add(start, b), number(lanes * q)), vector), align=4
                    )
                    for q in range(columns)
                ]
                for r in range(_ROWS):
                    at = builder.add(builder.add(start, a), number(r))
                    left = broadcast(builder.load(builder.gep(source.data, [at])))
                    for q in range(columns):
                        product = builder.fmul(left, right[q], flags=_FUSED)
                        news.append(builder.fadd(sums[len(news)], product, flags=_FUSED))
            following = builder.add(line, number(parts))
            line.add_incoming(following, loop)
            for old, new in zip(sums, news, strict=True):
                old.add_incoming(zero, before)
                old.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", following, n), loop, done)
            builder.position_at_end(done)
            ends = [builder.phi(vector) for _ in news]
            for end, new in zip(ends, news, strict=True):
                end.add_incoming(zero, before)
                end.add_incoming(new, loop)
            for i in range(_ROWS * columns):
                total = ends[i] if parts == 1 else builder.fadd(ends[i], ends[_ROWS * columns + i])
                if vector != wide:
                    total = builder.fpext(total, wide)
                row = builder.mul(builder.add(a, number(i // columns)), target_width)
                place = pointer(
                    target.data, builder.add(builder.add(row, b), number(lanes * (i % columns))), wide
                )
                builder.store(builder.fadd(builder.load(place, align=8), total), place, align=8)
            return context.get_dummy_value()

        return types.void(block, types.intp, types.intp, types.intp, G), codegen

    return tile


_tile1, _tile2, _tile3 = _make_tile(1), _make_tile(2), _make_tile(3)


@jit
def add_gram(block, n, lanes, G):
    """Add the Gram matrix of the first n lines (even: pad with zeros) to the upper triangle of G, float64."""
    K = block.shape[1]
    for a in range(0, K, 4):
        b = a // lanes * lanes
        while K - b >= 3 * lanes:
            _tile3(block, n, a, b, G)
            b += 3 * lanes
        if K - b == 2 * lanes:
            _tile2(block, n, a, b, G)
        elif K - b == lanes:
            _tile1(block, n, a, b, G)


@jit(fastmath=_SUM)
def cholesky(G, k, diagonal):
    """Factor the leading k x k of G = R^T R in place, upper, with 1 / r_jj on the diagonal.

    Columns k, k + 1, ... up to a multiple of 4 are carried along: right-hand sides become R^{-T} b. A pivot lost
    to rounding gives a coordinate that stays 0. What is below the diagonal is not kept; `diagonal` is scratch.
    """
    K = G.shape[1]
    for j in range(k):
        diagonal[j] = G[j, j]
    for j in range(k):
        first, pivot = j // 4 * 4, G[j, j]
        inverse = 1.0 / np.sqrt(pivot) if pivot > 4e-16 * diagonal[j] else 0.0
        scaled_copy(inverse, G, j, first, G, j, first, K - first)
        G[j, j] = inverse
        for i in range(j + 1, k):
            first = i // 4 * 4
            axpy(-G[j, i], G, j, first, G, i, first, K - first)


@jit(fastmath=_SUM)
def back_substitute(G, k, x):
    """Solve R x = z for the z in column k of what `cholesky` left; x is (1, K), and 0 from k on."""
    K = G.shape[1]
    x[0, :k] = 0.0
    for j in range(k - 1, -1, -1):
        first = j // 4 * 4
        x[0, j] = (G[j, k] - dot(G, j, first, x, 0, first, K - first)) * G[j, j]


@jit
def packed_size(k):
    """Return how many numbers a packed factor has: row j from its vector of 4 on."""
    q = (k + 3) // 4
    full = 8 * q * (q + 1)
    return full - (4 * q - k) * 4


@jit
def pack(G, k, kept, i):
    """Write the factor to kept[i]: row j starts at the multiple of 4 at or below j; the rest of its vectors is 0."""
    at, K = 0, (k + 3) // 4 * 4
    for j in range(k):
        first = j // 4 * 4
        for c in range(first, j):
            kept[i, at + c - first] = 0.0
        for c in range(j, k):
            kept[i, at + c - first] = G[j, c]
        for c in range(k, K):
            kept[i, at + c - first] = 0.0
        at += K - first


@jit(fastmath=_SUM)
def solve_packed(kept, i, k, x):
    """Solve R^T R x = b in place, in x[0], which has zeros from k to the next multiple of 4."""
    K = (k + 3) // 4 * 4
    at = 0
    for j in range(k):
        first = j // 4 * 4
        s = x[0, j] * kept[i, at + j - first]
        axpy(-s, kept, i, at, x, 0, first, K - first)
        x[0, j] = s
        at += K - first
    for j in range(k - 1, -1, -1):
        first = j // 4 * 4
        at -= K - first
        s, x[0, j] = x[0, j], 0.0
        x[0, j] = (s - dot(kept, i, at, x, 0, first, K - first)) * kept[i, at + j - first]
