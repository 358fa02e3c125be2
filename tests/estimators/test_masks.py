"""What lies under a mask is no data, whatever the estimator; for one of them it is missing."""

import numpy as np
import pytest
import sklearn.base

from numopt import estimators
from numopt.exceptions import InvalidInputError
from numopt.gallery import laplacian_2d

RNG = np.random.default_rng(0)
X, Y, LABELS = RNG.standard_normal((40, 3)), RNG.standard_normal((40, 3)), np.arange(40) % 2
CALLS = {  # how to fit it, by the names of the arrays; the missing one reads masks as they are meant
    "ConstrainedLogisticRegression": (lambda e, X, y: e().fit(X, y), {"X": X, "y": LABELS}),
    "DROLogisticRegression": (lambda e, X, y: e().fit(X, y), {"X": X, "y": LABELS}),
    "FairLogisticRegression": (
        lambda e, X, y, groups: e().fit(X, y, groups), {"X": X, "y": LABELS, "groups": np.arange(40) // 20},
    ),
    "LASDPClustering": (lambda e, X: e(n_starts=2, random_state=0).fit(X), {"X": X}),
    "RobustRegression": (lambda e, X, y: e().fit(X, y), {"X": X, "y": X[:, 0]}),
    "SDPKMeans": (lambda e, X: e(2, tol=1.0, random_state=0).fit(X), {"X": X}),
    "SequenceSolver": (
        lambda e, A, b: e().partial_fit(A, b), {"A": laplacian_2d(4).toarray(), "b": np.ones(16)}
    ),
    "TransportMap": (
        lambda e, X, Y, **weights: e().fit(X, Y, **weights),
        {"X": X, "Y": Y, "sample_weight": np.ones(40), "target_weight": np.ones(40)},
    ),
    "ZeroSumGame": (lambda e, A: e().fit(A), {"A": X}),
}  # fmt: skip
EQUATIONS = {"A_eq": np.ones((1, 3)), "b_eq": np.zeros(1)}


def test_every_estimator_is_here():
    classes = {name for name in estimators.__all__ if hasattr(getattr(estimators, name), "get_params")}
    assert classes == CALLS.keys() | {"MatrixCompletion"}


def hidden(x):
    mask = np.zeros(x.shape, bool)
    mask[(-1,) * x.ndim] = True
    return np.ma.array(x, mask=mask)


def learned(fitted):
    """Return the arrays that were learned, those in pairs too."""
    found = [v for name, v in sorted(vars(fitted).items()) if name.endswith("_")]
    return [x for v in found for x in (v if isinstance(v, tuple) else (v,)) if isinstance(x, np.ndarray)]


@pytest.mark.parametrize("name", CALLS)
def test_entries_under_a_mask_are_refused(name):
    call, data = CALLS[name]
    estimator = getattr(estimators, name)
    for argument, x in data.items():
        last = ", ".join(str(n - 1) for n in x.shape)
        with pytest.raises(InvalidInputError, match=rf"^{argument}\[{last}\] is masked"):
            call(estimator, **data | {argument: hidden(x)})
    plain = learned(call(estimator, **data))
    masked = learned(call(estimator, **{argument: np.ma.array(x, mask=False) for argument, x in data.items()}))
    assert plain
    for value, same in zip(plain, masked, strict=True):
        assert type(same) is np.ndarray
        np.testing.assert_array_equal(same, value)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "SequenceSolver"])
def test_nor_do_fitted_ones_take_them(name):
    call, data = CALLS[name]
    fitted = call(getattr(estimators, name), **data)
    for method in ("predict", "predict_proba", "decision_function", "transform", "score_samples"):
        if hasattr(fitted, method):
            with pytest.raises(InvalidInputError, match=r"^X\[39, 2\] is masked"):
                getattr(fitted, method)(hidden(X))


def test_fitted_sequence_solver():
    fitted = CALLS["SequenceSolver"][0](estimators.SequenceSolver, **CALLS["SequenceSolver"][1])
    with pytest.raises(InvalidInputError, match=r"^b\[15\] is masked"):
        fitted.predict(laplacian_2d(4), hidden(np.ones(16)))


@pytest.mark.parametrize("name", EQUATIONS)
def test_masked_equations(name):
    model = estimators.ConstrainedLogisticRegression(**EQUATIONS | {name: hidden(EQUATIONS[name])})
    with pytest.raises(InvalidInputError, match=rf"^{name}\[0.*\] is masked"):
        sklearn.base.clone(model).fit(X, LABELS)
