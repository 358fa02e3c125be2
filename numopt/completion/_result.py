"""What `matrix_completion` returns."""

from numopt._array import device, namespace
from numopt._result import Result, result_class
from numopt.completion._data import places
from numopt.exceptions import InvalidInputError


@result_class
class CompletionResult(Result):
    """A completed matrix X = U V^T + mean + row_bias 1^T + 1 col_bias^T, in the units of the data.

    Arrays are where the input was and of its dtype; scalars are on the host.

    Attributes
    ----------
    U : array of shape (m, r)
        Row factors. Without a ridge ``U.T @ U == V.T @ V == diag(s)``.
    V : array of shape (n, r)
        Column factors.
    s : array of shape (r,)
        Singular values of U V^T, falling.
    row_bias, col_bias : array of shape (m,), (n,)
        Zeros unless ``center="biases"``.
    mean : float
        0 for ``center="none"``; of the entries, with the Huber loss their median.
    rank : int
        r, at most the rank asked for: without a ridge a smaller one is returned if it meets `tol`.
    rel_residual : float
        ``||w^1/2 (y - x)|| / ||w^1/2 y||`` over the observed entries, y centred; with ``loss="huber"`` the
        median of ``|y - x|`` over that of ``|y|``.
    grad_norm : float
        The larger of the two stationarities: norm of the gradient in U (in V) over the norm of the
        right-hand sides of the normal equations.
    local_conditioning : float
        Smallest over largest curvature of the entries around X, 1 at best; below 1e-8 X is not unique.
        Evaluated where the residual or the gradient meets `tol`, else inf.
    error_estimate : float
        Relative error of X that is to be expected for an X without noise, from the residual and the curvature; to
        first order. It was within a factor 2 in most runs, but an error in the flattest direction alone is up to
        ``local_conditioning**-0.5`` times as large. Inf where `local_conditioning` was not evaluated.
    identifiable_rows, identifiable_cols : array of bool of shape (m,), (n,)
        Whether the pattern gives a row at least r entries in columns that are themselves identifiable.
    n_components : int
        Connected components of the pattern, lines without entries left out.
    min_count : int
        Fewest entries in a row or column.
    oversampling : float
        Entries over ``r (m + n - r)``, the degrees of freedom.
    loss_scale : float
        Threshold of the Huber loss, in the unit of the data; inf for the squared loss.
    validation_rmse : float
        On the entries held out, with the Huber loss errors being cut at three of their robust standard deviations;
        inf without any.
    n_als, n_gn, n_cg : int
        Sweeps over both factors, Gauss-Newton steps, inner conjugate-gradient steps.
    """

    U: object
    V: object
    s: object
    row_bias: object
    col_bias: object
    mean: float
    rank: int
    rel_residual: float
    grad_norm: float
    local_conditioning: float
    error_estimate: float
    identifiable_rows: object
    identifiable_cols: object
    n_components: int
    min_count: int
    oversampling: float
    loss_scale: float
    validation_rmse: float
    n_als: int
    n_gn: int
    n_cg: int

    def predict(self, rows, cols):
        """Return the entries at these places.

        Parameters
        ----------
        rows, cols : array_like of int of shape (q,)
            Indices from 0.

        Returns
        -------
        array of shape (q,)
            X[rows, cols].

        Raises
        ------
        InvalidInputError
            The sizes differ, or an index is out of range.
        InvalidTypeError
            An index is no integer.
        """
        xp, where = namespace(self.U), device(self.U)
        i = places("rows", rows, self.U.shape[0], xp, where)
        j = places("cols", cols, self.V.shape[0], xp, where)
        if i.shape != j.shape:
            raise InvalidInputError(f"rows has {i.shape[0]} and cols {j.shape[0]} indices; pass pairs")
        x = xp.sum(xp.take(self.U, i, axis=0) * xp.take(self.V, j, axis=0), axis=1)
        return x + xp.take(self.row_bias, i) + xp.take(self.col_bias, j) + self.mean

    def to_dense(self):
        """Return X as a matrix: O(m n) memory.

        Returns
        -------
        array of shape (m, n)
            All entries.
        """
        xp = namespace(self.U)
        return self.U @ xp.matrix_transpose(self.V) + self.row_bias[:, None] + self.col_bias[None, :] + self.mean
