"""The map between two clouds of points that an entropic plan defines."""

import math

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import (
    _check_feature_names,
    _check_sample_weight,
    check_array,
    check_is_fitted,
)

from numopt._array import device, host, is_array, is_numpy, like, namespace
from numopt._check import Checks, flag, one_of, positive_scalar
from numopt._given import unmasked
from numopt._kernels import kernels
from numopt.estimators._validated import validated
from numopt.estimators._warnings import pass_on
from numopt.exceptions import InvalidInputError
from numopt.ot import TransportPlan, sinkhorn_newton
from numopt.ot._problem import COSTS

_FLOATS = ("float64", "float32")


class TransportMap(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Map points as the entropic transport between two clouds does.

    `fit` transports a source cloud X to a target cloud Y. `transform` sends a point x to the mean of Y under the
    transport,

        T(x) = sum_j y_j w_j(x),   w_j(x) proportional to exp((g_j - c(x, y_j)) / reg),

    which is the barycentric projection of the plan for the points of X, and its natural extension, the
    entropic map, for others.

    Parameters
    ----------
    reg : float, default 0.01
        Regularisation > 0. Small: the map is sharp. Large: it shrinks towards the mean of Y.
    cost : {"sqeuclidean", "euclidean", "cityblock"}, default "sqeuclidean"
        The cost between points.
    reg_relative : bool, default True
        Take `reg` in units of the median cost between the clouds (of the mean if the median is 0), else in
        units of the cost. The median is over pairs of points, whatever their weights.
    tol : float, default None
        l1 violation of the marginals relative to the mass. None: 1e-9, or what rounding allows if that is
        more.
    max_iter : int, default 300
        Newton steps, and levels of sweeps.
    max_time : float, default None
        Seconds.

    Attributes
    ----------
    potentials_ : tuple of ndarray of shape (n,), (m,)
        The potentials f of X and g of Y, in units of the cost.
    cost_ : float
        <C, P>, the mean cost between the points that are matched.
    n_iter_ : int
        Iterations done.
    marginal_error_ : float
        What `tol` judged, recomputed from the plan.
    result_ : numopt.ot.TransportResult
        The plan, the certificate, the history.
    n_features_in_ : int
        d.
    feature_names_in_ : ndarray of shape (d,)
        Names of the columns of X, if it has any.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Notes
    -----
    `fit` takes a second cloud where other estimators take labels; apart from that it follows scikit-learn's
    conventions. Arrays of other libraries, such as CuPy, stay where they are; they are not for `set_output`.

    Cost and memory of `fit`: those of `numopt.ot.sinkhorn_newton`. Cost of `transform`: two passes over the pairs of
    points; its memory: blocks of 32 MiB. The estimator keeps X and Y.

    Not for: costs other than the named ones, or points to be sent onto single points of Y, which takes a small `reg`.

    References
    ----------
    A.-A. Pooladian, J. Niles-Weed, "Entropic estimation of optimal transport maps", arXiv:2109.12004.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import TransportMap
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(200, 2)), rng.normal(size=(300, 2)) + [5, 0]
    >>> ot = TransportMap().fit(X, Y)
    >>> ot.transform([[0.0, 0.0]]).round(1)
    array([[4.9, 0. ]])
    """

    def __init__(self, reg=0.01, *, cost="sqeuclidean", reg_relative=True, tol=None, max_iter=300, max_time=None):
        self.reg = reg
        self.cost = cost
        self.reg_relative = reg_relative
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time

    def fit(self, X, Y, sample_weight=None, target_weight=None):
        """Transport the cloud X to the cloud Y.

        Parameters
        ----------
        X, Y : array_like of shape (n, d), (m, d)
            Source and target points.
        sample_weight, target_weight : array_like of shape (n,), (m,), optional
            Weights >= 0; each is normalised to sum 1. None (default): even weights.

        Returns
        -------
        TransportMap
            The estimator itself.

        Raises
        ------
        InvalidInputError, ValueError
            Data that no plan can be computed for; the message says why.
        """
        X, Y, a, b = self._clouds(X, Y, sample_weight, target_weight)
        reg = positive_scalar("reg", self.reg)
        if flag("reg_relative", self.reg_relative):
            reg *= _typical(X, Y, self.cost)
        self.result_ = sinkhorn_newton(
            a, b, X=X, Y=Y, reg=reg, cost=self.cost, tol=self.tol, max_iter=self.max_iter, max_time=self.max_time,
            on_failure="ignore",
        )  # fmt: skip
        self.potentials_ = self.result_.f, self.result_.g
        self.cost_, self.n_iter_ = self.result_.cost, self.result_.nit
        self.marginal_error_ = self.result_.marginal_error
        self._target = Y, b
        pass_on(self.result_)
        return self

    def transform(self, X):
        """Map points.

        Parameters
        ----------
        X : array_like of shape (k, d)
            Points of the source, seen by `fit` or not.

        Returns
        -------
        ndarray of shape (k, d)
            Their images, in the convex hull of the target points that have weight.
        """
        check_is_fitted(self)
        Y, b = self._target
        xp = namespace(Y)
        if _is_foreign(X) or not is_numpy(xp):
            checks = Checks({"X": X, "the target of fit": Y}, dtype=Y.dtype)
            X = checks.matrix("X", shape=(None, Y.shape[1]))
            checks.settle()
        else:
            X = validated(self, X, reset=False, dtype=Y.dtype)
        k, cost = kernels("ot", xp), _point_cost(X, Y, self.cost)
        ones, reg, g = xp.ones_like(X[:, 0]), self.result_.reg, self.potentials_[1]
        f, _ = k.row_pass(cost, ones, 0.0 * ones, xp.where(b > 0, g, -math.inf), reg, False)
        if not host(xp.max(xp.abs(f))) < math.inf:
            raise InvalidInputError(
                f"X has points up to {host(xp.max(xp.abs(X))):.3g}: points are expected whose costs to the target are "
                f"finite; drop them, or rescale all points"
            )
        return TransportPlan(xp, cost, f, g, reg, ones, b, False).barycentric(Y)

    def _clouds(self, X, Y, sample_weight, target_weight):
        """Return points and weights of one library, dtype and device."""
        if _is_foreign(X) or _is_foreign(Y):
            named = {"X": X, "Y": Y, "sample_weight": sample_weight, "target_weight": target_weight}
            checks = Checks(named)
            X = checks.matrix("X")
            Y = checks.matrix("Y", shape=(None, X.shape[1]))
            weights = [
                checks.xp.ones_like(Z[:, 0]) if named[name] is None else checks.weights(name, size=Z.shape[0])
                for Z, name in ((X, "sample_weight"), (Y, "target_weight"))
            ]
            checks.settle()
            self.n_features_in_ = X.shape[1]
            return X, Y, *(w / checks.xp.sum(w) for w in weights)
        X = validated(self, X, dtype=_FLOATS)
        names = Y
        Y = check_array(unmasked("Y", Y), dtype=_FLOATS, estimator=self, input_name="Y")
        if Y.shape[1] != X.shape[1]:
            raise InvalidInputError(
                f"X has {X.shape[1]} columns and Y {Y.shape[1]}: points of one dimension are expected; give both "
                f"the same columns"
            )
        _check_feature_names(self, names, reset=False)
        if X.dtype != Y.dtype:
            X, Y = X.astype("float64"), Y.astype("float64")
        return X, Y, _normalised("sample_weight", sample_weight, X), _normalised("target_weight", target_weight, Y)


def _is_foreign(x):
    """Say whether `x` is an array that scikit-learn would convert or refuse."""
    return is_array(x) and not is_numpy(namespace(x))


def _normalised(name, weight, points):
    weight = unmasked(name, weight)
    try:
        weight = _check_sample_weight(weight, points, dtype=points.dtype, ensure_non_negative=True)
    except ValueError as error:  # scikit-learn knows one name
        raise InvalidInputError(str(error).replace("sample_weight", name)) from None
    total = weight.sum(dtype="float64")
    if not total > 0:
        raise InvalidInputError(f"{name} sums to {total}: a positive sum is expected; one weight must be positive")
    return weight / points.dtype.type(total)


def _point_cost(X, Y, cost):
    """Return the cost between points as kernels take it."""
    xp, where = namespace(X), device(X)
    contiguous = (like(xp, Z, where, X.dtype) for Z in (X, Y.T))
    return xp.empty((0, 0), dtype=X.dtype, device=where), *contiguous, COSTS[cost]


def _typical(X, Y, cost):
    """Return the median of a sample of costs, or their mean if that is 0, or 1."""
    one_of("cost", cost, tuple(COSTS))
    X, Y = (Z[:: max(1, Z.shape[0] // 256), ...] for Z in (X, Y))
    costs = host(kernels("ot", namespace(X)).cost_block(_point_cost(X, Y, cost)))
    with np.errstate(over="ignore"):
        typical = float(np.median(costs) or np.mean(costs))
    if not typical < math.inf:
        raise InvalidInputError(
            "X and Y are too far apart: points whose costs do not overflow are expected; rescale X and Y"
        )
    if not typical and any(host(namespace(Z).any(Y[0, ...] != Z)) for Z in (X, Y)):
        raise InvalidInputError(
            "X and Y are too close: points whose costs do not underflow are expected; rescale X and Y"
        )
    return typical or 1.0
