"""Gram matrices of gathered rows in vector registers, and their Cholesky factors.

A block holds one observed row a line, sqrt(w) v_j, padded to whole vectors. Its Gram matrix is summed in tiles that
stay in registers; so are the products of Cholesky's method, by the same code.
"""

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numopt._kernels.cpu._completion_rows import dot, eliminate, prefetch
from numopt._kernels.cpu._jit import jit

_FUSED = ("contract",)
_SUM = {"contract", "reassoc", "nsz"}
_CACHED = 16384  # bytes of a block that stay in the first-level cache while all tiles pass over it
# A group is what rows are padded to: a vector of AVX2. AVX-512 takes two at once, but only if told: for Intel's
# processors LLVM prefers half of a vector.
_AT_ONCE = 2 if get_host_cpu_features().get("avx512f") else 1
_AHEAD = 16  # lines: by the time they are wanted they have come
_WIDEST = 3 * _AT_ONCE  # groups of a tile


def _make_tiles(rows, minus=False, upright=True, gathered=False, ahead=0):
    """Return G[at:at+rows, b:end] += left[:n, a:a+rows]^T right[:n, b:end] (or -=) as an intrinsic.

    From b to end are whole groups. Not `upright`, the left block is left[a:a+rows, :n] as it lies. `gathered`, line e
    of the right block is row picked[first + e], and so it is of the left block if there are several rows; the one so
    many lines `ahead` is brought to the cache meanwhile, up to picked[last].

    A tile of 4 rows by 3 vectors needs 12 accumulators, 3 vectors and a broadcast: the 16 registers of AVX2; AVX-512
    has twice as many, for 8 rows. LLVM's loop vectoriser keeps the tile in memory instead and is 3 to 5 times slower.
    """

    def codegen(context, builder, signature, args):
        kinds = signature.args
        if gathered:
            picked, (first, last) = context.make_array(kinds[0])(context, builder, args[0]).data, args[1:3]
            kinds, args = kinds[3:], args[3:]
        element = context.get_data_type(kinds[0].dtype)
        group = 4 if element == ir.DoubleType() else 8
        arrays = [context.make_array(kinds[q])(context, builder, args[q]) for q in (0, 1, 6)]
        one, two, target = (array.data for array in arrays)
        widths = [cgutils.unpack_tuple(builder, array.shape)[1] for array in arrays]
        n, a, b, end, at = args[2], args[3], args[4], args[5], args[7]

        def number(value):
            return ir.Constant(n.type, value)

        def pointer(base, offset, kind):
            return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())

        def broadcast(x, lanes):
            vector = ir.VectorType(element, lanes)
            alone = builder.insert_element(ir.Constant(vector, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
            everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            return builder.shuffle_vector(alone, ir.Constant(vector, ir.Undefined), everywhere)

        def picked_row(e):
            return builder.zext(builder.load(builder.gep(picked, [e])), n.type)

        def fetch(e, b, size):
            """Ask for the columns from b on of a row to come."""
            e = builder.select(builder.icmp_signed("<", e, last), e, last)
            start, line = builder.add(builder.mul(picked_row(e), widths[1]), b), 8 if element == ir.DoubleType() else 16
            for place in range(0, size, line):
                prefetch(builder, builder.gep(two, [builder.add(start, number(place))]))

        def tile(b, groups):
            """Do the columns from b on, so many groups."""
            sizes = [_AT_ONCE * group] * (groups // _AT_ONCE) + [group] * (groups % _AT_ONCE)
            places = [sum(sizes[:q]) for q in range(len(sizes))]
            vectors = [ir.VectorType(element, size) for size in sizes]
            count = rows * len(sizes)
            parts = 2 if count < 8 else 1  # enough independent sums to hide the latency
            before = builder.block
            loop, done = builder.append_basic_block("tile"), builder.append_basic_block("tile.done")
            builder.cbranch(builder.icmp_signed(">", n, number(0)), loop, done)
            builder.position_at_end(loop)
            line = builder.phi(n.type)
            line.add_incoming(number(0), before)
            sums = [builder.phi(vector) for _ in range(parts * rows) for vector in vectors]
            news = []
            for part in range(parts):
                here = behind = builder.add(line, number(part))
                if gathered:
                    e = builder.add(first, here)
                    behind = picked_row(e)
                    if ahead:
                        fetch(builder.add(e, number(ahead)), b, groups * group)
                    here = behind if rows > 1 else here
                start = builder.add(builder.mul(behind, widths[1]), b)
                across = [
                    builder.load(pointer(two, builder.add(start, number(place)), vector), align=4)
                    for place, vector in zip(places, vectors, strict=True)
                ]
                for r in range(rows):
                    place = (here, builder.add(a, number(r))) if upright else (builder.add(a, number(r)), here)
                    start = builder.add(builder.mul(place[0], widths[0]), place[1])
                    x = builder.load(builder.gep(one, [start]))
                    for y, size in zip(across, sizes, strict=True):
                        product = builder.fmul(broadcast(x, size), y, flags=_FUSED)
                        news.append(builder.fadd(sums[len(news)], product, flags=_FUSED))
            following = builder.add(line, number(parts))
            line.add_incoming(following, loop)
            zeros = [ir.Constant(total.type, [0.0] * total.type.count) for total in sums]
            for old, zero, new in zip(sums, zeros, news, strict=True):
                old.add_incoming(zero, before)
                old.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", following, n), loop, done)
            builder.position_at_end(done)
            ends = [builder.phi(new.type) for new in news]
            for total, zero, new in zip(ends, zeros, news, strict=True):
                total.add_incoming(zero, before)
                total.add_incoming(new, loop)
            for i in range(count):
                total = ends[i] if parts == 1 else builder.fadd(ends[i], ends[count + i])
                wide = ir.VectorType(ir.DoubleType(), total.type.count)
                if total.type != wide:
                    total = builder.fpext(total, wide)
                row = builder.mul(builder.add(at, number(i // len(sizes))), widths[2])
                column = builder.add(b, number(places[i % len(sizes)]))
                place = pointer(target, builder.add(row, column), wide)
                old = builder.load(place, align=8)
                builder.store(builder.fsub(old, total) if minus else builder.fadd(old, total), place, align=8)

        before, size = builder.block, number(_WIDEST * group)
        head, body, rest, done = map(builder.append_basic_block, ("tiles", "tiles.widest", "tiles.rest", "tiles.done"))
        builder.branch(head)
        builder.position_at_end(head)
        start = builder.phi(n.type)
        start.add_incoming(b, before)
        following = builder.add(start, size)
        builder.cbranch(builder.icmp_signed("<=", following, end), body, rest)
        builder.position_at_end(body)
        tile(start, _WIDEST)
        start.add_incoming(following, builder.block)
        builder.branch(head)
        builder.position_at_end(rest)
        which = builder.switch(builder.sub(end, start), done)
        for groups in range(1, _WIDEST):
            block = builder.append_basic_block("tiles.narrow")
            which.add_case(number(groups * group), block)
            builder.position_at_end(block)
            tile(start, groups)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    i64 = types.intp
    if gathered:

        @intrinsic
        def tiles(typingctx, picked, first, last, left, right, n, a, b, end, G, at):
            return types.void(picked, i64, i64, left, right, i64, i64, i64, i64, G, i64), codegen

    else:

        @intrinsic
        def tiles(typingctx, left, right, n, a, b, end, G, at):
            return types.void(left, right, i64, i64, i64, i64, G, i64), codegen

    return tiles


_eight, _four, _one = (_make_tiles(rows) for rows in (8, 4, 1))
_eight_picked, _four_picked, _one_picked = (_make_tiles(rows, gathered=True) for rows in (8, 4, 1))
_eight_ahead, _four_ahead = (_make_tiles(rows, gathered=True, ahead=_AHEAD) for rows in (8, 4))
_four_flat = _make_tiles(4, upright=False)
_eight_less, _four_less = (_make_tiles(rows, minus=True) for rows in (8, 4))


@jit
def _paired(rows, width, group):
    """Return whether to take 8 rows: registers hold them, and below the diagonal nothing more is computed than by 4."""
    return _AT_ONCE == 2 and rows > 4 and (group == 8 or width // group % 2 == 0)


@jit
def _group(X):
    """Return how many numbers a group has."""
    return 4 if X.itemsize == 8 else 8


@jit
def lines_cached(width):
    """Return of how many lines of `width` bytes, an even number, a block should be."""
    return max(_CACHED // width, 8) // 2 * 2


@jit
def add_gram(block, n, rows, G):
    """Add the first `rows` rows of the Gram matrix of n lines to the upper triangle of G, float64.

    n is even: pad with zeros; whole groups and 4 rows at a time are computed.
    """
    K, group, a = block.shape[1], _group(block), 0
    while a < rows:
        b = a - a % group
        if _paired(rows - a, K - b, group):
            _eight(block, block, n, a, b, K, G, a)
            a += 8
        else:
            _four(block, block, n, a, b, K, G, a)
            a += 4


@jit
def take_upper(left, right, n, first, end, G):
    """Subtract left[:n]^T right[:n] from rows `first` to end of G, from the diagonal or a little before it on; float64.

    n is even, all three have whole groups; rows beyond `end` are reached, up to 7.
    """
    K, a = G.shape[1], first
    while a < end:
        b = a - a % 4
        if _paired(end - a, K - b, 4):
            _eight_less(left, right, n, a, b, K, G, a)
            a += 8
        else:
            _four_less(left, right, n, a, b, K, G, a)
            a += 4


@jit
def add_gathered(values, V, picked, first, last, n, rows, G, total):
    """Do what `add_gram` and `add_products` do for the rows picked[first:first+n] of V, where they lie.

    The first tiles fetch rows to come, up to picked[last], while they compute.
    """
    K, group, a = V.shape[1], _group(V), 0
    if _paired(rows, K, group):
        _eight_ahead(picked, first, last, V, V, n, 0, 0, K, G, 0)
        a = 8
    else:
        _four_ahead(picked, first, last, V, V, n, 0, 0, K, G, 0)
        a = 4
    while a < rows:
        b = a - a % group
        if _paired(rows - a, K - b, group):
            _eight_picked(picked, first, last, V, V, n, a, b, K, G, a)
            a += 8
        else:
            _four_picked(picked, first, last, V, V, n, a, b, K, G, a)
            a += 4
    _one_picked(picked, first, last, values, V, n, 0, 0, K, total, 0)


@jit
def add_block(left, right, n, G):
    """Add left[:n]^T right[:n] to G, float64; n is even.

    Rows of both may be shorter than whole groups, if what lies behind them can be read: G then has whole groups and
    4 rows at a time, and nonsense in what is beyond.
    """
    for a in range(0, G.shape[0], 4):
        _four(left, right, n, a, 0, G.shape[1], G, a)


@jit
def add_four(left, i, right, n, total):
    """Add left[i:i+4, :n] right[:n] to total, float64; n is even, right has whole groups."""
    _four_flat(left, right, n, i, 0, total.shape[1], total, 0)


@jit
def add_products(values, block, n, total):
    """Add values[:n, 0]^T block[:n] to total[0], float64; n is even."""
    _one(values, block, n, 0, 0, block.shape[1], total, 0)


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
        _four_less(G, G, a, a, a, K, G, a)
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
