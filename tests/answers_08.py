"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import collections
import heapq
import math

import numpy as np

from course import exercises_08

SCOPE = {"heapq": heapq}
CHECKS = {
    "8.1": ("join", exercises_08.check_join),
    "8.2": ("how_many", exercises_08.check_how_many),
    "8.3": ("walk_on", exercises_08.check_walk_on),
    "8.4": ("gain", exercises_08.check_gain),
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


def walk_by_table(links, far, start, ef, passes, *, kept_of=None, through=None, least=None):
    """Walk with one table of what has been met and what has been opened."""
    kept_of = passes if kept_of is None else kept_of
    through = [True] * len(far) if through is None else through
    met, opened = {start}, set()

    def best():
        return sorted((i for i in met if kept_of[i]), key=lambda i: far[i])[:ef]

    while todo := [i for i in met - opened if through[i] or i == start]:
        here = min(todo, key=lambda i: far[i])
        if len(best()) >= (least or ef) and far[here] > far[best()[-1]]:
            break
        opened.add(here)
        met |= set(links[here])
    return best(), len(met), met, len(opened)


def walk_right(*arguments):
    return walk_by_table(*arguments)[:2]


def walk_and_drop(links, far, start, ef, passes):
    kept, n, *_ = walk_by_table(links, far, start, ef, passes, kept_of=[True] * len(far))
    return [i for i in kept if passes[i]], n


def walk_as_ever(links, far, start, ef, passes):
    _, n, met, _ = walk_by_table(links, far, start, ef, passes, kept_of=[True] * len(far))
    return sorted((i for i in met if passes[i]), key=lambda i: far[i])[:ef], n


def walk_with_its_start(links, far, start, ef, passes):
    kept_of = [bool(p) or i == start for i, p in enumerate(passes)]
    return walk_by_table(links, far, start, ef, passes, kept_of=kept_of)[:2]


def walk_counting_opened(*arguments):
    kept, _, _, n = walk_by_table(*arguments)
    return kept, n


def gain_by_loop(hybrid, parts, mix, *, choose=max):
    reached = [sum(m * x for m, x in zip(mix, part, strict=True)) for part in parts]
    return sum(m * x for m, x in zip(mix, hybrid, strict=True)) - choose(reached)


RIGHT = [
    ("8.1", joined),
    ("8.2", fetch_by_loop),
    ("8.3", walk_right),
    ("8.4", gain_by_loop),
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
    ("8.3", walk_and_drop, "you drop at the end what fails"),
    ("8.3", walk_as_ever, "ends where it ends without a filter"),
    ("8.3", lambda *a: walk_by_table(*a, through=a[4])[:2], "walked through too"),
    ("8.3", walk_with_its_start, "only if it passes"),
    ("8.3", lambda *a: walk_by_table(*a, least=1)[:2], "while fewer than ef"),
    ("8.3", walk_counting_opened, "count those compared"),
    ("8.4", lambda h, p, m: sum(m * (h - p.max(0))), "the best part of each kind"),
    ("8.4", lambda h, p, m: h.mean() - max(row.mean() for row in p), "weigh all kinds alike"),
    ("8.4", lambda *a: gain_by_loop(*a, choose=np.mean), "the mean of the parts"),
    ("8.4", lambda *a: -gain_by_loop(*a), "what the join has more"),
]
