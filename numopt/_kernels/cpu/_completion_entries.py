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
_LINE = 64  # bytes of the cache


def _each_length(builder, count, start, body):
    """Return what ``body(vectors)`` returns for the number of vectors that `count` is, `start` if there are too many."""
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
    """Run ``body(e, carried) -> carried`` for fours of entries from e = first on, all before `end` and with index below `bound`.

    Return (where that stopped, what is carried last).
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


def _coupling(both):
    """Return an intrinsic that adds up the entries of a row for a pass of the Schur complement."""

    @intrinsic
    def coupled(typingctx, own, i, other, idx, e, end, bound, last, w, n, t, row):
        """Add sum_j w s_j o_j[:n] to t[row] over fours of entries from e on with j below the bound.

        s_j = o_j[n:2 n].own_i[:n], or o_j[:2 n].own_i if `both`. Rows are fetched ahead before the entry `last`. Returns where it
        stopped: at once if a row has too many vectors.
        """

        def codegen(context, builder, signature, args):
            kinds, vector = signature.args, vector_of(context, signature.args[0])
            own, i, other, idx, e, end, bound, last, w, n, t, row = args
            x = row_at(context, builder, kinds[0], own, i, number(0))
            y = row_at(context, builder, kinds[10], t, row, number(0))
            idx = context.make_array(kinds[3])(context, builder, idx).data
            w = context.make_array(kinds[8])(context, builder, w)
            weighted = builder.icmp_signed(">", cgutils.unpack_tuple(builder, w.shape)[0], number(0))

            def loop(vectors):
                places = [number(q * vector.count) for q in range(2 * vectors)]
                mine = [load(builder, x, at, vector) for at in places[: (1 + both) * vectors]]
                others = places if both else places[vectors:]

                def line(e, q):
                    j = builder.load(builder.gep(idx, [builder.add(e, number(q))]))
                    return row_at(context, builder, kinds[2], other, builder.zext(j, e.type), number(0))

                def body(e, sums):
                    with builder.if_then(builder.icmp_signed("<", e, last)):
                        far = builder.load(builder.gep(idx, [builder.add(e, number(_AHEAD + 3))]))
                        with builder.if_then(builder.icmp_unsigned("<", far, bound)):
                            for q in range(_AHEAD, _AHEAD + 4):
                                for at in places[:: _LINE // 32]:
                                    prefetch(builder, builder.gep(line(e, q), [at]))
                    rows, dots = [line(e, q) for q in range(4)], []
                    for place in rows:
                        total = ir.Constant(vector, [0.0] * vector.count)
                        for a, at in zip(mine, others, strict=True):
                            product = builder.fmul(a, load(builder, place, at, vector), flags=FUSED)
                            total = builder.fadd(total, product, flags=FUSED)
                        dots.append(four(builder, total))
                    s = sums_of(builder, dots)
                    unweighted = builder.block
                    with builder.if_then(weighted):
                        s_w = builder.fmul(s, load(builder, w.data, e, s.type))
                        inside = builder.block
                    scales = builder.phi(s.type)
                    scales.add_incoming(s, unweighted)
                    scales.add_incoming(s_w, inside)
                    for q, place in enumerate(rows):
                        scale = shuffled(builder, scales, scales, [q] * vector.count)
                        for c, total in enumerate(sums):
                            product = builder.fmul(scale, load(builder, place, places[c], vector), flags=FUSED)
                            sums[c] = builder.fadd(total, product, flags=FUSED)
                    return sums

                start = [load(builder, y, at, vector) for at in places[:vectors]]
                stopped, sums = _fours(builder, e, end, idx, bound, body, start)
                for at, total in zip(places, sums, strict=False):
                    store(builder, total, y, at)
                return stopped

            return _each_length(builder, builder.sdiv(n, number(vector.count)), e, loop)

        i64 = types.intp
        given = own, i64, other, idx, i64, i64, types.uint32, i64, w, i64, t, i64
        return types.intp(*given), codegen

    return coupled


coupled_rows, coupled_columns = _coupling(False), _coupling(True)
