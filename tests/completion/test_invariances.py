"""What must not change the answer, or must change it in a known way."""

import numpy as np
import pytest

from numopt.completion import matrix_completion
from numopt.exceptions import InvalidInputError
from tests.completion.instances import haar


def solve(X, rank=3, **more):
    return matrix_completion(X, rank, **{"rng": 0, "tol": 1e-11} | more)


def test_permutations_and_transposes():
    X, _ = haar(60, 50, 3, 5)
    rows, columns, values, shape = X
    rng = np.random.default_rng(0)
    p, q = rng.permutation(60), rng.permutation(50)
    plain = solve(X).to_dense()
    moved = solve((p[rows], q[columns], values, shape)).to_dense()
    assert np.allclose(moved[np.ix_(p, q)], plain, atol=1e-8)
    assert np.allclose(solve((columns, rows, values, shape[::-1])).to_dense().T, plain, atol=1e-8)


def test_scaling_and_shifting():
    X, _ = haar(60, 50, 3, 5, noise=0.1)
    rows, columns, values, shape = X
    plain = solve(X, tol=1e-8).to_dense()
    assert np.allclose(solve((rows, columns, -1e3 * values, shape), tol=1e-8).to_dense(), -1e3 * plain, atol=1e-3)
    one = solve(X, center="global", tol=1e-8)
    two = solve((rows, columns, values + 5, shape), center="global", tol=1e-8)
    assert np.allclose(one.to_dense() + 5, two.to_dense(), atol=1e-6)
    small, large = (
        solve((rows, columns, c * values, shape), ridge=c * 2.0, tol=1e-9, max_iter=5000).to_dense() for c in (1, 100)
    )
    assert np.allclose(100 * small, large, rtol=1e-5, atol=1e-4)


def test_weights_are_multiplicities():
    X, _ = haar(40, 40, 2, 5, noise=0.1)
    rows, columns, values, shape = X
    w = np.random.default_rng(0).integers(0, 3, values.size)
    keep = w > 0
    weighted = solve(X, 2, sample_weight=w, tol=1e-9).to_dense()
    kept = rows[keep], columns[keep], values[keep], shape
    assert np.allclose(weighted, solve(kept, 2, sample_weight=5.0 * w[keep], tol=1e-9).to_dense(), atol=1e-6)
    repeated = tuple(np.repeat(x, w) for x in (rows, columns, values))
    merged = solve((*repeated, shape), 2, duplicates="mean", tol=1e-9).to_dense()
    assert np.allclose(weighted, merged, atol=1e-6)


PENALTIES = [{"ridge": 3.0}, {"ridge": 0.1, "ridge_mode": "count"}, {"ridge": 0.5, "center": "biases"}]


@pytest.mark.parametrize("more", PENALTIES)
def test_sweeps_never_raise_the_objective(more):
    X, _ = haar(50, 60, 3, 4, noise=0.3)
    rows, columns, values, _ = X
    counted, biased = "ridge_mode" in more, "center" in more
    seen = []

    def objective(r):
        U, V, b, c = r.state
        b, c = (b, c) if b.size else (np.zeros(50), np.zeros(60))
        counts = [np.bincount(x, minlength=size) if counted else 1.0 for x, size in ((rows, 50), (columns, 60))]
        y = (values - mean) / scale
        penalty = [np.sum(n * np.sum(F**2, axis=1)) for n, F in zip(counts, (U, V), strict=True)]
        penalty += [scale * np.sum(n * f**2) for n, f in zip(counts, (b, c), strict=True)]
        x = np.sum(U[rows] * V[columns], axis=1) + b[rows] + c[columns]
        seen.append(np.sum((y - x) ** 2) + more["ridge"] / scale * sum(penalty))

    mean = values.mean() if biased else 0.0
    scale = np.sqrt(np.mean((values - mean) ** 2))
    matrix_completion(X, 3, method="als", rng=0, max_iter=30, on_failure="ignore", callback=objective, **more)
    assert len(seen) > 5 and (np.diff(seen) <= 1e-10 * np.array(seen[:-1])).all()


def test_a_constant_ridge_reaches_the_nuclear_norm_optimum():
    X, _ = haar(40, 30, 3, 4, noise=0.2)
    rows, columns, values, shape = X
    lam = 2.0
    result = matrix_completion(X, 12, ridge=lam, rng=0, tol=1e-9, max_iter=20000)
    R = np.zeros(shape)
    R[rows, columns] = values - result.predict(rows, columns)
    s = np.linalg.svd(result.to_dense(), compute_uv=False)
    primal = 0.5 * np.sum(R**2) + lam * s.sum()
    theta = R * min(1.0, lam / np.linalg.norm(R, 2))
    dual = np.sum(theta[rows, columns] * values) - 0.5 * np.sum(theta**2)
    assert result.success and 0 <= primal - dual <= 1e-6 * primal
    assert np.isclose(result.certificate["nuclear_gap"], (primal - dual) / primal, atol=1e-11)
    small = matrix_completion(X, 1, ridge=lam, rng=0, tol=1e-9, max_iter=20000)
    assert small.success and small.certificate["nuclear_gap"] > 1e-2
    w = np.random.default_rng(0).uniform(0.5, 2, values.size)
    weighted = matrix_completion(X, 12, ridge=lam, sample_weight=w, center="global", rng=0, tol=1e-9, max_iter=20000)
    assert weighted.success and -1e-12 < weighted.certificate["nuclear_gap"] < 1e-6
    assert np.allclose(result.s.sum(), s.sum())


def test_validation_stops_before_noise_is_fitted():
    X, full = haar(80, 80, 3, 2.5, noise=0.5)
    held = matrix_completion(X, 8, ridge=1e-3, validation_fraction=0.1, rng=0, max_iter=200)
    assert held.success and next(iter(held.certificate)) == "rises_left" and np.isfinite(held.validation_rmse)
    short = matrix_completion(X, 8, ridge=1e-3, validation_fraction=0.1, rng=0, max_iter=2, on_failure="ignore")
    assert not short.success and short.certificate["rises_left"] > 0  # it has not risen yet
    long = matrix_completion(X, 8, ridge=1e-3, rng=0, max_iter=200, on_failure="ignore")
    assert np.linalg.norm(held.to_dense() - full) < np.linalg.norm(long.to_dense() - full)


def test_a_run_goes_on_from_an_earlier_result():
    X, full = haar(120, 100, 3, 4, kappa=5)
    rough = matrix_completion(X, 3, tol=1e-3, rng=0)
    fine = matrix_completion(X, 3, tol=1e-10, init=rough)
    assert fine.success and fine.n_als == 0 and fine.n_gn <= 4
    assert np.linalg.norm(fine.to_dense() - full) < 1e-7 * np.linalg.norm(full)
    for shape in ((3, 3), (120, 99), (90, 100)):
        with pytest.raises(InvalidInputError, match="init has factors of shape"):
            matrix_completion(np.ones(shape), 1, init=rough)
    auto = matrix_completion(X, "auto", tol=1e-10, init=rough)
    assert auto.success and auto.rank == 3 and auto.n_gn <= 4  # no search


def test_biases_are_found():
    rng = np.random.default_rng(0)
    b, c = rng.standard_normal(50), rng.standard_normal(40)
    full = 3.0 + b[:, None] + c + rng.standard_normal((50, 1)) @ rng.standard_normal((1, 40))
    X = np.where(rng.random(full.shape) < 0.6, full, np.nan)
    result = matrix_completion(X, 1, center="biases", ridge=1e-6, rng=0, tol=1e-6, max_iter=20000)
    assert result.success and np.abs(result.to_dense() - full).max() < 1e-3


MODELS = [
    {"ridge": 0.7},
    {"ridge": 0.05, "ridge_mode": "count"},
    {"ridge": 0.7, "center": "biases"},
    {"ridge": 0.7, "center": "biases", "bias_ridge": 4.0},
    {"ridge": 0.05, "center": "biases", "bias_ridge": 0.3, "ridge_mode": "count"},
    {"ridge": 0.7, "center": "global"},
]


@pytest.mark.parametrize("weight", [None, 5.0, "uneven"], ids=str)
@pytest.mark.parametrize("more", MODELS, ids=str)
def test_the_result_is_stationary_for_the_objective_as_it_is_documented(more, weight):
    """In the caller's units, by plain NumPy: 1/2 sum w (y - x)^2 + 1/2 sum l (|u|^2 + |v|^2), and so for biases."""
    (rows, columns, values, shape), _ = haar(40, 50, 2, 5, noise=0.3)
    values = 20 * values + 3
    w = 0.5 + np.random.default_rng(0).random(values.size) if weight == "uneven" else np.full(values.size, weight or 1)
    given = {"sample_weight": None if weight is None else w}
    result = matrix_completion((rows, columns, values, shape), 2, rng=0, tol=1e-10, max_iter=20000, **given, **more)
    assert result.success
    off = w * (values - result.predict(rows, columns))
    for own, other, F, G, bias in (
        (rows, columns, result.U, result.V, result.row_bias), (columns, rows, result.V, result.U, result.col_bias),
    ):  # fmt: skip
        weights = np.bincount(own, w)
        times = weights if more.get("ridge_mode") == "count" else np.ones(weights.size)
        pull = np.stack([np.bincount(own, off * G[other, a]) for a in range(2)], axis=1)
        assert np.abs(pull - more["ridge"] * times[:, None] * F).max() <= 1e-5 * np.abs(pull).max()
        if more.get("center") == "biases":
            push = np.bincount(own, off)
            bias = more.get("bias_ridge", more["ridge"]) * times * bias
            assert np.abs(push - bias).max() <= 1e-5 * np.abs(push).max()


STARTS = [
    {},
    {"method": "als"},
    {"method": "vpgn"},
    {"method": "altmin-sketch"},
    {"method": "scaledgd"},
    {"loss": "huber"},
    {"method": "softimpute", "ridge": 3.0},
    {"ridge": 3.0},
    {"ridge": 0.05, "bias_ridge": 0.05, "ridge_mode": "count", "center": "biases"},
]


@pytest.mark.parametrize("scale", [1.0, 1e6])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("more", STARTS, ids=str)
def test_every_method_goes_on_from_an_earlier_result(more, flip, scale):
    (rows, columns, values, shape), _ = haar(60, 50, 2, 8, outliers=0.1 if "loss" in more else 0.0)
    X = (columns, rows, scale * values, shape[::-1]) if flip else (rows, columns, scale * values, shape)
    more = more | ({"ridge": scale * more["ridge"]} if "ridge" in more else {})
    one = matrix_completion(X, 2, rng=0, tol=1e-7, max_iter=5000, **more)
    two = matrix_completion(X, 2, rng=0, tol=1e-7, init=one, **more)
    assert one.success and two.success and two.nit <= 3 < one.nit
    assert np.allclose(two.to_dense(), one.to_dense(), atol=1e-5 * scale)
