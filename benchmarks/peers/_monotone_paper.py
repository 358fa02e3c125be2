"""The paper's two experiments: Algorithms 1 and 2 beside EG, EAG and VR-EG, by epochs and by seconds.

`python -m benchmarks.peers._monotone_paper [FILE.png]` takes two minutes: it writes a table under `benchmarks/results`
and draws the curves. Instances and steps are those of the authors' scripts (arXiv:2310.02987); an epoch is n calls of
components, and a difference of two points costs two.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers._monotone_instances import police
from benchmarks.peers._monotone_ours import quiet

RESULT = Path(__file__).parents[1] / "results" / "monotone-paper.rst"
LEVELS = {"game": (0.05, 0.02), "quadratic": (3.0, 2.5)}  # the residuals at which the curves are read
EPOCHS = {"game": (2500, 1000), "quadratic": (10_000, 4000)}  # the second: for SINGLE, whose seconds are long
SINGLE = "VR-EG", "Algorithm 2"  # draw one component at a time
LOOKS = 400  # points of a curve, about

Curve = list[tuple[float, float, float]]  # epochs, seconds, residual
Steps = Iterator[tuple[np.ndarray, int]]  # point, calls of components since the one before


@dataclass(frozen=True, eq=False)
class Experiment:
    """A monotone sum with its start, its residual and the steps of the scripts."""

    op: Any
    project: Callable[[np.ndarray], np.ndarray]
    residual: Callable[[np.ndarray], float]
    start: np.ndarray
    steps: dict[str, float]
    page: dict[str, Any]
    forb: dict[str, Any]


class QuadraticSum:
    """F(x, y) = (2 A^T A x - h - A^T y, A x - b) as a sum over the rows a_i of A, each monotone.

    F_i = n (a_i (2 a_i.x - y_i), (a_i.x) e_i) - (h, b): which sum the authors took is not known to us.
    """

    kind = "monotone"
    saddle = True

    def __init__(self, A: np.ndarray, h: np.ndarray, b: np.ndarray) -> None:
        self.A, self.constant, self.n, self.dim, self.split = A, -np.concatenate((h, b)), b.size, 2 * b.size, b.size
        M = np.block([[2 * A.T @ A, -A.T], [A, np.zeros(A.shape)]])
        self.M, self.lipschitz = M, float(np.linalg.norm(M, 2))
        norms = np.linalg.norm(A, axis=1)
        self.component_lipschitz = self.n * (2 * norms**2 + norms)

    def full(self, z: np.ndarray) -> np.ndarray:
        """Return F(z)."""
        return self.M @ z + self.constant

    def batch_difference(self, z: np.ndarray, w: np.ndarray, index: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weighted sum of F_i(z) - F_i(w)."""
        d, rows = z - w, self.A[index]
        at = rows @ d[: self.n]
        slopes = self.n * weights * (2 * at - d[self.n + index])
        below = np.bincount(index, self.n * weights * at, minlength=self.n)
        return np.concatenate((slopes @ rows, below))


def game() -> Experiment:
    """Policeman and burglar, 500 x 500, by the natural residual for a unit step."""
    from numopt.monotone import BilinearGame

    A, n = police(500), 500
    op = BilinearGame(A)
    norm, frobenius, chance = np.linalg.norm(A, 2), np.linalg.norm(A), 1 / n

    def project(z: np.ndarray) -> np.ndarray:
        return np.concatenate((simplex(z[:n]), simplex(z[n:])))

    def residual(z: np.ndarray) -> float:
        return float(np.linalg.norm(z - project(z - op.full(z))))

    c = np.sqrt(n) / frobenius
    gamma = 5 * np.sqrt(chance * (1 - chance)) / (np.sqrt(n) + 1)
    steps = {"EG": 5 / norm, "EAG": 5 / norm, "VR-EG": 3 * np.sqrt(chance) / frobenius}
    return Experiment(op, project, residual, np.full(2 * n, 1 / n), steps, {"step": 5 / frobenius, "batch_size": 22},
                      {"step": c, "inner_step": gamma})  # fmt: skip


def quadratic() -> Experiment:
    """Ouyang and Xu's hard quadratic saddle, n = 200, by the norm of F.

    Algorithm 1 takes a third of the step of the scripts, 0.3, with which it diverges on this sum.
    """
    n = 200
    i = np.arange(n)
    A = np.zeros((n, n))
    A[i, n - 1 - i] = 0.25
    A[i[:-1], n - 2 - i[:-1]] = -0.25
    h, b = np.zeros(n), np.full(n, 0.25)
    h[-1] = 0.25
    op = QuadraticSum(A, h, b)
    steps = {"EG": 0.5, "EAG": 0.3, "VR-EG": 0.01}
    return Experiment(op, lambda z: z, lambda z: float(np.linalg.norm(op.full(z))), np.full(2 * n, 1 / n), steps,
                      {"step": 0.1, "batch_size": 14}, {"step": np.sqrt(n), "inner_step": 0.001})  # fmt: skip


def simplex(v: np.ndarray) -> np.ndarray:
    """Return the nearest point of the simplex."""
    s = np.sort(v)[::-1]
    excess = np.cumsum(s) - 1
    count = np.count_nonzero(s * np.arange(1, s.size + 1) > excess)
    return np.maximum(v - excess[count - 1] / count, 0)


def extragradient(e: Experiment, eta: float, anchored: bool) -> Steps:
    """Yield the steps of EG, or of EAG with lam = 1 / (k + 2)."""
    z, k = e.start, 0
    while True:
        base = z + (e.start - z) / (k + 2) if anchored else z
        z = e.project(base - eta * e.op.full(e.project(base - eta * e.op.full(z))))
        k += 1
        yield z, 2 * e.op.n


def vr_extragradient(e: Experiment, eta: float, seed: int) -> Steps:
    """Yield the steps of Alacaoglu and Malitsky's loopless method, p = 1 / n (arXiv:2102.08352)."""
    n, rng = e.op.n, np.random.default_rng(seed)
    z = w = e.start
    Fw, calls, one = e.op.full(w), n, np.ones(1)
    while True:
        base = z + (w - z) / n
        ahead = e.project(base - eta * Fw)
        z = e.project(base - eta * (Fw + e.op.batch_difference(ahead, w, rng.integers(n, size=1), one)))
        calls += 2
        if rng.random() < 1 / n:
            w, Fw, calls = z, e.op.full(z), calls + n
        yield z, calls
        calls = 0


def methods(e: Experiment, epochs: int, stop: float, seed: int = 0) -> dict[str, Callable[[], Curve]]:
    """Return what runs each method for so many epochs, or until the residual is at most `stop`."""
    from numopt.monotone import Product, Simplex

    half = e.start.size // 2
    prox = Product([(Simplex(), half), (Simplex(), half)]) if e.op.kind == "bilinear" else None

    def own(steps: Steps) -> Curve:
        curve, spent, calls, looked = [], 0.0, 0, 0
        begin = time.process_time()
        for z, more in steps:
            calls += more
            if calls - looked >= epochs * e.op.n / LOOKS:
                spent, looked = spent + time.process_time() - begin, calls
                curve.append((calls / e.op.n, spent, e.residual(z)))
                if curve[-1][2] <= stop or calls >= epochs * e.op.n:
                    return curve
                begin = time.process_time()
        return curve

    def ours(method: str, options: dict) -> Curve:
        from numopt.monotone import monotone_root

        curve: Curve = []
        clock = [time.process_time(), 0.0]  # when it was started last, and what it had measured before

        def look(intermediate_result: Any) -> None:
            done = intermediate_result.info["n_component"] / e.op.n
            if not curve or done - curve[-1][0] >= epochs / LOOKS:
                clock[1] += time.process_time() - clock[0]
                curve.append((done, clock[1], e.residual(np.asarray(intermediate_result.state))))
                if curve[-1][2] <= stop:
                    raise StopIteration
                clock[0] = time.process_time()

        quiet(monotone_root, e.op, e.start, prox=prox, method=method, tol=0.0, max_iter=epochs, rng=seed, callback=look,
              **options)  # fmt: skip
        return curve

    return {
        "EG": lambda: own(extragradient(e, e.steps["EG"], anchored=False)),
        "EAG": lambda: own(extragradient(e, e.steps["EAG"], anchored=True)),
        "VR-EG": lambda: own(vr_extragradient(e, e.steps["VR-EG"], seed)),
        "Algorithm 1": lambda: ours("halpern-page", e.page),
        "Algorithm 2": lambda: ours("halpern-forb", e.forb),
    }


def reached(curve: Curve, level: float) -> tuple[float, float]:
    """Return (epochs, seconds) at which the residual is first at most `level`; infinite if it never is."""
    return next(((epochs, seconds) for epochs, seconds, r in curve if r <= level), (np.inf, np.inf))


def main(file: str = "") -> None:
    """Run all, write the table, draw the curves."""
    from numopt import threads

    found, lines = {}, [".. csv-table::", "   :header-rows: 1", ""]
    lines.append('   "experiment","method","residual","epochs","CPU s","residual at the end","epochs of the run"')
    with threads(1):
        for name, make in (("game", game), ("quadratic", quadratic)):
            e = make()
            for method in methods(e, 1, 0.0):
                curve = found[name, method] = methods(e, EPOCHS[name][method in SINGLE], 0.0)[method]()
                for level in LEVELS[name]:
                    epochs, seconds = reached(curve, level)
                    said = f'"{epochs:.4g}","{seconds:.3g}"' if np.isfinite(epochs) else '"not reached","-"'
                    end = f'"{curve[-1][2]:.2e}","{curve[-1][0]:.4g}"'
                    lines.append(f'   "{name}","{method}","{level:g}",{said},{end}')
                    print(lines[-1].strip(), flush=True)
    RESULT.write_text("\n".join(lines) + "\n")
    if file:
        draw(found, file)


def draw(found: dict[tuple[str, str], Curve], file: str) -> None:
    """Draw the residuals over epochs and over seconds."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 2, figsize=(9, 7), sharey="row", constrained_layout=True)
    for row, name in zip(axes, ("game", "quadratic"), strict=True):
        for (experiment, method), curve in found.items():
            if experiment == name:
                epochs, seconds, residuals = np.array(curve).T
                for ax, x in zip(row, (epochs, seconds), strict=True):
                    ax.loglog(x, residuals, label=method)
        row[0].set(xlabel="epochs", ylabel="residual", title=name)
        row[1].set(xlabel="CPU seconds", title=name)
    axes[0, 0].legend()
    fig.savefig(file, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
