"""The exercises of notebook 06: their checks, and mistakes with part of the hint each must get."""

import collections

import numpy as np

from course import exercises_06

CHECKS = {
    "6.1": ("luck_of_guessing", exercises_06.check_luck),
    "6.2": ("hits_by_lot", exercises_06.check_lot),
    "6.3": ("may_teach", exercises_06.check_allowed),
    "6.4": ("moved", exercises_06.check_moved),
}


def guessing(asked, candidates, half=0):
    many = collections.Counter(pair[half] for pair in candidates)
    return sum(1 / many[pair[half]] for pair in asked) / len(asked)


def lot(scores):
    """Return the number of items that are level with the first place, for each query."""
    return np.array([np.count_nonzero(row == max(row)) for row in scores])


def is_first(scores):
    return np.array([row[i] == max(row) for i, row in enumerate(scores)])


def same_picture(images, held):
    return (images[:, None] == held[None]).all(axis=(2, 3, 4)).any(axis=1)


def same_name(names, held):
    return np.array([name in held for name in names])


def pasted(images, down, right, paper=255):
    padded = np.pad(images, ((0, 0), (9, 9), (9, 9), (0, 0)), constant_values=paper)
    height, width = images.shape[1:3]
    return padded[:, 9 - down : 9 - down + height, 9 - right : 9 - right + width]


RIGHT = [
    ("6.1", guessing),
    ("6.2", lambda S: np.where(is_first(S), 1 / lot(S), 0.0)),
    ("6.3", lambda n, x, held, y: ~same_name(n, held) & ~same_picture(x, y)),
    ("6.4", pasted),
]

WRONG = [
    ("6.1", lambda asked, all_: guessing(asked, all_, 1), "here the base is known"),
    ("6.1", lambda asked, all_: guessing(asked, asked), "not only among those asked for"),
    ("6.1", lambda asked, all_: np.full(9, 1 / len(all_)).mean(), "not among all"),
    (
        "6.1",
        lambda asked, all_: (
            len(asked) / sum(base == other for base, _ in asked for other, _ in all_)
        ),
        "the reciprocal of the average",
    ),
    ("6.2", lambda S: is_first(S).astype(float), "as a whole hit"),
    ("6.2", lambda S: (is_first(S) & (lot(S) == 1)).astype(float), "as a miss"),
    ("6.2", lambda S: lot(S) ** -1.0, "only if it is itself among those"),
    ("6.2", lambda S: np.where(is_first(S), 1 / lot(S), 0.0).mean(), "not their mean"),
    ("6.3", lambda n, x, held, y: ~same_name(n, held), "under another name"),
    ("6.3", lambda n, x, held, y: ~same_picture(x, y), "is the answer itself"),
    (
        "6.3",
        lambda n, x, held, y: ~same_name(n, held) | ~same_picture(x, y),
        "a name or a picture",
    ),
    (
        "6.3",
        lambda n, x, held, y: same_name(n, held) | same_picture(x, y),
        "mark what may be used",
    ),
    (
        "6.4",
        lambda x, down, right: np.roll(np.roll(x, down, axis=1), right, axis=2),
        "comes in on the other",
    ),
    ("6.4", lambda x, down, right: pasted(x, down, right, 0), "which is ink"),
    ("6.4", lambda x, down, right: pasted(x, -down, -right), "up and left"),
    ("6.4", lambda x, down, right: pasted(x, right, down), "you have exchanged them"),
]
