"""Sequences of sparse symmetric positive definite systems."""

import numpy as np
import scipy.sparse as sparse

from numopt._array import default_rng
from numopt._check import integer, one_of, positive_scalar


def laplacian_2d(m):
    """Return the five-point Laplacian of a square grid with zero boundary values.

    Parameters
    ----------
    m : int
        Interior points a side, at least 1; n = m^2.

    Returns
    -------
    csr_array of shape (n, n), float64
        4 on the diagonal, -1 between neighbours, rows in the order of the grid.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        `m` is out of range or no integer.

    Examples
    --------
    >>> from numopt.gallery import laplacian_2d
    >>> laplacian_2d(2).toarray()
    array([[ 4., -1., -1.,  0.],
           [-1.,  4.,  0., -1.],
           [-1.,  0.,  4., -1.],
           [ 0., -1., -1.,  4.]])
    """
    m = integer("m", m, low=1, remedy="ask for at least one point")
    line = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(m, m))
    one = sparse.eye_array(m)
    A = sparse.csr_array(sparse.kron(line, one) + sparse.kron(one, line))
    A.sort_indices()
    return A


def shifted_laplacians(T, variance="low", m=10, rng=0):
    """Yield the systems A + c_t I of the learning-to-relax experiment.

    Parameters
    ----------
    T : int
        How many.
    variance : {"low", "high"}, default "low"
        Of the shifts c_t = -0.15 + 0.6 Beta(2, 6), or Beta(1/2, 3/2). At -0.15 the matrix is nearly singular.
    m : int, default 10
        Interior points a side; n = m^2.
    rng : None, int, SeedSequence or Generator, default 0
        Source of the draws.

    Yields
    ------
    c : float
        The shift.
    A : csr_array of shape (n, n)
        `laplacian_2d` plus c on the diagonal; all share one pattern.
    b : ndarray of shape (n,)
        Standard normal, conditioned on a norm of at most sqrt(n).

    References
    ----------
    M. Khodak, E. Chow, M.-F. Balcan, A. Talwalkar: Learning to relax, ICLR 2024, arXiv:2310.02246.

    Examples
    --------
    >>> from numopt.gallery import shifted_laplacians
    >>> [round(c, 3) for c, A, b in shifted_laplacians(3)]
    [-0.03, 0.106, -0.055]
    """
    T = integer("T", T, low=1, remedy="ask for at least one system")
    alpha, beta = {"low": (2.0, 6.0), "high": (0.5, 1.5)}[one_of("variance", variance, ("low", "high"))]
    rng, base = default_rng(rng), laplacian_2d(m)
    n, on_diagonal = base.shape[0], base.indices == np.repeat(np.arange(base.shape[0]), np.diff(base.indptr))
    for _ in range(T):
        c = -0.15 + 0.6 * rng.beta(alpha, beta)
        b = rng.standard_normal(n)
        while np.linalg.norm(b) > np.sqrt(n):
            b = rng.standard_normal(n)
        yield c, sparse.csr_array((base.data + c * on_diagonal, base.indices, base.indptr), shape=base.shape), b


class Heat:
    """The heat equation on the unit square by Crank and Nicolson's rule, with a diffusion that swings.

    u_t = k(t) Laplace(u) + f(t), zero on the boundary, k(t) = max(0.1 sin 2 pi t, -10 sin 2 pi t), and a heat
    source f that circles around the centre eight times a period.

    Parameters
    ----------
    nx : int
        Cells a side, at least 2; n = (nx - 1)^2 unknowns.
    period : int
        Systems in which t advances by 1.
    dt : float, default 1e-3
        Time step of the rule. With ``period = 1 / dt`` the clock of the diffusion is that of the solution; with
        fewer systems it jumps ahead, and the solution is carried along.

    Attributes
    ----------
    n : int
        Unknowns.
    u0 : ndarray of shape (n,)
        The solution at time 0: a bump in the middle.

    References
    ----------
    M. Khodak, E. Chow, M.-F. Balcan, A. Talwalkar: Learning to relax, ICLR 2024, arXiv:2310.02246.

    Examples
    --------
    >>> from numopt.gallery import Heat
    >>> heat = Heat(20, period=16)
    >>> diffusion, A, b = heat.system(12, heat.u0)
    >>> round(diffusion, 2), A.shape
    (9.81, (361, 361))
    """

    def __init__(self, nx, period, dt=1e-3):
        nx = integer("nx", nx, low=2, remedy="ask for at least two cells")
        self.period = integer("period", period, low=1, remedy="ask for at least one system")
        self.dt, self.n = positive_scalar("dt", dt), (nx - 1) ** 2
        g = np.arange(1, nx) / nx
        self._x, self._y = (a.ravel() for a in np.meshgrid(g, g, indexing="ij"))
        self._minus_laplace = laplacian_2d(nx - 1) * float(nx) ** 2
        rows = np.repeat(np.arange(self.n), np.diff(self._minus_laplace.indptr))
        self._on_diagonal = 1.0 * (self._minus_laplace.indices == rows)
        self.u0 = self._bump(0.5, 0.5, 0.25)

    def system(self, k, u):
        """Return what leads from the solution at step k to that at step k + 1.

        Parameters
        ----------
        k : int
            Step, from 0.
        u : ndarray of shape (n,)
            The solution before it.

        Returns
        -------
        diffusion : float
            k(t) in the middle of the step: the context that a learner may use.
        A : csr_array of shape (n, n)
        b : ndarray of shape (n,)
        """
        t = (k + 0.5) / self.period
        swing = np.sin(2 * np.pi * t)
        diffusion = float(max(0.1 * swing, -10 * swing))
        h, L, angle = 0.5 * diffusion * self.dt, self._minus_laplace, 16 * np.pi * t
        A = sparse.csr_array((self._on_diagonal + h * L.data, L.indices, L.indptr), shape=L.shape)
        source = 32 * self._bump(0.5 + np.cos(angle) / 4, 0.5 + np.sin(angle) / 4, 0.125)
        return diffusion, A, u - h * (L @ u) + self.dt * source

    def _bump(self, x, y, radius):
        inside = 1.0 - np.minimum(1.0, ((self._x - x) ** 2 + (self._y - y) ** 2) / radius**2)
        return np.exp(1.0 - 1.0 / np.where(inside > 0, inside, 1e-300), where=inside > 0, out=np.zeros_like(inside))
