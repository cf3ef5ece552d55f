"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import numpy as np

from course import exercises_01

CHECKS = {
    "1.1": ("colour_shares", exercises_01.check_colours),
    "1.2": ("whiten_upright", exercises_01.check_whitening),
    "1.3": ("one_step", exercises_01.check_step),
    "1.4": ("gradient_through_shares", exercises_01.check_shares),
    "1.5": ("by_temperature", exercises_01.check_temperature),
}


def colours(order, total, padded=True):
    """Return a wrong answer: channels in some order, divided by something."""

    def function(photo):
        table = np.zeros(8)
        for pixel in photo.reshape(-1, 3):
            red, green, blue = (int(pixel[c]) // 128 for c in order)
            table[4 * red + 2 * green + blue] += 1
        return (table if padded else np.trim_zeros(table, "b")) / total(photo)

    return function


def pixels(photo):
    return photo.shape[0] * photo.shape[1]


def by_svd(X, shrinkage, *, off=1.0, root=np.sqrt, n=None, unit=None, back=True):
    """Return whitened rows by a singular value decomposition of X, not of its covariance."""
    mean = X.mean(axis=0)
    left, sizes, axes = np.linalg.svd(X - mean, full_matrices=False)
    variances = sizes**2 / (n or len(X))
    variances = variances + shrinkage * (unit or variances.mean())
    rows = (X - off * mean) @ axes.T / root(variances)
    return rows @ axes if back else rows


def by_loops(W, c, X, Y, alpha, rate, *, push=1.0, pull=1.0, pull_c=0.0, share=1.0):
    """Return W and c after a step, pair by pair, or after a wrong one."""
    new, offset = W - rate * 2 * alpha * pull * W, c - rate * 2 * alpha * pull_c * c
    for x, y in zip(X, Y, strict=True):
        error = 2 * push * (x @ W + c - y) / len(X)
        new, offset = new - rate * np.outer(x, error), offset - rate * share * error
    return new, offset


def gradients(*arguments):
    """Return a wrong answer: the gradients themselves."""
    W, c, *rest = arguments
    new, offset = by_loops(W, c, *rest[:-1], 1.0)
    return W - new, c - offset


def step(**options):
    return lambda *arguments: by_loops(*arguments, **options)


def unit_rows(z, g):
    length = np.sqrt((z * z).sum(axis=1))[:, None]
    return g / length - z * (z * g).sum(axis=1)[:, None] / length**3


def own_and_expected(C, tau, own=1.0):
    """Return the mean over rows of the own cosine less the expected one, over tau squared."""
    total = 0.0
    for i, row in enumerate(C):
        weights = np.exp((row - row.max()) / tau)
        total += own * row[i] - weights @ row / weights.sum()
    return total / len(C) / tau**2


RIGHT = [
    ("1.1", colours((0, 1, 2), pixels)),
    ("1.2", by_svd),
    ("1.3", by_loops),
    (
        "1.4",
        lambda z, g: np.array(
            [h / t.sum() - (h @ t) / t.sum() ** 2 for t, h in zip(z, g, strict=True)]
        ),
    ),
    ("1.5", own_and_expected),
]

WRONG = [
    ("1.1", colours((0, 1, 2), lambda photo: 1), "these are counts"),
    ("1.1", colours((2, 1, 0), pixels), "the other way round"),
    ("1.1", colours((0, 1, 2), pixels, padded=False), "minlength=8"),
    ("1.1", colours((0, 1, 2), lambda photo: 3 * pixels(photo)), "three numbers"),
    ("1.2", lambda X, shrinkage: by_svd(X, shrinkage, back=False), "still turned"),
    ("1.2", lambda X, shrinkage: by_svd(X, shrinkage, off=0), "column means"),
    ("1.2", lambda X, shrinkage: by_svd(X, shrinkage, root=np.abs), "their roots"),
    ("1.2", lambda X, shrinkage: by_svd(X, 0), "the shrinkage is missing"),
    ("1.2", lambda X, shrinkage: by_svd(X, shrinkage, unit=1), "mean eigenvalue"),
    ("1.2", lambda X, shrinkage: by_svd(X, shrinkage, n=len(X) - 1), "bias=True"),
    ("1.3", step(push=-1.0, pull=-1.0), "uphill"),
    ("1.3", step(push=0.5, pull=0.5), "factor 2"),
    ("1.3", lambda *a: by_loops(*a, push=len(a[2])), "the mean over"),
    ("1.3", step(pull=0.0), "the penalty is missing"),
    ("1.3", step(pull_c=1.0), "leave c out"),
    ("1.3", lambda *a: by_loops(*a, share=1 / len(a[2])), "add up"),
    ("1.3", gradients, "return the new weights"),
    ("1.4", lambda z, g: g / z.sum(axis=1)[:, None], "a second term"),
    ("1.4", unit_rows, "length 1"),
    (
        "1.4",
        lambda z, g: g - (g * z).sum(axis=1)[:, None] / z.sum(axis=1)[:, None],
        "divide by the row's total",
    ),
    (
        "1.4",
        lambda z, g: np.array(
            [h / t.sum() - t * (h @ t) / t.sum() ** 3 for t, h in zip(z, g, strict=True)]
        ),
        "same number in every column",
    ),
    ("1.5", lambda C, tau: -own_and_expected(C, tau), "the sign"),
    ("1.5", lambda C, tau: -own_and_expected(C, tau) * tau * tau, "gradient by 1 / tau"),
    ("1.5", lambda C, tau: own_and_expected(C, tau) * tau, "gradient by log tau"),
    ("1.5", lambda C, tau: own_and_expected(C, tau) * len(C), "divide by n"),
    ("1.5", lambda C, tau: own_and_expected(C, tau, own=0), "minus truth"),
    (
        "1.5",
        lambda C, tau: own_and_expected(
            C.T, tau
        ),  # sums over columns, as the softmax along them does
        "axis=1",
    ),
]
