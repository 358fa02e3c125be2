"""The problem in single precision, for steps of which a few digits count: half of the bytes, twice the numbers a vector.

What decides (residuals, gradients, the certificate's first entries) is computed from the entries as they were given.
"""

import dataclasses


def single(p):
    """Return the problem in single precision, itself if it is; computed once for the same entries."""
    xp = p.xp
    if p.dtype == xp.float32:
        return p
    owner, found = p.kept.get("single", (None, None))
    if owner is not p.rows:
        rows, columns = (
            side._replace(y=xp.astype(side.y, xp.float32), weights=xp.astype(side.weights, xp.float32))
            for side in (p.rows, p.columns)
        )
        found = dataclasses.replace(p, rows=rows, columns=columns, kept={})
        p.kept["single"] = p.rows, found
    return found


def like(p, *arrays):
    """Return the arrays (one bare) in the precision of a problem."""
    found = [p.xp.astype(x, p.dtype, copy=False) for x in arrays]
    return found if len(found) > 1 else found[0]
