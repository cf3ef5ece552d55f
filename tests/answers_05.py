"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import posixpath

import numpy as np

import exercises_05

CHECKS = {
    "5.1": ("ceiling_of_texts", exercises_05.check_ceiling),
    "5.2": ("gain_per_doubling", exercises_05.check_gain),
    "5.3": ("stays_inside", exercises_05.check_inside),
    "5.4": ("vectors_of", exercises_05.check_order),
    "5.5": ("runs_of", exercises_05.check_runs),
    "5.6": ("never_together", exercises_05.check_seen),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def ceiling_unique(texts):
    return sum(1 for t in texts if texts.count(t) < 2) / len(texts)


def ceiling_number(texts):
    return float(np.unique(texts).size)


def ceiling_harmonic(texts):
    return len(texts) / sum(texts.count(t) for t in texts)


def ceiling_lost(texts):
    return (len(texts) - len(set(texts))) / len(texts)


def ceiling_by_text(texts):
    kinds = sorted(set(texts))
    return sum(1 / texts.count(t) for t in kinds) / len(kinds)


def gain_over_pairs(n, r):
    return ((n - n.mean()) * (r - r.mean())).sum() / ((n - n.mean()) ** 2).sum()


def gain_natural(n, r):
    x = np.log(n) - np.log(n).mean()
    return (x * r).sum() / (x * x).sum()


def gain_ten(n, r):
    x = np.log10(n) - np.log10(n).mean()
    return (x * r).sum() / (x * x).sum()


def gain_intercept(n, r):
    A = np.column_stack([np.log2(n), np.ones(len(n))])
    return np.linalg.lstsq(A, r, rcond=None)[0][1]


def gain_total(n, r):
    return float(r[len(r) - 1] - r[0])


def gain_steps(n, r):
    return sum(b - a for a, b in zip(r, r[1:], strict=False)) / (len(r) - 1)


def order_kept(ids, vector_ids, vectors):
    return np.array([vectors[i] for i in range(len(ids))])


def order_inverse(ids, vector_ids, vectors):
    places = [ids.index(x) if x in ids else 0 for x in vector_ids]
    return np.array([vectors[p] for p in places[: len(ids)]])


def order_sorted(ids, vector_ids, vectors):
    by_id = sorted(range(len(vector_ids)), key=lambda i: vector_ids[i])
    return vectors[by_id][: len(ids)]


def order_mask(ids, vector_ids, vectors):
    return np.array([v for v, x in zip(vectors, vector_ids, strict=True) if x in ids])


def inside_no_dots(name):
    return name[0] != "/" and name.find("..") < 0


def inside_no_step(name):
    return not name.startswith("/") and all(step != ".." for step in name.split("/"))


def inside_start(name):
    return name[0] != "/" and name[:3] != "../"


def inside_relative_only(name):
    return not posixpath.normpath(name).startswith("../")


def inside_joined(name):
    return ("shop/" + name).startswith("shop/")


def inside_normal_prefix(name):
    path = posixpath.normpath(name)
    return path[0] != "/" and path[:2] != ".."


def runs_bare(word, n):
    return ["".join(letters) for letters in zip(*(word[k:] for k in range(n)), strict=False)]


def runs_short(word, n):
    marked, runs = "<" + word + ">", []
    for start in range(len(marked) - n):
        runs.append(marked[start : start + n])
    return runs


def runs_apart(word, n):
    marked, runs = list("<" + word + ">"), []
    while marked:
        runs.append("".join(marked[:n]))
        marked = marked[n:]
    return runs


def runs_ragged(word, n):
    marked = "<" + word + ">"
    return [marked[start:][:n] for start, _ in enumerate(marked)]


def runs_once(word, n):
    marked = "<" + word + ">"
    return list(dict.fromkeys(marked[i : i + n] for i in range(len(marked) - n + 1)))


def halves(name):
    parts = name.split(" WITH ", 1)
    return parts[0], parts[1] if len(parts) == 2 else None


def known(name, names):
    base, marks = halves(name)
    is_base = any(halves(other)[0] == base for other in names)
    return is_base, marks is not None and any(halves(other)[1] == marks for other in names)


def seen_plain_base(name, names):
    return halves(name)[0] in names and known(name, names)[1] and name not in names


CASES = {
    "5.1": {
        "only texts that stand once": ceiling_unique,
        "a count": ceiling_number,
        "reciprocal of the mean count": ceiling_harmonic,
        "share of repeats": ceiling_lost,
        "averaged over texts": ceiling_by_text,
    },
    "5.2": {
        "per pair": gain_over_pairs,
        "natural logarithm": gain_natural,
        "logarithm to base 10": gain_ten,
        "intercept": gain_intercept,
        "end minus start": gain_total,
        "mean of the steps": gain_steps,
    },
    "5.4": {
        "not reordered": order_kept,
        "the other way round": order_inverse,
        "sorted": order_sorted,
        "selected only": order_mask,
    },
    "5.3": {
        "any two dots": inside_no_dots,
        "any step up": inside_no_step,
        "only the start": inside_start,
        "absolute paths": inside_relative_only,
        "everything is inside": inside_joined,
        "names with dots": inside_normal_prefix,
    },
    "5.5": {
        "no marks": runs_bare,
        "last run missing": runs_short,
        "side by side": runs_apart,
        "too long by the end": runs_ragged,
        "each run once": runs_once,
    },
    "5.6": {
        "either half": lambda name, names: any(known(name, names)) and name not in names,
        "seen together too": lambda name, names: all(known(name, names)),
        "marks not asked": lambda name, names: known(name, names)[0] and name not in names,
        "base not asked": lambda name, names: known(name, names)[1] and name not in names,
        "only plain bases": seen_plain_base,
    },
}


def hint_of(number, name):
    """Return the hint of the mistake of this name."""
    return next(m.hint for m in CHECKS[number][1].mistakes if m.name == name)


WRONG = [
    (number, wrong, hint_of(number, name))
    for number, cases in CASES.items()
    for name, wrong in cases.items()
]
