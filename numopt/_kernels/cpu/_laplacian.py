"""Exact factor of the Laplacian of a sparse bipartite graph: the preconditioner of the Newton systems.

At small regularisation the strong entries of a transport plan form nearly a forest, so that elimination
in order of minimum degree fills in little. Nodes are eliminated one by one in adjacency lists; the
core that remains when it has become dense is factored as a dense matrix.
"""

import numpy as np

from numopt._kernels.cpu._jit import jit

_WORK = 60  # give up when the elimination takes more list operations than this for each node, squared ...


@jit(fastmath={"contract"})
def factor(n, m, weights, columns, start, row_excess, column_excess):
    """Factor L = diag(sums of weights + excess) - adjacency, of the graph on n rows and m columns.

    Parameters
    ----------
    weights, columns, start
        The edges in CSR form, positive weights.
    row_excess, column_excess
        What the diagonal has beyond the sums of the weights: positive, or L is singular.

    Returns
    -------
    tuple of ndarray
        (order, pivot, begin, node, value, core nodes, core factor), all empty when the elimination took
        more than its limit of work.
    """
    size = n + m
    none = (
        np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0),
        np.empty(0, np.int64), np.empty((0, 0)),
    )  # fmt: skip
    if size == 0:
        return none
    # Adjacency lists in one pool; a list that outgrows its room moves to the end.
    degree = np.zeros(size, np.int64)
    for i in range(n):
        degree[i] = start[i + 1] - start[i]
    for t in range(columns.size):
        degree[n + columns[t]] += 1
    room = np.empty(size, np.int64)
    base = np.empty(size, np.int64)
    top = 0
    for v in range(size):
        room[v] = 2 * degree[v] + 4
        base[v] = top
        top += room[v]
    limit = 40 * top + 100000
    pool = np.empty(top + limit // 8, np.int64)
    wt = np.empty(pool.size)
    fill = np.zeros(size, np.int64)
    for i in range(n):
        for t in range(start[i], start[i + 1]):
            v = n + np.int64(columns[t])
            pool[base[i] + fill[i]], wt[base[i] + fill[i]] = v, weights[t]
            pool[base[v] + fill[v]], wt[base[v] + fill[v]] = i, weights[t]
            fill[i] += 1
            fill[v] += 1
    excess = np.empty(size)
    excess[:n] = row_excess
    excess[n:] = column_excess
    # Nodes by degree in doubly linked lists.
    head = np.full(size + 1, -1)
    after = np.empty(size, np.int64)
    ahead = np.empty(size, np.int64)
    for v in range(size - 1, -1, -1):
        _link(head, after, ahead, v, degree[v])
    order, pivot, begin = np.empty(size, np.int64), np.empty(size), np.zeros(size + 1, np.int64)
    node, value = np.empty(pool.size, np.int64), np.empty(pool.size)
    place = np.full(size, -1)
    seen = np.full(size, -1)
    done, least, count, work = 0, 0, 0, 0
    edges = 2 * columns.size
    while done < size:
        while head[least] < 0:
            least += 1
        left = size - done
        if least > 8 and 3 * edges > left * left:
            break  # the core is dense enough
        v = head[least]
        _unlink(head, after, ahead, v, least)
        d, lo = degree[v], base[v]
        total = excess[v]
        for t in range(lo, lo + d):
            total += wt[t]
        order[done], pivot[done] = v, total
        if count + d > node.size:
            return none
        for t in range(d):
            node[count + t], value[count + t] = pool[lo + t], wt[lo + t] / total
            place[pool[lo + t]] = t
        edges -= 2 * d
        for q in range(d):
            u = pool[lo + q]
            share = value[count + q]
            excess[u] += share * excess[v]
            bu, du = base[u], degree[u]
            work += du + d
            t = 0
            while t < du:
                x = pool[bu + t]
                if x == v:
                    du -= 1
                    pool[bu + t], wt[bu + t] = pool[bu + du], wt[bu + du]
                    continue
                if place[x] >= 0:
                    wt[bu + t] += share * wt[lo + place[x]]
                    seen[x] = u
                t += 1
            if du + d > room[u]:
                room[u] = 2 * (du + d)
                if top + room[u] > pool.size:
                    return none
                for t in range(du):
                    pool[top + t], wt[top + t] = pool[bu + t], wt[bu + t]
                bu = top
                base[u] = top
                top += room[u]
            for t in range(d):
                x = pool[lo + t]
                if x != u and seen[x] != u:
                    pool[bu + du], wt[bu + du] = x, share * wt[lo + t]
                    du += 1
            for t in range(d):
                seen[pool[lo + t]] = -1
            edges += du - degree[u] + 1
            _unlink(head, after, ahead, u, degree[u])
            degree[u] = du
            _link(head, after, ahead, u, du)
            least = min(least, du)
        for t in range(d):
            place[pool[lo + t]] = -1
        count += d
        done += 1
        begin[done] = count
        if work > limit:
            return none
    # The dense core.
    left = size - done
    core = np.empty(left, np.int64)
    F = np.zeros((left, left))
    k = 0
    for d in range(size + 1):
        v = head[d]
        while v >= 0:
            core[k] = v
            place[v] = k
            k += 1
            v = after[v]
    if left**3 > 64 * limit:
        return none
    for k in range(left):
        v = core[k]
        total = excess[v]
        for t in range(base[v], base[v] + degree[v]):
            F[k, place[pool[t]]] = -wt[t]
            total += wt[t]
        F[k, k] = total
    _dense_ldl(F)
    return (
        order[:done].copy(),
        pivot[:done].copy(),
        begin[: done + 1].copy(),
        node[:count].copy(),
        value[:count].copy(),
        core,
        F,
    )


@jit(fastmath={"contract", "reassoc", "nsz"})
def _dense_ldl(F):
    """Overwrite the upper triangle of F by D and U of F = U^T D U."""
    n = F.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            ratio = F[k, i] / F[k, k]
            row, top = F[i], F[k]
            for j in range(i, n):
                row[j] -= ratio * top[j]
        for j in range(k + 1, n):
            F[k, j] /= F[k, k]


@jit(fastmath={"contract"})
def solve(nodes, x):
    """Overwrite x by the solution of L y = x."""
    order, pivot, begin, node, value, core, F = nodes
    for k in range(order.size):
        v = x[order[k]]
        for t in range(begin[k], begin[k + 1]):
            x[node[t]] += value[t] * v
    n = core.size
    if n:
        y = np.empty(n)
        for k in range(n):
            y[k] = x[core[k]]
        for k in range(n):
            for j in range(k + 1, n):
                y[j] -= F[k, j] * y[k]
        for k in range(n - 1, -1, -1):
            total = y[k] / F[k, k]
            for j in range(k + 1, n):
                total -= F[k, j] * y[j]
            y[k] = total
        for k in range(n):
            x[core[k]] = y[k]
    for k in range(order.size - 1, -1, -1):
        total = x[order[k]] / pivot[k]
        for t in range(begin[k], begin[k + 1]):
            total += value[t] * x[node[t]]
        x[order[k]] = total


@jit
def _link(head, after, ahead, v, degree):
    after[v], ahead[v] = head[degree], -1
    if head[degree] >= 0:
        ahead[head[degree]] = v
    head[degree] = v


@jit
def _unlink(head, after, ahead, v, degree):
    if ahead[v] >= 0:
        after[ahead[v]] = after[v]
    else:
        head[degree] = after[v]
    if after[v] >= 0:
        ahead[after[v]] = ahead[v]
