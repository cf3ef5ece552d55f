"""The guards on the committed notebooks, and tests that each guard sees what it guards against."""

import copy
import doctest
import importlib
import os
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from nbval.plugin import get_sanitize_patterns
from scipy import sparse

import course
import guards
import refresh_notebooks

README = guards.ROOT / "README.md"


# --- the committed notebooks --------------------------------------------------------------------


@pytest.mark.parametrize("guard", guards.GUARDS, ids=lambda guard: guard.__name__)
@pytest.mark.parametrize("path", guards.NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, guard):
    nb = guards.load(path)
    faults = guard(nb, guards.ledgers()) if guard is guards.locked_numbers else guard(nb)
    assert not faults, "\n".join([f"{path.name}, {guard.__name__}:", *faults])


@pytest.mark.parametrize("path", guards.NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_valid_and_written_by_the_refresh_tool(path):
    nb = guards.load(path)
    nbformat.validate(nb)
    cleaned = copy.deepcopy(nb)
    refresh_notebooks.clean(cleaned)
    assert nb == cleaned, "run tests/refresh_notebooks.py before committing"
    assert path.stat().st_size <= guards.MAX_BYTES


def damage_in_turn(nb):
    """Yield the name of a guard and the notebook with that damage, each from a fresh copy."""
    for guard, kind in [
        ("execution_counts", "count"),
        ("no_errors", "stderr"),
        ("no_machine_traces", "address"),
        ("figures", "alt"),
        ("has_ledger", "ledger"),
        ("exercises", "unfolded"),
        ("metadata", "id"),
    ]:
        broken = copy.deepcopy(nb)
        code_cells = [cell for _, cell in guards.cells(broken, "code")]
        if kind == "count":
            code_cells[0]["execution_count"] = None
        elif kind == "stderr":
            code_cells[0]["outputs"].append(stream("a warning", "stderr"))
        elif kind == "address":
            code_cells[0]["outputs"].append(stream("<Line2D at 0x7f0011aa>"))
        elif kind == "alt":
            pictures = [o for c in code_cells for o in c["outputs"] if guards.has_picture(o)]
            pictures[-1]["metadata"] = {}
        elif kind == "ledger":
            code_cells[-1]["outputs"] = []
        elif kind == "unfolded":
            for cell in code_cells:
                cell["metadata"].pop("jupyter", None)
        else:
            broken["cells"][-1]["id"] = broken["cells"][0]["id"]
        yield guard, nbformat.from_dict(broken)


@pytest.mark.parametrize("path", guards.NOTEBOOKS, ids=lambda path: path.stem)
def test_damage_to_a_copy_of_a_real_notebook_is_reported(path):
    for guard, broken in damage_in_turn(guards.load(path)):
        assert getattr(guards, guard)(broken), f"{guard} saw nothing"


def test_readme_numbers():
    faults = guards.prose_faults(README.read_text(encoding="utf-8"), {}, guards.ledgers())
    assert not faults, "\n".join(faults)


def test_readme_names_what_exists():
    for target in re.findall(r"\]\(([^():#]+)\)", README.read_text(encoding="utf-8")):
        if target.startswith("notebooks/") and not guards.NOTEBOOKS:
            continue  # nothing is written yet
        assert (guards.ROOT / target).exists(), f"README.md links to {target}, which is not there"


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_style(command):
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
        cwd=guards.ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_nbval_reads_every_sanitising_rule():
    source = (guards.ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="utf-8")
    rules = get_sanitize_patterns(source)
    assert len(rules) == len(re.findall("^regex:", source, re.MULTILINE))
    for pattern, replacement in rules:
        assert re.sub(pattern, replacement, "took [3.1 s], [85 times]") == "took [time], [time]"


# --- a sound notebook, to break -----------------------------------------------------------------


def stream(words, name="stdout"):
    return {"output_type": "stream", "name": name, "text": words}


def picture(description):
    return {
        "output_type": "display_data",
        "data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480 with 1 Axes>"},
        "metadata": {"image/png": {"alt": description}},
    }


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source, *outputs, **metadata):
    outputs = [copy.deepcopy(output) for output in outputs]
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": outputs}


def exercise_cell_list(number):
    return [
        markdown(f"### Exercise 1.{number}: a task (5 minutes)\nWrite it."),
        code("def f(x):\n    ...\n\ncheck(f)", stream("Not attempted yet. Fill it in.\n")),
        markdown("**Solution (click the bar to unfold)**"),
        code(
            f"def f(x):\n    return x + {number}\n\ncheck(f)",
            stream("Right. Well done.\n"),
            tags=["solution"],
            jupyter={"source_hidden": True},
        ),
    ]


@pytest.fixture
def nb():
    """Return a notebook without faults."""
    opening = "".join(f"\n## {heading}\nWords.\n" for heading in guards.OPENING)
    prose = "words " * 500
    cells = [
        markdown(f"# Title\nTakes 5 minutes to run.\n{opening}"),
        code("plot()", picture("A line that rises."), stream("Figure 1. A line.\n")),
        markdown(f"The share is 43.1 %<!--cca.r1:percent--> of all. {prose}"),
        code("plot()", stream("Figure 2. Bars.\n"), picture("Two bars of one height.")),
        code("print(1.5)", stream("took 3 s\n"), tags=["nbval-ignore-output"]),
        markdown("## Exercises"),
        *(cell for number in range(1, 5) for cell in exercise_cell_list(number)),
        markdown("## Summary"),
        code("results.show()", stream("Results of this notebook\nn = 1000\ncca.r1 = 0.4312\n")),
        markdown("## Where to read more"),
    ]
    count = 0
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return nbformat.from_dict(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    )


READER, SOLUTION, LEDGER = 7, 9, 23  # cells of the sound notebook


@pytest.mark.parametrize("guard", guards.GUARDS, ids=lambda guard: guard.__name__)
def test_sound_notebook_has_no_faults(nb, guard):
    nbformat.validate(nb)
    assert guard(nb) == []


def set_output(cell, key, value):
    nb_output = cell["outputs"][0]
    nb_output[key] = value


# Each line: the guard, what breaks the sound notebook, and words of the fault it must report.
BREAKS = [
    ("execution_counts", lambda c: c[1].update(execution_count=None), "cell 1: execution count"),
    ("execution_counts", lambda c: c[1].update(execution_count=2), "is 2, expected 1"),
    ("execution_counts", lambda c: c.pop(4), "is 4, expected 3"),
    ("no_errors", lambda c: c[3]["outputs"].append(stream("warning", "stderr")), "cell 3: wrote"),
    (
        "no_errors",
        lambda c: c[3]["outputs"].append({"output_type": "error", "ename": "ValueError"}),
        "ValueError",
    ),
    ("no_machine_traces", lambda c: set_output(c[4], "text", "<A at 0x7f3a2b1c>"), "address"),
    ("no_machine_traces", lambda c: set_output(c[4], "text", "saved /tmp/a.npz"), "cell 4: out"),
    ("no_machine_traces", lambda c: set_output(c[4], "text", "in '/home/me/a'"), "'/home/'"),
    ("no_machine_traces", lambda c: set_output(c[4], "text", "C:\\Users\\me"), "path"),
    (
        "no_machine_traces",
        lambda c: c[1]["outputs"][0]["data"].update({"text/plain": "/root/a"}),
        "path",
    ),
    (
        "no_estimator_pages",
        lambda c: c[1]["outputs"][0]["data"].update({"text/html": "<style>.sk-estimator</style>"}),
        "cell 1: shows an estimator",
    ),
    ("metadata", lambda c: c[1].pop("id"), "cell 1: has no id"),
    ("metadata", lambda c: c[1].update(id="cell-0"), "id of an earlier cell"),
    ("known_tags", lambda c: c[1]["metadata"].update(tags=["nbval_ignore_output"]), "not one"),
    ("known_tags", lambda c: c[1]["metadata"].update(tags=["nbval-skip"]), "not one of ours"),
    ("known_tags", lambda c: c[1].update(source="# NBVAL_SKIP\nplot()"), "comment NBVAL_SKIP"),
    ("ignored_cells", lambda c: c[4].update(source="results.record(a=1)"), "cell 4"),
    ("size", lambda c: c[1].update(source="x" * guards.MAX_BYTES), "bytes"),
    ("figures", lambda c: c[1]["outputs"][0].update(metadata={}), "cell 1: the picture has no"),
    ("figures", lambda c: c[1]["outputs"][0]["metadata"]["image/png"].update(alt=" "), "has no"),
    ("figures", lambda c: c[3]["outputs"].pop(0), "1 pictures but 0 printed"),
    ("figures", lambda c: c[3]["outputs"].pop(1), "0 pictures but 1 printed"),
    ("figures", lambda c: set_output(c[3], "text", "Figure 3. Bars.\n"), "numbered [1, 3]"),
    (
        "figures",
        lambda c: c[3]["outputs"].__setitem__(1, copy.deepcopy(c[1]["outputs"][0])),
        "that of cell 1",
    ),
    (
        "figures",
        lambda c: c[1]["outputs"][0].update(data={"image/svg+xml": "<svg/>"}),
        "no PNG",
    ),
    ("figures", lambda c: c[2].update(source="![](a.png)"), "cell 2: a picture in text"),
    ("figures", lambda c: c[2].update(source='<img src="a.png" alt="">'), "picture in text"),
    ("has_ledger", lambda c: c[LEDGER].update(source="1 + 1"), "results.show()"),
    ("has_ledger", lambda c: c[LEDGER].update(outputs=[]), "results.show()"),
    ("has_ledger", lambda c: c.append(code("1")), "results.show()"),
    ("locked_numbers", lambda c: c[2].update(source="It is 0.43."), "cell 2: the number '0.43'"),
    (
        "locked_numbers",
        lambda c: set_output(c[LEDGER], "text", "Results of this notebook\ncca.r1 = 0.4412\n"),
        "43.1 %<!--cca.r1:percent--> disagrees with the result, 44.12",
    ),
    ("opening", lambda c: c.pop(0), "title"),
    ("opening", lambda c: c[0].update(source=c[0]["source"].replace("learn", "see")), "headings"),
    ("opening", lambda c: c[0].update(source=c[0]["source"].replace("minutes", "")), "minutes"),
    ("closing", lambda c: c.pop(22), "last three sections"),
    ("closing", lambda c: c.append(markdown("## More")), "last three sections"),
    ("pace", lambda c: c[1].update(source="x = 1\n" * 200), "lines on average"),
    ("pace", lambda c: c[2].update(source="Few words."), "words of prose"),
    ("exercises", lambda c: [c.pop(18) for _ in range(4)], "3 exercises, fewer than 4"),
    ("exercises", lambda c: c[6].update(source="### Exercise 1.1: no time"), "heading is not"),
    ("exercises", lambda c: c[6].update(source="### Exercise 1.2: t (5 minutes)"), "number 1"),
    ("exercises", lambda c: c.pop(8), "not followed by"),
    ("exercises", lambda c: c[8].update(source="Here it is"), "no cell says"),
    (
        "exercises",
        lambda c: c[READER].update(source="def f(x):\n    return x\n\ncheck(f)"),
        "body",
    ),
    ("exercises", lambda c: set_output(c[READER], "text", "Not yet: no\n"), "Not attempted yet"),
    ("exercises", lambda c: set_output(c[SOLUTION], "text", "Not yet: no\n"), "'Right. ...'"),
    ("exercises", lambda c: c[SOLUTION].update(metadata={"tags": ["solution"]}), "not folded"),
    ("exercises", lambda c: c[SOLUTION]["metadata"].update(tags=[]), "not tagged 'solution'"),
    ("exercises", lambda c: c[SOLUTION].update(source="def f(x):\n    return 1\n\nok(f)"), "same"),
    ("exercises", lambda c: c[1]["metadata"].update(tags=["solution"]), "belongs to no exercise"),
]


@pytest.mark.parametrize(
    ("guard", "damage", "words"), BREAKS, ids=[f"{b[0]}-{i}" for i, b in enumerate(BREAKS)]
)
def test_guard_reports_what_it_guards_against(nb, guard, damage, words):
    damage(nb["cells"])
    faults = getattr(guards, guard)(nb)
    assert any(words in fault for fault in faults), faults


def test_every_guard_is_tried():
    assert {name for name, _, _ in BREAKS} == {guard.__name__ for guard in guards.GUARDS}


def test_kernel_and_format(nb):
    nb["metadata"]["kernelspec"]["name"] = "conda-env"
    nb["nbformat_minor"] = 4
    assert len(guards.metadata(nb)) == 2


def test_solution_source(nb):
    assert guards.solution_source(nb, "1.3") == "def f(x):\n    return x + 3\n\n"
    with pytest.raises(KeyError):
        guards.solution_source(nb, "1.9")


@pytest.mark.parametrize("path", guards.NOTEBOOKS, ids=lambda path: path.stem)
def test_one_digit_changed_in_a_real_notebook_is_reported(path):
    nb, others = guards.load(path), guards.ledgers()
    changed = 0
    for _, cell in guards.cells(nb, "markdown"):
        for match in guards._LOCK.finditer(cell["source"]):
            end = match.end("digits")
            digit = str((int(cell["source"][end - 1]) + 5) % 10)
            wrong = cell["source"][: end - 1] + digit + cell["source"][end:]
            if guards.relocked(wrong, guards.ledger(nb), others) == wrong:
                continue  # stands in code
            assert guards.prose_faults(wrong, guards.ledger(nb), others)
            changed += 1
    assert changed, "no number is locked"


# --- locked numbers -----------------------------------------------------------------------------

LEDGER_OF_TEST = {"a.r1": "0.4312", "b.r1": "0.3890", "n": "10000", "t": "-0.0312", "big": "2.5"}

RIGHT = [
    "It is 0.431<!--a.r1-->.",
    "It is 0.43<!-- a.r1 -->, or 0.4312<!--a.r1-->.",
    "It is **43.1 %**<!--a.r1:percent--> and 43%<!--a.r1:percent-->.",
    "It is 43 per cent<!--a.r1:percent-->.",
    "It gains +4.2 points<!--a.r1 - b.r1:points-->.",
    "It gains 4.2 percentage points<!--a.r1-b.r1:points-->.",
    "It loses \N{MINUS SIGN}4.2 points<!--b.r1 - a.r1:points-->.",
    "It loses -0.042<!--b.r1 - a.r1-->.",
    "Among 10,000<!--n--> (10000<!--n-->) products.",
    "It is 1.1\N{MULTIPLICATION SIGN}<!--a.r1 / b.r1:times--> or 2.5 times<!--big:times-->.",
    "It is 3<!--big-->, or 2<!--big-->, as half rounds either way.",
    "There it was 38.9 %<!--02:a.r1:percent-->.",
    "| 0.431<!--a.r1--> | -0.03<!--t--> |",
    "A constant: 0.05<!--fixed-->, 5 %<!-- fixed -->, Python 3.11<!--fixed-->.",
    "Code `0.5`, maths $x = 0.5$ and $$y = 2.5\\,\\%$$.",
    "A [link](https://a.b/c_1.5), <http://a.b/1.5>, arXiv:2103.00020, (Hotelling, 1936).",
    "```python\nx = 0.5\n```",
    "## 1.2 A heading\n### Exercise 1.2: one\nSee exercise 1.2 and section 2.1.",
    "48 \N{MULTIPLICATION SIGN} 48 pixels, 300 products, 48\N{MULTIPLICATION SIGN}48.",
    "<!-- a remark in words -->",
]

WRONG = [
    ("It is 0.432<!--a.r1-->.", "disagrees"),
    ("It is 0.43120<!--a.r1--> and 0.4313<!--a.r1-->.", "disagrees"),
    ("It is 42 %<!--a.r1:percent-->.", "disagrees with the result, 43.1200"),
    ("It gains 4.2 points<!--b.r1 - a.r1:points-->.", "disagrees"),
    ("It is 0.43 %<!--a.r1-->.", "another unit"),
    ("It is 43<!--a.r1:percent-->.", "another unit"),
    ("It gains 43.1 points<!--a.r1:points-->.", "a difference"),
    ("It is 0.43<!--c.r1-->.", "no result 'c.r1'"),
    ("It is 0.43<!--03:a.r1-->.", "no result"),
    ("Among 100,00<!--n-->.", "thousands"),
    ("Among 1,0000<!--n-->.", "thousands"),
    ("Among 10,001<!--n-->.", "disagrees"),
    ("Among 10000 <!--n-->.", "behind no number"),
    ("`0.431`<!--a.r1-->", "behind no number"),
    ("It is 0.431.", "'0.431' is not locked"),
    ("It is 43 % of all.", "'43 %' is not locked"),
    ("It is 43 per cent.", "not locked"),
    ("It is 50\N{MULTIPLICATION SIGN} faster, or 50 times.", "not locked"),
    ("It gains +4 points.", "not locked"),
    ("| 0.4 | x |", "not locked"),
    ("A price of $5 and 0.5 and $6.", "not locked"),
]


@pytest.mark.parametrize("prose", RIGHT)
def test_locked_prose_that_is_right(prose):
    assert guards.prose_faults(prose, LEDGER_OF_TEST, {"02": {"a.r1": "0.3890"}}) == []


@pytest.mark.parametrize(("prose", "words"), WRONG)
def test_locked_prose_that_is_wrong(prose, words):
    faults = guards.prose_faults(prose, LEDGER_OF_TEST, {"02": {"a.r1": "0.3890"}})
    assert any(words in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.399<!--a.r1-->", "0.431<!--a.r1-->"),
        ("**40 %**<!--a.r1:percent-->", "**43 %**<!--a.r1:percent-->"),
        ("+1.0 points<!--a.r1 - b.r1:points-->", "+4.2 points<!--a.r1 - b.r1:points-->"),
        (
            "+1.0 points<!--b.r1 - a.r1:points-->",
            "\N{MINUS SIGN}4.2 points<!--b.r1 - a.r1:points-->",
        ),
        ("2,000<!--n-->", "10,000<!--n-->"),
        ("0.431<!--a.r1-->, 1<!--unknown-->", "0.431<!--a.r1-->, 1<!--unknown-->"),
        ("```\n0.399<!--a.r1-->\n```", "```\n0.399<!--a.r1-->\n```"),
    ],
)
def test_relocked(old, new):
    assert guards.relocked(old, LEDGER_OF_TEST) == new
    assert guards.relocked(new, LEDGER_OF_TEST) == new


# --- the refresh tool ---------------------------------------------------------------------------


def test_refresh_executes_cleans_and_relocks(tmp_path, capsys):
    path = tmp_path / "01_tiny.ipynb"
    (tmp_path / "beside.py").write_text("value = 0.25\n")
    tiny = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("It is 0.9<!--a.b-->."),
            nbformat.v4.new_code_cell("import beside", metadata={"execution": {"a": "1"}}),
            nbformat.v4.new_code_cell(
                "class R:\n    def show(self):\n"
                "        print('Results of this notebook')\n"
                "        print('a.b =', beside.value)\nR().show()"
            ),
        ],
        metadata={"widgets": {}},
    )
    nbformat.write(tiny, path)
    assert refresh_notebooks.main([str(path)]) == 0
    assert "-It is 0.9<!--a.b-->." in capsys.readouterr().out
    first = path.read_bytes()
    nb = guards.load(path)
    assert "0.2<!--a.b-->" in nb.cells[0].source or "0.3<!--a.b-->" in nb.cells[0].source
    assert nb.cells[1].metadata == {} and nb.metadata == refresh_notebooks.METADATA
    assert [cell.id for cell in nb.cells] == [cell.id for cell in tiny.cells]
    assert refresh_notebooks.main([str(path)]) == 0
    assert path.read_bytes() == first

    (tmp_path / "beside.py").write_text("value = 0.26\n")
    assert refresh_notebooks.main(["--check", "--tolerance", "0.02", str(path)]) == 0
    assert refresh_notebooks.main(["--check", str(path)]) == 1
    assert path.read_bytes() == first


# --- nbval with the alternative texts compared --------------------------------------------------

DRAWS = """
from IPython.display import Image, display
png = bytes.fromhex("89504e470d0a1a0a")
display(Image(png, format="png"), metadata={"image/png": {"alt": "A bar of height 2."}})
"""


@pytest.mark.parametrize(("committed", "code"), [("2.", 0), ("3.", 1)])
def test_nbval_compares_alternative_texts(tmp_path, committed, code):
    path = tmp_path / "01_tiny.ipynb"
    tiny = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DRAWS.strip())])
    nbformat.write(tiny, path)
    assert refresh_notebooks.main([str(path)]) == 0
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace('"A bar of height 2."\n', f'"A bar of height {committed}"\n'))
    shutil.copy(guards.ROOT / "notebooks" / "conftest.py", tmp_path)
    options = ["-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(guards.ROOT / "tests")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == code, run.stdout + run.stderr
    assert ("alternative texts were" in run.stdout) == bool(code)


# --- the ledger of results ----------------------------------------------------------------------


def test_ledger_prints_what_the_guards_read(nb, capsys):
    results = course.Results()
    results.record("cca", {"image_to_text": {"r1": 0.43125}, "n": 1000})
    results.record(time=3.0, zero=-0.00001)
    results.record("cca.n", 1000)  # once more, the same
    results.show()
    set_output(nb["cells"][LEDGER], "text", capsys.readouterr().out)
    assert guards.ledger(nb) == {
        "cca.image_to_text.r1": "0.4313",
        "cca.n": "1000",
        "time": "3.0000",
        "zero": "0.0000",
    }
    assert course.HEADING == guards.LEDGER_HEADING


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("a", float("nan")), ValueError, "finite"),
        (("a", float("inf")), ValueError, "finite"),
        (("a", "0.5"), TypeError, "one int or float, got str"),
        (("a", True), TypeError, "got bool"),
        (("a", [1, 2]), TypeError, "got list"),
        (("recall@1", 0.5), ValueError, "lower-case"),
        (("known", 2), ValueError, "already recorded as 1"),
        ((), TypeError, "key"),
    ],
)
def test_ledger_refuses(arguments, error, words):
    results = course.Results()
    results.record(known=1)
    with pytest.raises(error, match=words):
        results.record(*arguments)
    assert results._values == {"known": 1}


# --- the checks of exercises --------------------------------------------------------------------


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


CHECKS = [
    pytest.param(value, id=f"{path.stem}.{name}")
    for path in sorted((guards.ROOT / "notebooks").glob("exercises_*.py"))
    for name, value in vars(importlib.import_module(path.stem)).items()
    if isinstance(value, course.Check)
]


@pytest.mark.parametrize("check", [*CHECKS, pytest.param(check, id="example")])
def test_every_check_tells_its_mistakes_apart(check):
    assert len(check.mistakes) >= (2 if check.right == "That is the length." else 3)
    hints = [mistake.hint for mistake in check.mistakes]
    assert len(set(hints)) == len(hints)
    for mistake in check.mistakes:
        if mistake.like is not None:
            assert check.verdict(mistake.like) == f"Not yet: {mistake.hint}", mistake.name


def test_examples_in_docstrings():
    result = doctest.testmod(course)
    assert result.attempted and not result.failed


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
