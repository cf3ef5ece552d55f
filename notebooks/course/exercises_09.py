"""Checks for the exercises of notebook 09. Call one with your function; it prints one line."""

import math

import numpy as np

from . import Check, Mistake

# --- 9.1 this one, in any colour ----------------------------------------------------------------


def _any_colour_probes():
    plane = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])  # two words, not at right angles
    return [
        ((np.array([[0.6, 0.0, 0.8]]), plane[:1]), np.array([[0.0, 0.0, 1.0]])),
        (
            (np.array([[2.0, 3.0, 6.0], [2.0, -6.0, -3.0]]) / 7, plane),
            np.array([[0, 0, 1.0], [0, 0, -1]]),
        ),
        (
            (np.array([[0.5, 0.5, 0.5, 0.5]]), np.eye(4)[:1] * 1.0),
            np.array([[0, 1, 1, 1]]) / 3**0.5,
        ),
    ]


def _unit(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def _in_span(P, W):
    return P @ np.linalg.pinv(W) @ W


def _in_turn(P, W):
    for w in W:
        P = P - np.outer(P @ w, w)
    return _unit(P)


check_any_colour = Check(
    _any_colour_probes,
    right="What is left of the photo is at right angles to every one of the words.",
    mistakes=[
        Mistake(
            "length",
            "bring the rows back to length 1 after taking the words off.",
            like=lambda P, W: P - _in_span(P, W),
        ),
        Mistake(
            "as if at right angles",
            "the words are not at right angles, so what two of them share is taken off twice; "
            "take off the projection on their span.",
            like=lambda P, W: _unit(P - P @ W.T @ W),
        ),
        Mistake(
            "in turn",
            "after the second word is taken off, some of the first may be back; take off the "
            "projection on their span at once.",
            like=_in_turn,
        ),
        Mistake(
            "what is kept",
            "that is the part which the words explain; return what is left without it.",
            like=lambda P, W: _unit(_in_span(P, W)),
        ),
        Mistake(
            "the words themselves",
            "take off what of the words is in each photo, its projection, not the words whole.",
            like=lambda P, W: _unit(P - W.sum(axis=0)),
        ),
    ],
)


# --- 9.2 the mean of the nearest prompts --------------------------------------------------------


def _nearest_probes():
    # Label 0 has one prompt that fits the first photo well, and two that do not.
    S = np.array([[0.9, 0.1, 0.0, 0.5, 0.6, 0.7], [0.2, 0.6, 0.7, 0.8, 0.3, 0.1]])
    of = np.array([0, 0, 0, 1, 1, 2])
    # Means of the two best: 0.5, 0.55, 0.7 and 0.65, 0.55, 0.1.
    T = np.array([[0.1, 0.8, 0.2, 0.75, 0.7]])
    of_T = np.array([1, 0, 1, 1, 0])
    # The best: 0.8, 0.75; the two best: 0.75, 0.475; all: 0.75, 0.35.
    U = np.array([[0.5, 0.9, 0.6, 0.8, 0.1, 0.8]])
    of_U = np.array([0, 1, 0, 1, 1, 1])
    # Two best: 0.55, 0.85; all four: 0.55, 0.65.
    W = np.array([[0.9, 0.2, 0.1, 0.7, 0.6, 0.0]])
    of_W = np.array([0, 0, 0, 1, 1, 1])
    # Best: 0.9, 0.7; two best: 0.55, 0.65; all: 0.4, 0.433.
    R = np.array([[0.9, 0.8, 0.0, 0.7, 0.6, 0.5]])
    of_R = np.array([0, 0, 0, 1, 1, 1])
    # Two best: 0.85, 0.65; all: 0.567, 0.6.
    return [
        ((S, of, 2), np.array([2, 0])),
        ((T, of_T, 2), np.array([0])),
        ((U, of_U, 2), np.array([1])),
        ((W, of_W, 2), np.array([1])),
        ((R, of_R, 2), np.array([0])),
        ((S, of, 1), np.array([0, 1])),
    ]


def _by_label(S, of_label, pick):
    labels = range(of_label.max() + 1)
    return np.array([pick(np.sort(S[:, of_label == label], axis=1)) for label in labels]).argmax(0)


check_nearest = Check(
    _nearest_probes,
    right="Between the mean of all prompts and the nearest one, k chooses.",
    mistakes=[
        Mistake(
            "all prompts",
            "a label counts its k best prompts of each photo; you average all of them.",
            like=lambda S, of_label, k: _by_label(S, of_label, lambda s: s.mean(axis=1)),
        ),
        Mistake(
            "the best alone",
            "that is the nearest prompt alone; average the k best of each label.",
            like=lambda S, of_label, k: of_label[S.argmax(axis=1)],
        ),
        Mistake(
            "the sum",
            "a label with fewer than k prompts loses by a sum; take the mean of those it has.",
            like=lambda S, of_label, k: _by_label(S, of_label, lambda s: s[:, -k:].sum(axis=1)),
        ),
        Mistake(
            "the worst",
            "larger scores are better, and np.sort puts them last.",
            like=lambda S, of_label, k: _by_label(S, of_label, lambda s: s[:, :k].mean(axis=1)),
        ),
        Mistake(
            "the prompt's number",
            "return the number of the label, not that of the prompt.",
            like=lambda S, of_label, k: S.argmax(axis=1),
        ),
    ],
)


# --- 9.3 ranks after a second look --------------------------------------------------------------


def _second_probes():
    S = np.array(
        [
            [0.9, 0.8, 0.1, 0.2, 0.3, 0.0],
            [0.9, 0.5, 0.6, 0.7, 0.8, 0.4],
            [0.3, 0.2, 0.6, 0.5, 0.1, 0.0],
        ]
    )
    candidates = np.array([[0, 1, 4], [0, 4, 3], [2, 3, 0]])
    second = np.array([[0.2, 0.7, 0.1], [0.3, 0.2, 0.1], [0.4, 0.4, 0.5]])
    return [((S, candidates, second), np.array([2, 5, 3]))]


def _second(S, candidates, second, *, missing=None, ties=True):
    ranks = []
    for i, row in enumerate(candidates.tolist()):
        if i in row:
            own = second[i, row.index(i)]
            rivals = np.delete(second[i], row.index(i))
            ranks.append(1 + np.sum(rivals >= own if ties else rivals > own))
        else:
            first = np.sum(S[i] >= S[i, i])
            ranks.append(first if missing is None else missing(len(row), S.shape[1]))
    return np.array(ranks)


check_second = Check(
    _second_probes,
    right="A second judge can only order what the first has found.",
    mistakes=[
        Mistake(
            "place after the last",
            "a right item that is no candidate keeps the rank that the first scores gave it.",
            like=lambda *given: _second(*given, missing=lambda k, m: k + 1),
        ),
        Mistake(
            "last of all",
            "a right item that is no candidate is not last; it keeps its first rank.",
            like=lambda *given: _second(*given, missing=lambda k, m: m),
        ),
        Mistake(
            "ties in favour",
            "a candidate whose second score equals the right one's stands before it.",
            like=lambda *given: _second(*given, ties=False),
        ),
        Mistake(
            "no second look",
            "these are the ranks by the first scores; order the candidates by the second.",
            like=lambda S, candidates, second: (S >= np.diagonal(S)[:, None]).sum(axis=1),
        ),
        Mistake(
            "from 0",
            "ranks count from 1.",
            like=lambda *given: _second(*given) - 1,
        ),
    ],
)


# --- 9.4 what a wrong answer costs --------------------------------------------------------------


def _cost_probes():
    top = np.array([0.9, 0.3, 0.7, 0.5, 0.8])
    right = np.array([True, False, True, True, False])
    # Silence costs 5; down to 0.9: 4; 0.8: 3 + cost; 0.7: 2 + cost; 0.5: 1 + cost; 0.3: 2 cost.
    return [
        ((top, right, 2.0), 0.5),
        ((top, right, 5.0), 0.9),
        ((top, right, 0.5), 0.3),
        ((top, ~right, 3.0), np.inf),
    ]


def _cost(top, right, cost, *, silence=1.0, share=False, beyond=False, never=True):
    best, found = (len(top) * silence if never else np.inf), np.inf
    for threshold in sorted(top, reverse=True):
        answered = top > threshold if beyond else top >= threshold
        paid = cost * np.sum(~right[answered]) + silence * np.sum(~answered)
        if share:
            paid = paid / max(1, np.sum(answered))
        if paid < best:
            best, found = paid, threshold
    return found


check_cost = Check(
    _cost_probes,
    right="What a mistake costs decides how sure one must be.",
    mistakes=[
        Mistake(
            "silence is free",
            "each query without an answer costs 1; if silence were free, nobody would answer.",
            like=lambda *given: _cost(*given, silence=0.0),
        ),
        Mistake(
            "never silent",
            "where answering nothing at all is cheapest, the threshold is np.inf.",
            like=lambda *given: _cost(*given, never=False),
        ),
        Mistake(
            "above the threshold",
            "a query is answered if its score is at least the threshold, so an equal one counts.",
            like=lambda *given: _cost(*given, beyond=True),
        ),
        Mistake(
            "per answer",
            "add up the costs of all queries; do not divide by the number of answers.",
            like=lambda *given: _cost(*given, share=True, never=False),
        ),
        Mistake(
            "right and wrong exchanged",
            "a right answer costs nothing and a wrong one costs `cost`; you have them exchanged.",
            like=lambda top, right, cost: _cost(top, ~right, cost),
        ),
    ],
)


# --- 9.5 how many answers without an error ------------------------------------------------------


def _clean_probes():
    # By multiplying: 0.5**4 > 0.05 >= 0.5**5; 0.9**28 > 0.05 >= 0.9**29; 0.95**89 > 0.01 >= ...
    return [((0.5, 0.05), 5), ((0.1, 0.05), 29), ((0.05, 0.01), 90), ((0.1, 0.5), 7)]


check_clean = Check(
    _clean_probes,
    right="About 3 divided by the risk, at 95 % confidence: the rule of three.",
    mistakes=[
        Mistake(
            "one over the risk",
            "so many answers show one error on average, and none rather often; ask how likely "
            "it is to see none.",
            like=lambda risk, alpha: math.ceil(1 / risk),
        ),
        Mistake(
            "rounded down",
            "with one answer fewer than needed the chance is still above alpha: round up.",
            like=lambda risk, alpha: math.floor(math.log(alpha) / math.log(1 - risk)),
        ),
        Mistake(
            "rule of three",
            "3 / risk is good for a small risk and alpha = 0.05 only; solve for n.",
            like=lambda risk, alpha: math.ceil(3 / risk),
        ),
        Mistake(
            "exchanged",
            "an answer is right with probability 1 - risk, not risk.",
            like=lambda risk, alpha: math.ceil(math.log(alpha) / math.log(risk)),
        ),
        Mistake(
            "no whole number",
            "return a whole number of answers.",
            like=lambda risk, alpha: math.log(alpha) / math.log(1 - risk),
        ),
    ],
)
