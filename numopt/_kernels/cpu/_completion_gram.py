"""Gram matrices of gathered rows in vector registers, and their Cholesky factors.

A block holds one observed row a line, sqrt(w) v_j, padded to whole vectors. Its Gram matrix is summed in tiles that
stay in registers; so are the products of Cholesky's method, by the same code.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numopt._kernels.cpu._completion_rows import dot, eliminate
from numopt._kernels.cpu._jit import jit

_FUSED = ("contract",)
_SUM = {"contract", "reassoc", "nsz"}
_CACHED = 16384  # bytes of a block that stay in the first-level cache while all tiles pass over it


def _make_tile(rows, columns, minus=False, upright=True, gathered=False):
    """Return G[at:at+rows, b:b+columns*lanes] += left[:n, a:a+rows]^T right[:n, b:...] (or -=) as an intrinsic.

    Not `upright`, the left block is left[a:a+rows, :n] as it lies. `gathered`, line e of the right block is row
    picked[first + e], and so it is of the left block if there are several rows.

    A tile of 4 rows by up to 3 vectors needs 12 accumulators, 3 vectors and a broadcast: the 16 registers
    of AVX2. LLVM's loop vectoriser keeps the tile in memory instead and is 3 to 5 times slower.
    """
    parts = 2 if rows * columns < 8 else 1  # enough independent sums to hide the latency

    def codegen(context, builder, signature, args):
        kinds = signature.args
        if gathered:
            picked, first = context.make_array(kinds[0])(context, builder, args[0]).data, args[1]
            kinds, args = kinds[2:], args[2:]
        element = context.get_data_type(kinds[0].dtype)
        lanes = 4 if element == ir.DoubleType() else 8
        vector, wide = ir.VectorType(element, lanes), ir.VectorType(ir.DoubleType(), lanes)
        arrays = [context.make_array(kinds[q])(context, builder, args[q]) for q in (0, 1, 5)]
        one, two, target = (array.data for array in arrays)
        widths = [cgutils.unpack_tuple(builder, array.shape)[1] for array in arrays]
        n, a, b, at = args[2], args[3], args[4], args[6]

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
        sums = [builder.phi(vector) for _ in range(parts * rows * columns)]
        news = []
        for part in range(parts):
            here = behind = builder.add(line, number(part))
            if gathered:
                behind = builder.zext(builder.load(builder.gep(picked, [builder.add(first, here)])), n.type)
                here = behind if rows > 1 else here
            start = builder.add(builder.mul(behind, widths[1]), b)
            across = [
                builder.load(pointer(two, builder.add(start, number(lanes * q)), vector), align=4)
                for q in range(columns)
            ]
            for r in range(rows):
                place = (here, builder.add(a, number(r))) if upright else (builder.add(a, number(r)), here)
                start = builder.add(builder.mul(place[0], widths[0]), place[1])
                x = broadcast(builder.load(builder.gep(one, [start])))
                for q in range(columns):
                    product = builder.fmul(x, across[q], flags=_FUSED)
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
        for i in range(rows * columns):
            total = ends[i] if parts == 1 else builder.fadd(ends[i], ends[rows * columns + i])
            if vector != wide:
                total = builder.fpext(total, wide)
            row = builder.mul(builder.add(at, number(i // columns)), widths[2])
            place = pointer(
                target, builder.add(builder.add(row, b), number(lanes * (i % columns))), wide
            )
            old = builder.load(place, align=8)
            builder.store(builder.fsub(old, total) if minus else builder.fadd(old, total), place, align=8)
        return context.get_dummy_value()

    i64 = types.intp
    if gathered:

        @intrinsic
        def tile(typingctx, picked, first, left, right, n, a, b, G, at):
            return types.void(picked, i64, left, right, i64, i64, i64, G, i64), codegen

    else:

        @intrinsic
        def tile(typingctx, left, right, n, a, b, G, at):
            return types.void(left, right, i64, i64, i64, G, i64), codegen

    return tile


_tile1, _tile2, _tile3 = (_make_tile(4, columns) for columns in (1, 2, 3))
_line1, _line2, _line3 = (_make_tile(1, columns) for columns in (1, 2, 3))
_flat1, _flat2, _flat3 = (_make_tile(4, columns, upright=False) for columns in (1, 2, 3))
_pick1, _pick2, _pick3 = (_make_tile(4, columns, gathered=True) for columns in (1, 2, 3))
_along1, _along2, _along3 = (_make_tile(1, columns, gathered=True) for columns in (1, 2, 3))
_less1, _less2, _less3 = (_make_tile(4, columns, minus=True) for columns in (1, 2, 3))


@jit
def lines_cached(width):
    """Return of how many lines of `width` bytes, an even number, a block should be."""
    return max(_CACHED // width, 8) // 2 * 2


@jit
def add_gram(block, n, lanes, rows, G):
    """Add the first `rows` rows of the Gram matrix of n lines to the upper triangle of G, float64.

    n is even: pad with zeros; whole vectors and groups of 4 rows are computed.
    """
    K = block.shape[1]
    for a in range(0, rows, 4):
        b = a // lanes * lanes
        while K - b >= 3 * lanes:
            _tile3(block, block, n, a, b, G, a)
            b += 3 * lanes
        if K - b == 2 * lanes:
            _tile2(block, block, n, a, b, G, a)
        elif K - b == lanes:
            _tile1(block, block, n, a, b, G, a)


@jit
def add_gathered(values, V, picked, first, n, lanes, rows, G, total):
    """Do what `add_gram` and `add_products` do for the rows picked[first:first+n] of V, where they lie."""
    K = V.shape[1]
    for a in range(0, rows, 4):
        b = a // lanes * lanes
        while K - b >= 3 * lanes:
            _pick3(picked, first, V, V, n, a, b, G, a)
            b += 3 * lanes
        if K - b == 2 * lanes:
            _pick2(picked, first, V, V, n, a, b, G, a)
        elif K - b == lanes:
            _pick1(picked, first, V, V, n, a, b, G, a)
    b = 0
    while K - b >= 3 * lanes:
        _along3(picked, first, values, V, n, 0, b, total, 0)
        b += 3 * lanes
    if K - b == 2 * lanes:
        _along2(picked, first, values, V, n, 0, b, total, 0)
    elif K - b == lanes:
        _along1(picked, first, values, V, n, 0, b, total, 0)


@jit
def add_block(left, right, n, lanes, G):
    """Add left[:n]^T right[:n] to G, float64; n is even.

    Rows of both may be shorter than whole vectors, if what lies behind them can be read: G then has whole vectors and
    groups of 4 rows, and nonsense in what is beyond.
    """
    for a in range(0, G.shape[0], 4):
        b = 0
        while G.shape[1] - b >= 3 * lanes:
            _tile3(left, right, n, a, b, G, a)
            b += 3 * lanes
        if G.shape[1] - b == 2 * lanes:
            _tile2(left, right, n, a, b, G, a)
        elif G.shape[1] - b == lanes:
            _tile1(left, right, n, a, b, G, a)


@jit
def add_four(left, i, right, n, lanes, total):
    """Add left[i:i+4, :n] right[:n] to total, float64; n is even, right has whole vectors."""
    b = 0
    while total.shape[1] - b >= 3 * lanes:
        _flat3(left, right, n, i, b, total, 0)
        b += 3 * lanes
    if total.shape[1] - b == 2 * lanes:
        _flat2(left, right, n, i, b, total, 0)
    elif total.shape[1] - b == lanes:
        _flat1(left, right, n, i, b, total, 0)


@jit
def add_products(values, block, n, lanes, total):
    """Add values[:n, 0]^T block[:n] to total[0], float64; n is even."""
    K, b = block.shape[1], 0
    while K - b >= 3 * lanes:
        _line3(values, block, n, 0, b, total, 0)
        b += 3 * lanes
    if K - b == 2 * lanes:
        _line2(values, block, n, 0, b, total, 0)
    elif K - b == lanes:
        _line1(values, block, n, 0, b, total, 0)


@jit(fastmath=_SUM)
def cholesky(G, k, first):
    """Factor the leading k x k of G = R^T R in place, upper, with 1 / r_jj on the diagonal.

    All columns up to the width of G, a multiple of 4, are carried along: right-hand sides become R^{-T} b. There are
    at least k rows, rounded up to 4; those from k on become 0. A pivot lost to rounding gives a coordinate that is 0.
    Columns from `first` on hold an identity, which becomes R^{-T}, triangular like itself.
    """
    for a in range(0, k, 4):
        K = min(G.shape[1], first + a + 4)
        s0, s1, s2, s3 = G[a, a], G[a + 1, a + 1], G[a + 2, a + 2], G[a + 3, a + 3]
        b = a
        while K - b >= 12:
            _less3(G, G, a, a, b, G, a)
            b += 12
        if K - b == 8:
            _less2(G, G, a, a, b, G, a)
        elif K - b == 4:
            _less1(G, G, a, a, b, G, a)
        d0 = _inverse_root(G[a, a], s0, True)
        r01, r02, r03 = G[a, a + 1] * d0, G[a, a + 2] * d0, G[a, a + 3] * d0
        d1 = _inverse_root(G[a + 1, a + 1] - r01 * r01, s1, a + 1 < k)
        r12, r13 = (G[a + 1, a + 2] - r01 * r02) * d1, (G[a + 1, a + 3] - r01 * r03) * d1
        d2 = _inverse_root(G[a + 2, a + 2] - r02 * r02 - r12 * r12, s2, a + 2 < k)
        r23 = (G[a + 2, a + 3] - r02 * r03 - r12 * r13) * d2
        d3 = _inverse_root(G[a + 3, a + 3] - r03 * r03 - r13 * r13 - r23 * r23, s3, a + 3 < k)
        # The 4 rows over all columns; the diagonal block comes out as above, then its diagonal is set.
        eliminate(G, a, K - a, d0, r01, d1, r02, r12, d2, r03, r13, r23, d3)
        G[a, a], G[a + 1, a + 1], G[a + 2, a + 2], G[a + 3, a + 3] = d0, d1, d2, d3


@jit
def _inverse_root(pivot, before, wanted):
    """Return 1 / sqrt(pivot), or 0 for one of which rounding left nothing."""
    return 1.0 / np.sqrt(pivot) if wanted and pivot > 4e-16 * before else 0.0


@jit(fastmath=_SUM)
def back_substitute(G, k, column, x):
    """Solve R x = z for the z in a column of what `cholesky` left; x[0] gets zeros up to a multiple of 4."""
    K = (k + 3) // 4 * 4
    for a in range(K - 4, -1, -4):
        t0, t1, t2, t3 = G[a, column], G[a + 1, column], G[a + 2, column], G[a + 3, column]
        b = a + 4
        if b < K:
            t0 -= dot(G, a, b, x, 0, b, K - b)
            t1 -= dot(G, a + 1, b, x, 0, b, K - b)
            t2 -= dot(G, a + 2, b, x, 0, b, K - b)
            t3 -= dot(G, a + 3, b, x, 0, b, K - b)
        x3 = t3 * G[a + 3, a + 3]
        x2 = (t2 - G[a + 2, a + 3] * x3) * G[a + 2, a + 2]
        x1 = (t1 - G[a + 1, a + 2] * x2 - G[a + 1, a + 3] * x3) * G[a + 1, a + 1]
        x0 = (t0 - G[a, a + 1] * x1 - G[a, a + 2] * x2 - G[a, a + 3] * x3) * G[a, a]
        x[0, a], x[0, a + 1], x[0, a + 2], x[0, a + 3] = x0, x1, x2, x3
