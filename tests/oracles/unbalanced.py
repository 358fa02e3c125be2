"""Naive twins of unbalanced and partial transport: NumPy, float64, whole matrices."""

import numpy as np
from scipy.optimize import linprog


def kl(x, y):
    """Return sum x log(x / y) - x + y, 0 log 0 being 0."""
    some = x > 0
    return (x[some] * np.log(x[some] / y[some])).sum() - x.sum() + y.sum()


def value(P, a, b, C, reg, rho, kind="entropy"):
    """Return the objective of a plan for penalties rho = (rows, columns); inf counts as met."""
    some = P > 0
    reference = a[:, None] * b if kind == "kl" else np.ones_like(C)
    entropy = (P[some] * (np.log(P[some] / reference[some]) - 1)).sum() + (kind == "kl") * reference.sum()
    penalties = [r * kl(x, w) for r, x, w in zip(rho, (P.sum(1), P.sum(0)), (a, b), strict=True) if r < np.inf]
    return (np.where(some, C, 0) * P).sum() + reg * entropy + sum(penalties)


def targets(f, g, a, b, reg, rho, kind="entropy"):
    """Return the marginals that potentials ask for."""
    shift = reg if kind == "kl" else 0.0
    logs = [np.log(np.where(w > 0, w, 1)) for w in (a, b)]
    return tuple(w * np.exp(-(x - shift * log) / r) for w, x, log, r in zip((a, b), (f, g), logs, rho, strict=True))


def error(f, g, a, b, C, reg, rho, kind="entropy"):
    """Return the l1 norm of the gradient of the dual relative to the mass of the plan."""
    P = np.exp((f[:, None] + g - C) / reg) * (a[:, None] > 0) * (b > 0)
    r, c = targets(f, g, a, b, reg, rho, kind)
    return (abs(P.sum(1) - r).sum() + abs(P.sum(0) - c).sum()) / P.sum()


def sinkhorn(a, b, C, reg, rho, kind="entropy", sweeps=20_000):
    """Return (f, g) by the generalised Sinkhorn iteration, in the log domain."""
    from scipy.special import logsumexp

    tau = [1 / (1 + reg / r) for r in rho]
    log_a, log_b = (np.log(w) * (1 + reg / r if kind == "kl" else 1) for w, r in zip((a, b), rho, strict=True))
    f, g = np.zeros_like(a), np.zeros_like(b)
    for _ in range(sweeps):
        f = tau[0] * reg * (log_a - logsumexp((g - C) / reg, axis=1))
        before, g = g, tau[1] * reg * (log_b - logsumexp((f[:, None] - C) / reg, axis=0))
        if abs(g - before).max() <= 1e-14 * reg:
            break
    return f, g


def partial_cost(a, b, C, mass):
    """Return the least cost of transporting `mass`, by linear programming."""
    n, m = C.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    found = linprog(C.ravel(), A_ub=np.vstack([rows, columns]), b_ub=np.r_[a, b], A_eq=np.ones((1, n * m)), b_eq=[mass])
    return found.fun
