"""The guards on the committed notebooks, and tests that each guard sees what it guards against."""

import copy
import functools
import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

import guards
import readme_picture
import refresh_notebooks
import run_notebooks

README = guards.ROOT / "README.md"
load = functools.cache(guards.load_committed)
ledgers = functools.cache(guards.ledgers)
each_notebook = pytest.mark.parametrize("path", guards.NOTEBOOKS, ids=lambda path: path.stem)


# --- the committed notebooks --------------------------------------------------------------------


@each_notebook
def test_notebook(path):
    faults = guards.faults_of(load(path), ledgers())
    assert not faults, "\n".join([f"{path.name}:", *faults])


@each_notebook
def test_notebook_is_valid_and_written_by_the_refresh_tool(path):
    nb = load(path)
    nbformat.validate(nb)
    cleaned = copy.deepcopy(nb)
    refresh_notebooks.clean(cleaned)
    assert nb == cleaned, "run tests/refresh_notebooks.py before committing"


def damage_in_turn(nb):
    """Yield the name of a guard, the notebook with that damage, and what mends it again."""
    code_cells = [cell for _, cell in guards.cells(nb, "code")]
    outputs = [output for cell in code_cells for output in cell["outputs"]]
    picture = next(output for output in outputs if guards.has_picture(output))
    first, folded = code_cells[0], [c for c in code_cells if "ledger" in guards.tags(c)]
    for guard, part, key, value in [
        ("execution_counts", first, "execution_count", None),
        ("no_errors", first, "outputs", [stream("a warning", "stderr")]),
        ("no_machine_traces", first, "outputs", [stream("<Line2D at 0x7f0011aa>")]),
        ("figures", picture, "metadata", {}),
        ("has_ledger", code_cells[-1], "outputs", []),
        ("ledger_cells", folded[0]["metadata"], "jupyter", {}),
        ("exercises", code_cells[-2], "metadata", {"tags": ["solution"]}),
        ("metadata", nb["cells"][-1], "id", nb["cells"][0]["id"]),
    ]:
        sound, part[key] = part[key], value
        yield guard
        part[key] = sound


@each_notebook
def test_damage_to_a_copy_of_a_real_notebook_is_reported(path):
    nb = copy.deepcopy(load(path))
    for guard in damage_in_turn(nb):
        assert getattr(guards, guard)(nb), f"{guard} saw nothing"
    assert nb == load(path)


@each_notebook
def test_one_digit_changed_in_a_real_notebook_is_reported(path):
    results = ledgers()[path.name[:2]]
    changed = 0
    for _, cell in guards.cells(load(path), "markdown"):
        for match in list(guards._LOCK.finditer(cell["source"]))[:1]:
            end = match.end("digits")
            digit = str((int(cell["source"][end - 1]) + 5) % 10)
            wrong = cell["source"][: end - 1] + digit + cell["source"][end:]
            if guards.relocked(wrong, results, ledgers()) == wrong:
                continue  # stands in code
            assert guards.prose_faults(wrong, results, ledgers())
            changed += 1
    assert changed, "no number is locked"


def test_readme_numbers():
    faults = guards.prose_faults(README.read_text(encoding="utf-8"), {}, ledgers())
    assert not faults, "\n".join(faults)


def test_readme_picture_shows_what_the_model_finds():
    told = readme_picture.told(*readme_picture.found_by_photos()[1:])
    assert readme_picture.IN_README.findall(README.read_text(encoding="utf-8")) == [told], (
        "run tests/readme_picture.py"
    )
    assert (guards.ROOT / readme_picture.PICTURE).stat().st_size <= 150_000


def test_readme_names_what_exists():
    for target in re.findall(r"\]\(([^():#]+)\)", README.read_text(encoding="utf-8")):
        assert (guards.ROOT / target).exists(), f"README.md links to {target}, which is not there"


def test_the_order_of_files_names_what_exists():
    for start in run_notebooks.ORDER:
        assert list(guards.ROOT.glob(f"{start}*")), start
    assert {f"notebooks/{path.name[:2]}" for path in guards.NOTEBOOKS} <= {*run_notebooks.ORDER}


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


def picture(described, caption="A line."):
    """Return a figure's two outputs, as course.show displays them."""
    folded = f"<details><summary>{guards.NUMBERS}</summary><ul><li>a: 1</li></ul></details>"
    shown = {
        "output_type": "display_data",
        "data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"},
        "metadata": {"image/png": {"alt": f"{caption} {described}"}},
    }
    text = {
        "text/html": f"<p>{caption}</p>{folded}",
        "text/plain": f"{caption}\n{guards.NUMBERS}\n- a: 1",
    }
    return [shown, {"output_type": "display_data", "data": text, "metadata": {}}]


def listed(*lines):
    """Return the output of results.show()."""
    text = "\n".join(["Results of this notebook", *lines])
    folded = f"<details><summary>Results of this notebook</summary>{lines}</details>"
    data = {"text/html": folded, "text/plain": text}
    return {"output_type": "display_data", "data": data, "metadata": {}}


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


SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 200"><title>T</title>
<desc>D</desc><text font-size="14">x</text></svg>"""
FOLDED = {"tags": ["ledger"], "jupyter": {"source_hidden": True}}


@pytest.fixture
def nb(tmp_path, monkeypatch):
    """Return a notebook without faults, beside three diagrams."""
    monkeypatch.setattr(guards, "FOLDER", tmp_path)
    for name in "abc":
        (tmp_path / f"{name}.svg").write_text(SVG)
    opening = "**What you'll do.** It takes 5 minutes. What you'll learn. What you'll need."
    drawn = "\n".join(f"![Two towers meet in {name}](../x/{name}.svg)" for name in "abc")
    cells = [
        markdown(f"# Title\n{opening}"),
        code("plot()", *picture("It rises from 1 to 2.")),
        markdown("The share is 43.1 %<!--cca.r1:percent--> of all."),
        code("plot()", *picture("Two bars of height 1.")),
        code("print(1.5)", stream("took 3 s\n"), tags=["nbval-ignore-output"]),
        code("results.record(n=1000)", **FOLDED),
        markdown(drawn.replace("../x/", "")),
        *(cell for number in range(1, 5) for cell in exercise_cell_list(number)),
        markdown("## Summary"),
        markdown("## Where to read more"),
        code("results.show()", listed("n = 1000", "cca.r1 = 0.4312"), **FOLDED),
    ]
    count = 0
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    return nbformat.from_dict(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": guards.METADATA, "cells": cells}
    )


LEDGER, TASK, READER, SOLUTION, SUMMARY = 5, 7, 8, 10, 23  # cells of the sound notebook


def test_sound_notebook_has_no_faults(nb):
    nbformat.validate(nb)
    assert guards.faults_of(nb) == []
    assert guards.is_refreshed(nb)


def output_of(cell, key, value, place=0):
    cell["outputs"][place][key] = value


def data_of(cell, place=0, **data):
    cell["outputs"][place]["data"].update(
        {name.replace("_", "/"): value for name, value in data.items()}
    )


def draw(svg):
    (guards.FOLDER / "b.svg").write_text(svg)


def replace(cell, old, new):
    cell["source"] = cell["source"].replace(old, new)


# Each line: the guard, what breaks the sound notebook, and words of the fault it must report.
BREAKS = [
    ("execution_counts", lambda c: c[1].update(execution_count=None), "cell 1: execution count"),
    ("execution_counts", lambda c: c.pop(4), "is 4, expected 3"),
    ("no_errors", lambda c: c[3]["outputs"].append(stream("warning", "stderr")), "cell 3: wrote"),
    (
        "no_errors",
        lambda c: c[3]["outputs"].append({"output_type": "error", "ename": "ValueError"}),
        "ValueError",
    ),
    ("no_machine_traces", lambda c: output_of(c[4], "text", "<A at 0x7f3a2b1c>"), "address"),
    ("no_machine_traces", lambda c: output_of(c[4], "text", "saved /tmp/a.npz"), "cell 4: out"),
    ("no_machine_traces", lambda c: output_of(c[4], "text", "C:\\Users\\me"), "path"),
    ("no_machine_traces", lambda c: data_of(c[1], text_plain="/root/a"), "path"),
    (
        "no_estimator_pages",
        lambda c: data_of(c[1], text_html="<style>.sk-estimator</style>"),
        "cell 1: shows an estimator",
    ),
    ("metadata", lambda c: c[1].pop("id"), "cell 1: has no id"),
    ("metadata", lambda c: c[1].update(id="cell-0"), "id of an earlier cell"),
    ("known_tags", lambda c: c[1]["metadata"].update(tags=["nbval-skip"]), "not one of ours"),
    ("known_tags", lambda c: c[1].update(source="# NBVAL_SKIP\nplot()"), "comment NBVAL_SKIP"),
    ("ignored_cells", lambda c: c[4].update(source="results.record(a=1)"), "cell 4"),
    ("size", lambda c: c[1].update(source="x" * guards.MAX_BYTES), "bytes"),
    ("figures", lambda c: c[1]["outputs"][0].update(metadata={}), "cell 1: the picture has no"),
    ("figures", lambda c: c[3]["outputs"].pop(1), "no caption stands under"),
    ("figures", lambda c: data_of(c[1], 1, text_plain="Other.\n"), "no caption"),
    ("figures", lambda c: data_of(c[1], 1, text_plain="A line."), "do not stand, folded"),
    ("figures", lambda c: data_of(c[1], 1, text_html="<p>A line. a: 1</p>"), "folded"),
    ("figures", lambda c: c[3].update(outputs=picture("1", "It. And it.")), "one sentence"),
    ("figures", lambda c: c[3].update(outputs=picture("1" * 1200)), "over 1200"),
    ("figures", lambda c: c[3].update(outputs=c[1]["outputs"]), "that of cell 1"),
    ("figures", lambda c: c[1]["outputs"][0].update(data={"image/svg+xml": "<svg/>"}), "no PNG"),
    ("figures", lambda c: c[2].update(source='<img src="a.png" alt="">'), "picture in text"),
    ("diagrams", lambda c: replace(c[6], "b.svg", "d.svg"), "there is no d.svg"),
    ("diagrams", lambda c: replace(c[6], "b.svg", "https://b.c/b.svg"), "there is no https"),
    ("diagrams", lambda c: replace(c[6], "Two towers meet in b", "b"), "does not say what"),
    ("diagrams", lambda c: replace(c[6], "](b.svg)", "]"), "2 diagrams, fewer than 3"),
    ("diagrams", lambda c: draw(SVG.replace("<title>T</title>", "")), "b.svg has no <title>"),
    ("diagrams", lambda c: draw(SVG.replace("<desc>D", "<desc>")), "b.svg has no <desc>"),
    ("diagrams", lambda c: draw(SVG.replace("viewBox", "box")), "no viewBox"),
    ("diagrams", lambda c: draw(SVG.replace('"14"', '"12px"')), "text of 12 px"),
    ("diagrams", lambda c: draw(SVG.replace("<text", '<image href="a.png"/><text')), "elsewhere"),
    ("diagrams", lambda c: draw("<svg>"), "is no SVG"),
    ("has_ledger", lambda c: c[-1].update(source="1 + 1"), "results.show()"),
    ("has_ledger", lambda c: c[-1].update(outputs=[]), "results.show()"),
    ("has_ledger", lambda c: c.append(code("1")), "results.show()"),
    ("has_ledger", lambda c: data_of(c[-1], text_html="n = 1"), "not folded"),
    ("ledger_cells", lambda c: c[3].update(source="results.record(a=1)"), "cell 3: results.rec"),
    ("ledger_cells", lambda c: c[3].update(source="results.check(a, 'b')"), "cell 3: results.ch"),
    ("ledger_cells", lambda c: c[LEDGER].update(metadata={}), "tagged 'ledger'"),
    ("ledger_cells", lambda c: c[LEDGER]["metadata"].pop("jupyter"), "not folded"),
    ("ledger_cells", lambda c: c[LEDGER].update(outputs=[stream("a")]), "shows something"),
    ("ledger_cells", lambda c: c[LEDGER].update(source="assert a"), "an assert stops"),
    ("ledger_cells", lambda c: c[3].update(source="if a:\n    assert a"), "an assert stops"),
    ("locked_numbers", lambda c: c[2].update(source="It is 0.43."), "cell 2: the number '0.43'"),
    (
        "locked_numbers",
        lambda c: c[-1].update(outputs=[listed("cca.r1 = 0.4412")]),
        "43.1 %<!--cca.r1:percent--> disagrees with the result, 44.12",
    ),
    ("opening", lambda c: c.pop(0), "title"),
    ("opening", lambda c: replace(c[0], "learn", "see"), "'learn'"),
    ("opening", lambda c: replace(c[0], "minutes", ""), "minutes"),
    ("opening", lambda c: [c[n].update(outputs=[]) for n in (1, 3, 4, READER)], "no result"),
    ("closing", lambda c: c.pop(SUMMARY), "last two sections"),
    ("closing", lambda c: c.append(markdown("## More")), "last two sections"),
    ("bounds", lambda c: c[1].update(source="x = 1\n" * 200), "lines in a code cell"),
    ("bounds", lambda c: c[2].update(source="word " * 4000), "words, more than 4,000"),
    ("bounds", lambda c: c.extend(markdown("a") for _ in range(100)), "cells, more than 100"),
    ("exercises", lambda c: [c.pop(19) for _ in range(4)], "3 exercises, fewer than 4"),
    ("exercises", lambda c: c[TASK].update(source="### Exercise 1.1: no time"), "heading is not"),
    (
        "exercises",
        lambda c: c[TASK].update(source="### Exercise 1.2: t (5 minutes)"),
        "number 1",
    ),
    ("exercises", lambda c: c.pop(9), "not followed by"),
    ("exercises", lambda c: c[9].update(source="Here it is"), "no cell says"),
    ("exercises", lambda c: replace(c[READER], "...", "return x"), "body"),
    ("exercises", lambda c: c[READER].update(source="check(f)"), "body"),
    ("exercises", lambda c: replace(c[READER], "x):", "x:"), "body"),
    ("exercises", lambda c: output_of(c[READER], "text", "Not yet: no\n"), "Not attempted yet"),
    ("exercises", lambda c: output_of(c[SOLUTION], "text", "Not yet: no\n"), "'Right. ...'"),
    ("exercises", lambda c: c[SOLUTION].update(metadata={"tags": ["solution"]}), "not folded"),
    ("exercises", lambda c: c[SOLUTION]["metadata"].update(tags=[]), "not tagged 'solution'"),
    ("exercises", lambda c: replace(c[SOLUTION], "check(f)", "ok(f)"), "same"),
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
    nb["metadata"]["kernelspec"] = {"name": "conda-env"}
    nb["nbformat_minor"] = 4
    assert len(guards.metadata(nb)) == 2


def test_solution_source(nb):
    assert guards.solution_source(nb, "1.3") == "def f(x):\n    return x + 3\n\n"
    with pytest.raises(KeyError):
        guards.solution_source(nb, "1.9")
    nb["cells"][SOLUTION]["metadata"]["tags"] = []
    with pytest.raises(ValueError, match="cell 10 is not the solution of exercise 1.1"):
        guards.solution_source(nb, "1.1")


# --- locked numbers -----------------------------------------------------------------------------

LEDGER_OF_TEST = {"a.r1": "0.4312", "b.r1": "0.3890", "n": "10000", "t": "-0.0312", "big": "2.5"}
LEDGER_OF_TEST |= {"c.gain": "0.0420", "c.low": "-0.0102", "c.high": "0.0900", "d": "0.4000"}
LEDGER_OF_TEST["zero"] = "0.0000"

RIGHT = [
    "It is 0.431<!--a.r1-->.",
    "It is 0.43<!-- a.r1 -->, or 0.4312<!--a.r1-->.",
    "It is **43.1 %**<!--a.r1:percent--> and 43%<!--a.r1:percent-->.",
    "It is 43 per cent<!--a.r1:percent-->.",
    "It gains +4.2 points<!--a.r1 - b.r1:points-->.",
    "It gains 4.2 percentage points<!--a.r1-b.r1:points-->.",
    "It loses \N{MINUS SIGN}4.2 points<!--b.r1 - a.r1:points-->.",
    "It loses -0.042<!--b.r1 - a.r1-->.",
    "It gains +4.2 points<!--c.gain:points-->, from -1.0<!--c.low:points--> to 9 points"
    "<!--c.high:points-->, or 40<!--d:percent--> to 43 %<!--a.r1:percent-->.",
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
    ("It gains 42<!--c.gain:points--> to 9 points<!--c.high:points-->.", "disagrees"),
    ("It gains 43.1 points<!--a.r1:points-->.", "a difference"),
    ("It is 0.43<!--c.r1-->.", "no result 'c.r1'"),
    ("It is 0.43<!--03:a.r1-->.", "no result"),
    ("It is 2 times<!--a.r1 / zero:times-->.", "cannot be computed"),
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


# --- what may differ between two runs -----------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("r: 0.431 (0.4 to 0.46)", "r: 0.432 (0.4 to 0.46)", True),
        ("n: 12,345; x: 1.2e-05", "n: 12,346; x: 2e-05", True),
        ("r: 0.431", "r: 0.441", False),
        ("n: 1,000", "n: 1,020", False),
        ("x: 0.5", "x: -0.5", False),
        ("a: 1", "b: 1", False),
        ("a: 1", "a: 1; b: 2", False),
        ("a: missing", "a: 1", False),
    ],
)
def test_numbers_agree_to_a_last_digit(before, after, same):
    assert guards.agree(before, after) is same


def test_lists_of_numbers_are_settled_and_nothing_else():
    def outputs(number):
        listed = {"text/plain": f"{guards.NUMBERS}\na: {number}"}
        return [stream(f"it is {number}\n"), {"output_type": "display_data", "data": listed}]

    fresh = outputs("0.432")
    guards.settle(outputs("0.431"), fresh)
    assert [fresh[0], fresh[1]] == [outputs("0.432")[0], outputs("0.431")[1]]
    guards.settle(outputs("0.5"), fresh)
    assert fresh[1] == outputs("0.431")[1]


# --- the tools, on a project of three lines -----------------------------------------------------

RECORDS = """
import os

import course

results = course.Results()
results.record("a", {"b": VALUE})
os.environ["OMP_NUM_THREADS"], os.environ.get("COURSE_STRICT")
"""


def tiny_notebook(path, *sources):
    """Write a notebook of code cells, the last of which shows the results."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (*sources, "results.show()")]
    cells.insert(0, nbformat.v4.new_markdown_cell("It is 0.9<!--a.b-->."))
    nb = nbformat.v4.new_notebook(cells=cells, metadata={"widgets": {}})
    for number, cell in enumerate(nb.cells):
        cell.id = f"c{number}"
    nbformat.write(nb, path)


@pytest.fixture
def project(tmp_path):
    """Return a folder with the package, the plugin and its guards, and one small notebook."""
    for name in ("conftest.py", "tests/guards.py", "tests/run_notebooks.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(guards.ROOT / name, tmp_path / name)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = tests\n")
    (tmp_path / "notebooks" / "course").mkdir(parents=True)
    with_module(tmp_path, "ledger", "Results")
    tiny_notebook(tmp_path / "notebooks" / "01_tiny.ipynb", RECORDS.replace("VALUE", "0.25"))
    return tmp_path


def with_module(folder, module, name):
    """Give a project's package a module, and that its name."""
    package = folder / "notebooks" / "course"
    shutil.copy(guards.FOLDER / "course" / f"{module}.py", package)
    with open(package / "__init__.py", "a") as file:
        file.write(f"from .{module} import {name}\n")


def test_refresh_executes_cleans_and_relocks(project, capsys):
    path = project / "notebooks" / "01_tiny.ipynb"
    assert refresh_notebooks.main([str(path)]) == 0
    assert "-It is 0.9<!--a.b-->." in capsys.readouterr().out
    first, nb = path.read_bytes(), guards.load(path)
    assert nb.cells[0].source in ("It is 0.2<!--a.b-->.", "It is 0.3<!--a.b-->.")
    assert guards.is_refreshed(nb) and [cell.id for cell in nb.cells] == ["c0", "c1", "c2"]
    assert guards.printed(nb.cells[1]) == "('1', '1')"
    assert guards.ledger(nb) == {"a.b": "0.2500"}
    assert refresh_notebooks.main([str(path)]) == 0
    assert path.read_bytes() == first

    path.write_bytes(first.replace(b"0.25}", b"0.26}"))
    assert refresh_notebooks.main(["--check", "--tolerance", "0.005", str(path)]) == 1
    assert "01_tiny.ipynb: 1 results differ" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "n_lines"),
    [
        ({"a": "0.25", "n": "1000"}, {"a": "0.26", "n": "1010"}, 0),
        ({"a": "0.25", "n": "1000"}, {"a": "0.28", "n": "1030"}, 2),
        ({"a": "0.25", "b": "1"}, {"a": "0.25", "c": "1"}, 2),
    ],
)
def test_results_drift_when_they_differ_by_more_than_the_tolerance(old, new, n_lines):
    assert len(list(refresh_notebooks.drift(old, new, 0.02))) == n_lines


def test_refresh_rewrites_the_numbers_of_the_readme(tmp_path, monkeypatch, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("It is 0.4<!--02:a-->, and 0.5<!--fixed-->.\n")
    monkeypatch.setattr(refresh_notebooks, "README", readme)
    refresh_notebooks._write_readme({"02": {"a": "0.7312"}})
    assert readme.read_text() == "It is 0.7<!--02:a-->, and 0.5<!--fixed-->.\n"
    assert "+It is 0.7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("results.record(n=1)\nresults.record(n=2)\nresults.check(False, 'it holds')", 0),
        ("x = globals().get('x', 0) + 1\n1 / (2 - x)", 1),
        ("import warnings\nwarnings.warn('careful')", 1),
    ],
)
def test_every_cell_is_run_twice_as_a_reader_does(project, source, code):
    path = project / "notebooks" / "01_tiny.ipynb"
    tiny_notebook(path, RECORDS.replace("VALUE", "0.25"), source)
    before = path.read_bytes()
    assert refresh_notebooks.main(["--twice", str(path)]) == code
    assert path.read_bytes() == before


DRAWS = """
from matplotlib import pyplot as plt

fig, ax = plt.subplots(figsize=(2, 2))
ax.bar(["a"], [2.0])
course.show(fig, "A bar.")
"""


def test_pytest_runs_notebooks_as_it_should(project):
    """One whose figures say other numbers, a reader's copy of it, and what is none of ours."""
    folder = project / "notebooks"
    ours, copy_of_it = folder / "01_tiny.ipynb", folder / "02_mine.ipynb"
    with_module(project, "figures", "show")
    tiny_notebook(
        ours,
        RECORDS.replace("VALUE", "0.5"),
        DRAWS,
        DRAWS.replace('"a"', '"b"').replace("A bar", "B"),
    )
    assert refresh_notebooks.main([str(ours)]) == 0
    for name in (copy_of_it, folder / "01_tiny-Copy1.ipynb"):
        shutil.copy(ours, name)
    (folder / "Untitled.ipynb").write_text("{")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "as committed")

    source = ours.read_text(encoding="utf-8")
    for old, new in (("A bar. values: a: 2.", "A bar. values: a: 3."), ("b: 2<", "b: 3<")):
        assert source.count(old) == 1
        source = source.replace(old, new)
    ours.write_text(source)
    mine = json.loads(copy_of_it.read_text(encoding="utf-8"))
    mine["metadata"]["language_info"]["version"] = "3.13.1"
    mine["cells"][1]["execution_count"] = 7
    mine["cells"][1]["source"] = ["1 / 0"]
    copy_of_it.write_text(json.dumps(mine))

    options = ["-q", "-rs", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "notebooks"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert "2 failed, 2 passed, 4 skipped" in run.stdout, run.stdout + run.stderr
    assert (
        "alternative texts were ['A bar. values: a: 3.'], now ['A bar. values: a: 2.']"
        in run.stdout
    )
    assert "mismatch 'text/html'" in run.stdout
    said = (
        "notebooks/02_mine.ipynb is your own copy, run and saved with 1 of its cells changed: its"
    )
    assert f"{said} cells were not compared; the committed one comes back with: git" in run.stdout
    assert "git checkout -- notebooks/02_mine.ipynb" in run.stdout


def git(folder, *arguments):
    """Run git as somebody."""
    who = {
        f"GIT_{role}_{what}": "a@b.c"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **who}, check=True)


def test_a_readers_copy_gives_way_to_the_committed_notebook(project, monkeypatch):
    path = project / "notebooks" / "01_tiny.ipynb"
    assert refresh_notebooks.main([str(path)]) == 0
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "as committed")
    committed = guards.load(path)
    monkeypatch.setattr(guards, "ROOT", project)
    monkeypatch.setattr(guards, "NOTEBOOKS", [path])
    read = guards.readers_copies.__wrapped__
    monkeypatch.setattr(guards, "readers_copies", read)
    assert read() == {}
    source = path.read_text(encoding="utf-8").replace("It is", "It was")
    path.write_text(source.replace('"execution_count": 1', '"execution_count": null'))
    assert read() == {}  # an author at work: the tests are strict with him
    path.write_text(source.replace('"name": "python",', '"name": "python", "version": "3.13",'))
    assert list(read()) == [path] and "run and saved with 1 of its cells changed" in read()[path]
    assert guards.load_committed(path) == committed
    monkeypatch.setenv("PATH", "")  # without git, or in a folder that it does not know
    assert read() == {}
    monkeypatch.undo()
    shutil.rmtree(project / ".git")
    monkeypatch.setattr(guards, "ROOT", project)
    monkeypatch.setattr(guards, "NOTEBOOKS", [path])
    assert read() == {}
