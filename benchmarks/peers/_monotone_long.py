"""The largest games with all the time that a comparison gives: `python -m benchmarks.peers._monotone_long`.

Nine runs of at most a minute each; the table of all games gives less.
"""

from __future__ import annotations

from benchmarks.peers import Table, _report, monotone
from benchmarks.peers._measure import LIMIT
from benchmarks.peers._monotone_figures import compared
from benchmarks.peers._run import compare

INSTANCES = ("sparse-4000 to 1e-10", "gauss-2000 to 1e-10", "police-2000 to 1e-04", "police-2000 to 1e-10")


def main() -> None:
    """Print all rows and figures, and record them."""
    from numopt import threads

    table = Table()
    with threads(1):
        for name in INSTANCES:
            part = compare(monotone, only=name, seconds=LIMIT, repeats=1, report=_show)
            table.rows += part.rows
    found = [compared(table, name) for name in INSTANCES]
    for figure in found:
        print(_report.figure_line(figure))
    _report.save("monotone-long", _report.heading(monotone.PACKAGES, 1), table, found, _report.RESULTS)


def _show(row: object) -> None:
    print("  ".join(_report.cells(row)).rstrip(), flush=True)


if __name__ == "__main__":
    main()
