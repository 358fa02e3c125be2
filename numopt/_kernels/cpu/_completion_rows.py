"""Dot products and sums of short rows in vector registers.

A row has a whole number of vectors of four. Written as loops, they cost a bounds test or a remainder loop for
each entry of the data, which is more than the arithmetic.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 4
_FUSED = ("contract",)
_INDEX = ir.IntType(64)


def _number(value):
    return ir.Constant(_INDEX, value)


def _row(context, builder, kind, array, i, first):
    """Return a pointer to entry `first` of row i of a matrix."""
    array = context.make_array(kind)(context, builder, array)
    width = cgutils.unpack_tuple(builder, array.shape)[1]
    return builder.gep(array.data, [builder.add(builder.mul(i, width), first)])


def _vector(context, kind):
    return ir.VectorType(context.get_data_type(kind.dtype), LANES)


def _load(builder, base, at, vector):
    return builder.load(builder.bitcast(builder.gep(base, [at]), vector.as_pointer()), align=4)


def _store(builder, value, base, at):
    builder.store(value, builder.bitcast(builder.gep(base, [at]), value.type.as_pointer()), align=4)


def _spread(builder, x, vector):
    nothing = ir.Constant(vector, ir.Undefined)
    alone = builder.insert_element(nothing, x, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(alone, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _vectors(builder, n, body, start=()):
    """Run ``body(at, *carried) -> carried`` for at = 0, 4, ... below n > 0; return what is carried last."""
    before = builder.block
    loop, done = builder.append_basic_block("row"), builder.append_basic_block("row.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    at = builder.phi(_INDEX)
    at.add_incoming(_number(0), before)
    carried = [builder.phi(x.type) for x in start]
    new = body(at, *carried)
    following = builder.add(at, _number(LANES))
    at.add_incoming(following, loop)
    for phi, first, later in zip(carried, start, new, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, loop)
    builder.cbranch(builder.icmp_signed("<", following, n), loop, done)
    builder.position_at_end(done)
    return new


@intrinsic
def dot(typingctx, X, i, a, Y, j, b, n):
    """Return X[i, a:a+n].Y[j, b:b+n]."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, _vector(context, signature.args[0])
        x, y = (_row(context, builder, kinds[q], *args[q : q + 3]) for q in (0, 3))

        def body(at, total):
            product = builder.fmul(_load(builder, x, at, vector), _load(builder, y, at, vector), flags=_FUSED)
            return (builder.fadd(total, product, flags=_FUSED),)

        (total,) = _vectors(builder, args[6], body, (ir.Constant(vector, [0.0] * LANES),))
        parts = [builder.extract_element(total, ir.Constant(ir.IntType(32), q)) for q in range(LANES)]
        return builder.fadd(builder.fadd(parts[0], parts[2]), builder.fadd(parts[1], parts[3]))

    return X.dtype(X, types.intp, types.intp, Y, types.intp, types.intp, types.intp), codegen


@intrinsic
def axpy(typingctx, s, X, i, a, Y, j, b, n):
    """Add s X[i, a:a+n] to Y[j, b:b+n]."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, _vector(context, signature.args[1])
        x, y = (_row(context, builder, kinds[q], *args[q : q + 3]) for q in (1, 4))
        s = _spread(builder, args[0], vector)

        def body(at):
            product = builder.fmul(s, _load(builder, x, at, vector), flags=_FUSED)
            _store(builder, builder.fadd(_load(builder, y, at, vector), product, flags=_FUSED), y, at)
            return ()

        _vectors(builder, args[7], body)
        return context.get_dummy_value()

    i64 = types.intp
    return types.void(X.dtype, X, i64, i64, Y, i64, i64, i64), codegen


@intrinsic
def scaled_copy(typingctx, s, X, i, a, Y, j, b, n):
    """Write s X[i, a:a+n] to Y[j, b:b+n]."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, _vector(context, signature.args[1])
        x, y = (_row(context, builder, kinds[q], *args[q : q + 3]) for q in (1, 4))
        s = _spread(builder, args[0], vector)

        def body(at):
            _store(builder, builder.fmul(s, _load(builder, x, at, vector)), y, at)
            return ()

        _vectors(builder, args[7], body)
        return context.get_dummy_value()

    i64 = types.intp
    return types.void(X.dtype, X, i64, i64, Y, i64, i64, i64), codegen


@intrinsic
def eliminate(typingctx, G, a, n, d0, r01, d1, r02, r12, d2, r03, r13, r23, d3):
    """Solve L x = g for the 4 rows G[a:a+4, a:a+n], L lower triangular: r_ij are its products, d_i inverse pivots."""

    def codegen(context, builder, signature, args):
        kind, vector = signature.args[0], _vector(context, signature.args[0])
        a, n = args[1:3]
        rows = [_row(context, builder, kind, args[0], builder.add(a, _number(q)), a) for q in range(4)]
        triangle = [_spread(builder, x, vector) for x in args[3:]]

        def body(at):
            solved = []
            for q in range(4):
                value, first = _load(builder, rows[q], at, vector), q * (q + 1) // 2
                for p in range(q):
                    product = builder.fmul(triangle[first + p], solved[p], flags=_FUSED)
                    value = builder.fsub(value, product, flags=_FUSED)
                solved.append(builder.fmul(value, triangle[first + q]))
            for q in range(4):
                _store(builder, solved[q], rows[q], at)
            return ()

        _vectors(builder, n, body)
        return context.get_dummy_value()

    d = types.float64
    return types.void(G, types.intp, types.intp, d, d, d, d, d, d, d, d, d, d), codegen
