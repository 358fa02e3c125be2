"""Problems made of a part of the entries of another."""

import dataclasses
import math

import numpy as np

from numopt._array import clip, host, namespace
from numopt.completion._data import Entries
from numopt.completion._factors import inner

_CAP = 1e3  # of data of size 1: as much as an outlier counts


def listed(p):
    """Return the entries of a problem as a list, in its units and orientation."""
    rows = np.repeat(np.arange(p.shape[0], dtype=np.int32), np.diff(p.rows.indptr))
    w = p.rows.weights if p.rows.weights.shape[0] else None
    return Entries(p.xp, p.device, p.shape, p.xp.asarray(rows, device=p.device), p.rows.indices, p.rows.y, w)


def part(p, seen, which):
    """Return the problem of the entries of the list `seen` at `which`, a host mask."""
    xp = p.xp
    rows, columns = seen.taken(xp.asarray(np.nonzero(which)[0], device=p.device)).sides()
    return dataclasses.replace(
        p,
        rows=rows,
        columns=columns,
        norm=norm_of(rows, p.robust),
        density=int(which.sum()) / (p.shape[0] * p.shape[1]),
        kept={},
    )


def norm_of(rows, robust):
    """Return the norm of sqrt(w) y, of which outliers are no more than a part."""
    y = clip(rows.y, -_CAP, _CAP) if robust else rows.y
    y = y * namespace(y).sqrt(rows.weights) if rows.weights.shape[0] else y
    return math.sqrt(host(inner(y, y)))
