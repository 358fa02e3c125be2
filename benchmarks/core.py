"""What a user waits for before the first answer; each in a fresh interpreter."""

FIRST_CALL = """
a = numpy.full(300, 1 / 300)
x = numpy.linspace(0.0, 1.0, 300)
numopt.ot.sinkhorn_newton(a, a, (x[:, None] - x) ** 2, reg=0.01)
"""


def timeraw_import_numpy() -> str:
    """Time what numopt cannot be faster than."""
    return "import numpy"


def timeraw_import() -> str:
    """Time the import: at most 0.5 s beyond NumPy's."""
    return "import numopt"


def timeraw_first_call() -> tuple[str, str]:
    """Time the first solve, kernels loaded from their cache on disk."""
    return FIRST_CALL, "import numpy, numopt"
