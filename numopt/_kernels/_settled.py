"""Kernels whose arguments always have the same types."""

import numpy as np


class Settled:
    """The kernels of a namespace, each for the types of the arguments that it first gets.

    Numba looks at the types of all arguments whenever a kernel is called. For a few numbers that takes longer than the
    work, and in cold caches ten times as long. Here only the first call looks. Later ones still refuse what is no
    array and numbers of another width, and take any number for a float. The rest is for those who use this: their
    arrays are their own, C-contiguous, and always of the same dtypes and numbers of dimensions.

    Parameters
    ----------
    kernels : object
        Has them as attributes. Functions that are not compiled stay as they are, and so do those that are called with
        anything but C-contiguous arrays and floats.
    """

    def __init__(self, kernels):
        self._kernels = kernels

    def __getattr__(self, name):  # not called once the attribute is set
        kernel = getattr(self._kernels, name)
        if not hasattr(kernel, "typeof_pyval"):
            setattr(self, name, kernel)
            return kernel

        def first(*args):
            plain = (arg.flags.c_contiguous if isinstance(arg, np.ndarray) else isinstance(arg, float) for arg in args)
            if all(plain):
                setattr(self, name, kernel.compile(tuple(map(kernel.typeof_pyval, args))))
            return kernel(*args)

        return first
