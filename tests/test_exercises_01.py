"""Each check of notebook 01 accepts the notebook's solution and knows the usual mistakes."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

import exercises_01 as ex
import guards

NOTEBOOK = guards.ROOT / "notebooks" / "01_building_the_encoders.ipynb"


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


WRONG = [
    (ex.check_cosines, lambda E, F: np.dot(E, F.T), "inner products"),
    (ex.check_cosines, lambda E, F: rows(F) @ rows(E).T, "texts are the rows"),
    (ex.check_cosines, lambda E, F: rows(E) @ F.T, "one side"),
    (ex.check_cosines, lambda E, F: rows(E.T).T @ rows(F.T).T.T, "axis=1"),
    (
        ex.check_cosines,
        lambda E, F: np.array([[np.sqrt(np.square(e - f).sum()) for f in F] for e in E]),
        "distances",
    ),
    (
        ex.check_softmax,
        lambda S, tau: np.exp(S / tau) / np.exp(S / tau).sum(axis=1)[:, None],
        "NaN",
    ),
    (
        ex.check_softmax,
        lambda S, tau: (
            np.exp(S - S.max(1)[:, None]) / np.exp(S - S.max(1)[:, None]).sum(1)[:, None]
        ),
        "no effect",
    ),
    (
        ex.check_softmax,
        lambda S, tau: rows(np.sqrt(np.exp((S - S.max(1)[:, None]) * tau))) ** 2,
        "multiplied",
    ),
    (
        ex.check_softmax,
        lambda S, tau: (rows(np.sqrt(np.exp((S.T - S.T.max(1)[:, None]) / tau))) ** 2).T,
        "columns sum",
    ),
    (
        ex.check_loss,
        lambda S: -np.log(np.diag(np.exp(S)) / np.exp(S).sum(1)).mean(),
        "column of S",
    ),
    (ex.check_loss, lambda S: -np.log(np.diag(np.exp(S)) / np.exp(S).sum(0)).sum(), "the sum"),
    (ex.check_loss, lambda S: np.log(np.diag(np.exp(S)) / np.exp(S).sum(0)).mean(), "sign"),
    (ex.check_loss, lambda S: -np.log2(np.diag(np.exp(S)) / np.exp(S).sum(0)).mean(), "bits"),
    (ex.check_whitening, whiten(-0.5, centre=False), "mean"),
    (ex.check_whitening, whiten(-0.5, ddof=1), "n - 1"),
    (ex.check_whitening, whiten(-1), "root"),
    (ex.check_whitening, whiten(-0.5, use=False), "no effect"),
    (
        ex.check_no_peeking,
        lambda old, new: TfidfVectorizer().fit_transform(old + new).toarray()[len(old) :],
        "vocabulary was fitted",
    ),
    (
        ex.check_no_peeking,
        lambda old, new: TfidfVectorizer().fit(new).transform(new).toarray(),
        "fitted on the new",
    ),
    (ex.check_no_peeking, lambda old, new: TfidfVectorizer().fit(old).transform(new), "dense"),
    (
        ex.check_no_peeking,
        lambda old, new: TfidfVectorizer().fit(old).transform(old).toarray(),
        "rows of the old",
    ),
]


@pytest.mark.parametrize(("check", "function", "hint"), WRONG, ids=[w[2] for w in WRONG])
def test_a_wrong_answer_gets_its_own_hint(check, function, hint):
    verdict = check.verdict(function)
    assert verdict.startswith("Not yet:") and hint in verdict


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("1.1", "cosines"),
        ("1.2", "softmax"),
        ("1.3", "loss"),
        ("1.4", "whitening"),
        ("1.5", "no_peeking"),
    ],
)
def test_the_folded_solution_is_right(number, name):
    scope = {"np": np, "TfidfVectorizer": TfidfVectorizer, "exercises_01": ex}
    exec(guards.solution_source(guards.load(NOTEBOOK), number), scope)
    functions = [v for k, v in scope.items() if callable(v) and k != "TfidfVectorizer"]
    assert getattr(ex, f"check_{name}").verdict(functions[-1]).startswith("Right.")
