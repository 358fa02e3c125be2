"""Complete one large matrix; print seconds and memory as JSON. For a process of its own."""

from __future__ import annotations

import json
import sys
import time

from benchmarks.peers._completion_instances import error, low_rank
from benchmarks.peers._completion_ours import complete
from benchmarks.peers._measure import memory
from numopt import threads


def main(n: int, rank: int, oversampling: float) -> None:
    """Solve once for real, after a small problem that compiles the kernels."""
    with threads(1):
        complete(low_rank(300, 3, 5.0))
        p = low_rank(n, rank, oversampling)
        X = p.csr
        size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        peak_before, before = memory("VmHWM"), memory("VmRSS")
        reset = _reset_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        model, result = complete(p)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = memory("VmHWM")
    extra = peak - (before if reset else peak_before)
    record = {"wall": wall, "cpu": cpu, "extra": extra, "input": size, "error": error(p, model), "nit": result.nit}
    json.dump(record, sys.stdout)


def _reset_peak() -> bool:
    """Let Linux forget the peak that making the problem has left; tell whether it did."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
