"""Problems made of a part of the entries of another."""

import dataclasses
import math

import numpy as np

from numopt._array import host
from numopt.completion._data import Entries


def listed(p):
    """Return the entries of a problem as a list, in its units and orientation."""
    rows = np.repeat(np.arange(p.shape[0], dtype=np.int32), np.diff(p.rows.indptr))
    w = p.rows.weights if p.rows.weights.shape[0] else None
    return Entries(p.xp, p.device, p.shape, p.xp.asarray(rows, device=p.device), p.rows.indices, p.rows.y, w)


def part(p, seen, which):
    """Return the problem of the entries of the list `seen` at `which`, a host mask."""
    xp = p.xp
    rows, columns = seen.taken(xp.asarray(np.nonzero(which)[0], device=p.device)).sides()
    w = rows.weights if rows.weights.shape[0] else xp.ones_like(rows.y)
    return dataclasses.replace(
        p,
        rows=rows,
        columns=columns,
        norm=math.sqrt(host(xp.sum(w * rows.y**2, dtype=xp.float64))),
        density=int(which.sum()) / (p.shape[0] * p.shape[1]),
        kept={},
    )
