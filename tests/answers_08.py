"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import collections
import math

import numpy as np

from course import exercises_08

CHECKS = {
    "8.1": ("join", exercises_08.check_join),
    "8.2": ("how_many", exercises_08.check_how_many),
    "8.3": ("cost_per_query", exercises_08.check_cost),
    "8.4": ("node_range", exercises_08.check_nodes),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def joined(lists, k, *, gain=lambda place: 1 / (61 + place), both=sum, sign=-1, by_id=True):
    gains = collections.defaultdict(list)
    for ids in lists:
        for place in range(len(ids)):
            gains[ids[place]].append(gain(place))
    pool = sorted(gains) if by_id else list(gains)
    return sorted(pool, key=lambda i: sign * both(gains[i]))[:k]


def in_both(lists, k):
    counts = collections.Counter(i for ids in lists for i in ids)
    return [i for i in joined(lists, 99) if counts[i] > 1][:k]


def chained(lists, k):
    seen = []
    for ids in lists:
        seen += [i for i in ids if i not in seen]
    return seen[:k]


def fetch_by_loop(passes, k, share, *, reached=lambda got, wanted: got >= wanted, start=1):
    for n in range(1, passes.shape[1] + 1):
        if reached(sum(sum(row[:n]) >= k for row in passes) / len(passes), share):
            return n - 1 + start
    return -1


def fetch_all_when_short(passes, k, share):
    n = fetch_by_loop(passes, k, share)
    return passes.shape[1] if n == -1 else n


def cost_by_loop(readings, n, nlist, d, *, centres=lambda n, nlist: n * nlist, each=True):
    costs = []
    for before, after in zip(readings[:-1], readings[1:], strict=True):
        total = d * (after - before + centres(n, nlist))
        costs.append(total / n if each else total)
    return np.array(costs)


def nodes_by_loop(n, row, gb, usable, copies, *, whole=math.ceil, swap=True):
    shares = sorted(usable, reverse=swap)
    return tuple(
        copies * whole(n * b / (s * gb) / 10**9) for b, s in zip(row, shares, strict=True)
    )


def nodes_rounded_late(n, row, gb, usable, copies):
    return nodes_by_loop(copies * n, row, gb, usable, 1)


RIGHT = [
    ("8.1", joined),
    ("8.2", fetch_by_loop),
    ("8.3", cost_by_loop),
    ("8.4", nodes_by_loop),
]
WRONG = [
    ("8.1", chained, "one list after the other"),
    ("8.1", lambda s, k: joined(s, k, gain=lambda p: p + 1, sign=1), "you add ranks"),
    ("8.1", lambda s, k: joined(s, k, both=max), "an item's best rank"),
    ("8.1", in_both, "that one list only has found"),
    ("8.1", lambda s, k: joined(s, k, by_id=False), "in order of their id"),
    ("8.1", lambda s, k: joined(s, k, sign=1), "the largest sum comes first"),
    ("8.2", lambda p, k, share: math.ceil(k * p.size / p.sum()), "enough on average only"),
    ("8.2", lambda *a: fetch_by_loop(*a, start=0), "counted from 0"),
    ("8.2", lambda p, k, share: fetch_by_loop(p, k, 1), "a share of them is enough"),
    ("8.2", lambda p, k, share: fetch_by_loop(p, 1, share), "the first that passes"),
    ("8.2", lambda *a: fetch_by_loop(*a, reached=lambda g, w: g > w), "reached exactly"),
    ("8.2", fetch_all_when_short, "return -1"),
    ("8.3", lambda r, n, nlist, d: d * (nlist + r[1:] / n), "the difference of two readings"),
    ("8.3", lambda *a: cost_by_loop(*a, centres=lambda n, c: 0), "the centres of all nlist"),
    ("8.3", lambda *a: cost_by_loop(*a, centres=lambda n, c: c), "not one query for all"),
    ("8.3", lambda *a: cost_by_loop(*a, each=False), "cost of a whole run"),
    ("8.3", lambda r, n, nlist, d: cost_by_loop(r, n, nlist, 1), "one distance multiplies"),
    ("8.4", lambda *a: nodes_by_loop(*a, swap=False), "in the *most* usable memory"),
    ("8.4", lambda *a: nodes_by_loop(*a, whole=math.floor), "round up"),
    ("8.4", nodes_rounded_late, "do not share a node"),
    ("8.4", lambda n, r, gb, u, c: nodes_by_loop(n, r, gb, u, 1), "plan for one copy"),
    ("8.4", lambda n, r, gb, u, c: nodes_by_loop(n, r, gb, (1, 1), c), "to the brim"),
]
