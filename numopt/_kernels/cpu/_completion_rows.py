"""Dot products and sums of short rows in vector registers.

A row has a whole number of vectors: of 4 numbers in float64, of 8 in float32. Written as loops, they cost a bounds test
or a remainder loop for each entry of the data, which is more than the arithmetic. Four entries at a time share
what belongs to their row, and add up their vectors together.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FUSED = ("contract",)
_INDEX = ir.IntType(64)


def number(value):
    return ir.Constant(_INDEX, value)


def row_at(context, builder, kind, array, i, first):
    """Return a pointer to entry `first` of row i of a matrix."""
    array = context.make_array(kind)(context, builder, array)
    width = cgutils.unpack_tuple(builder, array.shape)[1]
    return builder.gep(array.data, [builder.add(builder.mul(i, width), first)])


def vector_of(context, kind):
    element = context.get_data_type(kind.dtype)
    return ir.VectorType(element, 4 if element == ir.DoubleType() else 8)


def load(builder, base, at, vector):
    return builder.load(builder.bitcast(builder.gep(base, [at]), vector.as_pointer()), align=4)


def store(builder, value, base, at):
    builder.store(value, builder.bitcast(builder.gep(base, [at]), value.type.as_pointer()), align=4)


def _spread(builder, x, vector):
    nothing = ir.Constant(vector, ir.Undefined)
    alone = builder.insert_element(nothing, x, ir.Constant(ir.IntType(32), 0))
    return shuffled(builder, alone, nothing, [0] * vector.count)


def _vectors(builder, n, lanes, body, start=()):
    """Run ``body(at, *carried) -> carried`` for at = 0, lanes, ... below n > 0; return what is carried last."""
    before = builder.block
    loop, done = builder.append_basic_block("row"), builder.append_basic_block("row.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    at = builder.phi(_INDEX)
    at.add_incoming(number(0), before)
    carried = [builder.phi(x.type) for x in start]
    new = body(at, *carried)
    following = builder.add(at, number(lanes))
    at.add_incoming(following, loop)
    for phi, first, later in zip(carried, start, new, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, loop)
    builder.cbranch(builder.icmp_signed("<", following, n), loop, done)
    builder.position_at_end(done)
    return new


def _zero(vector):
    return ir.Constant(vector, [0.0] * vector.count)


def shuffled(builder, x, y, lanes):
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def four(builder, x):
    """Return a vector of 4 with the sum of x: the halves of one of 8 are added."""
    if x.type.count == 4:
        return x
    return builder.fadd(shuffled(builder, x, x, [0, 1, 2, 3]), shuffled(builder, x, x, [4, 5, 6, 7]))


def sums_of(builder, vectors):
    """Return a vector of the sums of four vectors of 4."""
    pairs = []
    for x, y in (vectors[:2], vectors[2:]):
        even, odd = shuffled(builder, x, y, [0, 4, 2, 6]), shuffled(builder, x, y, [1, 5, 3, 7])
        pairs.append(builder.fadd(even, odd))
    low, high = shuffled(builder, *pairs, [0, 1, 4, 5]), shuffled(builder, *pairs, [2, 3, 6, 7])
    return builder.fadd(low, high)


@intrinsic
def dot(typingctx, X, i, a, Y, j, b, n):
    """Return X[i, a:a+n].Y[j, b:b+n]."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, vector_of(context, signature.args[0])
        x, y = (row_at(context, builder, kinds[q], *args[q : q + 3]) for q in (0, 3))

        def body(at, total):
            product = builder.fmul(load(builder, x, at, vector), load(builder, y, at, vector), flags=FUSED)
            return (builder.fadd(total, product, flags=FUSED),)

        (total,) = _vectors(builder, args[6], vector.count, body, (_zero(vector),))
        total = four(builder, total)
        parts = [builder.extract_element(total, ir.Constant(ir.IntType(32), q)) for q in range(4)]
        return builder.fadd(builder.fadd(parts[0], parts[2]), builder.fadd(parts[1], parts[3]))

    return X.dtype(X, types.intp, types.intp, Y, types.intp, types.intp, types.intp), codegen


@intrinsic
def dot_four(typingctx, X, i, Y, j0, j1, j2, j3, b, n):
    """Return X[i, :n].Y[j, b:b+n] for the four j, a tuple."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, vector_of(context, signature.args[0])
        x = row_at(context, builder, kinds[0], args[0], args[1], number(0))
        rows = [row_at(context, builder, kinds[2], args[2], j, args[7]) for j in args[3:7]]

        def body(at, *totals):
            own = load(builder, x, at, vector)
            products = [builder.fmul(own, load(builder, row, at, vector), flags=FUSED) for row in rows]
            return [builder.fadd(*pair, flags=FUSED) for pair in zip(totals, products, strict=True)]

        sums = _vectors(builder, args[8], vector.count, body, (_zero(vector),) * 4)
        total = sums_of(builder, [four(builder, x) for x in sums])
        parts = [builder.extract_element(total, ir.Constant(ir.IntType(32), q)) for q in range(4)]
        return context.make_tuple(builder, signature.return_type, parts)

    i64 = types.intp
    return types.UniTuple(X.dtype, 4)(X, i64, Y, i64, i64, i64, i64, i64, i64), codegen


@intrinsic
def axpy_four(typingctx, s0, s1, s2, s3, X, j0, j1, j2, j3, Y, i, n):
    """Add the sum of s X[j, :n] over the four pairs (s, j) to Y[i, :n]."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, vector_of(context, signature.args[4])
        scales = [_spread(builder, s, vector) for s in args[:4]]
        rows = [row_at(context, builder, kinds[4], args[4], j, number(0)) for j in args[5:9]]
        y = row_at(context, builder, kinds[9], args[9], args[10], number(0))

        def body(at):
            total = load(builder, y, at, vector)
            for s, row in zip(scales, rows, strict=True):
                product = builder.fmul(s, load(builder, row, at, vector), flags=FUSED)
                total = builder.fadd(total, product, flags=FUSED)
            store(builder, total, y, at)
            return ()

        _vectors(builder, args[11], vector.count, body)
        return context.get_dummy_value()

    i64, s = types.intp, X.dtype
    return types.void(s, s, s, s, X, i64, i64, i64, i64, Y, i64, i64), codegen


@intrinsic
def axpy(typingctx, s, X, i, a, Y, j, b, n):
    """Add s X[i, a:a+n] to Y[j, b:b+n]."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, vector_of(context, signature.args[1])
        x, y = (row_at(context, builder, kinds[q], *args[q : q + 3]) for q in (1, 4))
        s = _spread(builder, args[0], vector)

        def body(at):
            product = builder.fmul(s, load(builder, x, at, vector), flags=FUSED)
            store(builder, builder.fadd(load(builder, y, at, vector), product, flags=FUSED), y, at)
            return ()

        _vectors(builder, args[7], vector.count, body)
        return context.get_dummy_value()

    i64 = types.intp
    return types.void(X.dtype, X, i64, i64, Y, i64, i64, i64), codegen


@intrinsic
def scaled_copy(typingctx, s, X, i, a, Y, j, b, n):
    """Write s X[i, a:a+n] to Y[j, b:b+n]."""

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, vector_of(context, signature.args[1])
        x, y = (row_at(context, builder, kinds[q], *args[q : q + 3]) for q in (1, 4))
        s = _spread(builder, args[0], vector)

        def body(at):
            store(builder, builder.fmul(s, load(builder, x, at, vector)), y, at)
            return ()

        _vectors(builder, args[7], vector.count, body)
        return context.get_dummy_value()

    i64 = types.intp
    return types.void(X.dtype, X, i64, i64, Y, i64, i64, i64), codegen


@intrinsic
def symmetric_four(typingctx, P, i, at, b, x, first, n):
    """Add to x[0, first:first+n] what the four rows of length n from P[i, at] on, and their transpose, make of b[0].

    They are rows `first` and so on of a symmetric matrix, from its diagonal block on; b and x are float64.
    """

    def codegen(context, builder, signature, args):
        kinds, vector = signature.args, vector_of(context, signature.args[3])
        given = ir.VectorType(context.get_data_type(kinds[0].dtype), 4)
        i, at, first, n = args[1], args[2], args[5], args[6]
        rows = [
            row_at(context, builder, kinds[0], args[0], i, builder.add(at, builder.mul(number(q), n))) for q in range(4)
        ]
        b, x = (row_at(context, builder, kinds[q], args[q], number(0), first) for q in (3, 4))
        scales = [_spread(builder, builder.load(builder.gep(b, [number(q)])), vector) for q in range(4)]

        def body(at, *totals):
            own, total, new = load(builder, b, at, vector), load(builder, x, at, vector), []
            for row, s, old in zip(rows, scales, totals, strict=True):
                line = load(builder, row, at, given)
                line = line if given == vector else builder.fpext(line, vector)
                total = builder.fadd(total, builder.fmul(s, line, flags=FUSED), flags=FUSED)
                new.append(builder.fadd(old, builder.fmul(own, line, flags=FUSED), flags=FUSED))
            store(builder, total, x, at)
            return new

        sums = sums_of(builder, list(_vectors(builder, n, 4, body, (_zero(vector),) * 4)))
        store(builder, builder.fadd(load(builder, x, number(0), vector), sums), x, number(0))
        return context.get_dummy_value()

    i64 = types.intp
    return types.void(P, i64, i64, b, x, i64, i64), codegen


@intrinsic
def eliminate(typingctx, G, a, n, d0, r01, d1, r02, r12, d2, r03, r13, r23, d3):
    """Solve L x = g for the 4 rows G[a:a+4, a:a+n], L lower triangular: r_ij are its products, d_i inverse pivots."""

    def codegen(context, builder, signature, args):
        kind, vector = signature.args[0], vector_of(context, signature.args[0])
        a, n = args[1:3]
        rows = [row_at(context, builder, kind, args[0], builder.add(a, number(q)), a) for q in range(4)]
        triangle = [_spread(builder, x, vector) for x in args[3:]]

        def body(at):
            solved = []
            for q in range(4):
                value, first = load(builder, rows[q], at, vector), q * (q + 1) // 2
                for p in range(q):
                    product = builder.fmul(triangle[first + p], solved[p], flags=FUSED)
                    value = builder.fsub(value, product, flags=FUSED)
                solved.append(builder.fmul(value, triangle[first + q]))
            for q in range(4):
                store(builder, solved[q], rows[q], at)
            return ()

        _vectors(builder, n, vector.count, body)
        return context.get_dummy_value()

    d = types.float64
    return types.void(G, types.intp, types.intp, d, d, d, d, d, d, d, d, d, d), codegen


def prefetch(builder, place):
    """Ask for the line of the cache with this place."""
    i32, bytes_ = ir.IntType(32), ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [bytes_, i32, i32, i32])
    call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(call, [builder.bitcast(place, bytes_), i32(0), i32(3), i32(1)])


@intrinsic
def fetch(typingctx, X, j, n):
    """Ask for row j of X, n numbers, to be brought to the cache."""

    def codegen(context, builder, signature, args):
        vector = vector_of(context, signature.args[0])
        x = row_at(context, builder, signature.args[0], args[0], args[1], number(0))

        def body(at):
            prefetch(builder, builder.gep(x, [at]))
            return ()

        _vectors(builder, args[2], 2 * vector.count, body)
        return context.get_dummy_value()

    return types.void(X, types.intp, types.intp), codegen
