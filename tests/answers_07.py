"""The exercises of notebook 07: their checks, and mistakes with part of the hint each must get."""

import numpy as np

from course import exercises_07

CHECKS = {
    "7.1": ("convolve_channels", exercises_07.check_depthwise),
    "7.2": ("fold_before", exercises_07.check_fold),
    "7.3": ("worth_of_sides", exercises_07.check_worth),
    "7.4": ("ask", exercises_07.check_ask),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def convolution(weight_at, divide=False, mix=False):
    def answer(x, kernel):
        k = len(kernel)
        h, w = x.shape[0] - k + 1, x.shape[1] - k + 1
        total = np.zeros((h, w, x.shape[2]))
        for i in range(k):
            for j in range(k):
                total += x[i : i + h, j : j + w] * weight_at(kernel, i, j)
        total = total / k**2 if divide else total
        return total.sum(axis=2) if mix else total

    return answer


def plain(kernel, i, j):
    return kernel[i, j]


def fold(factor, bias):
    def answer(W, b, gamma, mu, v):
        new = np.diag(factor(gamma, v)) @ W
        return new, bias(W, new, b, mu)

    return answer


def root(gamma, v):
    return gamma * v**-0.5


def taken_off(W, new, b, mu):
    return b - new.T @ mu


def shares(rule):
    def answer(own, pictures, texts, both):
        return rule(*(sum(map(float, h)) / len(h) for h in (own, pictures, texts, both)))

    return answer


def walk(unit=True, grouped=True, first_k=False, by_group=False):
    def answer(text, encode, E, groups, k):
        query = encode([text]).ravel()
        score = [row @ query / (np.sqrt(row @ row) if unit else 1) for row in E]
        order = sorted(range(len(E)), key=lambda i: -score[i])
        order = order[:k] if first_k else order
        found = {}
        for i in order:
            found.setdefault(groups[i] if grouped else i, i)
        rows = [found[g] for g in sorted(found)] if by_group else list(found.values())
        return np.array(rows[:k])

    return answer


RIGHT = [
    ("7.1", convolution(plain)),
    ("7.2", fold(root, taken_off)),
    ("7.3", shares(lambda o, p, t, b: ((p + b - o - t) / 2, (t + b - o - p) / 2))),
    ("7.4", walk()),
]

WRONG = [
    ("7.1", convolution(lambda K, i, j: K[len(K) - 1 - i, len(K) - 1 - j]), "flip the kernel"),
    ("7.1", convolution(lambda K, i, j: K[j, i]), "swap rows and columns"),
    ("7.1", convolution(plain, mix=True), "sum over channels"),
    ("7.1", convolution(plain, divide=True), "a convolution sums"),
    ("7.2", fold(lambda g, v: g / v, taken_off), "divide by its root"),
    ("7.2", fold(root, lambda W, new, b, mu: b - W.T @ mu), "passes the new ones"),
    ("7.2", fold(root, lambda W, new, b, mu: b), "moves the bias"),
    ("7.2", fold(root, lambda W, new, b, mu: b + new.T @ mu), "take it off"),
    ("7.3", shares(lambda o, p, t, b: (p - o, t - o)), "what it adds last"),
    ("7.3", shares(lambda o, p, t, b: (b - t, b - p)), "what it adds first"),
    ("7.3", shares(lambda o, p, t, b: ((t + b - o - p) / 2, (p + b - o - t) / 2)), "other order"),
    ("7.3", shares(lambda o, p, t, b: (p + b - o - t, t + b - o - p)), "take their mean"),
    ("7.4", walk(grouped=False), "keep its best only"),
    ("7.4", walk(unit=False), "divide each row"),
    ("7.4", walk(first_k=True), "too few are left"),
    ("7.4", walk(by_group=True), "not of the scores"),
]
