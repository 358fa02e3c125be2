"""A progress bar as a callback; needs tqdm (``pip install "numopt[progress]"``)."""

import math


class ProgressBar:
    """Show the progress of a run; pass an instance as ``callback=`` of any solver.

    The bar shows which share of the way from the first measure to ``tol`` is covered on a logarithmic
    scale, beside the iteration and the measure. One instance may serve several runs, one after another.

    Parameters
    ----------
    **options
        Options of ``tqdm.tqdm``, for example ``file``, ``desc``, ``leave``, ``mininterval``.

    Raises
    ------
    ImportError
        tqdm is not installed.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> import numopt
    >>> from numopt.monotone import fixed_point
    >>> with numopt.ProgressBar(file=io.StringIO()) as bar:
    ...     result = fixed_point(np.cos, 1.0, callback=bar)
    >>> bar.percent
    100.0
    """

    def __init__(self, **options):
        try:
            from tqdm import tqdm
        except ImportError as error:
            raise ImportError('ProgressBar needs tqdm: pip install "numopt[progress]"') from error
        self._tqdm = tqdm
        self._options = {"bar_format": "{desc}{percentage:3.0f}%|{bar}| {elapsed}{postfix}"} | options
        self._bar, self._began, self._first = None, None, math.nan
        self.percent = 0.0

    def __call__(self, intermediate_result):
        """Move the bar; `intermediate_result` is what solvers pass to their callback."""
        names = "began", "nit", "measure", "tol"
        began, nit, measure, tol = (getattr(intermediate_result, name) for name in names)
        if began != self._began:
            self._open(began)
        if math.isnan(self._first):
            self._first = measure  # stays nan until the method measures
        if measure > 0 and tol > 0 and self._first > tol:
            first = math.log(self._first)  # ratios might overflow
            done = (first - math.log(measure)) / (first - math.log(tol))
            self.percent = max(self.percent, 100.0 * min(1.0, done))
        elif measure <= tol:
            self.percent = 100.0
        self._bar.set_postfix_str(f"iteration {nit}, measure {measure:.2e}", refresh=False)
        self._bar.update(self.percent - self._bar.n)

    def close(self):
        """Finish the bar on the screen; called at the end of a ``with`` block or of the bar's life."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _open(self, began):
        self.close()
        self._bar = self._tqdm(total=100.0, **self._options)
        self._began, self._first, self.percent = began, math.nan, 0.0
