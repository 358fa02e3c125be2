"""The instances of matrix completion on which all are measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Instance

TARGET = 1e-6  # relative error on entries that nobody saw
G_TARGET = 1e-5  # what the peers are asked on G, where none gets to 1e-6 in useful time
RATINGS_TARGET = 0.82  # test RMSE: a rough one, the figures compare the best
RATINGS_RANK = 20  # of the model, not of the truth
LARGE_LIMIT = 30.0  # seconds; cmfrec needs 12 to 20 on the large instance
LARGE = (20_000, 20, 5.0)  # n, rank, oversampling
N_TEST = 200_000

Factors = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Model:
    """What a solver returns: the matrix U V^T + row_bias + col_bias + mean."""

    U: np.ndarray
    V: np.ndarray
    row_bias: np.ndarray | None = None
    col_bias: np.ndarray | None = None
    mean: float = 0.0

    def predict(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Return the entries at pairs, 64 thousand at a time."""
        out = np.empty(rows.size)
        for lo in range(0, rows.size, 1 << 16):
            r, c = rows[lo : lo + (1 << 16)], cols[lo : lo + (1 << 16)]
            x = np.einsum("ij,ij->i", self.U[r].astype(float), self.V[c].astype(float)) + self.mean
            for bias, index in ((self.row_bias, r), (self.col_bias, c)):
                if bias is not None and np.size(bias):
                    x += bias[index]
            out[lo : lo + r.size] = x
        return out


@dataclass(frozen=True, eq=False)
class Completion:
    """Observed entries, and others for the ruler: of the clean matrix, or ratings held out."""

    shape: tuple[int, int]
    rank: int
    rows: np.ndarray
    cols: np.ndarray
    values: np.ndarray
    test_rows: np.ndarray
    test_cols: np.ndarray
    test_values: np.ndarray
    kind: str = "clean"  # or "outliers", "ratings"

    @property
    def density(self) -> float:
        """Observed entries over all entries."""
        return self.values.size / (self.shape[0] * self.shape[1])

    @cached_property
    def csr(self) -> sp.csr_array:
        """The observed entries, row by row."""
        return sp.csr_array(sp.coo_array((self.values, (self.rows, self.cols)), shape=self.shape))

    @cached_property
    def csr_single(self) -> sp.csr_array:
        """The same in float32: ratings need no more."""
        return self.csr.astype(np.float32)

    @cached_property
    def coo(self) -> sp.coo_matrix:
        """The observed entries as cmfrec takes them."""
        return sp.coo_matrix((self.values, (self.rows, self.cols)), shape=self.shape)

    @cached_property
    def coo_single(self) -> sp.coo_matrix:
        """The same in float32."""
        return self.coo.astype(np.float32)

    @cached_property
    def triples(self) -> np.ndarray:
        """Row, column and value of the observed entries as libmf takes them."""
        return np.column_stack([self.rows, self.cols, self.values]).astype(np.float32)


def error(p: Completion, model: Any) -> float:
    """Return the accuracy by which all are judged.

    That is the root mean square error of held-out ratings, otherwise the relative error of 200 000 entries of the
    clean matrix, drawn from all its positions.
    """
    off = np.linalg.norm(model.predict(p.test_rows, p.test_cols) - p.test_values)
    return float(off / (np.sqrt(p.test_values.size) if p.kind == "ratings" else np.linalg.norm(p.test_values)))


def low_rank(
    n: int, rank: int, oversampling: float, condition: float = 1.0, outliers: float = 0.0, seed: int = 0
) -> Completion:
    """Return an n x n matrix of that rank, seen at `oversampling` entries for each degree of freedom.

    Haar factors, a geometric spectrum, entries of root mean square 1; outliers add U(-10, 10) to that share.
    """
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((n, rank)))[0]
    V = np.linalg.qr(rng.standard_normal((n, rank)))[0]
    s = np.geomspace(1.0, 1.0 / condition, rank)
    root = np.sqrt(s * (n / np.linalg.norm(s)))
    truth = Model(U * root, V * root)
    count = min(int(oversampling * rank * (2 * n - rank)), int(0.95 * n * n))
    seen = np.empty(0, np.int64)
    while seen.size < count:
        lacking = count - seen.size
        seen = np.unique(np.concatenate([seen, rng.integers(0, n * n, int(1.2 * lacking) + 16)]))
    rows, cols = np.divmod(np.sort(rng.permutation(seen)[:count]), n)
    values = truth.predict(rows, cols)
    if outliers:
        hit = rng.random(count) < outliers
        values[hit] += rng.uniform(-10, 10, np.count_nonzero(hit))
    test_rows, test_cols = rng.integers(0, n, N_TEST), rng.integers(0, n, N_TEST)
    return Completion(
        (n, n), rank, rows.astype(np.int32), cols.astype(np.int32), values,
        test_rows, test_cols, truth.predict(test_rows, test_cols), "outliers" if outliers else "clean",
    )  # fmt: skip


def ratings(m: int = 6000, n: int = 3700, count: int = 1_000_000, rank: int = 12, seed: int = 0) -> Completion:
    """Return ratings 1 to 5 of heavy-tailed users and items, with biases and noise; a tenth is held out."""
    rng = np.random.default_rng(seed)
    users, items = rng.lognormal(0, 1.1, m), (1 + np.arange(n)) ** -0.75
    users, items = users / users.sum(), items / items.sum()
    seen = np.empty(0, np.int64)
    while seen.size < count:
        more = int(1.6 * (count - seen.size)) + 64
        drawn = rng.choice(m, more, p=users) * n + rng.choice(n, more, p=items)
        seen = np.unique(np.concatenate([seen, drawn]))
    rows, cols = np.divmod(rng.permutation(seen)[:count], n)
    scale = np.sqrt(0.75 * np.geomspace(1, 0.2, rank))
    U, V = rng.standard_normal((m, rank)) * scale * 0.55, rng.standard_normal((n, rank)) * scale * 0.55
    y = 3.5 + 0.45 * rng.standard_normal(m)[rows] + 0.5 * rng.standard_normal(n)[cols]
    y = np.clip(np.rint(y + Model(U, V).predict(rows, cols) + 0.75 * rng.standard_normal(count)), 1, 5)
    rows, cols, cut = rows.astype(np.int32), cols.astype(np.int32), count // 10
    return Completion(
        (m, n), RATINGS_RANK, rows[cut:], cols[cut:], y[cut:], rows[:cut], cols[:cut], y[:cut], "ratings"
    )  # fmt: skip


# n, rank, oversampling, condition number, share of outliers
CASES = {
    "A": (1000, 10, 5.0, 1.0, 0.0),
    "B": (1000, 10, 3.0, 1.0, 0.0),
    "C": (1000, 10, 3.0, 100.0, 0.0),
    "D": (1000, 10, 2.0, 10.0, 0.0),
    "D, condition 100": (1000, 10, 2.0, 100.0, 0.0),
    "D, oversampling 1.5": (1000, 10, 1.5, 10.0, 0.0),
    "F5, condition 1": (1000, 10, 5.0, 1.0, 0.1),
    "F5, condition 10": (1000, 10, 5.0, 10.0, 0.1),
    "F3, condition 1": (1000, 10, 3.0, 1.0, 0.1),
    "F3, condition 10": (1000, 10, 3.0, 10.0, 0.1),
    "G": (5000, 10, 3.0, 10.0, 0.0),
    "large": (*LARGE, 1.0, 0.0),
}
SEED = 1  # of the table


def case(name: str, seed: int = SEED) -> Instance:
    """Return an instance by its name, drawn from a seed."""
    n, rank, oversampling, condition, outliers = CASES[name]
    problem = low_rank(n, rank, oversampling, condition, outliers, seed)
    least = LARGE_LIMIT if name == "large" else 0.0
    return Instance(name, problem, G_TARGET if name == "G" else TARGET, least)


def seeds(name: str, count: int = 20) -> Iterator[Instance]:
    """Yield an instance for each of the seeds 0, 1, ..."""
    return (case(name, seed) for seed in range(count))


@lru_cache
def instances() -> list[Instance]:
    """Return all of them, seed 1."""
    return [*map(case, CASES), Instance("ratings", ratings(), RATINGS_TARGET)]
