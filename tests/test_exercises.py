"""Each exercise's check accepts its solution and tells usual mistakes apart.

The mistakes stand in answers_01.py to answers_09.py, spelled independently of the checks.
"""

import importlib
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

import course
import crossmodal_utils as cm
import guards

ANSWERS = {path: importlib.import_module(f"answers_{path.stem[:2]}") for path in guards.NOTEBOOKS}
CHECKS = {number: it for answers in ANSWERS.values() for number, it in answers.CHECKS.items()}
WRONG = [case for answers in ANSWERS.values() for case in answers.WRONG]
RIGHT = [case for answers in ANSWERS.values() for case in getattr(answers, "RIGHT", ())]


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_every_exercise_is_tested_and_its_solution_is_right(path):
    nb = guards.load_committed(path)
    assert [number for number, _ in guards.exercise_cells(nb)] == list(ANSWERS[path].CHECKS)
    for exercise, (name, check) in ANSWERS[path].CHECKS.items():
        scope = {"np": np, "cm": cm, "TfidfVectorizer": TfidfVectorizer}
        scope |= getattr(ANSWERS[path], "SCOPE", {})
        exec(guards.solution_source(nb, exercise), scope)
        assert check.verdict(scope[name]).startswith("Right. "), exercise


@pytest.mark.parametrize(("exercise", "other"), RIGHT)
def test_another_right_way_is_right(exercise, other):
    assert CHECKS[exercise][1].verdict(other).startswith("Right. ")


@pytest.mark.parametrize("exercise", CHECKS)
def test_each_usual_mistake_gets_its_own_hint(exercise):
    """The check's own mistakes, and the same made another way, get the hint meant for them."""
    check = CHECKS[exercise][1]
    hints = [f"Not yet: {' '.join(mistake.hint.split())}" for mistake in check.mistakes]
    for mistake, hint in zip(check.mistakes, hints, strict=True):
        assert mistake.like is None or check.verdict(mistake.like) == hint, mistake.name
    said = []
    for number, wrong, part in WRONG:
        if number == exercise:
            said.append(check.verdict(wrong))
            assert said[-1].startswith("Not yet: ") and " ".join(part.split()) in said[-1]
    assert len(set(hints)) == len(hints) >= 3 and set(said) == set(hints)
    assert check.verdict(lambda *arguments: ...).startswith("Not attempted yet. ")


# --- the check itself ---------------------------------------------------------------------------


def probes():
    return [(([3.0, 4.0],), 5.0), (([1.0, 0.0],), 1.0)]


check = course.Check(
    probes,
    right="That is the length.",
    mistakes=[
        course.Mistake("squared", "take the root.", like=lambda v: sum(x * x for x in v)),
        course.Mistake("negative", "a length is positive.", when=lambda a, right, v: a < 0),
    ],
)


def clears_its_input(v):
    length = sum(x * x for x in v) ** 0.5
    v.clear()
    return length


def not_filled_in(v):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (lambda v: sum(x * x for x in v) ** 0.5, "Right. That is the length."),
        (lambda v: ..., "Not attempted yet. "),
        (lambda v: None, "Not attempted yet. "),
        (lambda v: NotImplemented, "Not attempted yet. "),
        (not_filled_in, "Not attempted yet. Replace the ... in not_filled_in"),
        (..., "Not attempted yet. "),
        (lambda v: sum(x * x for x in v), "Not yet: take the root."),
        (lambda v: -1, "Not yet: a length is positive."),
        (lambda v: sum(v), "Not yet: <lambda>([3, 4]) returned 7, expected 5."),
        (lambda v: "a\nb", "Not yet: <lambda>([3, 4]) returned 'a\\nb', expected 5."),
        (lambda v: v.x, "Not yet: your function raised AttributeError: 'list' object has no"),
        (lambda: 1, "Not yet: your function raised TypeError: "),
        (sys.exit, "Not yet: your function raised SystemExit: "),
        (lambda v: 5.0 if v[0] == 3 else None, "Not yet: <lambda>([1, 0]) returned nothing."),
        (clears_its_input, "Not yet: clears_its_input changed the data it was given"),
        (5.0, "Not yet: hand over the function itself, not 5"),
        (lambda v: object(), "Not yet: <lambda>([3, 4]) returned a object, expected 5."),
    ],
)
def test_check(function, line, capsys):
    assert check(function) is None
    said = capsys.readouterr().out
    assert said.startswith(line)
    assert said.count("\n") == 1 and said.endswith("\n")


def test_a_check_tells_mistakes_apart():
    assert check.verdict(check.mistakes[0].like) == "Not yet: take the root."
    hints = [mistake.hint for mistake in check.mistakes]
    assert len(set(hints)) == len(hints)


def test_a_reader_cannot_change_what_the_check_compares_with():
    kept = [1.0, 2.0]
    check = course.Check(lambda: [((kept,), kept)], right="Yes.")

    def spoils(v):
        v[0] = 5.0
        return v

    assert check.verdict(spoils).startswith("Not yet: spoils changed the data")
    assert kept == [1.0, 2.0]
    assert check.verdict(lambda v: v) == "Right. Yes."


@pytest.mark.parametrize(
    ("answer", "right", "same"),
    [
        (0.5, np.float32(0.5), True),
        ([1.0, 2.0], np.array([1.0, 2.0]), True),
        (np.ones((2, 3)), np.ones((3, 2)), False),
        (np.nan, np.nan, True),
        (np.nan, 0.0, False),
        (True, 1, False),
        (1.0, 1, True),
        ((np.ones(2), "a"), (np.ones(2), "a"), True),
        ((np.ones(2), "b"), (np.ones(2), "a"), False),
        (["a", "b"], ["a", "b"], True),
        (np.array(["a", "b"]), ["a", "b"], True),
        ({"a": 1.0}, {"a": 1}, True),
        ({"b": 1.0}, {"a": 1}, False),
        (sparse.csr_matrix(np.eye(2)), sparse.csr_matrix(np.eye(2)), True),
        (np.eye(2), sparse.csr_matrix(np.eye(2)), False),
        ([[1], [1, 2]], np.ones((2, 2)), False),
        ("a", 1.0, False),
        (object(), "a", False),
    ],
)
def test_agree(answer, right, same):
    assert course.agree(answer, right) is same
