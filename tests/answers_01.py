"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import numpy as np

from course import exercises_01

CHECKS = {
    "1.1": ("colour_shares", exercises_01.check_colours),
    "1.2": ("letter_runs", exercises_01.check_letters),
    "1.3": ("one_step", exercises_01.check_step),
    "1.4": ("gradient_through_shares", exercises_01.check_shares),
    "1.5": ("early_stopping", exercises_01.check_stopping),
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


def runs(word, n, last=0, step=1):
    return [word[i : i + n] for i in range(0, len(word) - n + 1 - last, step)]


def by_loops(W, X, Y, rate):
    new = W.copy()
    for x, y in zip(X, Y, strict=True):
        new = new - rate * 2 * np.outer(x, x @ W - y) / len(X)
    return new


def unit_rows(z, g):
    length = np.sqrt((z * z).sum(axis=1))[:, None]
    return g / length - z * (z * g).sum(axis=1)[:, None] / length**3


def watch(losses, patience, first=1):
    """Return best and last epoch by a while loop."""
    best, at = 0, 0
    while at < len(losses) - 1 and at - best < patience:
        at += 1
        best = at if losses[at] < losses[best] else best
    return best + first, at + first


RIGHT = [
    ("1.1", colours((0, 1, 2), pixels)),
    ("1.2", lambda text, n: sum((runs(f"<{word}>", n) for word in text.split()), [])),
    ("1.3", by_loops),
    (
        "1.4",
        lambda z, g: np.array(
            [h / t.sum() - (h @ t) / t.sum() ** 2 for t, h in zip(z, g, strict=True)]
        ),
    ),
    ("1.5", watch),
]

WRONG = [
    ("1.1", colours((0, 1, 2), lambda photo: 1), "these are counts"),
    ("1.1", colours((2, 1, 0), pixels), "the other way round"),
    ("1.1", colours((0, 1, 2), pixels, padded=False), "minlength=8"),
    ("1.1", colours((0, 1, 2), lambda photo: 3 * pixels(photo)), "three numbers"),
    ("1.2", lambda text, n: [r for word in text.split(" ") for r in runs(word, n)], "both ends"),
    ("1.2", lambda text, n: runs("<" + text + ">", n), "within its word"),
    (
        "1.2",
        lambda text, n: [r for word in text.split() for r in runs(f"<{word}>", n, last=1)],
        "the last run",
    ),
    (
        "1.2",
        lambda text, n: [r for word in text.split() for r in runs(f"<{word}>", n, step=n)],
        "overlap",
    ),
    ("1.3", lambda W, X, Y, rate: 2 * W - by_loops(W, X, Y, rate), "uphill"),
    ("1.3", lambda W, X, Y, rate: by_loops(W, X, Y, rate / 2), "factor 2"),
    ("1.3", lambda W, X, Y, rate: by_loops(W, X, Y, rate * len(X)), "the mean over"),
    ("1.3", lambda W, X, Y, rate: W - by_loops(W, X, Y, 1.0), "return the new weights"),
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
    (
        "1.5",
        lambda losses, patience: (
            1 + int(np.argmin(losses)),
            min(1 + int(np.argmin(losses)) + patience, len(losses)),
        ),
        "stop first",
    ),
    ("1.5", lambda losses, patience: watch(losses, patience, first=0), "from 1"),
    ("1.5", lambda losses, patience: watch(losses, patience + 1), "one epoch late"),
    (
        "1.5",
        lambda losses, patience: watch([x - 1e-9 * i for i, x in enumerate(losses)], patience),
        "no improvement",
    ),
    ("1.5", lambda losses, patience: (watch(losses, patience)[1],) * 2, "the best epoch first"),
]
