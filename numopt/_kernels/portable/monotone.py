"""Kernels of games, linear programs and finite sums in array-standard calls.

A *matrix* is ``(A,)`` for a dense array of shape (m, n), or the CSR arrays of A followed by those of its transpose,
``(data, indices, indptr, data_T, indices_T, indptr_T)``. A *set* is ``(total, lower, upper)``: for a total above 0
the simplex {x >= 0, w.x = total} with w in place of `lower`, ones if it is empty; else the box [lower, upper] with two
vectors. Vectors are float64.
"""

from numopt._array import cholesky, device, namespace
from numopt._kernels.portable._runs import row_adder


def forward(matrix, x):
    """Return A x."""
    return _wide(matrix[0] @ x, x) if len(matrix) == 1 else _gather(*matrix[:3], x)


def adjoint(matrix, y):
    """Return A^T y."""
    return _wide(y @ matrix[0], y) if len(matrix) == 1 else _gather(*matrix[3:], y)


def products(matrix, x, y):
    """Return (A x, A^T y), reading a dense A once."""
    return forward(matrix, x), adjoint(matrix, y)


def part(matrix, rows, columns):
    """Return the rows and columns of these numbers (int64, in order) as a matrix in float64."""
    xp = namespace(rows)
    if len(matrix) == 1:
        return (xp.astype(xp.take(xp.take(matrix[0], rows, axis=0), columns, axis=1), xp.float64),)
    return *_part(*matrix[:3], rows, columns, matrix[5]), *_part(*matrix[3:], columns, rows, matrix[2])


def bidiagonal(matrix, x, normal_x, normal_y, steps):
    """Return the diagonal and upper entries, in turn, of the bidiagonal matrix of Golub, Kahan and Lanczos.

    It starts at x. Only vectors across the unit normals count; an empty one stands for none.
    """
    xp, band = namespace(x), []
    (x, _), y, beta = _across(x, normal_x), 0.0, 0.0
    for _ in range(steps):
        y, alpha = _across(forward(matrix, x) - beta * y, normal_y)
        x, beta = _across(adjoint(matrix, y) - alpha * x, normal_x)
        band += [alpha, beta]
    return xp.stack(band)


def project_simplex(v, total):
    """Return the point of {x >= 0, sum x = total} nearest to v."""
    return _weighted(v, total, namespace(v).ones_like(v))


def _weighted(v, total, w):
    """Return the point of {x >= 0, w.x = total} nearest to v."""
    xp = namespace(v)
    order = xp.argsort(v / w, descending=True)
    s, u = xp.take(v, order), xp.take(w, order)
    excess, square = xp.cumulative_sum(u * s) - total, xp.cumulative_sum(u * u)
    count = xp.sum(xp.astype(s * square > u * excess, xp.int64))
    last = xp.reshape(xp.maximum(count, xp.ones_like(count)) - 1, (1,))
    return xp.maximum(v - w * (xp.take(excess, last) / xp.take(square, last)), xp.zeros_like(v))


def pdhg_steps(matrix, c, b, X, Y, point, anchor, k, tau, sigma, steps):
    """Take `steps` Halpern steps of reflected PDHG on min_X max_Y c.x + y.(A x - b).

    Parameters
    ----------
    point, anchor : tuple
        ``(x, y, A x, A^T y)`` now and at the last restart, k steps ago.
    tau, sigma : float
        Steps in x and y.

    Returns
    -------
    tuple
        The new point; the last point before reflection (the "hat"), with its products; and
        ``|dx|^2, |dy|^2, <dy, A dx>`` of the last displacement d = hat - point.
    """
    x, y, Ax, ATy = point
    x0, y0, Ax0, ATy0 = anchor
    for i in range(k, k + steps):
        xh = _project(X, x - tau * (c + ATy))
        Axh = forward(matrix, xh)
        yh = _project(Y, y + sigma * (2 * Axh - Ax - b))
        ATyh = adjoint(matrix, yh)
        dx, dy, Adx = xh - x, yh - y, Axh - Ax
        a = (i + 1) / (i + 2)
        x, Ax = a * (xh + dx) + (1 - a) * x0, a * (Axh + Adx) + (1 - a) * Ax0
        y, ATy = a * (yh + dy) + (1 - a) * y0, a * (2 * ATyh - ATy) + (1 - a) * ATy0
    xp = namespace(x)
    return (x, y, Ax, ATy), (xh, yh, Axh, ATyh), (xp.sum(dx * dx), xp.sum(dy * dy), xp.sum(dy * Adx))


def factor(M, ridge):
    """Return the lower Cholesky factor of M + ridge I, NaN in it if there is none; M has a unit diagonal."""
    xp = namespace(M)
    return cholesky(M + ridge * xp.eye(M.shape[0], dtype=M.dtype, device=device(M)))


def factored_solve(L, B):
    """Return the solution of L L^T X = B for a matrix B."""
    xp = namespace(L)
    return xp.linalg.solve(L.T, xp.linalg.solve(L, B))


def largest(matrix, rows, columns):
    """Return the largest entries of the rows and of the columns of diag(rows) A diag(columns), for A >= 0."""
    xp = namespace(rows)
    if len(matrix) == 1:
        B = rows[:, None] * matrix[0] * columns
        return xp.max(B, axis=1), xp.max(B, axis=0)
    return rows * _row_maxima(*matrix[:3], columns), columns * _row_maxima(*matrix[3:], rows)


def program_errors(c, b, low, high, m_ub, rows, columns, sizes, least, x, y, Ax, ATy):
    """Return (largest, primal, dual, gap, value, dual value) of a pair with its products.

    The program is min c.x, A x <= b in the first `m_ub` rows and A x = b in the others, low <= x <= high; rows and
    columns scale it. Errors are relative to the `sizes` of b and c, each in the caller's units and in scaled ones, the
    gap to no less than `least` times what they allow c.x and b.y to be.
    """
    xp = namespace(c)
    norm, zero, (side, side_scaled, cost, cost_scaled) = xp.linalg.vector_norm, xp.zeros_like(Ax), sizes
    off = Ax - b
    off = xp.concat((xp.maximum(off[:m_ub], zero[:m_ub]), off[m_ub:]))
    reduced = c + ATy
    bound = xp.where(reduced > 0, low, high)
    held = xp.isfinite(bound)
    paid = xp.where(held, reduced * xp.where(held, bound, 0.0), 0.0)
    loose = xp.where(held, 0.0, reduced)
    value, dual_value = xp.sum(c * x), xp.sum(paid) - xp.sum(b * y)
    size = xp.sum(xp.abs(c * x)) + xp.sum(xp.abs(b * y)) + xp.sum(xp.abs(paid))
    size = xp.maximum(size, least * (cost_scaled * norm(x / columns) + side_scaled * norm(y / rows)))
    size = xp.where(size > 0, size, xp.ones_like(size))
    primal = xp.maximum(norm(off) / side, norm(off * rows) / side_scaled)
    dual = xp.maximum(norm(loose) / cost, norm(loose * columns) / cost_scaled)
    gap = xp.abs(value - dual_value) / size
    return xp.max(xp.stack((primal, dual, gap))), primal, dual, gap, value, dual_value


def gram(matrix, d, e):
    """Return A diag(d) A^T + diag(e) for d > 0."""
    xp = namespace(d)
    if len(matrix) == 1:
        A = _wide(matrix[0], d)
    else:
        eye = xp.eye(e.shape[0], dtype=d.dtype, device=device(d))
        A = xp.stack([_gather(*matrix[3:], eye[i, :]) for i in range(e.shape[0])])
    B = A * xp.sqrt(d)
    return B @ B.T + e[:, None] * xp.eye(e.shape[0], dtype=e.dtype, device=device(e))


def svrg_steps(A, b, loss, ridge, z, w, Fw, at_w, index, weights, step, lower, upper, shrink):
    """Take a step of SVRG for each index on F_i(z) = phi_i(a_i.z) a_i + ridge z.

    Parameters
    ----------
    loss : {0, 1}
        phi_i(t) is t - b_i (squares) or 1 / (1 + exp(-t)) - b_i (logistic).
    w, Fw, at_w : array
        The snapshot, F(w), and the numbers phi_i(a_i.w).
    index, weights : array
        NumPy arrays; z moves by ``-step (F(w) + weight (F_i(z) - F_i(w)))``.
    lower, upper, shrink : array, array, float
        The prox: coordinates are shrunk by ``step * shrink`` and clipped.
    """
    xp = namespace(z)
    for q in range(index.shape[0]):
        i = xp.asarray(index[q : q + 1], device=device(z))
        a = _wide(xp.take(A, i, axis=0)[0, :], z)
        t = xp.sum(a * z)
        value = (t if loss == 0 else 1 / (1 + xp.exp(-t))) - xp.take(b, i)[0]
        weight = float(weights[q])
        z = z - step * (Fw + weight * (value - xp.take(at_w, i)[0]) * a + weight * ridge * (z - w))
        z = xp.sign(z) * xp.maximum(xp.abs(z) - step * shrink, xp.zeros_like(z))
        z = xp.minimum(xp.maximum(z, lower), upper)
    return z


def scatter(index, values, size):
    """Return the vector whose entry i is the sum of the values with this index; indices are a NumPy array."""
    xp = namespace(values)
    place = xp.asarray(index, device=device(values))
    slots = xp.arange(size, dtype=place.dtype, device=device(values))
    hit = xp.reshape(place, (1, -1)) == xp.reshape(slots, (-1, 1))
    return xp.sum(xp.where(hit, xp.reshape(values, (1, -1)), 0.0), axis=1)


def _project(S, v):
    total, lower, upper = S
    if total > 0:
        return _weighted(v, total, lower) if lower.shape[0] else project_simplex(v, total)
    xp = namespace(v)
    return xp.minimum(xp.maximum(v, lower), upper)


def _across(v, normal):
    """Return the part of v across the unit vector `normal`, as a unit vector, and its norm before."""
    xp = namespace(v)
    v = v - normal * xp.sum(normal * v) if normal.shape[0] else v
    size = xp.linalg.vector_norm(v)
    return v / xp.where(size > 0, size, xp.ones_like(size)), size


def _part(data, indices, indptr, rows, columns, starts_T):
    """Return rows and columns of a CSR matrix; `starts_T` are where the rows of its transpose begin."""
    xp, zero = namespace(data), namespace(data).zeros((1,), dtype=rows.dtype, device=device(data))
    start = xp.astype(indptr, rows.dtype)
    inside, _ = _places(rows, indptr.shape[0] - 1)
    wanted, number = (xp.take(v, xp.astype(indices, rows.dtype)) for v in _places(columns, starts_T.shape[0] - 1))
    kept = xp.repeat(inside, start[1:] - start[:-1]) & wanted
    so_far = xp.concat((zero, xp.cumulative_sum(xp.astype(kept, rows.dtype))))
    begin = xp.concat((zero, xp.take(so_far, xp.take(start[1:], rows))))
    return xp.astype(data[kept], xp.float64), xp.astype(number[kept], xp.int32), xp.astype(begin, xp.int32)


def _places(numbers, size):
    """Tell for each number below `size` whether it is among the sorted `numbers`, and where it would be."""
    xp = namespace(numbers)
    every = xp.arange(size, dtype=numbers.dtype, device=device(numbers))
    place = xp.minimum(xp.searchsorted(numbers, every), xp.full_like(every, numbers.shape[0] - 1))
    return xp.take(numbers, place) == every, place


def _row_maxima(data, indices, indptr, x):
    """Return the largest data_q x_q of each row, 0 for an empty one; by halving the runs."""
    xp = namespace(x)
    values = data * xp.take(x, xp.astype(indices, xp.int64))
    start, where = xp.astype(indptr, xp.int64), device(x)
    size = int(values.shape[0])
    low, high, shift = start[:-1], start[1:], 1
    padded = xp.concat((values, xp.zeros((1,), dtype=x.dtype, device=where)))
    position = xp.arange(size + 1, dtype=xp.int64, device=where)
    row = xp.searchsorted(start[1:], position, side="right")
    while shift < size:  # each entry takes the largest of the 2 shift that follow it in its row
        other = xp.minimum(position + shift, xp.full_like(position, size))
        padded = xp.where(xp.take(row, other) == row, xp.maximum(padded, xp.take(padded, other)), padded)
        shift *= 2
    return xp.where(low < high, xp.take(padded, xp.minimum(low, xp.full_like(low, size))), xp.zeros_like(x[:1]))


def _wide(product, like):
    return namespace(like).astype(product, like.dtype, copy=False)


def _gather(data, indices, indptr, x):
    xp = namespace(x)
    if data.shape[0] == 0:
        return xp.zeros((indptr.shape[0] - 1,), dtype=x.dtype, device=device(x))
    return row_adder(indptr)(data * xp.take(x, indices))
