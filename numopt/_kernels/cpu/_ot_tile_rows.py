"""Products with rows of tiles in vector registers.

A tile is four neighbouring columns of a row: one vector of float64. Written as loops, its four products are neither
joined to a vector nor free of bounds tests: 5 ns a tile instead of 1.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_TILE = ir.VectorType(ir.DoubleType(), 4)
_FUSED = ("contract",)


def _at(builder, base, tile):
    """Return the address of a tile."""
    first = builder.gep(base, [builder.shl(tile, ir.Constant(tile.type, 2))])
    return builder.bitcast(first, _TILE.as_pointer())


def _load(builder, base, tile):
    return builder.load(_at(builder, base, tile), align=8)


def _place(builder, places, t):
    return builder.zext(builder.load(builder.gep(places, [t])), ir.IntType(64))


def _opened(context, builder, signature, args, *which):
    return [context.make_array(signature.args[q])(context, builder, args[q]).data for q in which]


def _fused(builder, x, y, z):
    return builder.fadd(builder.fmul(x, y, flags=_FUSED), z, flags=_FUSED)


@intrinsic
def tile_dot(typingctx, values, places, lo, hi, y):
    """Return the sum of values[t] . y[places[t]] for lo <= t < hi."""

    def codegen(context, builder, signature, args):
        values, places, y = _opened(context, builder, signature, args, 0, 1, 4)
        lo, hi = args[2:4]
        one = ir.Constant(lo.type, 1)
        sums = [cgutils.alloca_once_value(builder, ir.Constant(_TILE, [0.0] * 4)) for _ in range(2)]

        def add(t, total):
            product = _load(builder, values, t), _load(builder, y, _place(builder, places, t))
            builder.store(_fused(builder, *product, builder.load(total)), total)

        count = builder.sub(hi, lo)
        with cgutils.for_range(builder, builder.lshr(count, one)) as pairs:
            t = builder.add(lo, builder.shl(pairs.index, one))
            add(t, sums[0])
            add(builder.add(t, one), sums[1])
        with builder.if_then(builder.trunc(count, ir.IntType(1))):
            add(builder.sub(hi, one), sums[0])
        total = builder.fadd(*map(builder.load, sums))
        parts = [builder.extract_element(total, ir.Constant(ir.IntType(32), q)) for q in range(4)]
        return builder.fadd(builder.fadd(parts[0], parts[2]), builder.fadd(parts[1], parts[3]))

    return types.float64(values, places, types.intp, types.intp, y), codegen


@intrinsic
def tile_axpy(typingctx, scale, values, places, lo, hi, out):
    """Add scale values[t] to out[places[t]] for lo <= t < hi."""
    return types.void(types.float64, values, places, types.intp, types.intp, out), _adder(lambda builder, x: x)


@intrinsic
def tile_squares(typingctx, scale, values, places, lo, hi, out):
    """Add scale values[t]^2 to out[places[t]] for lo <= t < hi."""
    square = _adder(lambda builder, x: builder.fmul(x, x))
    return types.void(types.float64, values, places, types.intp, types.intp, out), square


@intrinsic
def tile_outer(typingctx, values, places, lo, t, a, width, out):
    """Subtract values[s, r] values[t, q] / a at out[4 places[t] + q, places[s], r], lo <= s <= t.

    A row of `out` has `width` tiles.
    """

    def codegen(context, builder, signature, args):
        values, places, out = _opened(context, builder, signature, args, 0, 1, 6)
        lo, last, a, width = args[2:6]
        ratio = builder.fneg(builder.fdiv(_load(builder, values, last), _splat(builder, a)))
        scales = [_splat(builder, builder.extract_element(ratio, ir.Constant(ir.IntType(32), q))) for q in range(4)]
        row = builder.mul(builder.shl(_place(builder, places, last), ir.Constant(width.type, 2)), width)
        rows = [builder.add(row, builder.mul(width, ir.Constant(width.type, q))) for q in range(4)]
        with cgutils.for_range(builder, builder.add(builder.sub(last, lo), ir.Constant(lo.type, 1))) as tiles:
            s = builder.add(lo, tiles.index)
            place, x = _place(builder, places, s), _load(builder, values, s)
            for scale, row in zip(scales, rows, strict=True):
                at = builder.add(row, place)
                builder.store(_fused(builder, scale, x, _load(builder, out, at)), _at(builder, out, at), align=8)
        return context.get_dummy_value()

    return types.void(values, places, types.intp, types.intp, types.float64, types.intp, out), codegen


def _splat(builder, x):
    """Return a tile with x in all four places."""
    tile = ir.Constant(_TILE, ir.Undefined)
    for q in range(4):
        tile = builder.insert_element(tile, x, ir.Constant(ir.IntType(32), q))
    return tile


def _adder(function):
    def codegen(context, builder, signature, args):
        values, places, out = _opened(context, builder, signature, args, 1, 2, 5)
        scale = _splat(builder, args[0])
        with cgutils.for_range(builder, builder.sub(args[4], args[3])) as tiles:
            t = builder.add(args[3], tiles.index)
            place = _place(builder, places, t)
            x = function(builder, _load(builder, values, t))
            total = _fused(builder, scale, x, _load(builder, out, place))
            builder.store(total, _at(builder, out, place), align=8)
        return context.get_dummy_value()

    return codegen
