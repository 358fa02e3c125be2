"""`python -m benchmarks.peers FAMILY`: measure numopt and its peers, print, record."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from benchmarks.peers import _report
from benchmarks.peers._measure import LIMIT, REPEATS
from benchmarks.peers._run import compare


def main(argv: list[str] | None = None) -> None:
    """Run one family; a partial run (`--only`) prints, but records nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("family", help="a module of benchmarks.peers, such as ot")
    parser.add_argument("--only", default="", metavar="TEXT", help="only instances whose name contains TEXT")
    parser.add_argument("--threads", type=int, default=1, help="threads for everybody (default 1)")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS", help="per run (default 60)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="timed runs (default 3)")
    parser.add_argument(
        "--results", type=Path, default=_report.RESULTS, metavar="FOLDER", help="records go here"
    )
    args = parser.parse_args(argv)

    from numopt import threads

    family = importlib.import_module(f"benchmarks.peers.{args.family}")
    solvers = family.solvers()  # peers are imported here, so that their thread pools are seen below
    head = _report.heading(tuple(family.PACKAGES), args.threads)
    print(f"numopt and its peers: {args.family}, {len(solvers)} solvers, {head['date']}")
    print("machine: " + ", ".join(f"{k} {v}" for k, v in head["machine"].items()))
    print("versions: " + ", ".join(f"{k} {v}" for k, v in head["versions"].items()), flush=True)
    if any(solver.compiled for solver in solvers):
        print("compiled peers are first tried in processes of their own", flush=True)
    with threads(args.threads):
        table = compare(
            family,
            only=args.only,
            seconds=args.limit,
            repeats=args.repeats,
            report=lambda row: print("  ".join(_report.cells(row)).rstrip(), flush=True),
        )
        print("\n" + _report.text(table) + "\n", flush=True)
        figures = [] if args.only else list(family.figures(table))
    for figure in figures:
        print(_report.figure_line(figure))
    if not args.only:
        _report.save(args.family, head, table, figures, args.results)


if __name__ == "__main__":
    main()
