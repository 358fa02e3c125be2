"""Chunks of rows, shared out to threads as they become free.

Numba gives each thread an equal number of chunks in advance: one that is disturbed, or whose chunks were taken for
cheaper than they are, keeps the others waiting. Here a thread takes the next chunk when it is done with one: half of
them from the front, the others from the end, so that they meet the same rows again in kernel after kernel, and find
them in their caches. What a chunk computes does not depend on who computes it.
"""

import sys
from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import int32, types
from numba.extending import intrinsic

from numopt._kernels.cpu._jit import jit

_WORK = 400_000  # of a chunk of rows, in multiply-adds
SOLVED = 50_000  # of a chunk in passes over factors alone
_LOOKS = 2_000  # some microseconds, in which most gates open

_give_way = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", int32())


@intrinsic
def _counted(typingctx, counter):
    """Return counter[0] and add 1 to it, in one step for all threads."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "acq_rel")

    return types.intp(counter), codegen


@jit
def next_chunk(counter, count, from_end):
    """Return the next of `count` chunks from the front or the end, `count` if all are taken.

    counter[0] counts all that were asked for, the others those taken from either side.
    """
    if _counted(counter) >= count:
        return count
    return count - 1 - _counted(counter[2:]) if from_end else _counted(counter[1:])


@intrinsic
def _seen(typingctx, counter):
    """Return counter[0]; what the thread that counted wrote before can then be read."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.load_atomic(array.data, "acquire", 8)

    return types.intp(counter), codegen


# A gate leads from one phase of a kernel to the next: gate[0] counts chunks that were taken, gate[1] those done.


@jit
def last_done(gate, count):
    """Count a chunk as done; say whether it was the last, after which `opened` is to be called."""
    return _counted(gate[1]) == count - 1


@jit
def opened(gate):
    """Let all threads pass."""
    _counted(gate[1])


@jit
def passed(gate, count):
    """Wait until the gate is open: for those at work on the chunks, not for a number of threads.

    Who works on the last one may have lost the core to another program, or to who waits here.
    """
    looks = 0
    while _seen(gate[1]) <= count:
        looks += 1
        if looks > _LOOKS:
            _give_way()


def gates(count):
    """Return so many gates; their counters lie in lines of the cache of their own."""
    return np.zeros((count, 2, 8), np.int64)


def share(rows, chunks, bounds, *args):
    """Do the rows from the first bound to the last: by one call for a single chunk, else by all threads."""
    if bounds.size == 2:
        rows(bounds[0], bounds[1], *args)
    else:
        each(chunks, bounds, *args)


def each(chunks, bounds, *args):
    """Do all chunks by as many threads as there are; workers who find nothing left cost less than asking how many."""
    chunks(bounds.size - 1, np.zeros(3, np.int64), bounds, *args)


@lru_cache
def tapered(size, least, most=64):
    """Return the bounds of chunks of `size` rows, about `least` long or longer, at most so many; nobody writes to them.

    They get shorter towards the middle, nearly nothing there: so threads end together. Less than four are not worth a
    launch.
    """
    count = min(size // least, most) if size >= 4 * least else 1
    return np.array([round(size * _reached(c / count)) for c in range(count + 1)])


def by_work(ptr, per_entry, per_row, most=64):
    """Return where at most so many chunks of rows start, their work falling towards the middle as in `tapered`.

    They depend on the data alone.
    """
    m = ptr.size - 1
    total = int(ptr[-1] - ptr[0]) * per_entry + m * per_row
    return cuts(ptr, per_entry, per_row, total, min(max(total // _WORK, 1), most, m))


@jit
def _reached(x):
    """Return the share of the work in this share of the chunks."""
    return 2 * x * (1 - x) if x < 0.5 else 1 - 2 * x * (1 - x)


@jit
def cuts(ptr, per_entry, per_row, total, count):
    """Return the bounds of at most so many chunks of rows that share the total."""
    m, bounds, found = ptr.size - 1, np.zeros(count + 1, np.int64), 1
    for c in range(1, count + 1):
        lo, hi, wanted = bounds[found - 1], m, total * _reached(c / count)
        while lo < hi:
            middle = (lo + hi) // 2
            if (ptr[middle] - ptr[0]) * per_entry + middle * per_row < wanted:
                lo = middle + 1
            else:
                hi = middle
        if lo > bounds[found - 1]:
            bounds[found] = lo
            found += 1
    bounds[found - 1] = m
    return bounds[:found]
