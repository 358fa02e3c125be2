"""Chunks of rows, shared out to threads as they become free.

Numba gives each thread an equal number of chunks in advance: one that is disturbed, or whose chunks were taken for
cheaper than they are, keeps the others waiting. Here a thread takes the next chunk when it is done with one. What a
chunk computes does not depend on who computes it.
"""

from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def next_chunk(typingctx, counter):
    """Return counter[0] and add 1 to it, in one step for all threads."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.intp(counter), codegen


def share(rows, chunks, bounds, *args):
    """Do the rows from the first bound to the last: by one call for a single chunk, else by all threads."""
    if bounds.size == 2:
        rows(bounds[0], bounds[1], *args)
    else:
        each(chunks, bounds, *args)


def each(chunks, bounds, *args):
    """Do all chunks by as many threads as there are; workers who find nothing left cost less than asking how many."""
    chunks(bounds.size - 1, np.zeros(1, np.int64), bounds, *args)


@lru_cache
def tapered(size, least, most=64):
    """Return the bounds of chunks of `size` rows, about `least` long or longer, at most so many; nobody writes to them.

    They get shorter, the last ones nearly nothing: so threads end together. Less than four are not worth a launch.
    """
    count = min(size // least, most) if size >= 4 * least else 1
    left = count - np.arange(count + 1)
    return size - size * left * left // (count * count)
