"""Cholesky's method for eight small systems at once, one in each lane of a vector.

A system of ten unknowns alone is a chain of roots and short sums, each waiting for the one before: 2000 cycles, of
which a tenth is arithmetic. Eight of them wait no longer than one. S[a, b] holds the entry (a, b) of all eight.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numopt._kernels.cpu._jit import jit

MOST = 20  # unknowns up to which it pays: a larger S leaves the first-level cache
LANES = 8
_FUSED = ("contract",)
_LOST = 4e-16  # of a pivot, what is left of it by rounding alone
# What is kept of the rows of a diagonal block: half of the diagonal, and what lies behind it; of other blocks all.
_KEPT = np.array([[0.5, 1, 1, 1], [0, 0.5, 1, 1], [0, 0, 0.5, 1], [0, 0, 0, 0.5], [1, 1, 1, 1]])

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


def _number(value):
    return ir.Constant(ir.IntType(64), value)


def _slot(context, builder, kind, array, *place):
    """Return a pointer to the vector at a place of an array whose last axis is the lane."""
    array, at = context.make_array(kind)(context, builder, array), _number(0)
    for size, index in zip(cgutils.unpack_tuple(builder, array.shape), place, strict=False):
        at = builder.add(builder.mul(at, size), index)
    return builder.bitcast(builder.gep(array.data, [builder.mul(at, _number(LANES))]), _VECTOR.as_pointer())


def _next(builder, pointer, count=1):
    return builder.gep(pointer, [_number(count)])


def _load(builder, pointer):
    return builder.load(pointer, align=8)


def _sum(context, builder, kind, S, lo, hi, i, j, start, minus):
    """Return start[q] + (or -) the sums of S[a, i] S[a, j + q] over lo <= a < hi, for each vector in `start`."""
    before = builder.block
    loop, done = builder.append_basic_block("sum"), builder.append_basic_block("sum.done")
    builder.cbranch(builder.icmp_signed("<", lo, hi), loop, done)
    builder.position_at_end(loop)
    a = builder.phi(_number(0).type)
    a.add_incoming(lo, before)
    sums = [builder.phi(_VECTOR) for _ in start]
    x = _load(builder, _slot(context, builder, kind, S, a, i))
    x = builder.fsub(ir.Constant(_VECTOR, [-0.0] * LANES), x) if minus else x
    row, new = _slot(context, builder, kind, S, a, j), []
    for q, total in enumerate(sums):
        product = builder.fmul(x, _load(builder, _next(builder, row, q)), flags=_FUSED)
        new.append(builder.fadd(total, product, flags=_FUSED))
    following = builder.add(a, _number(1))
    a.add_incoming(following, loop)
    for phi, first, later in zip(sums, start, new, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, loop)
    builder.cbranch(builder.icmp_signed("<", following, hi), loop, done)
    builder.position_at_end(done)
    ends = [builder.phi(_VECTOR) for _ in start]
    for end, first, later in zip(ends, start, new, strict=True):
        end.add_incoming(first, before)
        end.add_incoming(later, loop)
    return ends


def _reduction(scaled):
    """Return S[i, j:j+4] -= sum of S[a, i] S[a, j:j+4] over a < i, then times S[i, i] if `scaled`, as an intrinsic."""

    def codegen(context, builder, signature, args):
        kind, (S, i, j) = signature.args[0], args
        target = _slot(context, builder, kind, S, i, j)
        start = [_load(builder, _next(builder, target, q)) for q in range(4)]
        found = _sum(context, builder, kind, S, _number(0), i, i, j, start, True)
        if scaled:
            d = _load(builder, _slot(context, builder, kind, S, i, i))
            found = [builder.fmul(x, d) for x in found]
        for q, x in enumerate(found):
            builder.store(x, _next(builder, target, q), align=8)
        return context.get_dummy_value()

    @intrinsic
    def reduction(typingctx, S, i, j):
        return types.void(S, types.intp, types.intp), codegen

    return reduction


_reduce, _reduce_scaled = _reduction(False), _reduction(True)


@intrinsic
def _invert_pivot(typingctx, S, i, before):
    """Replace S[i, i] by the inverse of its root, or by 0 where rounding left nothing of before[i]; scale its block."""

    def codegen(context, builder, signature, args):
        kind, (S, i, before) = signature.args[0], args
        place = _slot(context, builder, kind, S, i, i)
        pivot, old = _load(builder, place), _load(builder, _slot(context, builder, signature.args[2], before, i))
        name, kind_of_root = f"llvm.sqrt.v{LANES}f64", ir.FunctionType(_VECTOR, [_VECTOR])
        root = builder.call(cgutils.get_or_insert_function(builder.module, kind_of_root, name), [pivot])
        d = builder.fdiv(ir.Constant(_VECTOR, [1.0] * LANES), root)
        left = builder.fcmp_ordered(">", pivot, builder.fmul(old, ir.Constant(_VECTOR, [_LOST] * LANES)))
        d = builder.select(left, d, ir.Constant(_VECTOR, [0.0] * LANES))
        first = builder.mul(builder.sdiv(i, _number(4)), _number(4))
        target = _slot(context, builder, kind, S, i, first)
        for q in range(4):
            here = _next(builder, target, q)
            builder.store(builder.fmul(_load(builder, here), d), here, align=8)
        builder.store(d, place, align=8)
        return context.get_dummy_value()

    return types.void(S, types.intp, before), codegen


@intrinsic
def _back(typingctx, S, a, k, x):
    """Write x[a] = (S[a, k] - sum of S[a, b] x[b] over a < b < k) S[a, a]."""

    def codegen(context, builder, signature, args):
        (kind, _, _, other), (S, a, k, x) = signature.args, args
        total = _load(builder, _slot(context, builder, kind, S, a, k))
        before = builder.block
        loop, done = builder.append_basic_block("back"), builder.append_basic_block("back.done")
        first = builder.add(a, _number(1))
        builder.cbranch(builder.icmp_signed("<", first, k), loop, done)
        builder.position_at_end(loop)
        b, sum_ = builder.phi(k.type), builder.phi(_VECTOR)
        r, known = (_load(builder, _slot(context, builder, *place)) for place in ((kind, S, a, b), (other, x, b)))
        new = builder.fsub(sum_, builder.fmul(r, known, flags=_FUSED), flags=_FUSED)
        following = builder.add(b, _number(1))
        for phi, start, later in ((b, first, following), (sum_, total, new)):
            phi.add_incoming(start, before)
            phi.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed("<", following, k), loop, done)
        builder.position_at_end(done)
        end = builder.phi(_VECTOR)
        end.add_incoming(total, before)
        end.add_incoming(new, loop)
        d = _load(builder, _slot(context, builder, kind, S, a, a))
        builder.store(builder.fmul(end, d), _slot(context, builder, other, x, a), align=8)
        return context.get_dummy_value()

    return types.void(S, types.intp, types.intp, x), codegen


@intrinsic
def _inverse_block(typingctx, S, k, first, p, q, masks, mask, kept, i, at):
    """Write the sums of X[a, p] X[a, q:q+4] over q <= a < k, X = S[:, first:], to kept[i + lane, at:at+4], masked."""

    def codegen(context, builder, signature, args):
        kinds, (S, k, first, p, q, masks, mask, kept, i, at) = signature.args, args
        zero = [ir.Constant(_VECTOR, [0.0] * LANES)] * 4
        columns = [builder.add(first, x) for x in (p, q)]
        sums = _sum(context, builder, kinds[0], S, q, k, *columns, zero, False)

        def mixed(x, y, lanes):
            return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), 4), lanes))

        lines = []
        for lane in range(0, LANES, 4):
            low, high = (
                [mixed(sums[c], sums[c + 1], [x, LANES + x, x + 2, LANES + x + 2]) for c in (0, 2)]
                for x in (lane, lane + 1)
            )
            lines += [mixed(*pair, lanes) for lanes in ([0, 1, 4, 5], [2, 3, 6, 7]) for pair in (low, high)]
        of_four = context.make_array(kinds[5])(context, builder, masks)
        place = builder.gep(of_four.data, [builder.mul(mask, _number(4))])
        factor = _load(builder, builder.bitcast(place, lines[0].type.as_pointer()))
        array, stored = context.make_array(kinds[7])(context, builder, kept), lines[0].type
        if kinds[7].dtype == types.float32:
            stored = ir.VectorType(ir.FloatType(), 4)
        width = cgutils.unpack_tuple(builder, array.shape)[1]
        for lane, line in enumerate(lines):
            row = builder.mul(builder.add(i, _number(lane)), width)
            place = builder.bitcast(builder.gep(array.data, [builder.add(row, at)]), stored.as_pointer())
            line = builder.fmul(line, factor)
            builder.store(line if stored == line.type else builder.fptrunc(line, stored), place, align=4)
        return context.get_dummy_value()

    i64 = types.intp
    return types.void(S, i64, i64, i64, i64, masks, i64, kept, i64, i64), codegen


@jit
def width_of(k, keep):
    """Return the second size of S: k columns and the right-hand side, then an identity if inverses are wanted."""
    return k // 4 * 4 + 4 + ((k + 3) // 4 * 4 if keep else 0)


@jit
def stack(G, b, k, S, lane):
    """Write the system G x = b[0] to a lane of S."""
    for a in range(k):
        for c in range(a // 4 * 4, k):
            S[a, c, lane] = G[a, c]
        S[a, k, lane] = b[0, a]


@jit
def factor_abreast(S, k, keep, before, x):
    """Solve for the right-hand sides in column k of S; x (k, 8).

    S becomes R, upper, with the inverse of its diagonal on it, and R^{-T} b. If `keep`, R^{-T} follows.
    """
    own = k // 4 * 4 + 4
    for i in range(k):
        for q in range(LANES):
            before[i, q] = S[i, i, q]
        first = i // 4 * 4
        if keep:
            S[i, own : own + first + 4] = 0.0
            S[i, own + i] = 1.0
        _reduce(S, i, first)
        _invert_pivot(S, i, before)
        for j in range(first + 4, own + first + 4 if keep else own, 4):
            _reduce_scaled(S, i, j)
    for a in range(k - 1, -1, -1):
        _back(S, a, k, x)


@jit
def keep_abreast(S, k, kept, i):
    """Write the packed inverses of the systems to kept[i:i+8]; see `_completion_inverse`."""
    own, K, at = k // 4 * 4 + 4, (k + 3) // 4 * 4, 0
    for p in range(K):
        for q in range(p // 4 * 4, K, 4):
            _inverse_block(S, k, own, p, q, _KEPT, p % 4 if q <= p else 4, kept, i, at)
            at += 4
