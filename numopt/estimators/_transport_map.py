"""The map between two clouds of points that an entropic plan defines."""

from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, validate_data

from numopt._array import is_array, is_numpy, namespace
from numopt._check import Checks, positive_scalar
from numopt._kernels import kernels
from numopt.estimators._warnings import ConvergenceWarning
from numopt.exceptions import InvalidInputError, InvalidTypeError, warn
from numopt.ot import TransportPlan, sinkhorn_newton

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

    Cost of `transform`: two passes over the pairs of points, by blocks. The estimator keeps X and Y.

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
    array([[5. , 0. ]])
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
        if self.reg_relative:
            reg *= _typical(X, Y, self.cost)
        self.result_ = sinkhorn_newton(
            a, b, X=X, Y=Y, reg=reg, cost=self.cost, tol=self.tol, max_iter=self.max_iter, max_time=self.max_time,
            on_failure="ignore",
        )  # fmt: skip
        self.potentials_ = self.result_.f, self.result_.g
        self.cost_, self.n_iter_ = self.result_.cost, self.result_.nit
        self.marginal_error_ = self.result_.marginal_error
        self._target = Y, b
        if not self.result_.success:
            warn(self.result_.message, ConvergenceWarning)
        return self
