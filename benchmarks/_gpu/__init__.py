"""What ``benchmarks/gpu.py`` runs: each module offers ``PARTS``, functions ``(machine) -> iterator of rows``.

A row is a dict with ``what`` and ``status`` ("ok", "wrong", "skipped") and whatever else belongs into the table; it is
written to disk as soon as it is yielded. A part asks ``machine.left()`` before it begins something long.
"""
