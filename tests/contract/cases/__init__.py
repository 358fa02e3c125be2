"""One module for each family: how to call its solvers, what to refuse, how to recompute their certificates.

A module lists its entries in `CASES`; everything in ``test_contract.py`` then runs for them.
"""

import importlib
import pkgutil

import numopt

CASES = [
    case
    for found in pkgutil.iter_modules(__path__)
    if found.name[0] != "_"
    for case in importlib.import_module(f"{__name__}.{found.name}").CASES
]


def load_all_rooms():
    """Import every room, so that all solvers are registered."""
    for room in numopt._ROOMS:
        importlib.import_module(f"numopt.{room}")
