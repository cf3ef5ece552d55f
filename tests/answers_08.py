"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import collections
import math

import numpy as np

from course import exercises_08

CHECKS = {
    "8.1": ("join", exercises_08.check_join),
    "8.2": ("how_many", exercises_08.check_how_many),
    "8.3": ("cost", exercises_08.check_cost),
    "8.4": ("plan", exercises_08.check_plan),
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


def cost_by_loop(counter, asked, cells, d, code, *, row=None, centre=None, reset=False):
    before, read, share = 0, [], []
    for reading, questions in zip(counter.tolist(), asked.tolist(), strict=True):
        rows = (reading - before) / questions * (code if row is None else row)
        coarse = cells * 4 * d if centre is None else centre(questions)
        read.append(rows + coarse)
        share.append(coarse / (rows + coarse))
        before = 0 if reset else reading
    return read, share


def cost_of_rows(counter, asked, cells, d, code):
    read, share = map(np.array, cost_by_loop(counter, asked, cells, d, code))
    return read - 4 * cells * d, share


def cost_and_ratio(*arguments):
    read, share = map(np.array, cost_by_loop(*arguments))
    return read, share / (1 - share)


def plan_by_hand(
    n, widths, readings, usable, copies, node, *, up=True, low=-1, high=0, least=True
):
    """Return both ends; usable sorted at places low and high serves the fewest and the most."""
    sizes = sorted(
        (sum(per_row + per_number * d for d in widths), name)
        for name, (per_row, per_number) in readings.items()
    )
    ends, usable = [], sorted(usable)
    for (size, name), share in ((sizes[0], usable[low]), (sizes[-1], usable[high])):
        count = int(copies * n * size // (share * node))
        count += up and copies * n * size > count * share * node
        ends.append((max(count, copies) if least else count, name))
    return ends


def plan_each_alone(n, widths, *rest):
    low, high = zip(*(plan_by_hand(n, (d,), *rest) for d in widths), strict=True)
    return [(sum(x for x, _ in low), low[0][1]), (sum(x for x, _ in high), high[0][1])]


def plan_with_mixed_readings(n, widths, readings, usable, copies, node):
    sizes = [[b + c * d for b, c in readings.values()] for d in widths]
    low = math.ceil(copies * n * sum(map(min, sizes)) / (max(usable) * node))
    high = math.ceil(copies * n * sum(map(max, sizes)) / (min(usable) * node))
    return [(max(low, copies), "rule"), (max(high, copies), "file")]


def plan_without_reason(*arguments):
    (low, name), (high, other) = plan_by_hand(*arguments)
    return [(low, other), (high, name)]


RIGHT = [
    ("8.1", joined),
    ("8.2", fetch_by_loop),
    ("8.3", cost_by_loop),
    ("8.4", plan_by_hand),
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
    ("8.3", lambda *a: cost_by_loop(*a, reset=True), "the counter is never reset"),
    ("8.3", lambda c, q, *a: cost_by_loop(c, np.ones_like(q), *a), "what a batch reads"),
    ("8.3", cost_of_rows, "did not count the centres"),
    ("8.3", lambda *a: cost_by_loop(*a, centre=lambda n: 4 * a[2] * a[3] / n), "the batch once"),
    ("8.3", lambda *a: cost_by_loop(*a, centre=lambda n: a[2] * a[4]), "a centre as a code"),
    ("8.3", lambda *a: cost_by_loop(*a, row=4 * a[3]), "it is stored as a code"),
    ("8.3", cost_and_ratio, "of both together"),
    ("8.4", lambda n, w, *a: plan_by_hand(n, w[-1:], *a), "both collections are in memory"),
    ("8.4", lambda n, w, r, u, c, node: plan_by_hand(n, w, r, u, 1, node), "as many times as"),
    ("8.4", lambda *a: plan_by_hand(*a, low=0, high=-1), "the largest share of each"),
    ("8.4", lambda *a: plan_by_hand(*a, up=False), "round up"),
    ("8.4", lambda *a: plan_by_hand(*a, least=False), "as many nodes as copies"),
    ("8.4", plan_with_mixed_readings, "one reading holds for both"),
    ("8.4", plan_each_alone, "add before you round"),
    ("8.4", plan_without_reason, "the names are not"),
]
