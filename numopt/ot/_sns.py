"""Sinkhorn-Newton-Sparse, the algorithm of Tang et al. (arXiv 2401.12253), as published.

Kept for reproduction and comparison: it holds the plan densely, its two parameters depend on the
problem, and it gives up sparsity, and with it speed, when `reg` is not small.
"""

import math

from numopt._array import host
from numopt._loop import Iterate, Status

ARMIJO, HALVINGS, CG_TOL, CG_STEPS = 1e-4, 40, 1e-8, 2000


def sinkhorn_newton_sparse(p, g, n_sinkhorn=20, density=4.0):
    """Yield n_sinkhorn sweeps (stage 1), then Newton steps on the sparsified Hessian (stage 2)."""
    xp, k = p.xp, p.kernels
    n, m = p.shape
    slack = 64 * float(xp.finfo(p.a.dtype).eps)
    kept = min(n * m, math.ceil(min(density * max(n, m), n * m)))
    work = {"n_passes": 0, "n_newton": 0, "n_cg": 0, "nnz": kept, "reg": p.reg}
    C = k.cost_block(p.cost) if p.cost[3] else p.cost[0]
    f = xp.zeros_like(p.a)
    for _ in range(n_sinkhorn):  # stage 1: x += (log r - log P1) / eta, then y += (log c - log P^T 1) / eta
        f, c = k.row_pass(p.cost, p.a, f, g, p.reg, False)
        g = g + p.reg * p.log_ratio(c)
        work["n_passes"] += 1
        P, rows, columns, F, error = _evaluate(p, C, f, g)
        yield Iterate((f, g), error, dict(work))
    P, rows, columns, F, error = _evaluate(p, C, f, g)
    while True:  # stage 2
        # a. M: the full diagonal of the Hessian and the `kept` largest entries of P
        flat = xp.sort(xp.reshape(P, (-1,)))
        sparse = xp.where(flat[n * m - kept] <= P, P, xp.zeros_like(P))
        # b. (1 / reg) M dz = gradient, by conjugate gradients
        df, dg, steps = _cg(p, sparse, rows, columns, p.a - rows, p.b - columns)
        df, dg = p.reg * df, p.reg * dg
        if not host(xp.max(xp.abs(df)) + xp.max(xp.abs(dg))) < 1e6 * (p.scale + 100 * p.reg):
            return Status.BREAKDOWN, "the sparsified Hessian is singular: no plan fits, or density is too small"
        # c. backtracking on F
        slope, t = host(p.dot(df, p.a - rows) + p.dot(dg, p.b - columns)), 1.0
        for _ in range(HALVINGS):
            new = _evaluate(p, C, f + t * df, g + t * dg)
            work["n_passes"] += 1
            if new[3] - F >= ARMIJO * t * slope or (new[4] < error and abs(new[3] - F) <= slack * abs(F)):
                break
            t /= 2
        else:
            return Status.STALLED, "no step increases the dual objective"
        f, g = f + t * df, g + t * dg
        P, rows, columns, F, error = new
        work["n_newton"], work["n_cg"] = work["n_newton"] + 1, work["n_cg"] + steps
        yield Iterate((f, g), error, dict(work))


def _evaluate(p, C, f, g):
    """Return P, P1, P^T 1, F(f, g) = <a, f> + <b, g> - reg sum P, and the marginal error."""
    xp = p.xp
    P = xp.exp(xp.clip((f[:, None] + (g[None, :] - C)) / p.reg, None, 50.0))
    rows, columns = xp.sum(P, axis=1), xp.sum(P, axis=0)
    total = xp.sum(rows, dtype=xp.float64)
    F = p.dot(p.a, f) + p.dot(p.b, g) - p.reg * total
    error = (xp.sum(xp.abs(rows - p.a)) + xp.sum(xp.abs(columns - p.b))) / p.mass
    return P, rows, columns, *host(F, error)


def _cg(p, P, rows, columns, rf, rg):
    """Solve [[diag(P1), P], [P^T, diag(P^T 1)]] (x, y) = (rf, rg), with P sparsified, by Jacobi-PCG."""
    xp = p.xp
    rows, columns = (xp.where(sums > 1e-30, sums, xp.ones_like(sums)) for sums in (rows, columns))
    x, y = xp.zeros_like(rf), xp.zeros_like(rg)
    zf, zg = rf / rows, rg / columns
    pf, pg, rz = zf, zg, host(p.dot(rf, zf) + p.dot(rg, zg))
    goal, lost = CG_TOL**2 * rz, 1e20 * rz
    for step in range(CG_STEPS):
        qf, qg = rows * pf + P @ pg, P.T @ pf + columns * pg
        curvature = host(p.dot(pf, qf) + p.dot(pg, qg))
        if not (goal < rz < lost and curvature > 0):
            return x, y, step
        t = rz / curvature
        x, y, rf, rg = x + t * pf, y + t * pg, rf - t * qf, rg - t * qg
        zf, zg = rf / rows, rg / columns
        before, rz = rz, host(p.dot(rf, zf) + p.dot(rg, zg))
        pf, pg = zf + (rz / before) * pf, zg + (rz / before) * pg
    return x, y, CG_STEPS
