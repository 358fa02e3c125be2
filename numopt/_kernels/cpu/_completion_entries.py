"""Loops over the entries of a row that keep its vectors, and the sum that they make, in registers.

The loops of `_completion_rows` are for rows of any length: for each four entries they read what belongs to the row
again, and its sum comes from memory and goes back. Here is a loop for each number of vectors.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numopt._kernels.cpu._completion_rows import (
    FUSED,
    four,
    load,
    number,
    prefetch,
    row_at,
    shuffled,
    store,
    sums_of,
    vector_of,
)

_MOST = 8  # vectors of a row
_AHEAD = 16  # entries


def _each_length(builder, count, start, body):
    """Return what ``body(vectors)`` returns for as many vectors as `count` says, `start` if they are too many."""
    done = builder.append_basic_block("entries.done")
    chosen, found = builder.switch(count, done), [(start, builder.block)]
    for vectors in range(1, _MOST + 1):
        block = builder.append_basic_block(f"entries.{vectors}")
        chosen.add_case(number(vectors), block)
        builder.position_at_end(block)
        found.append((body(vectors), builder.block))
        builder.branch(done)
    builder.position_at_end(done)
    result = builder.phi(start.type)
    for pair in found:
        result.add_incoming(*pair)
    return result


def _fours(builder, first, end, idx, bound, body, start):
    """Run ``body(e, carried) -> carried`` for four entries at a time from e = first on.

    All are before `end`, and with an index below the bound. Return (where that stopped, what is carried last).
    """
    before, blocks = builder.block, [builder.append_basic_block(name) for name in ("four", "below", "body", "ended")]
    builder.branch(blocks[0])
    builder.position_at_end(blocks[0])
    e = builder.phi(first.type)
    carried = [builder.phi(x.type) for x in start]
    builder.cbranch(builder.icmp_signed(">=", builder.sub(end, e), number(4)), blocks[1], blocks[3])
    builder.position_at_end(blocks[1])
    farthest = builder.load(builder.gep(idx, [builder.add(e, number(3))]))
    builder.cbranch(builder.icmp_unsigned("<", farthest, bound), blocks[2], blocks[3])
    builder.position_at_end(blocks[2])
    new = body(e, list(carried))
    for phi, old, later in zip((e, *carried), (first, *start), (builder.add(e, number(4)), *new), strict=True):
        phi.add_incoming(old, before)
        phi.add_incoming(later, builder.block)
    builder.branch(blocks[0])
    builder.position_at_end(blocks[3])
    return e, carried


def _dot(builder, own, place, offsets, vector):
    """Return a vector of 4 whose sum is the product of the vectors `own` and those from a place on."""
    total = ir.Constant(vector, [0.0] * vector.count)
    for x, at in zip(own, offsets, strict=True):
        total = builder.fadd(total, builder.fmul(x, load(builder, place, at, vector), flags=FUSED), flags=FUSED)
    return four(builder, total)


def _times(builder, s, given, w, e):
    """Return s, times the four weights from e on if they are given."""
    before = builder.block
    with builder.if_then(given):
        weighted, inside = builder.fmul(s, load(builder, w, e, s.type)), builder.block
    result = builder.phi(s.type)
    result.add_incoming(s, before)
    result.add_incoming(weighted, inside)
    return result


def _coupling(both):
    """Return an intrinsic that adds up the entries of a row for a pass of the Schur complement."""

    @intrinsic
    def coupled(typingctx, own, i, other, idx, e, end, bound, last, w, n, t, row):
        """Add sum_j w s_j o_j[:n] to t[row] over entries from e on with j below the bound, four at a time.

        s_j = o_j[n:2 n].own_i[:n], or o_j[:2 n].own_i if `both`. Before the entry `last` rows are fetched ahead.
        Returns where it stopped: at once if a row has too many vectors.
        """

        def codegen(context, builder, signature, args):
            kinds, vector = signature.args, vector_of(context, signature.args[0])
            own, i, other, idx, e, end, bound, last, w, n, t, row = args
            x = row_at(context, builder, kinds[0], own, i, number(0))
            y = row_at(context, builder, kinds[10], t, row, number(0))
            idx = context.make_array(kinds[3])(context, builder, idx).data
            w = context.make_array(kinds[8])(context, builder, w)
            given = builder.icmp_signed(">", cgutils.unpack_tuple(builder, w.shape)[0], number(0))

            def line(e, q):
                j = builder.load(builder.gep(idx, [builder.add(e, number(q))]))
                return row_at(context, builder, kinds[2], other, builder.zext(j, e.type), number(0))

            def fetched(e, offsets):
                with builder.if_then(builder.icmp_signed("<", e, last)):
                    far = builder.load(builder.gep(idx, [builder.add(e, number(_AHEAD + 3))]))
                    with builder.if_then(builder.icmp_unsigned("<", far, bound)):
                        for q in range(_AHEAD, _AHEAD + 4):
                            for at in offsets[::2]:  # two vectors fill a line of the cache
                                prefetch(builder, builder.gep(line(e, q), [at]))

            def loop(vectors):
                offsets = [number(q * vector.count) for q in range(2 * vectors)]
                dotted = offsets if both else offsets[vectors:]
                mine = [load(builder, x, at, vector) for at in offsets[: len(dotted)]]

                def body(e, sums):
                    fetched(e, offsets)
                    places = [line(e, q) for q in range(4)]
                    s = sums_of(builder, [_dot(builder, mine, place, dotted, vector) for place in places])
                    s = _times(builder, s, given, w.data, e)
                    for q, place in enumerate(places):
                        scale = shuffled(builder, s, s, [q] * vector.count)
                        for c, total in enumerate(sums):
                            product = builder.fmul(scale, load(builder, place, offsets[c], vector), flags=FUSED)
                            sums[c] = builder.fadd(total, product, flags=FUSED)
                    return sums

                start = [load(builder, y, at, vector) for at in offsets[:vectors]]
                stopped, sums = _fours(builder, e, end, idx, bound, body, start)
                for at, total in zip(offsets, sums, strict=False):
                    store(builder, total, y, at)
                return stopped

            return _each_length(builder, builder.sdiv(n, number(vector.count)), e, loop)

        i64 = types.intp
        given = own, i64, other, idx, i64, i64, types.uint32, i64, w, i64, t, i64
        return types.intp(*given), codegen

    return coupled


coupled_rows, coupled_columns = _coupling(False), _coupling(True)
