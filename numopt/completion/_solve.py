"""Low-rank matrix completion."""

from contextlib import nullcontext
from functools import lru_cache

from numopt import _array
from numopt._check import flag, one_of
from numopt._loop import run
from numopt._solver import solver
from numopt._threads import thread_count
from numopt.completion._build import problem
from numopt.completion._finish import finish
from numopt.completion._methods import guarded, iterates
from numopt.completion._result import CompletionResult
from numopt.exceptions import InvalidInputError, InvalidTypeError

PLAIN = ("vpgn", "altmin-sketch", "scaledgd", "subgm")  # without ridge, biases and so on
METHODS = ("auto", "als", "vpgn", "altmin-sketch", "scaledgd", "softimpute", "subgm", "irls")


@solver(family="completion", sparse=True, arrays=("X", "sample_weight"))
def matrix_completion(X, rank=10, *, mask=None, sample_weight=None, method="auto", inner="auto", ridge=0.0,
                      ridge_mode="constant", bias_ridge=None, loss="squared", center="none", init="spectral",
                      duplicates="raise", sample_splitting=False, validation_fraction=0.0, tol=1e-6, max_iter=500,
                      max_time=None, rng=None, callback=None, check_every=1, on_failure="warn"):  # fmt: skip
    """Complete a matrix of low rank from some of its entries.

    Minimises, over U of shape (m, r) and V of shape (n, r) with r at most `rank`::

        1/2 sum_ij w_ij (y_ij - mean - b_i - c_j - u_i.v_j)^2 + 1/2 sum_i l_i (|u_i|^2 + ...) + 1/2 sum_j ...

    over the observed entries y_ij only.

    Parameters
    ----------
    X : sparse array, array_like of shape (m, n), or tuple
        What is observed: a sparse array, whose *stored* entries count, zeros among them; a dense array with NaN where
        nothing is observed; a dense array with `mask`; or ``(rows, columns, values, (m, n))``. float32 or
        float64; anything else real becomes float64. A row or column without entries is allowed.
    rank : int or "auto", default 10
        Largest rank, from 1 to min(m, n). ``"auto"`` grows it from 1 until 5 % of the entries, held out for that, are
        no longer predicted better; biases are left out of that search. With the Huber loss outliers among them are
        capped alike for all ranks.
    mask : array_like of bool of shape (m, n), optional
        True where a dense `X` is observed; other entries of `X` are not looked at.
    sample_weight : array_like, optional
        Weights w >= 0: of shape (m, n) for a dense `X`, else one for each entry in its order. An entry of
        weight 0 is left out. None (default) is 1 everywhere. With the Huber loss a weight multiplies the pull of an
        outlier too: cut weights that differ a lot at their mean.
    method : {"auto", "als", "vpgn", "altmin-sketch", "scaledgd", "softimpute", "subgm", "irls"}, default "auto"
        ``"auto"``: alternating sweeps, then variable projection with Gauss-Newton, then rank continuation if that
        fails; with a ridge, biases or the Huber loss, alternating sweeps. ``"als"``: alternating least
        squares. ``"vpgn"``: Gauss-Newton from the spectral start. ``"altmin-sketch"``: alternating minimisation
        with sketched row solves, as published [1]_. ``"scaledgd"``: preconditioned gradient descent [2]_.
        ``"softimpute"``: regressions on the filled matrix, for a constant ridge [4]_, which decreases to `ridge`;
        with a large enough rank it solves the nuclear-norm problem, as ``"als"`` does in fewer sweeps. ``"subgm"``:
        subgradient descent on the sum of absolute residuals [3]_, a heuristic here. ``"irls"``: sweeps with
        ``loss="huber"``.
    inner : {"auto", "direct", "cg", "sketch"}, default "auto"
        How ``"als"`` without ridge solves for rows: by systems, by conjugate gradients that one QR factorisation
        preconditions for all, or with a sketch of each row. ``"auto"`` is direct up to rank 64 and near the end.
    ridge : float, default 0
        l >= 0 in the unit of ``w y^2 / |u|^2``: the unit of the data, if weights have none.
    ridge_mode : {"constant", "count"}, default "constant"
        Whether a row's ridge is `ridge` or `ridge` times the sum of its weights, as in recommender practice.
    bias_ridge : float, optional
        Ridge of the biases, in the unit of w. None (default): as `ridge`.
    loss : {"squared", "huber"}, default "squared"
        ``"huber"`` bounds the pull of outliers. Its threshold is 1.345 times the robust standard deviation of the
        residuals, estimated anew after each sweep, but not so low that a ridge would outweigh what it bounds.
    center : {"none", "global", "biases"}, default "none"
        Whether the mean of the entries (with the Huber loss their median), or also a bias for each row and column, is
        part of the model.
    init : {"spectral", "random"} or CompletionResult, default "spectral"
        Start from the leading singular vectors of the observed entries, at random, or from the factors of an earlier
        result, whose rank is then kept. With biases and the squared loss "spectral" is a random start too, and with a
        ridge by counts one close to 0: held-out entries are then predicted best after 5 to 10 sweeps, which
        `validation_fraction` finds. From any other start ``"irls"``, and ``"auto"`` with the Huber loss, are sweeps
        without rank continuation.
    duplicates : {"raise", "mean", "sum"}, default "raise"
        What to do with an entry that is given more than once.
    sample_splitting : bool, default False
        For ``"altmin-sketch"``: each half step sees a part of the entries of its own, as the proof assumes.
    validation_fraction : float, default 0
        Part of the entries, at most 0.9, held out to stop sweeps when their error has risen three times in a row. With
        the Huber loss their errors are cut at three robust standard deviations.
    tol : float, default 1e-6
        Without ridge and biases: for the relative residual on the observed entries, or for the stationarity where
        noise keeps the residual above `tol`. Else for the stationarity. See Notes.
    max_iter : int, default 500
        Sweeps and Gauss-Newton steps together.
    max_time : float, optional
        Seconds.
    rng : None, int, Generator or SeedSequence, optional
        For the random start of subspace iterations, sketches and what is held out.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    check_every : int, default 1
        Iterations between two checks.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if `tol` is not met.

    Returns
    -------
    CompletionResult
        With ``U``, ``V``, ``s``, biases, ``rank``, ``rel_residual``, ``grad_norm``, ``local_conditioning``,
        identifiability masks, ``predict``, ``to_dense``, and what every result has.

    Raises
    ------
    InvalidInputError
        No entry, NaN or infinite entries among the observed, negative weights, entries given twice, indices or `rank`
        out of range.
    InvalidTypeError
        Arrays of two libraries, complex or half-precision numbers.
    SolverError
        `tol` was not met and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not met, or the completion is not unique.
    NumoptWarning
        Half of the rows and columns have fewer entries than `rank`, and there is no ridge.

    Notes
    -----
    *Success* without a ridge means more than a small residual, for which a wrong completion would do. The entries
    must also determine X: each row and column has at least r entries in others that are determined, the pattern is
    connected, and the smallest curvature of the objective around X, relative to the largest (``local_conditioning``,
    Lanczos on the Schur complement), is above 1e-8. Otherwise ``ambiguity`` leads the certificate, and the message
    says what is not determined. Biases without a ridge, and validation, are held to the first two only. Where the
    entries amplify errors more than tenfold, `tol` judges the error of X to be
    expected (``error_estimate``) in place of the residual. No certificate excludes a second completion far away. The
    stationarity is the norm of the gradient in U (in V), relative to
    that of the right-hand sides of the normal equations and, without a ridge, to the relative residual. With the Huber
    loss data and residuals are cut at their thresholds for that comparison, and V (U) is orthonormal if there is no
    ridge: no outlier, fitted or not, makes a gradient look small.

    With a constant ridge, squared loss and no biases the problem is ``1/2 sum w (y - x)^2 + ridge |X|_*``, the nuclear
    norm, restricted to a rank. How far X is from the optimum over all ranks, relative to the objective and from the
    dual, is ``certificate["nuclear_gap"]``; it is reported, not judged: if it stays above 0, raise `rank`.

    *Method.* V is orthonormal, U eliminated: a Gauss-Newton step in V is a linear system with the Schur complement,
    which is applied in two passes over the entries and solved by conjugate gradients, preconditioned by its diagonal
    blocks; Levenberg's damping makes steps monotone. Rank continuation starts at rank 1 and appends the leading
    singular direction of the residuals after a few steps.

    *Cost* of a sweep: about ``2 N r^2`` multiply-adds for N entries; of a conjugate gradient step ``8 N r``.
    *Memory*: entries twice, ``N (8 + 2 b)`` bytes for numbers of b bytes, and ``4 (r + 1)^2 min(m, n)`` bytes for
    factors. Nothing of size m n or N r. CuPy arrays stay on the device; the places of the entries are read on the
    host, once for the certificate.

    *When not to use it*: fewer than ``r (m + n - r)`` entries leave X undetermined, whatever the method; a ridge then
    chooses one. Entries missing because of their value are beyond any such model.

    References
    ----------
    .. [1] Y. Gu, Z. Song, J. Yin, L. Zhang: Low rank matrix completion via robust alternating minimization in nearly
       linear time, ICLR 2024, arXiv:2302.11068.
    .. [2] T. Tong, C. Ma, Y. Chi: Accelerating ill-conditioned low-rank matrix estimation via scaled gradient descent,
       arXiv:2005.08898.
    .. [3] J. Ma, S. Fattahi: Global convergence of sub-gradient method for robust matrix recovery, arXiv:2202.08788.
    .. [4] T. Hastie, R. Mazumder, J. D. Lee, R. Zadeh: Matrix completion and low-rank SVD via fast alternating least
       squares, JMLR 2015, arXiv:1410.2596.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.completion import matrix_completion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> seen = np.where(rng.random(X.shape) < 0.3, X, np.nan)
    >>> res = matrix_completion(seen, rank=2, rng=0)
    >>> res.success, bool(abs(res.to_dense() - X).max() < 1e-4)
    (True, True)
    """
    one_of("method", method, METHODS)
    if not isinstance(init, (CompletionResult, str)):
        raise InvalidTypeError(f"init is {type(init).__name__}: 'spectral', 'random' or a CompletionResult is expected")
    if isinstance(init, str):
        one_of("init", init, ("spectral", "random"))
    one_of("inner", inner, ("auto", "direct", "cg", "sketch"))
    _expect_use("inner", inner, "auto", method, "als")
    sample_splitting = flag("sample_splitting", sample_splitting)
    _expect_use("sample_splitting", sample_splitting, False, method, "altmin-sketch")
    rng = _array.default_rng(rng)
    loss = "huber" if method in ("irls", "subgm") else loss
    p = problem(X, rank, mask=mask, sample_weight=sample_weight, ridge=ridge, ridge_mode=ridge_mode,
                bias_ridge=bias_ridge, loss=loss, center=center, duplicates=duplicates, tol=tol,
                validation_fraction=validation_fraction, rng=rng)  # fmt: skip
    if method in PLAIN and not (p.plain or (method == "subgm" and not (p.penalised or p.held))):
        raise InvalidInputError(
            f"method is {method!r} with a ridge, biases, validation or the Huber loss: it knows none of them; "
            f'use "auto" or "als"'
        )
    if method == "softimpute" and not p.convex:
        raise InvalidInputError(
            "method is 'softimpute': a ridge > 0 is expected, the same for all rows, without biases, validation or the "
            'Huber loss; pass ridge, or use "auto" or "als"'
        )
    if inner != "auto" and not p.plain:
        raise InvalidInputError(f'inner is {inner!r} with a ridge, biases, validation or the Huber loss: use "auto"')
    with _blas_at_rest():
        return run(
            guarded(iterates(p, method, inner, init, rng, sample_splitting)),
            certify=p.certificate, finish=lambda *args: finish(p, *args), start=p.zeros(),
            tol=tol, max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
            on_failure=on_failure,
        )  # fmt: skip


def _expect_use(name, value, default, method, owner):
    """Raise for an argument that the method would not look at."""
    if value != default and method != owner:
        raise InvalidInputError(f"{name} is {value!r} with method {method!r}: {owner!r} alone takes it; leave it out")


def _blas_at_rest():
    """Return a context with one thread for BLAS: its products are small here, and its idle threads spin on cores."""
    return nullcontext() if thread_count() == 1 else _pools().limit(limits=1, user_api="blas")


@lru_cache
def _pools():
    """Return the thread pools of the process; looking for them takes a millisecond."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
