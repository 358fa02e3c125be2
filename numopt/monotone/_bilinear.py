"""PDHG for an operator that says it is bilinear."""

from numopt._array import host
from numopt._loop import Iterate, Relay
from numopt.exceptions import InvalidInputError
from numopt.monotone._bilinear_operators import as_set
from numopt.monotone._pdhg import Bilinear, pace, pdhg
from numopt.monotone._product import Product
from numopt.monotone._prox import Simplex


def bilinear_sets(p):
    """Return the sets of x and y, or None if the operator is no matrix's or they are neither simplices nor boxes."""
    prox, op = p.prox, p.op
    if not (isinstance(prox, Product) and len(prox.parts) == 2 and hasattr(op, "A") and hasattr(op.A, "parts")):
        return None
    if [size for _, size in prox.parts] != list(reversed(op.A.shape)):
        return None
    sets = [as_set(part, size, p.xp, p.device) for part, size in prox.parts]
    return None if any(s is None for s in sets) else sets


def bilinear_pdhg(p, z, o):
    """Yield the iterates of PDHG as points (x, y)."""
    sets, op, xp = bilinear_sets(p), p.op, p.xp
    if sets is None:
        raise InvalidInputError(
            "method is 'pdhg': a bilinear operator on simplices and boxes is expected; use method='auto'"
        )

    def measure(x, y, Ax, ATy):
        return p.measure(xp.concat((x, y)), xp.concat((op.c + ATy, op.b - Ax)))

    flat = tuple(isinstance(part, Simplex) for part, _ in p.prox.parts)
    weight = 1.0
    if not any(flat):
        sizes = host(xp.linalg.vector_norm(op.c), xp.linalg.vector_norm(op.b))
        weight = sizes[0] / sizes[1] if min(sizes) > 0 else 1.0
    problem = Bilinear(op.A, op.c, op.b, *sets, measure)
    at = pace(problem.norm(), weight)
    steps, passes = Relay(pdhg(problem, z[: op.split], z[op.split :], at)), 0
    for step in steps:
        done = int(step.info["n_passes"]) - passes
        passes += done
        p.counts["n_full"] += done
        p.counts["n_component"] += done * p.n
        yield Iterate(xp.concat(step.state), step.measure, p.info(step=at.step,
                                                                  n_restarts=step.info["n_restarts"]))  # fmt: skip
    return steps.end
