"""The estimator that solves one system after another."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from numopt.estimators import SequenceSolver
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.gallery import Heat, laplacian_2d


def march(solver, steps=12, period=12):
    heat, total = Heat(32, period), 0
    u = heat.u0
    for k in range(steps):
        _, A, b = heat.system(k, u)
        u = solver.partial_fit(A, b).x_
        assert solver.result_.success and np.linalg.norm(b - A @ u) <= 1.01 * solver.rtol * np.linalg.norm(b)
        total += solver.n_iter_
    return total


@pytest.mark.parametrize("start", ["zero", "previous", "extrapolate", "project"])
@pytest.mark.parametrize("solver", ["ssor_pcg", "sor"])
def test_it_solves_from_any_start(solver, start):
    estimator = SequenceSolver(solver, start=start, random_state=0)
    assert march(estimator) > 0
    assert len(estimator.costs_) == 12 and estimator.score() == -np.mean(estimator.costs_)


def test_a_good_start_saves_iterations():
    counts = [march(SequenceSolver(start=start), 30, 2000) for start in ("project", "previous", "zero")]
    assert counts == sorted(counts) and counts[0] < counts[2]


def test_fit_forgets_and_predict_learns_nothing():
    estimator = SequenceSolver(random_state=0).fit()
    first = march(estimator)
    before = estimator.tuner_.state_dict()
    heat = Heat(32, period=12)
    _, A, b = heat.system(3, heat.u0)
    x = estimator.predict(A, b)
    assert np.linalg.norm(b - A @ x) <= 1.01e-8 * np.linalg.norm(b)
    assert estimator.tuner_.state_dict() == before
    estimator.fit()
    with pytest.raises(NotFittedError):
        estimator.score()
    assert march(estimator) == first


def test_conventions_of_scikit_learn():
    estimator = SequenceSolver("sor", rtol=1e-6)
    assert clone(estimator).get_params() == estimator.get_params()
    assert clone(estimator).set_params(start="zero").start == "zero"
    with pytest.raises(NotFittedError):
        estimator.predict(None, None)
    march(estimator, 3)
    other = pickle.loads(pickle.dumps(estimator))
    assert (other.x_ == estimator.x_).all()


def test_bad_parameters_are_named():
    for bad, match in (
        (SequenceSolver("lu"), "solver is 'lu'"),
        (SequenceSolver(start="far"), "start is 'far'"),
        (SequenceSolver(omega_range=1.5), "omega_range is 1.5: a pair"),
        (SequenceSolver(omega_range=(0.0, 1.5)), r"omega_range\[0\] is 0"),
        (SequenceSolver(omega_range=(1.0, 2.0)), r"omega_range\[1\] is 2"),
        (SequenceSolver(omega_range=(1.9, 1.0)), r"omega_range is \(1.9, 1.0\): low < high"),
        (SequenceSolver(max_iter=None), "max_iter is None"),
        (SequenceSolver(random_state="x"), "random_state is str"),
    ):
        with pytest.raises((InvalidInputError, InvalidTypeError), match=match):
            bad.fit()
    with pytest.raises(InvalidInputError, match=r"A has shape .0, 0.: .* must not be empty"):
        SequenceSolver().partial_fit(laplacian_2d(3)[:0, :0], np.zeros(0))


@pytest.mark.parametrize("start", ["previous", "extrapolate", "project"])
def test_systems_may_change_their_size(start):
    estimator, rng = SequenceSolver(start=start, random_state=0), np.random.default_rng(0)
    for m in (6, 9, 9, 6, 9, 9, 6):
        A, b = laplacian_2d(m), rng.standard_normal(m * m)
        x = estimator.partial_fit(A, b.tolist()).x_
        assert estimator.result_.success and np.linalg.norm(b - A @ x) <= 1.01e-8 * np.linalg.norm(b)
        np.testing.assert_allclose(estimator.predict(A, b.tolist()), x, atol=1e-6)


@pytest.mark.parametrize("start", ["previous", "extrapolate", "project"])
@pytest.mark.parametrize("shape", [(36,), (36, 1), (36, 3)])
def test_right_hand_sides_of_any_shape(start, shape):
    A, rng, estimator = laplacian_2d(6), np.random.default_rng(0), SequenceSolver(start=start, random_state=0)
    b = rng.standard_normal(shape)
    for k in range(4):
        x = estimator.partial_fit(A, b + k).x_
        assert x.shape == shape and np.linalg.norm(b + k - A @ x) <= 1e-7 * np.linalg.norm(b + k)
    spent = SequenceSolver(start="zero").partial_fit(A, b).n_iter_
    assert estimator.partial_fit(A, b + 4).n_iter_ < spent or start == "previous"


@pytest.mark.parametrize("start", ["previous", "extrapolate", "project"])
@pytest.mark.parametrize(
    ("A", "b", "match"),
    [
        (lambda x: x, np.ones(36), "A is function: an array of numbers"),
        (None, np.ones(36), "A is None"),
        (laplacian_2d(6) * np.inf, np.ones(36), r"A\[0, 0\] is inf"),
        (laplacian_2d(5), np.ones(36), r"b has shape \(36,\): .* \(25\) is expected"),
        (laplacian_2d(6), None, "b is None"),
    ],
)
def test_bad_systems_after_good_ones_are_named(start, A, b, match):
    estimator = SequenceSolver(start=start)
    for _ in range(2):
        estimator.partial_fit(laplacian_2d(6), np.ones(36))
    for call in (estimator.partial_fit, estimator.predict):
        with pytest.raises((InvalidInputError, InvalidTypeError), match=match):
            call(A, b)


def test_a_start_that_is_set_later_is_checked_too():
    estimator = SequenceSolver().partial_fit(laplacian_2d(3), np.ones(9)).set_params(start="far")
    with pytest.raises(InvalidInputError, match="start is 'far'"):
        estimator.partial_fit(laplacian_2d(3), np.ones(9))
