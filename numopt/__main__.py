"""``python -m numopt info | warmup | demo``."""

import argparse
import importlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from time import perf_counter

import numopt

_LIBRARIES = (
    "numpy scipy numba scikit-learn threadpoolctl array-api-compat array-api-extra tqdm matplotlib dask"
)


def main(arguments=None):
    """Run one command of the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m numopt", description=numopt.__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("info", help="versions, array libraries, threads and GPUs seen here")
    warm = commands.add_parser("warmup", help="compile the CPU kernels and fill their disk cache")
    warm.add_argument("--dtype", choices=("float32", "float64"), help="for this dtype only")
    demo = commands.add_parser("demo", help="solve a real problem and show what came out")
    demo.add_argument("family", nargs="?", default="ot", choices=_demos(), help="of which family (default: ot)")
    chosen = parser.parse_args(arguments)
    if chosen.command == "info":
        _write(_info())
    elif chosen.command == "warmup":
        began = perf_counter()
        _warm(chosen.dtype)
        _write(f"kernels are compiled ({perf_counter() - began:.1f} s)")
    else:
        return importlib.import_module("numopt._demo").main(chosen.family) or 0
    return 0


def _warm(dtype):
    """Compile one family beside another, each in one process: two would write to one cache file."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from numopt import _kernels

    folder = Path(_kernels.__file__).with_name("cpu")

    def length(family):
        return sum(path.stat().st_size for path in folder.glob(f"*{family}*.py"))

    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        longest_first = sorted(_kernels.compiled_families(), key=length, reverse=True)
        families = {pool.submit(numopt.warmup, dtype, family): family for family in longest_first}
        for count, done in enumerate(as_completed(families), 1):
            done.result()
            _write(f"{count:>2} of {len(families)}: {families[done]}")


def _demos():
    return importlib.import_module("numopt._demo").FAMILIES


def _write(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _info():
    from numopt._threads import thread_count

    rows = [
        ("numopt", numopt.__version__),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *((name, _version(name)) for name in _LIBRARIES.split()),
        ("threads", f"{thread_count()} for compiled kernels"),
        *(_pool(pool) for pool in _pools()),
        ("cupy", _cupy()),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:>{width}}  {value}" for name, value in rows)


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _pools():
    import numpy  # noqa: F401  (loads its BLAS, which then is seen)
    from threadpoolctl import threadpool_info

    return threadpool_info()


def _pool(pool):
    return pool["user_api"], f"{pool['internal_api']} {pool['version'] or ''}, {pool['num_threads']} threads"


def _cupy():
    """Describe CuPy and its devices; whatever is wrong with it is a line of text, never an error."""
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
        names = [cupy.cuda.runtime.getDeviceProperties(i)["name"].decode() for i in range(count)]
        return f"{cupy.__version__}, {', '.join(names) or 'no device'}"
    except ModuleNotFoundError:
        return "not installed"
    except Exception as error:
        return f"installed, but not usable: {error}".splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
