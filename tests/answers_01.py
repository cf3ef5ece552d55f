"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

import exercises_01

CHECKS = {
    "1.1": ("cosine_matrix", exercises_01.check_cosines),
    "1.2": ("softmax_rows", exercises_01.check_softmax),
    "1.3": ("text_to_photo_loss", exercises_01.check_loss),
    "1.4": ("shrunk_whitening", exercises_01.check_whitening),
    "1.5": ("features_of_new", exercises_01.check_no_peeking),
}


def rows(Z):
    """Scale rows to length 1."""
    return Z / np.sqrt(np.square(Z).sum(axis=1))[:, None]


def eig(Z, ddof=0, centre=True):
    """Return eigenvalues and eigenvectors of a covariance."""
    Zc = Z - Z.mean(axis=0) * centre
    return np.linalg.eigh(Zc.T @ Zc / (len(Z) - ddof))


def whiten(power, *, ddof=0, centre=True, use=True):
    """Return a wrong or right whitening of the exercise's signature."""

    def function(Z, shrinkage):
        values, V = eig(Z, ddof, centre)
        return V * (values + use * shrinkage * values.mean()) ** power

    return function


def whiten_columns(Z, shrinkage):
    return np.eye(Z.shape[1]) / (Z.std(axis=0) * (1 + shrinkage) ** 0.5)


def both_directions(S):
    ways = (np.log(np.diag(np.exp(S)) / np.exp(S).sum(axis)).mean() for axis in (0, 1))
    return -sum(ways) / 2


WRONG = [
    ("1.1", lambda E, F: np.dot(E, F.T), "inner products"),
    ("1.1", lambda E, F: rows(F) @ rows(E).T, "texts are the rows"),
    ("1.1", lambda E, F: rows(E) @ F.T, "one side"),
    ("1.1", lambda E, F: rows(E.T).T @ rows(F.T).T.T, "axis=1"),
    (
        "1.1",
        lambda E, F: np.array([[np.sqrt(np.square(e - f).sum()) for f in F] for e in E]),
        "distances",
    ),
    (
        "1.2",
        lambda S, tau: np.exp(S / tau) / np.exp(S / tau).sum(axis=1)[:, None],
        "NaN",
    ),
    (
        "1.2",
        lambda S, tau: (
            np.exp(S - S.max(1)[:, None]) / np.exp(S - S.max(1)[:, None]).sum(1)[:, None]
        ),
        "no effect",
    ),
    (
        "1.2",
        lambda S, tau: rows(np.sqrt(np.exp((S - S.max(1)[:, None]) * tau))) ** 2,
        "multiplied",
    ),
    (
        "1.2",
        lambda S, tau: (rows(np.sqrt(np.exp((S.T - S.T.max(1)[:, None]) / tau))) ** 2).T,
        "columns sum",
    ),
    (
        "1.3",
        lambda S: -np.log(np.diag(np.exp(S)) / np.exp(S).sum(1)).mean(),
        "column of S",
    ),
    (
        "1.2",
        lambda S, tau: (S - np.log(np.exp(S / tau).sum(1))[:, None] * tau) / tau,
        "logarithms",
    ),
    ("1.3", both_directions, "symmetric loss"),
    ("1.3", lambda S: -np.log(np.diag(np.exp(S)) / np.exp(S).sum(0)).sum(), "the sum"),
    ("1.3", lambda S: np.log(np.diag(np.exp(S)) / np.exp(S).sum(0)).mean(), "sign"),
    ("1.3", lambda S: -np.log2(np.diag(np.exp(S)) / np.exp(S).sum(0)).mean(), "bits"),
    ("1.4", whiten(-0.5, centre=False), "mean"),
    ("1.4", whiten(-0.5, ddof=1), "n - 1"),
    ("1.4", whiten(-1), "root"),
    ("1.4", lambda Z, s: whiten(-0.5)(Z, s / eig(Z)[0].mean()), "units of the mean eigenvalue"),
    ("1.4", whiten_columns, "leaves them correlated"),
    ("1.4", whiten(-0.5, use=False), "no effect"),
    (
        "1.5",
        lambda old, new: TfidfVectorizer().fit_transform(old + new).toarray()[len(old) :],
        "vocabulary was fitted",
    ),
    (
        "1.5",
        lambda old, new: TfidfVectorizer().fit(new).transform(new).toarray(),
        "fitted on the new",
    ),
    ("1.5", lambda old, new: TfidfVectorizer().fit(old).transform(new), "dense"),
    (
        "1.5",
        lambda old, new: TfidfVectorizer().fit(old).transform(old).toarray(),
        "rows of the old",
    ),
]
