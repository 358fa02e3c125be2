"""Sinkhorn's iteration in the log domain: the baseline, and the opening of the faster methods."""

from numopt._loop import Iterate


def sinkhorn(p, g):
    """Yield the iterates of alternate projections onto the rows and the columns, from column potentials g."""
    k, passes = p.kernels, 0
    f = p.start[0]
    while True:
        f, c = k.row_pass(p.cost, p.a, f, g, p.reg, False)  # f_i = reg (log a_i - LSE_j((g_j - C_ij) / reg))
        passes += 1
        yield Iterate((f, g), p.error(c), {"n_passes": passes, "reg": p.reg})
        g = g + p.reg * p.log_ratio(c)
