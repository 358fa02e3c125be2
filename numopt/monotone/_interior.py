"""A primal-dual interior-point method for matrix games: it polishes what a first-order method has found.

    min v  subject to  A x + p = v 1,    1.x = 1,  x, p >= 0
    max u  subject to  A^T y - q = u 1,  1.y = 1,  y, q >= 0

Mehrotra's predictor and corrector. Without dx, dp, dq, what is left is M dy = r + du A D 1 - dv 1 with
M = A D A^T + E, D = x / q, E = p / y, and two equations for the free numbers du and dv.
"""

import math

from numopt._array import host

LIMIT = 60  # iterations; 4 to 10 are usual
PATIENCE = 4  # iterations without a smaller gap
RIDGES = 1e-15, 1e-13, 1e-11, 1e-9  # on the unit diagonal of the scaled M, where rounding has made it singular
BACK = 0.995  # of the way to the boundary
NEAR = 0.5  # of the gap, where it starts


def interior_point(A, x, y, goal):
    """Return strategies of the game A, a `Matrix`, with max(A x) - min(A^T y) <= `goal` if they can be had.

    It starts near (x, y): entries at 0 are raised until products with their slacks are all of one size.
    """
    if A.shape[0] > A.shape[1]:  # the system has a row for each row of A: let the players change places
        y, x = interior_point(A.mirrored(), y, x, goal)
        return x, y
    xp, best, since = A.xp, (math.inf, x, y), 0
    point = _start(A, x, y)
    for _ in range(LIMIT):
        for candidate in _candidates(xp, *point[:4]):
            gap = _gap(A, *candidate)
            if gap < 0.9 * best[0]:
                best, since = (gap, *candidate), 0
        since += 1
        if best[0] <= goal or since > PATIENCE:
            break
        point = _newton(A, *point)
        if point is None:
            break
    return best[1:]


def _start(A, x, y):
    """Return (x, y, p, q, u, v) of the interior near strategies, by their gap."""
    xp = A.xp
    Ax, ATy = A.products(x, y)
    high, low, *used = host(xp.max(Ax), xp.min(ATy), *(xp.sum(xp.astype(z > 0, xp.float64)) for z in (x, y)))
    gap = max(high - low, 1e-300)
    v, u, mu = high + NEAR * gap, low - NEAR * gap, NEAR * gap / max(used)
    p, q = v - Ax, ATy - u
    x, y = xp.maximum(x, mu / q), xp.maximum(y, mu / p)
    return x, y, xp.maximum(p, mu / y), xp.maximum(q, mu / x), u, v


def _candidates(xp, x, y, p, q):
    """Yield the point, normalised, and without the entries that go to zero."""
    for a, b in ((x, y), (xp.where(x > q, x, 0.0), xp.where(y > p, y, 0.0))):
        total, other = host(xp.sum(a), xp.sum(b))
        if total > 0 and other > 0:
            yield a / total, b / other


def _gap(A, x, y):
    Ax, ATy = A.products(x, y)
    return host(A.xp.max(Ax) - A.xp.min(ATy))


def _newton(A, x, y, p, q, u, v):
    """Return the next point, or None if the equations cannot be solved."""
    xp, (m, n) = A.xp, A.shape
    Ax, ATy = A.products(x, y)
    off_p, off_q = v - Ax - p, u - ATy + q
    off_x, off_y, mu = host(1 - xp.sum(x), 1 - xp.sum(y), (xp.sum(x * q) + xp.sum(y * p)) / (m + n))
    D, E = x / q, p / y
    solve = _normal_solver(A, D, E)
    if solve is None:
        return None
    AD = A.forward(D)
    H = solve(xp.stack((AD, xp.ones_like(AD)), axis=1))
    hu, hv = H[:, 0], H[:, 1]

    def direction(sx, sy):
        """Return the step to x q + sx, y p + sy, to first order."""
        fp, fq = off_p - sy / y, off_q + sx / x
        h = solve((A.forward(D * fq) - fp)[:, None])[:, 0]
        a, b, c = xp.sum(hu), -xp.sum(hv), off_y - xp.sum(h)
        d, e, f = xp.sum(D) - xp.sum(AD * hu), xp.sum(AD * hv), off_x - xp.sum(D * fq) + xp.sum(AD * h)
        a, b, c, d, e, f = host(a, b, c, d, e, f)
        det = a * e - b * d
        du, dv = ((c * e - b * f) / det, (a * f - d * c) / det) if det else (math.nan, math.nan)
        dy = h + du * hu - dv * hv
        dx = D * (fq + du - A.adjoint(dy))
        return dx, dy, sy / y - E * dy, sx / x - dx / D, du, dv

    def furthest(dx, dy, dp, dq):
        """Return how far one can go along the step, at most 1."""
        shares = [xp.min(xp.where(d < 0, -z / xp.where(d < 0, d, -1.0), 1.0)) for z, d in _pairs(dx, dy, dp, dq)]
        return min(1.0, *host(*shares))

    def _pairs(*steps):
        return zip((x, y, p, q), steps, strict=True)

    dx, dy, dp, dq, _, _ = direction(-x * q, -y * p)
    t = furthest(dx, dy, dp, dq)
    ahead = host(xp.sum((x + t * dx) * (q + t * dq)) + xp.sum((y + t * dy) * (p + t * dp))) / (m + n)
    target = mu * (ahead / mu) ** 3
    dx, dy, dp, dq, du, dv = direction(target - x * q - dx * dq, target - y * p - dy * dp)
    t = BACK * furthest(dx, dy, dp, dq)
    if not (math.isfinite(t) and math.isfinite(du) and math.isfinite(dv)):
        return None
    return *(z + t * d for z, d in _pairs(dx, dy, dp, dq)), u + t * du, v + t * dv


def _normal_solver(A, D, E):
    """Factor M = A D A^T + E, scaled to a unit diagonal; return the function that solves with it."""
    k, xp = A.kernels, A.xp
    M = k.gram(A.parts, D, E)
    s = 1 / xp.sqrt(xp.linalg.diagonal(M))
    M = s[:, None] * M * s
    for ridge in RIDGES:
        L = k.factor(M, ridge)
        if math.isfinite(host(L[-1, -1])):
            return lambda B: s[:, None] * k.factored_solve(L, s[:, None] * B)
    return None
