"""Solvers with certificates, for NumPy and CuPy arrays.

Subpackages and names are loaded on first use: importing numopt costs next to nothing.
"""

import importlib

__version__ = "0.1.0"

_ROOMS = (
    "clustering",
    "completion",
    "constrained",
    "estimators",
    "exceptions",
    "gallery",
    "monotone",
    "ot",
    "plot",
    "progress",
    "relax",
)
_NAMES = {
    "ProgressBar": "progress",
    "Status": "_status",
    "threads": "_threads",
    "use_kernels": "_kernels",
    "warmup": "_kernels",
}
__all__ = ["__version__", *sorted((*_ROOMS, *_NAMES))]


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"numopt.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(f"numopt.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'numopt' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__():
    return __all__
