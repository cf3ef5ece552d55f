"""The checks of notebook 07's exercises, and the wrong answers that they know."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from course import Check, Mistake

# --- 7.1: a depthwise convolution ----------------------------------------------------------------


def _near(x, k):
    return sliding_window_view(x, (k, k), axis=(0, 1))


def _depthwise_probes():
    rng = np.random.default_rng(0)
    probes = []
    for h, w, c, k in ((4, 5, 2, 3), (6, 6, 3, 2), (5, 4, 1, 1)):
        x, kernel = rng.normal(size=(h, w, c)), rng.normal(size=(k, k, c))
        right = np.zeros((h - k + 1, w - k + 1, c))
        for place in np.ndindex(right.shape):
            i, j, channel = place
            right[place] = np.sum(x[i : i + k, j : j + k, channel] * kernel[..., channel])
        probes.append(((x, kernel), right))
    return probes


check_depthwise = Check(
    _depthwise_probes,
    right="Each channel is looked at on its own; the next 1 × 1 convolution mixes them.",
    mistakes=[
        Mistake(
            "kernel flipped",
            "you flip the kernel, as signal processing does; networks do not.",
            like=lambda x, K: np.einsum("hwcij,ijc->hwc", _near(x, len(K)), K[::-1, ::-1]),
        ),
        Mistake(
            "kernel transposed",
            "you swap rows and columns of the kernel; the first axis goes down.",
            like=lambda x, K: np.einsum("hwcij,jic->hwc", _near(x, len(K)), K),
        ),
        Mistake(
            "channels mixed",
            "you sum over channels; each keeps its own output here.",
            like=lambda x, K: np.einsum("hwcij,ijc->hw", _near(x, len(K)), K),
        ),
        Mistake(
            "mean",
            "you divide by the number of places in the window; a convolution sums.",
            like=lambda x, K: np.einsum("hwcij,ijc->hwc", _near(x, len(K)), K) / len(K) ** 2,
        ),
    ],
)

# --- 7.2: fold a normalisation that comes first ------------------------------------------------


def _fold_probes():
    # By hand: x1 is halved after 1 is taken off, x2 tripled; W = identity.
    hand = (np.eye(2), np.array([1.0, 0.0]), np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    right = (np.diag([0.5, 3.0]), np.array([0.5, -6.0]))
    W = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    other = (W, np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0]), np.array([3.0, 4.0]))
    W_new = np.array([[2 / 3, 4 / 3, 0.0], [0.0, 2.0, -2.0]])
    return [
        ((*hand, np.array([4.0, 1.0])), right),
        ((*other, np.array([9.0, 0.25])), (W_new, np.array([-2.0, -11.0, 10.0]))),
    ]


def _folded(W, b, factor, mu):
    W_new = W * factor[:, None]
    return W_new, b - mu @ W_new


check_fold = Check(
    _fold_probes,
    right="A normalisation before a linear layer scales the rows of W, one after it the columns.",
    mistakes=[
        Mistake(
            "variance for deviation",
            "you divide by the variance; divide by its root.",
            like=lambda W, b, g, mu, v: _folded(W, b, g / v, mu),
        ),
        Mistake(
            "mean not scaled",
            "you take the mean off through the old weights; it passes the new ones.",
            like=lambda W, b, g, mu, v: (W * (g / np.sqrt(v))[:, None], b - mu @ W),
        ),
        Mistake(
            "bias unchanged",
            "the weights are right; the mean moves the bias, too.",
            like=lambda W, b, g, mu, v: (W * (g / np.sqrt(v))[:, None], b),
        ),
        Mistake(
            "sign",
            "you add what the mean contributes; take it off.",
            like=lambda W, b, g, mu, v: _folded(W, b, g / np.sqrt(v), -mu),
        ),
    ],
)

# --- 7.3: which side gains ---------------------------------------------------------------------


def _worth_probes():
    def hits(n):
        return np.arange(10) < n

    return [
        ((hits(2), hits(3), hits(4), hits(7)), (0.2, 0.3)),
        ((hits(1), hits(1), hits(5), hits(5)), (0.0, 0.4)),
        ((hits(3), hits(2), hits(4), hits(4)), (-0.05, 0.15)),
    ]


def _means(*hits):
    return [float(np.mean(h)) for h in hits]


def _mistaken(rule):
    return lambda *hits: rule(*_means(*hits))


check_worth = Check(
    _worth_probes,
    right="The two worths add up to the whole gain: Shapley's way to share it.",
    mistakes=[
        Mistake(
            "alone only",
            "you count what a side adds to own features only; average with what it adds last.",
            like=_mistaken(lambda o, p, t, b: (p - o, t - o)),
        ),
        Mistake(
            "last only",
            "you count what a side adds to the other only; average with what it adds first.",
            like=_mistaken(lambda o, p, t, b: (b - t, b - p)),
        ),
        Mistake(
            "sides swapped",
            "the numbers are right, in the other order: pictures first.",
            like=_mistaken(lambda o, p, t, b: ((t - o + b - p) / 2, (p - o + b - t) / 2)),
        ),
        Mistake(
            "sum",
            "you add the two gains of a side; take their mean.",
            like=_mistaken(lambda o, p, t, b: (p - o + b - t, t - o + b - p)),
        ),
    ],
)

# --- 7.4: a query in your own language ----------------------------------------------------------


def _encode(texts):
    """Stand in for an encoder: (n, 2), not of unit length, for names in two languages."""
    if isinstance(texts, str):
        raise TypeError("encode takes a list of texts; one str came")
    rows = {"犬": [2.0, 0.0], "Hund": [1.0, 0.0]}
    return np.array([rows[text] for text in texts])


def _ask_probes():
    E = np.array([[1.0, 0.0], [2.0, 0.2], [1.0, 1.0], [9.0, 9.5], [0.0, 1.0]])
    groups, long = np.array([0, 0, 1, 1, 2]), np.array([[0.1, 0.0], [5.0, 5.0], [1.0, 0.2]])
    return [
        (("犬", _encode, E, groups, 2), np.array([0, 2])),
        (("犬", _encode, E, groups, 3), np.array([0, 2, 4])),
        (("Hund", _encode, long, np.array([5, 3, 5]), 2), np.array([0, 1])),
    ]


def _ordered(text, encode, E, unit=True):
    scores = E @ encode([text])[0]
    return np.argsort(-scores / (np.linalg.norm(E, axis=1) if unit else 1), kind="stable")


def _each(order, groups, k):
    _, first = np.unique(np.asarray(groups)[order], return_index=True)
    return order[np.sort(first)[:k]]


check_ask = Check(
    _ask_probes,
    right="Encoded as a list, ranked by cosine, one of each group. Now ask in your language.",
    mistakes=[
        Mistake(
            "groups not asked",
            "two of your rows are of one group; keep its best only.",
            like=lambda text, encode, E, g, k: _ordered(text, encode, E)[:k],
        ),
        Mistake(
            "rows not of unit length",
            "you rank by inner product; divide each row by its length.",
            like=lambda text, encode, E, g, k: _each(_ordered(text, encode, E, False), g, k),
        ),
        Mistake(
            "cut before the groups",
            "you take k rows and then drop siblings, so too few are left.",
            like=lambda text, encode, E, g, k: _each(_ordered(text, encode, E)[:k], g, k),
        ),
        Mistake(
            "in the order of the groups",
            "you return one of each group, but in the order of the groups and not of the scores.",
            like=lambda text, encode, E, g, k: _ordered(text, encode, E)[
                np.unique(g[_ordered(text, encode, E)], return_index=True)[1]
            ][:k],
        ),
    ],
)
