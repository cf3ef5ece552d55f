"""Checks of the exercises of notebook 03."""

import itertools

import numpy as np

from . import Check, Mistake

# --- 3.1: the noise of a gap, without drawing ----------------------------------------------------


def _noise_probes():
    A = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    B = np.array([[0.0, 1.0], [0.6, 0.8], [0.6, -0.8]])
    answers = []
    for images, texts in ((A, B), (A[:2], B[:2])):
        n = len(images)
        squares = [
            np.sum(
                np.mean(
                    [s * (a - b) for s, a, b in zip(signs, images, texts, strict=True)], axis=0
                )
                ** 2
            )
            for signs in itertools.product((1, -1), repeat=n)
        ]
        answers.append(((images, texts), np.sqrt(np.mean(squares))))
    return answers


def _lengths(A, B):
    return np.linalg.norm(A - B, axis=1)


check_noise = Check(
    _noise_probes,
    right="Cross terms cancel over all exchanges, so the noise is the root of alignment over n.",
    mistakes=[
        Mistake(
            "the gap itself",
            "this is the gap of the given pairs; its noise does not depend on who is a photo.",
            like=lambda A, B: np.linalg.norm((A - B).mean(axis=0)),
        ),
        Mistake(
            "n forgotten",
            "this does not shrink as pairs are added; a mean of n pairs has n below the line.",
            like=lambda A, B: np.sqrt(np.mean(_lengths(A, B) ** 2)),
        ),
        Mistake(
            "root forgotten",
            "this is the mean of the squared gap; take its root.",
            like=lambda A, B: np.mean(_lengths(A, B) ** 2) / len(A),
        ),
        Mistake(
            "lengths not squared",
            "the lengths of the differences are to be squared before you average.",
            like=lambda A, B: np.mean(_lengths(A, B)) / np.sqrt(len(A)),
        ),
    ],
)

# --- 3.2: one list of photos and texts -----------------------------------------------------------


def _merge_probes():
    photos = np.array([[0.9, 0.7, 0.5], [0.8, 0.75, 0.2]])
    texts = np.array([[0.3, 0.1], [0.4, -0.2]])
    # Less their row's mean: photos 0.2 0 -0.2 and 0.22 0.17 -0.38; texts 0.1 -0.1 and 0.3 -0.3.
    return [
        ((photos, texts, 2), np.array([[0, 3], [3, 0]])),
        ((photos, texts, 4), np.array([[0, 3, 1, 4], [3, 0, 1, 4]])),
    ]


def _top(photos, texts, k):
    return np.argsort(-np.hstack([photos, texts]), axis=1, kind="stable")[:, :k]


def _less(S, axis=1):
    return S - S.mean(axis=axis, keepdims=True)


check_merge = Check(
    _merge_probes,
    right="What photos have over texts as a body is gone; who stands out among its own kind wins.",
    mistakes=[
        Mistake(
            "gap left in",
            "photos still come first; a mean of all scores changes no order, each needs its own.",
            like=_top,
        ),
        Mistake(
            "mean of columns",
            "you take off the mean of an entry over queries; a query's row is wanted.",
            like=lambda p, t, k: _top(_less(p, 0), _less(t, 0), k),
        ),
        Mistake(
            "worst first",
            "these are the lowest scores; the highest come first.",
            like=lambda p, t, k: _top(-_less(p), -_less(t), k),
        ),
    ],
)

# --- 3.3: the width that t-SNE looks for ---------------------------------------------------------

# Of each probe the width comes first, and its perplexity is computed by hand from the shares.
_NEAR = np.array([1.0, 1.2, 1.5, 2.0, 2.2, 3.0])


def _perplexity(d, sigma):
    weights = np.exp((np.min(d) ** 2 - d**2) / (2 * sigma**2))
    shares = weights[weights > 0] / weights.sum()
    return np.prod(shares**-shares)


def _width_probes():
    far = np.array([0.5, 0.6, 60.0])
    all_far = np.array([40.0, 40.1, 41.0])
    probes = ((_NEAR, 0.4), (_NEAR, 2.0), (far, 0.5), (all_far, 0.8))
    return [((d, _perplexity(d, sigma)), sigma) for d, sigma in probes]


def _times(factor):
    return lambda answer, right, d, perplexity: np.isclose(answer, right * factor)


def _power(power, factor=1.0):
    return lambda answer, right, d, perplexity: np.isclose(answer, factor * right**power)


def _search(measure):
    """Return a function that finds the width at which a measure (d, sigma) has a value."""

    def width(d, wanted):
        low, high = 1e-3, 1e4
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if measure(d, middle) < wanted else (low, middle)
        return middle

    return width


def _like(measure):
    """Return whether an answer is the width by a wrong measure."""
    return lambda answer, right, d, wanted: np.isclose(answer, _search(measure)(d, wanted))


def _linear(d, sigma):
    weights = np.exp((np.min(d) - d) / (2 * sigma**2))
    shares = weights[weights > 0] / weights.sum()
    return np.prod(shares**-shares)


check_width = Check(
    _width_probes,
    right="Dense regions get a narrow bell, sparse ones a wide: so islands end equally wide.",
    mistakes=[
        Mistake(
            "underflow",
            "the nearest neighbours are right, far ones are not: take the smallest squared "
            "distance off all before the exponential, and drop shares of 0.",
            when=lambda answer, right, d, wanted: np.max(d) > 30,
        ),
        Mistake("variance", "this is the width squared; return its root.", when=_power(2)),
        Mistake(
            "precision",
            "this is the factor before the squared distance; return the width.",
            when=_power(-2, 0.5),
        ),
        Mistake(
            "factor 2 forgotten",
            "a normal density has 2 below the line in its exponent.",
            when=_times(2**0.5),
        ),
        Mistake(
            "distance not squared",
            "the distance in the exponent is to be squared.",
            when=_like(_linear),
        ),
        Mistake(
            "entropy",
            "you bring the entropy to the wanted number; its exponential is the perplexity.",
            when=_like(lambda d, sigma: np.log(_perplexity(d, sigma))),
        ),
        Mistake(
            "two bases",
            "you mix two bases: with log2 the entropy is an exponent of 2, with log of e.",
            when=_like(lambda d, sigma: np.exp(np.log2(_perplexity(d, sigma)))),
        ),
    ],
)

# --- 3.4: a search that ignores colour -----------------------------------------------------------


def _ignore_probes():
    E = np.array([[0.6, 0.0, 0.8], [0.48, 0.6, 0.64], [-0.6, 0.64, 0.48]])
    # Both differences span the plane of the first two axes: only the third is left.
    V = np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    first = E * [0, 1, 1]
    lengths = np.sqrt((first**2).sum(axis=1))[:, None]
    return [
        ((E, V), np.array([[0.0, 0.0, 1.0]] * 3)),
        ((E, V[:1]), first / lengths),
    ]


def _rows(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def _basis(V):
    return np.linalg.qr(V.T)[0]


check_ignore = Check(
    _ignore_probes,
    right="What is left is at a right angle to every colour difference, so colour cannot count.",
    mistakes=[
        Mistake(
            "directions subtracted",
            "you take the directions off; take off each row's own part along them.",
            like=lambda E, V: _rows(E - V.sum(axis=0)),
        ),
        Mistake(
            "not orthogonal",
            "the directions are not at right angles, so their parts overlap; make a basis first.",
            like=lambda E, V: _rows(E - E @ _rows(V).T @ _rows(V)),
        ),
        Mistake(
            "the colour kept",
            "you return the part along the directions; the rest is wanted.",
            like=lambda E, V: _rows(E @ _basis(V) @ _basis(V).T),
        ),
        Mistake(
            "not normalised",
            "the rows are shorter now; bring them back to length 1.",
            like=lambda E, V: E - E @ _basis(V) @ _basis(V).T,
        ),
    ],
)
