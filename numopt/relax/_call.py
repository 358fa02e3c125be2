"""What `sor` and `ssor_pcg` share around their iterations."""

from time import perf_counter

from numopt import _array
from numopt._check import Checks, controls, integer, scalar
from numopt._given import as_array
from numopt._loop import Status, judged
from numopt.exceptions import InvalidInputError
from numopt.relax._problem import LARGEST_ENTRY

# Entries to pass over between two looks at the clock, some milliseconds: on a CUDA device, and elsewhere.
_CHUNK = {True: 1_000_000_000, False: 4_000_000}


def scipy_names(max_iter, maxiter, M, why):
    """Return the limit on iterations from either spelling; refuse a preconditioner."""
    if M is not None:
        raise InvalidInputError(f"M is {type(M).__name__}: None is expected, since {why}; leave it out")
    return max_iter if maxiter is None else maxiter


def checked_omega(omega):
    """Return a relaxation parameter in (0, 2)."""
    omega = scalar("omega", omega, above=0.0, high=2.0, remedy='pass a number inside (0, 2), or "auto"')
    if omega > 2 - 1e-9:
        raise InvalidInputError(f"omega is {omega}: less than 2 - 1e-9 is expected; the sweep does not converge at 2")
    return omega


def stride(problem, check_every, callback):
    """Return how many iterations a kernel does in one call."""
    few = integer("check_every", check_every, low=1, remedy="check every iteration with 1")
    return few if callback is not None else max(few, _CHUNK[_array.is_cupy(problem.xp)] // problem.A.nnz)


def shown(problem, callback):
    """Return the callback for the loop, which knows x in the order of the sweeps: the caller gets it in his own."""
    if not callable(callback):
        return callback

    def call(at):
        at.state = problem.point(at.state)
        callback(at)

    return call


def columns(solve, A, b, x0, max_time, on_failure):
    """Solve for a vector, for a matrix of one column, or for each column of a matrix.

    The limit on the time, a callback that stops, and Ctrl-C hold for all columns together.
    """
    b, x0 = (v if v is None else as_array(name, v) for name, v in (("b", b), ("x0", x0)))
    if b is None or len(b.shape) != 2 or _array.is_sparse(b):
        return solve(b, x0, max_time, on_failure)
    if x0 is not None and len(x0.shape) != 1 and x0.shape != b.shape:
        raise InvalidInputError(
            f"x0 has shape {tuple(x0.shape)} and b {tuple(b.shape)}: one start for all columns, or one for each, is "
            f"expected; make the shapes agree"
        )
    checks = Checks({"b": b, "x0": x0})
    rows = (*getattr(A, "shape", ()), None)[0]
    checks.matrix("b", shape=(rows, None), low=-LARGEST_ENTRY, high=LARGEST_ENTRY, remedy="rescale the system")
    if x0 is not None:
        (checks.vector if len(x0.shape) == 1 else checks.matrix)("x0")
    checks.settle()
    controls(tol=0.0, max_iter=1, max_time=max_time, on_failure=on_failure)
    start = (lambda j: None) if x0 is None else (lambda j: x0 if len(x0.shape) == 1 else x0[:, j])
    results, left, stopped, began = [], max_time, None, perf_counter()
    try:
        for j in range(b.shape[1]):
            results.append(solve(b[:, j], start(j), left, "ignore"))
            if results[-1].status in (Status.INTERRUPTED, Status.CALLBACK_STOP):
                left, stopped = 0.0, stopped or results[-1]
            elif max_time is not None:
                left = max(0.0, float(max_time) - (perf_counter() - began))
    except Exception as error:
        if (last := getattr(error, "result", None)) is not None:
            error.result = _together([*results, last], last)
        raise
    return judged(_together(results, stopped), on_failure)


def _together(results, stopped):
    """Return the result for all columns, given that one was `stopped` or None: the worst, with sums and largest."""
    worst = max(results, key=lambda r: (not r.success, r.certificate["residual"]))
    if stopped:
        worst.status, worst.message = stopped.status, stopped.message
    worst.x = _array.namespace(worst.x).stack([r.x for r in results], axis=1)
    worst.nit, worst.nit_paper = max(r.nit for r in results), max(r.nit_paper for r in results)
    worst.time, worst.work = sum(r.time for r in results), sum(r.work for r in results)
    worst.residual_norm = max(r.residual_norm for r in results)
    return worst
