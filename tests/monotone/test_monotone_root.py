"""Inclusions: rates, identities of the sampled methods, invariances, and exact accounting."""

import math

import numpy as np
import pytest

import numopt
from numopt import Status
from numopt.exceptions import PerformanceWarning
from numopt.monotone import (
    L1,
    Ball,
    BilinearGame,
    BilinearSum,
    Box,
    FairClassification,
    FiniteSumOperator,
    LeastSquaresGradient,
    LogisticGradient,
    NonNegative,
    Simplex,
    monotone_root,
    saddle_qp,
)
from numopt.monotone._sampling import sampling

METHODS = ["feg", "extragradient", "halpern", "halpern-page", "halpern-forb", "vr-halpern", "vr-prox-halpern", "lsvrg"]


class Affine:
    """F(z) = M z + q, one component."""

    n, kind = 1, "monotone"

    def __init__(self, M, q, lipschitz=None):
        self.M, self.q, self.dim, self.lipschitz = M, q, len(q), lipschitz

    def full(self, z):
        return self.M @ z + self.q


def monotone_matrix(seed, d=8, curvature=0.0):
    rng = np.random.default_rng(seed)
    B, S = rng.standard_normal((d, d)), rng.standard_normal((d, d))
    return curvature * B @ B.T / d + S - S.T, rng.standard_normal(d)


def logistic(n=400, d=6, seed=0, ridge=0.1):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    return LogisticGradient(A, (rng.random(n) < 0.5).astype(float), ridge)


def sums(n=200, d=5, seed=0):
    rng = np.random.default_rng(seed)
    U, V = rng.standard_normal((n, d)), rng.standard_normal((n, d))
    return BilinearSum(U, U + 0.3 * V, rng.standard_normal(d), rng.standard_normal(d))


@pytest.mark.parametrize("seed", range(20))
def test_feg_without_restarts_obeys_its_bound(seed):
    M, q = monotone_matrix(seed, curvature=seed % 2)
    L, solution = np.linalg.norm(M, 2), np.linalg.solve(M, -q)
    result = monotone_root(
        Affine(M, q, L), restart=False, step=1 / L, method="feg", tol=0.0, max_iter=600, on_failure="ignore"
    )
    r = result.history["measure"] * np.linalg.norm(q)
    k = np.arange(r.size) + 1
    assert (r <= 2 * L * np.linalg.norm(solution) / k * (1 + 1e-9) + 1e-12).all()


def test_halpern_on_a_cocoercive_operator_obeys_its_bound():
    op = LeastSquaresGradient(np.random.default_rng(0).standard_normal((30, 6)), np.ones(30))
    A, b = op.A.A, op.b
    solution = np.linalg.lstsq(A, b, rcond=None)[0]
    L = op.lipschitz
    result = monotone_root(op, method="halpern", step=2 / L, restart=False, tol=0.0, max_iter=500, on_failure="ignore")
    r = result.history["measure"] * np.linalg.norm(A.T @ b) / 30
    assert (r <= L * np.linalg.norm(solution) / (np.arange(r.size) + 2) * (1 + 1e-9) + 1e-13).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_residual_can_be_recomputed(method):
    op = sums() if method == "halpern-forb" else logistic()
    keywords = {"step": 0.2, "tol": 0.1} if method.startswith("halpern-") else {"tol": 1e-6}
    result = monotone_root(op, method=method, rng=0, max_iter=20000, **keywords)
    assert result.success, result.message
    assert abs(result.residual - np.linalg.norm(op.full(result.z))) <= 1e-10
    assert result.method == method


def test_constraints_and_penalties():
    op = logistic()
    free = monotone_root(op, tol=1e-9).z
    for prox in (Box(-0.01, 0.02), L1(0.01), Simplex()):
        for method in ("feg", "lsvrg", "vr-halpern", "vr-prox-halpern"):
            result = monotone_root(op, prox=prox, method=method, tol=1e-7, rng=0, max_iter=5000)
            assert result.success, (method, result.message)
            z = result.z
            natural = np.linalg.norm(z - prox(z - op.full(z), 1.0))
            assert natural <= 1e-5
            assert np.linalg.norm(z - free) > 1e-3


def test_the_page_estimate_with_all_components_is_the_operator():
    op = logistic()
    z, w = np.random.default_rng(1).standard_normal((2, op.dim))
    change = op.batch_difference(z, w, np.arange(op.n), np.full(op.n, 1 / op.n))
    np.testing.assert_allclose(op.full(w) + change, op.full(z), atol=1e-13)


@pytest.mark.parametrize("law", ["uniform", "importance"])
@pytest.mark.parametrize(
    "make", [logistic, sums, lambda: BilinearGame(np.random.default_rng(0).standard_normal((7, 9)))]
)
def test_differences_are_unbiased(make, law):
    op, rng = make(), np.random.default_rng(0)
    z, w = rng.standard_normal((2, op.dim))
    exact = op.full(z) - op.full(w)
    draws = sampling(op, law)
    parts = np.array([op.batch_difference(z, w, *draws.draw(rng, 20)) for _ in range(5000)])
    error = parts.std(axis=0) / np.sqrt(5000)
    assert (abs(parts.mean(axis=0) - exact) <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("make", [
    logistic, sums, lambda: LeastSquaresGradient(np.ones((5, 2)) * np.arange(2), np.ones(5)),
    lambda: BilinearGame(np.random.default_rng(0).standard_normal((7, 9))),
    lambda: FairClassification(np.random.default_rng(0).standard_normal((9, 3)), np.ones(9), np.arange(9) % 2),
])  # fmt: skip
def test_components_sum_to_the_operator(make):
    op, rng = make(), np.random.default_rng(0)
    z, w = rng.random((2, op.dim))
    total = sum(op.component(i, z) for i in range(op.n)) / op.n
    np.testing.assert_allclose(total, op.full(z), atol=1e-12)
    index, weights = rng.integers(op.n, size=6), rng.random(6)
    naive = sum(c * (op.component(i, z) - op.component(i, w)) for i, c in zip(index, weights, strict=True))
    np.testing.assert_allclose(op.batch_difference(z, w, index, weights), naive, atol=1e-12)


@pytest.mark.parametrize("make", [logistic, sums])
def test_constants_bound_what_they_should(make):
    op, rng = make(), np.random.default_rng(0)
    for _ in range(50):
        z, w = rng.standard_normal((2, op.dim))
        assert np.linalg.norm(op.full(z) - op.full(w)) <= op.lipschitz * np.linalg.norm(z - w) * (1 + 1e-9)
        i = rng.integers(op.n)
        change = op.component(i, z) - op.component(i, w)
        assert np.linalg.norm(change) <= op.component_lipschitz[i] * np.linalg.norm(z - w) * (1 + 1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_calls_are_counted_exactly(method):
    inner, calls = sums(n=50), [0]

    class Counting:
        n, dim, kind = inner.n, inner.dim, inner.kind
        lipschitz, component_lipschitz = inner.lipschitz, inner.component_lipschitz

        def full(self, z):
            calls[0] += self.n
            return inner.full(z)

        def batch_difference(self, z, w, index, weights):
            calls[0] += 2 * len(index)
            return inner.batch_difference(z, w, index, weights)

    result = monotone_root(Counting(), method=method, rng=0, max_iter=40, tol=1e-9, on_failure="ignore")
    assert result.n_component == calls[0]
    assert result.epochs == calls[0] / 50


def test_a_seed_is_a_path_and_portable_kernels_follow_it():
    op = logistic()
    one, two = (monotone_root(op, method="lsvrg", rng=5, tol=1e-6) for _ in range(2))
    assert one.z.tobytes() == two.z.tobytes()
    with numopt.use_kernels("portable"):
        other = monotone_root(logistic(), method="lsvrg", rng=5, tol=1e-6)
    np.testing.assert_allclose(other.z, one.z, atol=1e-10)


def test_a_shift_moves_the_iterates():
    M, q = monotone_matrix(3, curvature=1.0)
    t = np.arange(8.0)
    one = monotone_root(Affine(M, q), tol=1e-9, max_iter=5000)
    two = monotone_root(Affine(M, q - M @ t), t, tol=1e-9, max_iter=5000)
    np.testing.assert_allclose(two.z, one.z + t, atol=1e-6)


def test_a_rotation_turns_the_iterates():
    M, q = monotone_matrix(4, curvature=1.0)
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))[0]
    one = monotone_root(Affine(M, q, 10.0), tol=1e-8, max_iter=5000)
    two = monotone_root(Affine(Q @ M @ Q.T, Q @ q, 10.0), tol=1e-8, max_iter=5000)
    np.testing.assert_allclose(two.z, Q @ one.z, atol=1e-6)


@pytest.mark.parametrize("method", ["feg", "extragradient"])
def test_a_start_at_the_solution_is_one(method):
    """Relative to a residual that is rounding, nothing is small."""
    M, q = monotone_matrix(5, curvature=1.0)
    z = np.linalg.solve(M, -q)
    for z0 in (z, z * (1 + 1e-15)):
        result = monotone_root(Affine(M, q), z0, method=method)
        assert result.success and result.nit == 1 and result.residual <= 1e-13 * np.linalg.norm(q)


@pytest.mark.parametrize("method", ["feg", "extragradient", "vr-prox-halpern"])
def test_too_small_a_constant_is_told_once_and_overcome(method):
    M, q = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([1.0, 2.0])
    with pytest.warns(PerformanceWarning, match=r"op.lipschitz is 0.014.*a larger constant") as told:
        assert monotone_root(Alike(M, q, "monotone", 0.01), method=method, tol=1e-6, rng=0, max_iter=5000).success
    assert len(told) == 1


@pytest.mark.parametrize("method", ["lsvrg", "vr-halpern"])
def test_too_small_a_constant_of_a_cocoercive_sum_is_told(method):
    op = logistic()
    op.component_lipschitz = op.component_lipschitz / 1000
    op.lipschitz = op.lipschitz / 1000
    with pytest.warns(PerformanceWarning, match="op.lipschitz is"):
        result = monotone_root(op, method=method, tol=1e-4, rng=0, max_iter=3000)
    assert result.success


@pytest.mark.parametrize("method", ["halpern", "halpern-page", "vr-halpern", "lsvrg"])
def test_a_false_claim_of_cocoercivity_is_told_and_another_method_goes_on(method):
    M, q = np.array([[1e-3, -1.0], [1.0, 1e-3]]), np.array([1.0, 2.0])
    op = Alike(M, q, "cocoercive", 1.0)
    with pytest.warns(PerformanceWarning, match="kind='monotone'"):
        result = monotone_root(op, method=method, tol=1e-6, rng=0, max_iter=3000)
    assert result.success and np.linalg.norm(op.full(result.z)) <= 1e-6 * np.linalg.norm(q)


def test_the_published_method_on_an_operator_that_is_not_cocoercive_breaks_down_honestly():
    M, q = np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([1.0, 2.0])
    result = monotone_root(Alike(M, q, "monotone", 1.0), method="halpern-page", step=1.5, rng=0, on_failure="ignore")
    assert result.status == Status.BREAKDOWN and "not cocoercive" in result.message
    assert np.isfinite(result.z).all()


@pytest.mark.parametrize("method", ["halpern", "halpern-page", "vr-halpern", "lsvrg", "vr-prox-halpern",
                                    "extragradient", "feg"])  # fmt: skip
def test_every_method_sees_that_an_operator_is_not_monotone(method):
    op = Alike(-np.eye(2), np.array([1.0, 2.0]), "cocoercive", 1.0)
    result = monotone_root(op, method=method, rng=0, on_failure="ignore")
    assert result.status == Status.INVALID_MODEL and "not monotone" in result.message


@pytest.mark.parametrize("method", ["feg", "extragradient", "halpern", "halpern-page", "vr-halpern", "lsvrg",
                                    "vr-prox-halpern"])  # fmt: skip
def test_true_claims_are_not_doubted(method):
    squares = LeastSquaresGradient(np.random.default_rng(0).random((50, 4)), np.ones(50))
    for op in (logistic(), logistic(ridge=0.0), squares):
        result = monotone_root(op, method=method, tol=1e-12, rng=0, max_iter=300, on_failure="ignore")
        assert result.status in (Status.CONVERGED, Status.MAX_ITER)  # and a warning would be an error


class Alike:
    """F_i = M z + q for all i, with constants that claim `share` of the true one."""

    def __init__(self, M, q, kind, share):
        self.M, self.q, self.kind, self.n, self.dim = M, q, kind, 3000, q.size
        self.lipschitz = share * np.linalg.norm(M, 2)
        self.component_lipschitz = np.full(self.n, self.lipschitz)

    def full(self, z):
        return self.M @ z + self.q

    def batch_difference(self, z, w, index, weights):
        return weights.sum() * (self.M @ (z - w))


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::numopt.exceptions.PerformanceWarning")
@pytest.mark.parametrize("share", [1.0, 0.05, 1e-4])
@pytest.mark.parametrize("kind", ["monotone", "cocoercive"])
@pytest.mark.parametrize("curvature", [-1.0, -0.3, 0.0, 1.0])
@pytest.mark.parametrize("method", ["auto", "feg", "extragradient", "vr-halpern", "lsvrg", "vr-prox-halpern"])
def test_false_claims_are_never_a_success(method, curvature, kind, share):
    M, q = np.array([[curvature, -1.0], [1.0, curvature]]), np.array([1.0, 2.0])
    op = Alike(M, q, kind, share)
    result = monotone_root(op, method=method, tol=1e-6, rng=0, max_iter=60, max_time=2.0, on_failure="ignore")
    assert np.isfinite(result.z).all()
    assert result.success == (np.linalg.norm(op.full(result.z)) <= 1e-6 * np.linalg.norm(q) * (1 + 1e-9))


@pytest.mark.parametrize("method", ["feg", "extragradient"])
def test_rounding_is_no_lack_of_monotonicity(method):
    """Of skew operators the product is rounding, which their changes come near to at the end."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        A, b, c = rng.standard_normal((5, 4)), rng.standard_normal(5), rng.standard_normal(4)
        result = saddle_qp(None, None, A, b, c, x_set=Box(-1.0, 1.0), y_set=Simplex(2.0), method=method, tol=1e-12,
                           max_iter=3000, on_failure="ignore")  # fmt: skip
        assert result.status != Status.INVALID_MODEL, (seed, result.message)


def test_an_operator_that_is_not_monotone_is_called_so():
    result = monotone_root(Affine(-np.eye(3), np.ones(3)), np.zeros(3), on_failure="ignore")
    assert result.status == Status.INVALID_MODEL and not result.success


def test_auto_chooses_by_kind_and_gain():
    n = 3000
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, 5))
    assert monotone_root(LogisticGradient(A, np.ones(n) / 2), tol=0.5, on_failure="ignore").method == "lsvrg"
    assert monotone_root(BilinearSum(A, A), np.ones(10), tol=0.5, on_failure="ignore").method == "vr-prox-halpern"
    B = rng.standard_normal((n, 5))
    assert monotone_root(BilinearSum(A, B), np.ones(10), tol=0.5, on_failure="ignore").method == "feg"
    assert monotone_root(BilinearGame(A[:20]), tol=1e-3).method == "pdhg"


def test_plain_functions_make_an_operator():
    c = np.random.default_rng(0).standard_normal((10, 3))
    with pytest.warns(PerformanceWarning):
        op = FiniteSumOperator(10, 3, lambda i, z: z - c[i], kind="cocoercive", component_lipschitz=1.0)
    for method in ("feg", "lsvrg", "vr-halpern"):
        np.testing.assert_allclose(monotone_root(op, method=method, tol=1e-8, rng=0).z, c.mean(axis=0), atol=1e-6)


def test_a_bilinear_game_by_every_method_that_may():
    A = np.random.default_rng(1).standard_normal((6, 6))
    value = numopt.monotone.matrix_game(A, tol=1e-9).value
    for method in ("pdhg", "feg", "extragradient", "vr-prox-halpern"):
        result = monotone_root(BilinearGame(A), method=method, tol=1e-4, rng=0, max_iter=20000)
        assert result.success
        assert result.gap >= 0 and (A @ result.x).max() - (result.y @ A).min() <= result.gap + 1e-12
        assert abs(result.y @ A @ result.x - value) < 1e-2


def page(F, prox, u, eta, n, rng, steps):
    """Algorithm 1 for n equal components, line by line; return the points at which all of F is evaluated."""
    u0, g, root, seen = u, F(u), math.sqrt(n), []
    for k in range(steps):
        before, lam = u, 2 / (k + 4)
        u = prox(lam * u0 + (1 - lam) * u - eta * g, eta)
        if rng.random() < (4 / (k + 6) if k + 1 <= root else 4 / (root + 5)):
            g = F(u)
            seen.append(u)
        else:
            rng.integers(n, size=math.ceil(root))
            g = g + F(u) - F(before)
    return seen


def forb(F, prox, u, c, gamma, n, rng, rounds):
    """Algorithms 2 and 3 for n equal components, line by line; return the points of the outer iteration."""
    u0, seen = u, []
    for k in range(rounds):
        seen.append(u)
        v = w = before = u
        for _ in range(math.ceil(0.05 * n * math.log(k + 2))):
            rng.integers(n, size=1)
            bar = [c * F(z) + z - u for z in (w, v, before)]
            v_new = prox((1 - 1 / n) * v + w / n - gamma * (bar[0] + bar[1] - bar[2]), gamma * c)
            before, w, v = w, v_new if rng.random() < 1 / n else w, v_new
        u = u0 / (k + 2) + (k + 1) / (k + 2) * v
    return seen


@pytest.mark.parametrize("method, options, twin", [
    ("halpern-page", {"step": 0.1}, lambda F, prox, u, n, rng: page(F, prox, u, 0.1, n, rng, 200)),
    ("halpern-forb", {"step": 2.0, "inner_step": 0.05},
     lambda F, prox, u, n, rng: forb(F, prox, u, 2.0, 0.05, n, rng, 30)),
])  # fmt: skip
def test_the_published_algorithms_step_by_step(method, options, twin):
    M, q = monotone_matrix(6, curvature=3.0)
    op, seen, u = Alike(M, q, "monotone", 1.0), [], np.arange(8.0)
    op.n = 60
    op.component_lipschitz = op.component_lipschitz[:60]
    prox = L1(0.2)
    monotone_root(op, u, prox=prox, method=method, rng=3, tol=0.0, max_iter=60, on_failure="ignore",
                  callback=lambda at: seen.append(at.state), **options)  # fmt: skip
    wanted = twin(op.full, prox, prox(u, 1.0), 60, np.random.default_rng(3))
    count = min(len(seen), len(wanted))
    assert count >= 20
    np.testing.assert_allclose(seen[:count], wanted[:count], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", ["feg", "extragradient"])
def test_a_gap_that_is_finite_at_the_start_alone_is_not_judged(method):
    """On x >= 0 it is infinite as soon as an entry of the gradient is negative."""
    result = saddle_qp([[1.0]], [[1.0]], [[2.0]], b=[0.0], c=[0.5], x_set=NonNegative(), y_set=Ball(1.0),
                       init=[1.0, 1.0], method=method)  # fmt: skip
    assert result.success and abs(result.x[0]) <= 1e-5 and next(iter(result.certificate)) == "relative_residual"
