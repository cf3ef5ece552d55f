"""Checks for the exercises of notebook 01. Call one with your function; it prints one line."""

import math

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from course import Check, Mistake


def _vectors(n, d, seed):
    """Return random rows whose lengths differ much."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * rng.uniform(0.2, 5, size=(n, 1))


def _cosine_probes():
    probes = []
    for n, m in ((3, 3), (2, 4)):
        E, F = _vectors(n, 5, 1), _vectors(m, 5, 2)
        right = [
            [
                sum(a * b for a, b in zip(e, f, strict=True)) / math.hypot(*e) / math.hypot(*f)
                for f in F
            ]
            for e in E
        ]
        probes.append(((E, F), np.array(right)))
    return probes


def _unit_columns(Z):
    return Z / np.linalg.norm(Z, axis=0)


check_cosines = Check(
    _cosine_probes,
    right="One matrix product of unit rows compares everything with everything.",
    mistakes=[
        Mistake(
            "not normalised",
            "these are inner products; scale each row to length 1 before you multiply.",
            like=lambda E, F: E @ F.T,
        ),
        Mistake(
            "columns normalised",
            "you scaled columns to length 1; an item is a row, so use axis=1, keepdims=True.",
            like=lambda E, F: _unit_columns(E) @ _unit_columns(F).T,
        ),
        Mistake(
            "transposed",
            "texts are the rows of your matrix; images should be its rows, shape (n, m).",
            when=lambda answer, right, E, F: np.allclose(np.asarray(answer).T, right),
        ),
        Mistake(
            "only one side normalised",
            "one side is not of unit length yet; scale the rows of both.",
            when=lambda answer, right, E, F: (
                np.allclose(answer / np.linalg.norm(F, axis=1), right)
                or np.allclose(answer / np.linalg.norm(E, axis=1, keepdims=True), right)
            ),
        ),
        Mistake(
            "distances",
            "these are distances; return cosines, which are large for similar items.",
            like=lambda E, F: np.linalg.norm(E[:, None] - F[None], axis=2),
        ),
    ],
)


def _softmax_probes():
    probes = []
    for S, tau in (
        ([[0.2, 0.5, -0.3], [0.9, 0.1, 0.0]], 0.1),
        ([[1.0, 2.0], [3.0, 5.0]], 2.0),
        ([[900.0, 1000.0], [-1000.0, -999.0]], 1.0),
    ):
        right = [
            [1 / sum(math.exp(min((b - a) / tau, 700)) for b in row) for a in row] for row in S
        ]
        probes.append(((np.array(S), tau), np.array(right)))
    return probes


def _softmax(Z, axis):
    Z = np.exp(Z - Z.max(axis=axis, keepdims=True))
    return Z / Z.sum(axis=axis, keepdims=True)


check_softmax = Check(
    _softmax_probes,
    right="Taking off the largest score first keeps the exponential finite.",
    mistakes=[
        Mistake(
            "no temperature",
            "the temperature has no effect in your answer; divide the scores by tau first.",
            like=lambda S, tau: _softmax(S, 1),
        ),
        Mistake(
            "multiplied by the temperature",
            "you multiplied by tau; divide, so that a low temperature makes differences larger.",
            like=lambda S, tau: _softmax(S * tau, 1),
        ),
        Mistake(
            "columns",
            "your columns sum to 1; each row is a quiz, so each row should.",
            like=lambda S, tau: _softmax(S / tau, 0),
        ),
        Mistake(
            "overflow",
            "large scores give NaN; take off each row's largest score before np.exp.",
            when=lambda answer, right, S, tau: not np.isfinite(answer).all(),
        ),
        Mistake(
            "logarithms",
            "these are logarithms of the probabilities; return the probabilities.",
            when=lambda answer, right, S, tau: np.allclose(np.exp(answer), right),
        ),
    ],
)


def _loss_probes():
    probes = []
    for n, seed in ((3, 3), (5, 4)):
        S = np.random.default_rng(seed).normal(size=(n, n)) * 2
        surprises = [
            -math.log(math.exp(S[j, j]) / sum(math.exp(S[i, j]) for i in range(n)))
            for j in range(n)
        ]
        probes.append(((S,), sum(surprises) / n))
    return probes


def _surprise(S, axis):
    return np.log(np.exp(S).sum(axis=axis)) - np.diag(S)


check_loss = Check(
    _loss_probes,
    right="The texts ask down the columns what the photos ask along the rows.",
    mistakes=[
        Mistake(
            "photos to texts",
            "this is the loss from photos to texts; a text's quiz is a column of S.",
            like=lambda S: _surprise(S, 1).mean(),
        ),
        Mistake(
            "a sum",
            "this is the sum over the texts; take the mean, so that batches of any size compare.",
            like=lambda S: _surprise(S, 0).sum(),
        ),
        Mistake(
            "the sign",
            "the sign is the wrong way round: a loss is positive, and small when all is well.",
            like=lambda S: -_surprise(S, 0).mean(),
        ),
        Mistake(
            "bits",
            "this is in bits; nats take the natural logarithm, np.log.",
            like=lambda S: _surprise(S, 0).mean() / np.log(2),
        ),
        Mistake(
            "both directions",
            "this is the symmetric loss; only the direction from texts to photos is asked.",
            like=lambda S: (_surprise(S, 0).mean() + _surprise(S, 1).mean()) / 2,
        ),
    ],
)


def _whitening_probes():
    probes = []
    for shrinkage, seed in ((0.0, 5), (0.5, 6)):
        rng = np.random.default_rng(seed)
        Z = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + 4
        C = np.cov(Z.T, bias=True)
        product = np.linalg.inv(C + shrinkage * np.trace(C) / 3 * np.eye(3))
        # Another whitening than the exercise's, found without eigenvectors; W @ W.T is the same.
        probes.append(((Z, shrinkage), np.linalg.cholesky(product)))
    return probes


def _same_whitening(answer, right):
    """Return whether two whitenings are the same but for the turn of their columns."""
    W = np.asarray(answer, dtype=float)
    return W.shape == right.shape and np.allclose(W @ W.T, right @ right.T, rtol=1e-5)


def _whitening_of(C, extra):
    eigenvalues, V = np.linalg.eigh(C)
    return V / np.sqrt(eigenvalues + extra * eigenvalues.mean())


def _without_root(Z, shrinkage):
    eigenvalues, V = np.linalg.eigh(np.cov(Z.T, bias=True))
    return V / (eigenvalues + shrinkage * eigenvalues.mean())


check_whitening = Check(
    _whitening_probes,
    right="Directions of little variance are no longer blown up without limit.",
    same=_same_whitening,
    mistakes=[
        Mistake(
            "not centred",
            "take the mean off each column first, or the mean counts as variance.",
            like=lambda Z, s: _whitening_of(Z.T @ Z / len(Z), s),
        ),
        Mistake(
            "absolute shrinkage",
            "shrinkage is in units of the mean eigenvalue; multiply it by that.",
            like=lambda Z, s: _whitening_of(
                np.cov(Z.T, bias=True), s / np.trace(np.cov(Z.T, bias=True)) * Z.shape[1]
            ),
        ),
        Mistake(
            "no shrinkage",
            "shrinkage has no effect in your answer; add it to the eigenvalues before the root.",
            like=lambda Z, s: _whitening_of(np.cov(Z.T, bias=True), 0),
        ),
        Mistake(
            "divided by n - 1",
            "divide the covariance by n, not by n - 1, as the text above does.",
            like=lambda Z, s: _whitening_of(np.cov(Z.T), s),
        ),
        Mistake(
            "columns scaled only",
            "scaling each column leaves them correlated; turn to the eigenvectors first.",
            like=lambda Z, s: np.diag(1 / np.sqrt(Z.var(axis=0) * (1 + s))),
        ),
        Mistake(
            "no root",
            "divide by the root of the eigenvalues: variance is a square.",
            like=_without_root,
        ),
    ],
)


def _peeking_probes():
    old = ["red bag with blue dots", "blue bag with red dots", "green hat with feather"]
    probes = []
    for new in (
        ["red hat", "purple bag with a feather"],
        ["yellow umbrella with dots", "green hat"],
    ):
        vocabulary = sorted({word for text in old for word in text.split()})
        rows = []
        for text in new:
            row = []
            for word in vocabulary:
                n_with = sum(word in t.split() for t in old)
                row.append(
                    text.split().count(word) * (math.log((1 + len(old)) / (1 + n_with)) + 1)
                )
            length = math.hypot(*row) or 1.0
            rows.append([value / length for value in row])
        probes.append(((old, new), np.array(rows)))
    return probes


check_no_peeking = Check(
    _peeking_probes,
    right="Words that training never saw count nothing, as they must.",
    mistakes=[
        Mistake(
            "fitted on both",
            "your vocabulary was fitted on the new texts as well; fit on the old ones only.",
            like=lambda old, new: TfidfVectorizer().fit(old + new).transform(new).toarray(),
        ),
        Mistake(
            "fitted on the new",
            "you fitted on the new texts; their columns then mean other words than in training.",
            like=lambda old, new: TfidfVectorizer().fit_transform(new).toarray(),
        ),
        Mistake(
            "rows of the old texts",
            "these are the rows of the old texts; transform the new ones.",
            like=lambda old, new: TfidfVectorizer().fit_transform(old).toarray(),
        ),
        Mistake(
            "sparse",
            "return a dense array: call .toarray() on the result.",
            when=lambda answer, right, old, new: hasattr(answer, "toarray"),
        ),
    ],
)
