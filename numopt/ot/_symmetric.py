"""Transport of a weighted cloud onto itself."""

from numopt._loop import Iterate

RELAXATION = 2 / 3


def symmetric_sinkhorn(p):
    """Yield the iterates of f <- f + 2/3 (T f - f), T f = reg log a - reg LSE_j((f_j - C_ij) / reg) the half step.

    The two potentials are equal at the solution. T does not expand distances in the maximum norm, so the
    averaged map converges from everywhere; near the solution its derivative is -M for the transition matrix M of
    the plan, whose eigenvalues lie in [0, 1] because exp(-C / reg) is a positive definite kernel for
    each of the costs. So 1 - 2/3 (1 + M) is at most 1/3 in size: each pass gains a factor of three, at any reg.
    """
    xp, k = p.xp, p.kernels
    g = 0.5 * p.reg * xp.log(p.a)  # the solution where no point reaches another
    f, passes = g, 1
    while True:
        f, c = k.row_pass(p.cost, p.a, f, g, p.reg, False)
        passes += 1
        middle = 0.5 * (f + g)  # f and g may differ by constants on parts of the cloud that are far apart
        yield Iterate((middle, middle), p.error(c), {"n_passes": passes, "reg": p.reg})
        g = g + RELAXATION * (f - g)
