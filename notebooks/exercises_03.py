"""Checks of the exercises of notebook 03."""

import numpy as np

from course import Check, Mistake

# --- 3.1: share of the variance that k components keep -------------------------------------------


def _variance_probes():
    # Orthogonal columns of mean 0, so each holds its own variance: 8, 2 and 0.5 of 10.5.
    X = np.array([[2, 1, 0.5], [2, -1, -0.5], [-2, 1, -0.5], [-2, -1, 0.5]], dtype=float)
    X *= [np.sqrt(2), np.sqrt(2), np.sqrt(2)]
    return [
        ((X, 1), 8 / 10.5),
        ((X, 2), 10 / 10.5),
        ((X + [30.0, -4.0, 7.0], 1), 8 / 10.5),
        ((X, 3), 1.0),
    ]


def _singular(X, centre=True):
    return np.linalg.svd(X - X.mean(axis=0) * centre, compute_uv=False)


check_variance = Check(
    _variance_probes,
    right="Squared singular values of the centred rows share out the variance.",
    mistakes=[
        Mistake(
            "not centred",
            "variance is spread about the mean; take the mean off each column first.",
            like=lambda X, k: (
                np.sum(_singular(X, False)[:k] ** 2) / np.sum(_singular(X, False) ** 2)
            ),
        ),
        Mistake(
            "not squared",
            "you add up singular values; a variance is their square.",
            like=lambda X, k: np.sum(_singular(X)[:k]) / np.sum(_singular(X)),
        ),
        Mistake(
            "the k-th alone",
            "you return the share of component k alone; all of the first k are wanted.",
            like=lambda X, k: _singular(X)[k - 1] ** 2 / np.sum(_singular(X) ** 2),
        ),
        Mistake(
            "the share left over",
            "you return what the other components hold; the first k are wanted.",
            like=lambda X, k: 1 - np.sum(_singular(X)[:k] ** 2) / np.sum(_singular(X) ** 2),
        ),
        Mistake(
            "not a share",
            "you return a sum; divide by the total over all components.",
            like=lambda X, k: np.sum(_singular(X)[:k] ** 2),
        ),
    ],
)

# --- 3.2: how much closer true pairs are than others ---------------------------------------------


def _ratio_probes():
    A = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 8.0]])
    B = np.array([[0.0, 1.0], [6.0, 2.0], [0.0, 8.0]])
    others = [np.hypot(6, 2), 8.0, np.hypot(6, 1), np.hypot(6, 8), 7.0, np.hypot(6, 6)]
    C, D = np.array([[0.0], [3.0]]), np.array([[1.0], [3.0]])
    return [
        ((A, B), (1 + 2 + 0) / 3 / np.mean(others)),
        ((C, D), 0.5 / 2.5),
    ]


def _distances(A, B):
    return np.linalg.norm(A[:, None] - B, axis=2)


def _off(D):
    return D[~np.eye(len(D), dtype=bool)]


check_ratio = Check(
    _ratio_probes,
    right="Below 1 true pairs are closer than others; at 1 the encoder has learnt nothing.",
    mistakes=[
        Mistake(
            "upside down",
            "you divide the other way round; true pairs belong above the line.",
            like=lambda A, B: _off(_distances(A, B)).mean() / np.diag(_distances(A, B)).mean(),
        ),
        Mistake(
            "true pairs among the others",
            "the mean of the others must leave out the true pairs, on the diagonal.",
            like=lambda A, B: np.diag(_distances(A, B)).mean() / _distances(A, B).mean(),
        ),
        Mistake(
            "squared distances",
            "these are squared distances; take the root before you average.",
            like=lambda A, B: (
                np.diag(_distances(A, B) ** 2).mean() / _off(_distances(A, B) ** 2).mean()
            ),
        ),
        Mistake(
            "one modality only",
            "the others must be photo with description too; you compare photos with photos.",
            like=lambda A, B: np.diag(_distances(A, B)).mean() / _off(_distances(A, A)).mean(),
        ),
        Mistake(
            "a difference",
            "you subtract; the ratio of the two means is wanted.",
            like=lambda A, B: np.diag(_distances(A, B)).mean() - _off(_distances(A, B)).mean(),
        ),
    ],
)

# --- 3.3: neighbours that survive a projection ---------------------------------------------------


def _overlap_probes():
    X = np.array([[0.0, 0.0], [1.0, 0.0], [2.5, 0.0], [0.0, 5.0], [1.2, 7.0]])
    P = np.array([[0.0], [1.0], [2.5], [0.4], [1.2]])
    # By hand, nearest first. X: 0 has 1 2 3, 1 has 0 2 3, 2 has 1 0 3, 3 has 4 0 1, 4 has 3 1 0.
    # P: 0 has 3 1 4, 1 has 4 3 0, 2 has 4 1 3, 3 has 0 1 4, 4 has 1 3 0.
    return [
        ((X, P, 1), 0.0),
        ((X, P, 2), (1 / 2 + 0 + 1 / 2 + 1 / 2 + 1) / 5),
        ((X, P, 3), (2 / 3 + 2 / 3 + 2 / 3 + 1 + 1) / 5),
        ((X, X, 2), 1.0),
    ]


def _neighbours(X, k, skip=1):
    D = np.linalg.norm(X[:, None] - X, axis=2)
    return np.argsort(D, axis=1, kind="stable")[:, skip : k + skip]


def _kept(A, B, k):
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(A.tolist(), B.tolist(), strict=True)])


check_overlap = Check(
    _overlap_probes,
    right="A point is no neighbour of itself, and order among the k does not count.",
    mistakes=[
        Mistake(
            "itself among the neighbours",
            "each point is its own nearest; leave it out before you take k neighbours.",
            like=lambda X, P, k: _kept(_neighbours(X, k, 0), _neighbours(P, k, 0), k),
        ),
        Mistake(
            "order counts",
            "you compare place by place; the two sets of neighbours are to be compared.",
            like=lambda X, P, k: np.mean(_neighbours(X, k) == _neighbours(P, k)),
        ),
        Mistake(
            "a count",
            "you return how many neighbours are kept; divide by k.",
            like=lambda X, P, k: k * _kept(_neighbours(X, k), _neighbours(P, k), k),
        ),
        Mistake(
            "all or nothing",
            "you count points that keep all their neighbours; a part of them counts in part.",
            like=lambda X, P, k: (
                np.mean(np.sort(_neighbours(X, k)) == np.sort(_neighbours(P, k)), axis=1)
                .astype(int)
                .mean()
            ),
        ),
        Mistake(
            "divided by the union",
            "you divide by the size of the union; divide by k.",
            like=lambda X, P, k: np.mean(
                [
                    len(set(a) & set(b)) / len(set(a) | set(b))
                    for a, b in zip(
                        _neighbours(X, k).tolist(), _neighbours(P, k).tolist(), strict=True
                    )
                ]
            ),
        ),
    ],
)

# --- 3.4: close the modality gap -----------------------------------------------------------------


def _gap_probes():
    A = np.array([[0.6, 0.8], [1.0, 0.0], [0.8, -0.6]])
    B = np.array([[0.0, 1.0], [-0.6, 0.8], [-0.8, -0.6]])
    answers = []
    for E in (A, B):
        rows = [
            [x - sum(c) / 3 for x, c in zip(row, zip(*E, strict=True), strict=True)] for row in E
        ]
        answers.append(
            np.array([[x / sum(y * y for y in row) ** 0.5 for x in row] for row in rows])
        )
    return [((A, B), tuple(answers)), ((B, A), tuple(answers[::-1]))]


def _unit(X, axis=1):
    return X / np.linalg.norm(X, axis=axis, keepdims=True)


check_gap = Check(
    _gap_probes,
    right="Each modality is centred on its own mean, and every row has length 1 again.",
    mistakes=[
        Mistake(
            "common mean",
            "you subtract one mean of both; the gap between the two stays. Take each its own.",
            like=lambda A, B: tuple(_unit(E - np.vstack([A, B]).mean(axis=0)) for E in (A, B)),
        ),
        Mistake(
            "not normalised",
            "after subtracting, rows no longer have length 1, so inner products are no cosines.",
            like=lambda A, B: tuple(E - E.mean(axis=0) for E in (A, B)),
        ),
        Mistake(
            "mean of rows",
            "you take the mean of each row; the mean embedding is the mean over items, axis=0.",
            like=lambda A, B: tuple(_unit(E - E.mean(axis=1, keepdims=True)) for E in (A, B)),
        ),
        Mistake(
            "means exchanged",
            "you take each modality's mean off the other one.",
            like=lambda A, B: (_unit(A - B.mean(axis=0)), _unit(B - A.mean(axis=0))),
        ),
        Mistake(
            "columns normalised",
            "you bring columns to length 1; an item is a row, so use axis=1 and keepdims=True.",
            like=lambda A, B: tuple(_unit(E - E.mean(axis=0), 0) for E in (A, B)),
        ),
    ],
)

# --- 3.5: uniformity -----------------------------------------------------------------------------


def _uniformity_probes():
    square = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    # Of 6 pairs 4 are neighbours (squared distance 2) and 2 opposite (4).
    return [
        ((square,), np.log((4 * np.exp(-4) + 2 * np.exp(-8)) / 6)),
        ((square[[0, 2]],), -8.0),
        ((np.ones((3, 2)) / np.sqrt(2),), 0.0),
    ]


def _squared(E):
    D = np.square(E[:, None] - E).sum(axis=2)
    return D[~np.eye(len(D), dtype=bool)], D


check_uniformity = Check(
    _uniformity_probes,
    right="All points in one place give 0, the worst; the more even the spread, the lower.",
    mistakes=[
        Mistake(
            "pairs of a point with itself",
            "a point with itself is no pair; leave the diagonal out.",
            like=lambda E: np.log(np.exp(-2 * _squared(E)[1]).mean()),
        ),
        Mistake(
            "distance not squared",
            "the distance in the exponent is to be squared.",
            like=lambda E: np.log(np.exp(-2 * np.sqrt(_squared(E)[0])).mean()),
        ),
        Mistake(
            "mean of the logarithms",
            "the logarithm of the mean is wanted; you average first and lose the near pairs.",
            like=lambda E: np.mean(-2 * _squared(E)[0]),
        ),
        Mistake(
            "no logarithm",
            "you return the mean of the exponentials; take its logarithm.",
            like=lambda E: np.exp(-2 * _squared(E)[0]).mean(),
        ),
        Mistake(
            "factor 2 forgotten",
            "the exponent has a factor 2 before the squared distance.",
            like=lambda E: np.log(np.exp(-_squared(E)[0]).mean()),
        ),
    ],
)

# --- 3.6: move along a direction -----------------------------------------------------------------


def _move_probes():
    E = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-0.8, 0.6], [0.0, -1.0]])
    labels = np.array(["red", "blue", "red", "green", "blue"])
    photo = np.array([0.0, 1.0])
    # Means: red (0.8, 0.4), blue (0, 0). Moved by 1: (0.8, 1.4); by 2: (1.6, 1.8).
    return [
        ((photo, E, labels, "red", "blue", 1.0), np.array([0.8, 1.4]) / np.sqrt(2.6)),
        ((photo, E, labels, "red", "blue", 2.0), np.array([1.6, 1.8]) / np.sqrt(5.8)),
        ((photo, E, labels, "green", "red", 1.0), np.array([-1.6, 1.2]) / 2.0),
        ((photo, E, labels, "red", "blue", 0.0), photo),
    ]


def _moved(photo, E, labels, to, start, strength, *, mean=np.mean, unit=True, sign=1):
    step = mean(E[labels == to], axis=0) - mean(E[labels == start], axis=0)
    z = photo + sign * strength * step
    return z / np.linalg.norm(z) if unit else z


check_move = Check(
    _move_probes,
    right="The difference of two means is a direction, and it works from any start.",
    mistakes=[
        Mistake(
            "backwards",
            "you move the wrong way: away from the value that is wanted.",
            like=lambda *a: _moved(*a, sign=-1),
        ),
        Mistake(
            "not normalised",
            "the moved photo has left the sphere; bring it back to length 1.",
            like=lambda *a: _moved(*a, unit=False),
        ),
        Mistake(
            "sums instead of means",
            "with sums the more frequent value pulls harder; take the mean of each.",
            like=lambda *a: _moved(*a, mean=np.sum),
        ),
        Mistake(
            "the wanted mean only",
            "you add the mean of the wanted value; what the photo has must be taken off as well.",
            like=lambda photo, E, labels, to, start, s: (lambda z: z / np.linalg.norm(z))(
                photo + s * E[labels == to].mean(axis=0)
            ),
        ),
        Mistake(
            "against all others",
            "you compare the wanted value with all others; take off the present one.",
            like=lambda photo, E, labels, to, start, s: (lambda z: z / np.linalg.norm(z))(
                photo + s * (E[labels == to].mean(axis=0) - E[labels != to].mean(axis=0))
            ),
        ),
    ],
)
