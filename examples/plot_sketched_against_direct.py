"""
Sketched solves against direct ones
===================================

Sketch and project needs no factorisation, and a projection costs no more than a row of the matrix. When does that
pay? Here both solve the same symmetric indefinite systems, to the same accuracy, and the clock decides.
"""

from time import process_time

import numpy as np
from matplotlib import pyplot as plt

from numopt.constrained import KKTSolver, sketch_solve

# %%
# The systems
# -----------
# Eigenvalues of both signs, their sizes spread evenly between 1 and the condition number, mixed by random reflections.


def system(n, condition, seed=0):
    """Return A and b."""
    rng = np.random.default_rng(seed)
    A = np.diag(np.linspace(1, condition, n) * np.where(np.arange(n) % 3, 1, -1))
    for v in rng.standard_normal((8, n)):
        w = np.sqrt(2) * v / np.linalg.norm(v)
        A -= np.outer(A @ w, w)
        A -= np.outer(w, w @ A)
    return (A + A.T) / 2, rng.standard_normal(n)


def seconds(solve, repeats=2):
    """Return the least CPU seconds of a few calls, the first of which compiles."""
    best = np.inf
    for _ in range(1 + repeats):
        begin = process_time()
        solve()
        best = min(best, process_time() - begin)
    return best


def direct(A, b):
    """Factor and solve."""
    return KKTSolver("ldl").factor(A, np.empty((0, A.shape[0]))).solve(b)


def sketched(A, b, kind):
    """Return the seconds to a relative residual of 1e-6; NaN where neither a million projections nor 1.5 seconds do."""
    options = {"kind": kind, "tol": 1e-6, "max_sketches": 1_000_000, "rng": 0, "on_failure": "ignore", "max_time": 1.5}
    best = seconds(lambda: sketch_solve(A, b, **options), repeats=1)
    return best if sketch_solve(A, b, **options).success else np.nan


# %%
# What decides is the condition number
# ------------------------------------
# A direct solver does not see it. The number of projections grows with its square.

KINDS = ("kaczmarz", "gaussian", "block-kaczmarz")
conditions, sizes = np.array([1.0, 1.5, 2.5, 4.0, 8.0, 16.0]), np.array([25, 50, 100, 200, 400, 800, 1600])
by_condition, by_size = {}, {}
for name in ("direct", *KINDS):

    def measured(n, condition, name=name):
        """Return the seconds of one way to solve one system."""
        A, b = system(n, condition)
        return seconds(lambda: direct(A, b)) if name == "direct" else sketched(A, b, name)

    by_condition[name] = [measured(200, condition) for condition in conditions]
    by_size[name] = [measured(n, 2.0) for n in sizes]

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for name, values in by_condition.items():
    axes[0].loglog(conditions, values, "o-", label=name)
for name, values in by_size.items():
    axes[1].loglog(sizes, values, "o-", label=name)
axes[0].set(xlabel="condition number", ylabel="CPU seconds", title="200 unknowns")
axes[1].set(xlabel="unknowns", title="condition number 2")
axes[0].legend()
plt.show()

# %%
# On the left no sketch is faster than the direct solver. On the right, at a condition number of 2, the time of Kaczmarz
# steps grows with the square of the number of unknowns, and that of a factorisation with the cube, so that they catch
# up. From some hundred unknowns on both go side by side, because the rows that are projected on come from memory, while
# a factorisation works in the cache: on some processors Kaczmarz steps draw level with the factorisation there, on
# others they take two to three times as long. Points that are missing were beyond a million projections or 1.5 seconds.
#
# The number of projections grows with the square of the condition number, and the KKT matrices of real problems
# have condition numbers of thousands. Combinations of rows with Gaussian numbers cost a product with the whole
# matrix each: they never pay.

for n, ratio in zip(sizes, np.divide(by_size["kaczmarz"], by_size["direct"]), strict=True):
    print(f"{n} unknowns: Kaczmarz takes {ratio:.2g} times as long as the direct solver")
