"""The estimator: scikit-learn's checks, the map, weights, other arrays."""

import pickle

import array_api_strict
import numpy as np
import pytest
import sklearn.exceptions
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import numopt.exceptions
from numopt.estimators import TransportMap
from numopt.exceptions import InvalidInputError, InvalidTypeError

SHIFT = np.array([2.0, -1.0])


class OntoItself(TransportMap):
    """A map of a cloud onto itself: what scikit-learn's checks, which know one cloud and labels, can fit.

    In units of the cost, because the median over pairs does not know their weights.
    """

    def __init__(self, reg=1.0, *, cost="sqeuclidean", reg_relative=False, tol=None, max_iter=300, max_time=None):
        super().__init__(reg, cost=cost, reg_relative=reg_relative, tol=tol, max_iter=max_iter, max_time=max_time)

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(X, X, sample_weight, sample_weight)


@parametrize_with_checks([OntoItself()])
def test_scikit_learn_checks_of_all_but_the_second_cloud(estimator, check):
    check(estimator)


_SECOND_CLOUD = "fit takes a second cloud of points where scikit-learn's check passes labels"
_NO_SECOND_CLOUD_NEEDED = {
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
}


@parametrize_with_checks([TransportMap()])
def test_scikit_learn_checks_that_fit_nothing(estimator, check):
    name = getattr(check, "func", check).__name__
    if name not in _NO_SECOND_CLOUD_NEEDED:
        pytest.skip(_SECOND_CLOUD)
    check(estimator)


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 2)), rng.normal(size=(150, 2)) @ np.array([[1.0, 0.5], [0.0, 2.0]]) + [3, 0]


def test_the_fitted_attributes_repeat_the_certificate(clouds):
    X, Y = clouds
    ot = TransportMap().fit(X, Y)
    res = ot.result_
    assert res.success and ot.n_iter_ == res.nit >= 1 and ot.n_features_in_ == 2
    assert ot.potentials_[0] is res.f and ot.potentials_[1] is res.g
    P = np.exp((res.f[:, None] + res.g - ((X[:, None] - Y) ** 2).sum(axis=2)) / res.reg)
    error = abs(P.sum(axis=1) - 1 / 120).sum() + abs(P.sum(axis=0) - 1 / 150).sum()
    assert error == pytest.approx(ot.marginal_error_, rel=0.05, abs=1e-12) and error < 1e-9
    assert ot.cost_ == pytest.approx((P * ((X[:, None] - Y) ** 2).sum(axis=2)).sum(), rel=1e-9)


@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "cityblock"])
def test_the_fitted_points_go_to_the_barycentric_projection(clouds, cost):
    X, Y = clouds
    ot = TransportMap(0.02, cost=cost).fit(X, Y)
    assert ot.transform(X) == pytest.approx(ot.result_.plan.barycentric(Y), abs=1e-7)
    assert ot.fit_transform(X, Y) == pytest.approx(ot.transform(X), abs=1e-12)


def test_new_points_go_by_the_entropic_map(clouds):
    X, Y = clouds
    ot = TransportMap(0.05).fit(X, Y)
    new = X[:7] + 0.1
    E = (ot.potentials_[1] - ((new[:, None] - Y) ** 2).sum(axis=2)) / ot.result_.reg
    W = np.exp(E - E.max(axis=1, keepdims=True))
    assert ot.transform(new) == pytest.approx(W @ Y / W.sum(axis=1, keepdims=True), abs=1e-9)


def test_a_translation_is_found(clouds):
    X, _ = clouds
    ot = TransportMap(1e-3).fit(X, X + SHIFT)
    assert ot.transform(X).mean(axis=0) == pytest.approx(X.mean(axis=0) + SHIFT, abs=1e-8)
    assert abs(ot.transform(X) - X - SHIFT).mean() < 0.02


def test_reg_is_relative_to_the_median_cost_unless_told(clouds):
    X, Y = clouds
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    assert TransportMap(0.1).fit(X, Y).result_.reg == pytest.approx(0.1 * np.median(C), rel=1e-12)
    assert TransportMap(0.1, reg_relative=False).fit(X, Y).result_.reg == 0.1


@pytest.mark.parametrize(
    ("X", "Y"),
    [
        (np.ones((1, 2)), np.ones((1, 2))),
        (np.ones((4, 2)), np.ones((6, 2))),
        (np.array([[0.0]] * 9 + [[1.0]]), np.array([[0.0]] * 9 + [[1.0]])),
    ],
)
def test_defaults_serve_where_the_median_cost_is_zero(X, Y):
    ot = TransportMap().fit(X, Y)
    assert ot.result_.success and np.isfinite(ot.transform(X)).all()


def test_a_weight_of_zero_is_as_good_as_absence(clouds):
    X, Y = clouds
    source, target = np.ones(120), np.ones(150)
    source[:20], target[100:] = 0, 0
    ot = TransportMap(1.0, reg_relative=False)
    some = ot.fit(X[20:], Y[:100]).transform(X)
    assert ot.fit(X, Y, source, target).transform(X) == pytest.approx(some, abs=1e-7)


def test_weights_need_no_sum_of_one(clouds):
    X, Y = clouds
    w = np.random.default_rng(1).random(120)
    one = TransportMap().fit(X, Y, sample_weight=w)
    two = TransportMap().fit(X, Y, sample_weight=1000 * w, target_weight=np.full(150, 3.0))
    assert two.transform(X) == pytest.approx(one.transform(X), abs=1e-7)


def test_float32_stays_float32(clouds):
    X, Y = (Z.astype(np.float32) for Z in clouds)
    ot = TransportMap().fit(X, Y)
    assert ot.result_.success and ot.potentials_[0].dtype == np.float32
    assert ot.transform(X).dtype == np.float32
    assert ot.transform(X) == pytest.approx(TransportMap().fit(*clouds).transform(clouds[0]), abs=1e-2)


def test_images_lie_among_the_target_points_however_exponents_are_rounded(clouds):
    X, Y = (np.hstack([Z, np.ones_like(Z[:, :1])]).astype(np.float32) for Z in clouds)  # in a plane
    image = TransportMap(1e-4).fit(X, Y).transform(X)
    assert image[:, 2] == pytest.approx(1, abs=5e-7)


def test_arrays_of_other_libraries_stay_on_their_device(clouds):
    device = array_api_strict.Device("device1")
    X, Y = (array_api_strict.asarray(Z, device=device) for Z in clouds)
    ot = TransportMap().fit(X, Y, sample_weight=array_api_strict.ones(120, device=device))
    image = ot.transform(X)
    assert image.device == device and ot.potentials_[0].device == device and ot.n_features_in_ == 2
    plain = TransportMap().fit(*clouds).transform(clouds[0])
    assert numopt._array.host(image) == pytest.approx(plain, abs=1e-7)
    with pytest.raises(InvalidTypeError, match="one library"):
        ot.transform(clouds[0])
    with pytest.raises(InvalidTypeError, match="one library"):
        TransportMap().fit(X, clouds[1])


def test_a_pipeline_and_names_of_columns(clouds):
    X, Y = clouds
    ot = make_pipeline(StandardScaler(), TransportMap()).fit(X, Y)
    assert ot.transform(X).shape == X.shape
    assert list(TransportMap().fit(X, Y).get_feature_names_out(["u", "v"])) == ["u", "v"]


def test_pandas_in_pandas_out(clouds):
    pd = pytest.importorskip("pandas")
    X, Y = (pd.DataFrame(Z, columns=["u", "v"]) for Z in clouds)
    ot = TransportMap().set_output(transform="pandas").fit(X, Y)
    out = ot.transform(X)
    assert list(out.columns) == list(ot.feature_names_in_) == ["u", "v"] and list(out.index) == list(X.index)
    with pytest.raises(ValueError, match="feature names"):
        TransportMap().fit(X, Y[["v", "u"]])


def test_a_fit_that_fails_warns_in_both_libraries_terms(clouds):
    with pytest.warns(numopt.exceptions.ConvergenceWarning, match="max_iter") as caught:
        ot = TransportMap(max_iter=1).fit(*clouds)
    assert issubclass(caught[0].category, sklearn.exceptions.ConvergenceWarning)
    assert ot.result_.success is False and np.isfinite(ot.transform(clouds[0])).all()


def test_pickles_map_alike(clouds):
    X, Y = clouds
    ot = TransportMap().fit(X, Y)
    assert pickle.loads(pickle.dumps(ot)).transform(X).tobytes() == ot.transform(X).tobytes()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"Y": np.ones((3, 5))}, "X has 2 columns and Y 5: points of one dimension"),
        ({"Y": np.ones(3)}, "Expected 2D array"),
        ({"X": np.full((3, 2), np.nan)}, "NaN"),
        ({"sample_weight": -np.ones(120)}, "Negative values"),
        ({"target_weight": np.ones(7)}, "target_weight.shape"),
    ],
)
def test_bad_data_is_refused(clouds, change, match):
    with pytest.raises(ValueError, match=match):
        TransportMap().fit(**dict(zip("XY", clouds, strict=True)) | change)


@pytest.mark.parametrize(
    ("parameter", "match"),
    [
        ({"reg": 0.0}, "reg is 0"),
        ({"cost": "cosine"}, "cost is 'cosine'"),
        ({"tol": -1.0}, "tol is -1"),
        ({"reg_relative": "no"}, "reg_relative is 'no'"),
    ],
)
def test_bad_parameters_are_refused_by_fit(clouds, parameter, match):
    with pytest.raises((InvalidInputError, InvalidTypeError), match=match):
        TransportMap(**parameter).fit(*clouds)


def test_masked_weights_are_refused(clouds):
    X, Y = clouds[:2]
    for name, size in (("sample_weight", len(X)), ("target_weight", len(Y))):
        hidden = np.ma.masked_array(np.ones(size), mask=np.arange(size) == 1)
        with pytest.raises(InvalidInputError, match=rf"^{name}\[1\] is masked"):
            TransportMap().fit(X, Y, **{name: hidden})


@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean"])
@pytest.mark.parametrize(("dtype", "unit"), [("float64", 1e-200), ("float32", 1e-30)])
def test_points_whose_costs_underflow_are_refused(cost, dtype, unit):
    X = (unit * np.random.default_rng(0).normal(size=(30, 2))).astype(dtype)
    for Y in (X[::-1] + X[:1], X[:1]):
        with pytest.raises(InvalidInputError, match=r"X and Y are too close: .* do not underflow"):
            TransportMap(cost=cost).fit(X, Y)
    one = TransportMap(cost=cost).fit(X[:1], X[:1])  # one point is no cost apart from itself
    np.testing.assert_array_equal(one.transform(X[:1]), X[:1])


def test_points_whose_costs_overflow_are_refused(clouds):
    X, Y = clouds[:2]
    for spread in (1e154, 1e200):
        with pytest.raises(InvalidInputError, match=r"X and Y .* whose costs do not overflow"):
            TransportMap().fit(spread * X, Y)
    with pytest.raises(InvalidInputError, match="X has points up to"):
        TransportMap().fit(X, Y).transform(np.full((2, X.shape[1]), 1e200))
