"""Kernels whose arguments always have the same types."""


class Settled:
    """The kernels of a namespace, each for the types of the arguments that it first gets.

    Numba looks at the types of all arguments whenever a kernel is called. For a few numbers that takes longer than the
    work, and in cold caches ten times as long. Here only the first call looks. Later ones are not checked: whoever
    uses this sees to it that all arrays are C-contiguous and of one dtype, and that a number stays one.

    Parameters
    ----------
    kernels : object
        Has them as attributes; functions that are not compiled stay as they are.
    """

    def __init__(self, kernels):
        self._kernels = kernels

    def __getattr__(self, name):  # not called once the attribute is set
        kernel = getattr(self._kernels, name)
        if not hasattr(kernel, "typeof_pyval"):
            setattr(self, name, kernel)
            return kernel

        def first(*args):
            types = tuple(map(kernel.typeof_pyval, args))
            if all(getattr(kind, "layout", "C") == "C" for kind in types):
                setattr(self, name, kernel.compile(types))
            return kernel(*args)

        return first
