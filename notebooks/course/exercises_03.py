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

# --- 3.3: perplexity -----------------------------------------------------------------------------


def _perplexity_probes():
    near = np.array([1.0, 1.0, 1.0, 1.0])
    some = np.array([1.0, 2.0, 2.0])
    weights = np.exp([-0.5, -2.0, -2.0])
    shares = weights / weights.sum()
    wide = np.exp([-0.125, -0.5, -0.5])
    wide = wide / wide.sum()
    return [
        ((some, 1.0), np.prod(shares**-shares)),
        ((near, 1.0), 4.0),
        ((some, 2.0), np.prod(wide**-wide)),
    ]


def _entropy(exponents, normal=True, log=np.log):
    p = np.exp(exponents)
    p = p / p.sum() if normal else p
    return -np.sum(p * log(p))


check_perplexity = Check(
    _perplexity_probes,
    right="Equal neighbours count in full, far ones in part: a number of neighbours.",
    mistakes=[
        Mistake(
            "not normalised",
            "the weights must sum to 1 before you take their entropy.",
            like=lambda d, s: np.exp(_entropy(-(d**2) / (2 * s**2), normal=False)),
        ),
        Mistake(
            "distance not squared",
            "the distance in the exponent is to be squared.",
            like=lambda d, s: np.exp(_entropy(-d / (2 * s**2))),
        ),
        Mistake(
            "entropy",
            "this is the entropy; its exponential is a number of neighbours.",
            like=lambda d, s: _entropy(-(d**2) / (2 * s**2)),
        ),
        Mistake(
            "two bases",
            "you mix two bases: with log2 the entropy is an exponent of 2, with log of e.",
            like=lambda d, s: np.exp(_entropy(-(d**2) / (2 * s**2), log=np.log2)),
        ),
        Mistake(
            "factor 2 forgotten",
            "a normal density has 2 below the line in its exponent.",
            like=lambda d, s: np.exp(_entropy(-(d**2) / s**2)),
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
