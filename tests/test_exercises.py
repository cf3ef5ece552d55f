"""Each check accepts its solution and tells usual mistakes apart.

The mistakes stand in answers_01.py to answers_06.py, spelled independently of the checks.
"""

import importlib

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

import guards

ANSWERS = {path: importlib.import_module(f"answers_{path.stem[:2]}") for path in guards.NOTEBOOKS}
CHECKS = {number: it for answers in ANSWERS.values() for number, it in answers.CHECKS.items()}
WRONG = [case for answers in ANSWERS.values() for case in answers.WRONG]
RIGHT = [case for answers in ANSWERS.values() for case in getattr(answers, "RIGHT", ())]


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_every_exercise_is_tested(path):
    found = [number for number, _ in guards.exercise_cells(guards.load(path))]
    assert found == list(ANSWERS[path].CHECKS)


@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise):
    name, check = CHECKS[exercise]
    path = next(path for path, answers in ANSWERS.items() if exercise in answers.CHECKS)
    scope = {"np": np, "TfidfVectorizer": TfidfVectorizer}
    exec(guards.solution_source(guards.load(path), exercise), scope)
    assert check.verdict(scope[name]).startswith("Right. ")


@pytest.mark.parametrize(("exercise", "other"), RIGHT)
def test_another_right_way_is_right(exercise, other):
    assert CHECKS[exercise][1].verdict(other).startswith("Right. ")


@pytest.mark.parametrize(("exercise", "wrong", "hint"), WRONG)
def test_a_usual_mistake_gets_its_own_hint(exercise, wrong, hint):
    said = CHECKS[exercise][1].verdict(wrong)
    assert said.startswith("Not yet: ") and " ".join(hint.split()) in said


@pytest.mark.parametrize("exercise", CHECKS)
def test_every_mistake_is_tried_and_there_are_three_or_more(exercise):
    check = CHECKS[exercise][1]
    said = {check.verdict(wrong) for number, wrong, _ in WRONG if number == exercise}
    hints = {f"Not yet: {' '.join(mistake.hint.split())}" for mistake in check.mistakes}
    assert len(said) >= 3 and said == hints


@pytest.mark.parametrize("exercise", CHECKS)
def test_an_empty_function_is_not_attempted(exercise):
    check = CHECKS[exercise][1]
    assert check.verdict(lambda *arguments: ...).startswith("Not attempted yet. ")
