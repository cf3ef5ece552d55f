"""The checks of notebook 05 accept its solutions and tell usual mistakes apart."""

import posixpath

import numpy as np
import pytest

import exercises_05
import guards

NOTEBOOK = guards.ROOT / "notebooks" / "05_real_world_data.ipynb"
CHECKS = {
    "5.1": ("ceiling_of_texts", exercises_05.check_ceiling),
    "5.2": ("gain_per_doubling", exercises_05.check_gain),
    "5.3": ("stays_inside", exercises_05.check_inside),
    "5.4": ("vectors_of", exercises_05.check_order),
    "5.5": ("runs_of", exercises_05.check_runs),
    "5.6": ("never_together", exercises_05.check_seen),
}


def test_every_exercise_is_tested():
    found = [name for name, _ in guards.exercise_cells(guards.load(NOTEBOOK))]
    assert found == list(CHECKS)


@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise):
    name, check = CHECKS[exercise]
    scope = {"np": np}
    exec(guards.solution_source(guards.load(NOTEBOOK), exercise), scope)
    assert check.verdict(scope[name]).startswith("Right. ")


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
    exercises_05.check_ceiling: {
        "only texts that stand once": ceiling_unique,
        "a count": ceiling_number,
        "reciprocal of the mean count": ceiling_harmonic,
        "share of repeats": ceiling_lost,
        "averaged over texts": ceiling_by_text,
    },
    exercises_05.check_gain: {
        "per pair": gain_over_pairs,
        "natural logarithm": gain_natural,
        "logarithm to base 10": gain_ten,
        "intercept": gain_intercept,
        "end minus start": gain_total,
        "mean of the steps": gain_steps,
    },
    exercises_05.check_order: {
        "not reordered": order_kept,
        "the other way round": order_inverse,
        "sorted": order_sorted,
        "selected only": order_mask,
    },
    exercises_05.check_inside: {
        "any two dots": inside_no_dots,
        "any step up": inside_no_step,
        "only the start": inside_start,
        "absolute paths": inside_relative_only,
        "everything is inside": inside_joined,
        "names with dots": inside_normal_prefix,
    },
    exercises_05.check_runs: {
        "no marks": runs_bare,
        "last run missing": runs_short,
        "side by side": runs_apart,
        "too long by the end": runs_ragged,
        "each run once": runs_once,
    },
    exercises_05.check_seen: {
        "either half": lambda name, names: any(known(name, names)) and name not in names,
        "seen together too": lambda name, names: all(known(name, names)),
        "marks not asked": lambda name, names: known(name, names)[0] and name not in names,
        "base not asked": lambda name, names: known(name, names)[1] and name not in names,
        "only plain bases": seen_plain_base,
    },
}
ALL = [(check, name, wrong) for check, cases in CASES.items() for name, wrong in cases.items()]


@pytest.mark.parametrize("check, name, wrong", ALL, ids=lambda x: x if isinstance(x, str) else "")
def test_each_wrong_answer_gets_its_own_hint(check, name, wrong):
    hint = {mistake.name: mistake.hint for mistake in check.mistakes}[name]
    assert check.verdict(wrong) == "Not yet: " + " ".join(hint.split()), name


def test_every_mistake_is_tried():
    for _, check in CHECKS.values():
        assert {mistake.name for mistake in check.mistakes} == set(CASES[check])
        assert len(check.mistakes) >= 3


@pytest.mark.parametrize("exercise", CHECKS)
def test_an_empty_function_is_not_attempted(exercise):
    _, check = CHECKS[exercise]
    assert check.verdict(lambda *arguments: ...).startswith("Not attempted yet. ")
