"""The public solver of matrix games."""

from numopt._array import host
from numopt._check import one_of
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.monotone._game_part import whole_game
from numopt.monotone._game_problem import game
from numopt.monotone._matrix import STEPS
from numopt.monotone._pdhg import pace
from numopt.monotone._polish import polish, price
from numopt.monotone._working_set import working_sets


@solver(family="monotone", sparse=True, arrays=("A",))
def matrix_game(A, *, method="auto", tol=1e-6, max_iter=100_000, max_time=None, init=None, check_every=1,
                callback=None, on_failure="warn"):  # fmt: skip
    """Equilibrium of a zero-sum matrix game, with the gap that proves it.

    Solves min_x max_y y.(A x) over mixed strategies: x and y are >= 0 and sum to 1.

    Parameters
    ----------
    A : array_like or sparse of shape (m, n)
        What the player of the columns pays to the player of the rows; float32 or float64, anything else becomes
        float64.
    method : {"auto", "pdhg"}, default "auto"
        ``"pdhg"``: restarted reflected Halpern PDHG alone. ``"auto"``: after some steps, the strategies in use are
        taken for the support of the equilibrium, and an interior-point method finds their weights.
    tol : float, default 1e-6
        For the gap, relative to the largest distance of an entry of `A` from the mean of `A`.
    max_iter : int, default 100000
        Checks of the method; there are 20 to 40 passes over `A` between two.
    max_time : float, optional
        Seconds.
    init : GameResult or pair of array_like of shape (n,), (m,), optional
        Strategies (x, y) to start from; they are normalised. None (default): even ones.
    check_every : int, default 1
        Checks of the method between two of the loop.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if `tol` is not met.

    Returns
    -------
    GameResult
        With ``x``, ``y``, ``value``, ``lower``, ``upper``, ``gap``, ``n_passes``, ``n_restarts``, ``polished``, and
        what every result has.

    Raises
    ------
    InvalidInputError
        An empty `A`, NaN or infinity in it, a bad keyword.
    InvalidTypeError
        Complex numbers, arrays of two libraries.
    SolverError
        `tol` was not met and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not met.
    PrecisionWarning
        `tol` is below 1e-14, or 50 rounding errors of float32.

    Notes
    -----
    *Certified*: ``lower <= value of the game <= upper`` from the best answers to the returned strategies, recomputed
    from every entry of `A`. Equilibria need not be unique; any is returned.

    *Method*. If a pair of pure strategies is an equilibrium it is returned at once: constant and additive games, one
    row, one column. Otherwise PDHG, with the step that the norm of A between differences of strategies allows:
    constants added to a row or a column do not slow it down. After some tens of steps it goes on with the strategies
    in use alone, and takes in others when the whole game asks for them.

    *Cost*: some tens of passes over `A`, then passes over the rows and columns in use, with a look at `A` every twenty;
    the interior point solves 10 to 20 dense systems in the number of strategies in use. *Memory*: of dense `A` the part
    in use is copied, all of it if its mean is a thousand times its spread; sparse `A` is stored by rows and columns.
    The interior point takes 16 bytes for each pair of strategies in use. CuPy arrays stay on the device; the lists of
    strategies in use pass through the host.

    *When not to use it*: for games in extensive form; for all equilibria rather than one.

    References
    ----------
    H. Lu, J. Yang, "Restarted Halpern PDHG for linear programming", arXiv:2407.16144.

    Examples
    --------
    >>> from numopt.monotone import matrix_game
    >>> rock_paper_scissors = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]
    >>> result = matrix_game(rock_paper_scissors, tol=1e-10)
    >>> result.x.round(6), result.success
    (array([0.333333, 0.333333, 0.333333]), True)
    """
    one_of("method", method, ("auto", "pdhg"))
    g = game(A, tol)
    begin = g.start(init)
    return run(
        _iterates(g, *begin, method, tol),
        certify=g.certificate,
        finish=g.finish,
        start=begin,
        tol=tol,
        max_iter=max_iter,
        max_time=max_time,
        check_every=check_every,
        callback=callback,
        on_failure=on_failure,
    )


def _iterates(g, x, y, method, tol):
    A, done = g.A, {"n_passes": 1, "n_restarts": 0, "polished": False}
    pure = g.pure()
    yield Iterate(pure, g.measure(*pure, *A.products(*pure)), done)
    whole = whole_game(g)
    norm = whole.norm()
    if not norm > 0:  # additive: the pure pair above was an equilibrium
        return Status.STALLED
    at = pace(norm)
    spent, factor = STEPS + 1, 0.5
    for step in working_sets(g, whole, x, y, at):
        info = done | step.info
        info["n_passes"] += spent
        yield Iterate(step.state, step.measure, info)
        if method == "auto":
            used = [host(A.xp.sum(A.xp.astype(z > 0, A.xp.int64))) for z in reversed(step.state)]
            if at.work > factor * price(A, *used):
                last = yield from polish(g, *step.state, tol, info)
                spent, factor = spent + last["n_passes"] - info["n_passes"], 4 * factor
    return Status.NONFINITE
