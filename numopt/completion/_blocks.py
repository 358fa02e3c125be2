"""The diagonal blocks of the columns, kept inverted: they precondition, and say how well each column is determined."""

from dataclasses import dataclass

from numopt._array import host, namespace
from numopt.completion._factors import tall, transposed

_CLOSE = 0.15  # how far, relative to each of its singular values, U may be from where blocks were made


@dataclass(frozen=True)
class Blocks:
    """The inverses of the G_j = sum_i w u_i u_i^T of the columns j.

    `kept` are those of another basis, U = Q R^T, if `back` = R^{-1} is given: G_j^{-1} = R^{-T} (Q's) R^{-1}.
    """

    kept: object
    back: object = None

    def solve(self, X):
        """Return G_j^{-1} x_j for each row of X."""
        k = tall(X)
        if self.back is None:
            return k.solve_kept(self.kept, X)
        return k.turned(k.solve_kept(self.kept, k.turned(X, transposed(self.back))), self.back)

    def traces(self, k, M):
        """Return trace(G_j^{-1} M) of each column, M symmetric."""
        return k.inverse_traces(self.kept, M if self.back is None else self.back @ M @ transposed(self.back))


def close(U, origin):
    """Say whether U is near enough to where blocks were made, that is in each of its singular directions."""
    xp, k = namespace(U), tall(U)
    D = k.added(U, -1.0, origin) if U.shape == origin.shape else U
    s, turn = xp.linalg.eigh(k.products(U, U))
    return host(xp.max(xp.sum((k.products(D, D) @ turn) * turn, axis=0) - _CLOSE**2 * s)) <= 0.0


def turned_blocks(xp, kept, R, off):
    """Return the blocks for Q R^T, when they were kept for Q, or None if `off`, the error of Q R^T, is too large.

    That is relative to the smallest singular value: else the blocks say nothing about its direction.
    """
    s, turn = xp.linalg.eigh(transposed(R) @ R)
    least, most = host(s[0], s[-1])
    if not least > (off / _CLOSE) ** 2 * most:
        return None
    return Blocks(kept, (turn / s) @ transposed(turn) @ transposed(R))
