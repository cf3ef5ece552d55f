r"""Guards on the notebooks: each takes a notebook and returns a list of faults, empty when sound.

A notebook is the dict that its JSON holds. A fault is a sentence that names the cell by its place
in ``nb["cells"]``: from 0, over all cells. (nbval counts from 0 over code cells only.)

Locked numbers
--------------
A measured figure in prose is followed at once by an HTML comment, which readers do not see::

    0.431<!--cca.image_to_text.r1-->                  the result, rounded to the digits shown
    43.1 %<!--cca.image_to_text.r1:percent-->         a share, shown in per cent
    +4.2 points<!--best.r1 - cca.r1:points-->         a difference of shares, in percentage points
    +4.2 points<!--best.gain:points-->                one that was recorded as such
    40<!--a.low:percent--> to 45 %<!--a.high:percent-->    a range
    52 times<!--time.sklearn / time.ours:times-->     a ratio; also 52×
    10,000<!--n_products-->                           with separators of thousands
    **43.1 %**<!--02:cca.r1:percent-->                a result of notebook 02, set in bold

The key, or ``key - key``, or ``key / key``, is looked up in what the notebook's last code cell,
``results.show()``, displayed. A decimal number, percentage, number of points or of times without
such a comment is a fault, except in code, mathematics, links and the numbers of headings,
exercises, figures and sections. A constant that nobody measured says so: ``0.05<!--fixed-->``.

``python tests/guards.py 03`` prints the faults of notebook 03, without a number those of all.
"""

import ast
import functools
import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from decimal import Decimal, InvalidOperation
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
NAME = re.compile(r"\d\d_[a-z0-9_]+\.ipynb")  # not a reader's own "01_building-Copy1.ipynb"
NOTEBOOKS = sorted(path for path in FOLDER.glob("*.ipynb") if NAME.fullmatch(path.name))
# What the refresh tool leaves; without the version of Python, so that it does not say who ran it.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"},
}
CELL_METADATA = {"tags", "jupyter"}

OPENING = ["What you'll do", "learn", "need", "minutes"]
CLOSING = ["summary", "read"]
OUR_TAGS = {"solution", "ledger"}
# nbval-skip and raises-exception are known to nbval too, but would hide an error.
NBVAL_TAGS = {"nbval-ignore-output", "nbval-check-output"}
MAX_CELLS, MAX_WORDS, MAX_MEAN_CELL_LINES = 100, 4000, 10
MIN_EXERCISES = 4
MIN_DIAGRAMS, MIN_FONT_SIZE = 3, 13
MAX_BYTES, MAX_ALT = 3_000_000, 1200
SOLUTION_HEADING = "Solution (click the bar to unfold)"
LEDGER_HEADING, NUMBERS = "Results of this notebook", "Numbers in this figure"
# In what order numbers are added, and so their last digits, depends on the number of threads and
# on the widest instructions that a library finds. So notebooks run here with one thread and with
# what every PC of the last ten years understands: the outputs are then the same on all of them.
SAME_SUMS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
CPU = Path("/proc/cpuinfo")
if CPU.exists() and " avx2 " in CPU.read_text(encoding="utf-8", errors="replace"):
    SAME_SUMS["OPENBLAS_CORETYPE"] = "Haswell"
    SAME_SUMS["FAISS_SIMD_LEVEL"] = "AVX2"
    SAME_SUMS["NPY_DISABLE_CPU_FEATURES"] = (  # new NumPy's names, then older ones'
        "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL"
    )


# --- reading ------------------------------------------------------------------------------------


def load(path):
    """Return a notebook's dict, each source and text as one string."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def load_committed(path):
    """Return a notebook, in place of a reader's own copy the committed one."""
    if path in readers_copies():
        return nbformat.reads(_git("show", f"HEAD:{_from_root(path)}"), nbformat.NO_CONVERT)
    return load(path)


@functools.cache
def readers_copies():
    """Return what befell each committed notebook that a reader ran and saved, by its path.

    Jupyter then writes down its Python's version, which the refresh tool leaves out; so an
    author's notebook is none, whether or not it is executed or committed.
    """
    found = {}
    for name in (_git("diff", "--name-only", "HEAD", "--", "notebooks") or "").splitlines():
        path = ROOT / name
        if path not in NOTEBOOKS:
            continue
        mine, last = load(path), _git("show", f"HEAD:{name}")
        if last is None:  # added, and not committed yet
            continue
        committed = nbformat.reads(last, nbformat.NO_CONVERT)
        if is_refreshed(committed) and mine["metadata"] != METADATA:
            was = [cell["source"] for cell in committed["cells"]]
            changed = sum(cell["source"] not in was for cell in mine["cells"])
            how = f" with {changed} of its cells changed" if changed else ""
            found[path] = (
                f"{name} is your own copy, run and saved{how}: its cells were not compared; "
                f"the committed one comes back with: git checkout -- {name}"
            )
    return found


def _git(*arguments):
    """Return what git prints in the project's folder, or None where it knows nothing."""
    try:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.decode("utf-8") if run.returncode == 0 else None


def _from_root(path):
    """Return a path as git names it."""
    return path.relative_to(ROOT).as_posix()


def is_refreshed(nb):
    """Return whether a notebook is as the refresh tool writes it."""
    known = all(set(cell["metadata"]) <= CELL_METADATA for cell in nb["cells"])
    return known and nb["metadata"] == METADATA and not execution_counts(nb)


def cells(nb, kind):
    """Return pairs of number and cell of one kind, blank ones left out."""
    return [
        (number, cell)
        for number, cell in enumerate(nb["cells"])
        if cell["cell_type"] == kind and cell["source"].strip()
    ]


def tags(cell):
    """Return a cell's tags."""
    found = cell["metadata"].get("tags", [])
    return [found] if isinstance(found, str) else found


def printed(cell):
    """Return what a cell printed."""
    outputs = cell.get("outputs", [])
    return "".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def texts(output):
    """Yield every text of an output, its alternative texts included."""
    yield output.get("text", "")
    for kind, data in output.get("data", {}).items():
        if not kind.startswith("image/") or kind == "image/svg+xml":
            yield data if isinstance(data, str) else json.dumps(data)
    yield alt(output)


def alt(output):
    """Return the alternative text of an output's picture, or an empty string."""
    return str(output.get("metadata", {}).get("image/png", {}).get("alt", "")).strip()


def has_picture(output):
    """Return whether an output holds a picture."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))


# --- executed, as committed ---------------------------------------------------------------------


def execution_counts(nb):
    """Check that every code cell was run, from top to bottom, in a fresh kernel."""
    faults = []
    for expected, (number, cell) in enumerate(cells(nb, "code"), 1):
        count = cell.get("execution_count")
        if count != expected:
            faults.append(f"cell {number}: execution count is {count}, expected {expected}")
    return faults[:3] + ([f"and {len(faults) - 3} more"] if len(faults) > 3 else [])


def no_errors(nb):
    """Check that no output is an error, and that nothing was written to stderr."""
    faults = []
    for number, cell in cells(nb, "code"):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                faults.append(f"cell {number}: output is an error, {output.get('ename')}")
            if output.get("name") == "stderr":
                faults.append(f"cell {number}: wrote to stderr: {output['text'][:60]!r}")
    return faults


_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}\b")
_PATH = re.compile(r"(?<![\w.])/(?:home|root|work|tmp|Users|private|var)/|\b[A-Za-z]:\\+\w")


def no_machine_traces(nb):
    """Check that no output shows a memory address or a path of the machine."""
    faults = []
    for number, cell in cells(nb, "code"):
        for shown in (t for output in cell["outputs"] for t in texts(output)):
            for pattern, what in ((_ADDRESS, "a memory address"), (_PATH, "a machine's path")):
                if found := pattern.search(shown):
                    faults.append(f"cell {number}: output shows {what}: {found.group()!r}")
    return faults


def no_estimator_pages(nb):
    """Check that no cell shows scikit-learn's page on an estimator: it is never stable."""
    return [
        f"cell {number}: shows an estimator; assign what fit returns, or print what matters"
        for number, cell in cells(nb, "code")
        for output in cell["outputs"]
        if "sk-estimator" in str(output.get("data", {}).get("text/html", ""))
    ]


def metadata(nb):
    """Check kernel, format and identities: what every Jupyter can open."""
    faults = []
    if nb["metadata"].get("kernelspec", {}).get("name") != "python3":
        faults.append("the kernel's name is not python3")
    if (nb.get("nbformat"), nb.get("nbformat_minor", 0)) < (4, 5):
        faults.append("the format is older than 4.5, so that cells have no id")
    ids = [cell.get("id") for cell in nb["cells"]]
    for number, identity in enumerate(ids):
        if not identity:
            faults.append(f"cell {number}: has no id")
        elif identity in ids[:number]:
            faults.append(f"cell {number}: has the id of an earlier cell, {identity!r}")
    return faults


_COMMENT_TAG = re.compile(r"^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE\w+)", re.MULTILINE)


def known_tags(nb):
    """Check for tags that do nothing, and for comments that do a tag's work unseen."""
    faults = []
    for number, cell in enumerate(nb["cells"]):
        for tag in tags(cell):
            if tag not in OUR_TAGS | NBVAL_TAGS:
                faults.append(f"cell {number}: tag {tag!r} is not one of ours")
        if cell["cell_type"] == "code":
            if found := _COMMENT_TAG.search(cell["source"]):
                faults.append(f"cell {number}: use a tag, not the comment {found.group(1)}")
    return faults


def ignored_cells(nb):
    """Check that a cell whose output nbval ignores holds no result."""
    return [
        f"cell {number}: its output is ignored, yet it records a result"
        for number, cell in cells(nb, "code")
        if "nbval-ignore-output" in tags(cell) and _LEDGER.search(cell["source"])
    ]


def size(nb):
    """Check that the notebook is small enough for a browser and a diff."""
    length = len(json.dumps(nb, ensure_ascii=False).encode())
    return [f"{length:,} bytes, more than {MAX_BYTES:,}"] if length > MAX_BYTES else []


# --- figures ------------------------------------------------------------------------------------


def figures(nb):
    """Check that each picture is a PNG with its own alternative text, and says its numbers."""
    faults, seen = [], {}
    for number, cell in cells(nb, "code"):
        for place, output in enumerate(cell["outputs"]):
            if has_picture(output):
                below = cell["outputs"][place + 1] if place + 1 < len(cell["outputs"]) else {}
                faults += [f"cell {number}: {f}" for f in _picture_faults(output, below, seen)]
                seen[alt(output)] = number
    return faults + _picture_tags_without_alt(nb)


def _picture_faults(output, below, seen):
    """Return the faults of a picture and the caption under it; ``seen`` holds texts met so far."""
    if "image/png" not in output["data"]:
        return ["the picture is no PNG"]
    described, data = alt(output), below.get("data", {})
    if not described:
        return ["the picture has no alternative text: show it with course.show"]
    caption, *numbers = data.get("text/plain", "").split("\n")
    faults = []
    if described in seen:
        faults.append(f"the alternative text is that of cell {seen[described]}")
    if len(described) > MAX_ALT:
        faults.append(f"the alternative text has {len(described)} characters, over {MAX_ALT}")
    if "text/html" not in data or not caption or caption.rstrip(".") not in described:
        faults.append("no caption stands under the picture: show it with course.show")
    elif re.search(r"[.!?] [A-Z]", caption):
        faults.append("the caption is more than one sentence")
    if re.search(r"\d", described) and (
        numbers[:1] != [NUMBERS] or f"<details><summary>{NUMBERS}<" not in data["text/html"]
    ):
        faults.append("its numbers do not stand, folded, under the picture")
    return faults


def _picture_tags_without_alt(nb):
    """Return faults for pictures in prose and HTML outputs without alternative text."""
    faults = []
    for number, cell in enumerate(nb["cells"]):
        shown = [t for output in cell.get("outputs", []) for t in texts(output)]
        shown += [cell["source"]] if cell["cell_type"] == "markdown" else []
        for html in shown:
            if re.search(r"!\[\s*\]\(", html) or re.search(
                r"<img(?![^>]*\balt=[\"'][^\"'])[^>]*>", html
            ):
                faults.append(f"cell {number}: a picture in text has no alternative text")
    return faults


def alt_drift(committed, fresh):
    """Return how the pictures' alternative texts differ between two runs of a cell, or None."""
    before = [alt(output) for output in committed if has_picture(output)]
    after = [alt(output) for output in fresh if has_picture(output)]
    if len(before) == len(after) and all(map(agree, before, after)):
        return None
    return f"alternative texts were {before}, now {after}"


_NUMBER = re.compile(r"([-\N{MINUS SIGN}]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)")


def agree(before, after):
    """Return whether two texts agree in words, and in numbers to a last of three digits.

    Processors differ in the order in which they add; what is plotted is not rounded for that.
    """
    words, others = _NUMBER.split(before), _NUMBER.split(after)
    if len(words) != len(others) or words[::2] != others[::2]:
        return False
    pairs = (
        [float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) for text in pair]
        for pair in zip(words[1::2], others[1::2], strict=True)
    )
    return all(math.isclose(a, b, rel_tol=0.011, abs_tol=0.0015) for a, b in pairs)


def settle(committed, fresh):
    """Take over the committed lists of numbers, in place, where the fresh ones agree."""
    for old, new in zip(committed, fresh, strict=False):
        before, after = old.get("data", {}), new.get("data", {})
        for kind in ("text/html", "text/plain"):
            text = before.get(kind, "")
            is_list = NUMBERS in text or LEDGER_HEADING in text
            if is_list and agree(text, after.get(kind, "")):
                after[kind] = text


# --- diagrams -----------------------------------------------------------------------------------

_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def diagrams(nb):
    """Check for drawn diagrams, each with its text for screen readers, in the file and beside."""
    faults, drawn = [], 0
    for number, cell in cells(nb, "markdown"):
        for described, target in _PICTURE.findall(_EXEMPT[0].sub(" ", cell["source"])):
            if target.startswith("http") or not (FOLDER / target).is_file():
                faults.append(f"cell {number}: there is no {target}")
            elif target.endswith(".svg"):
                drawn += 1
                if len(described.split()) < 4:
                    faults.append(
                        f"cell {number}: the text of {target} does not say what it shows"
                    )
                svg = (FOLDER / target).read_text(encoding="utf-8")
                faults += [f"{target} {fault}" for fault in _svg_faults(svg)]
    if drawn < MIN_DIAGRAMS:
        faults.append(f"{drawn} diagrams, fewer than {MIN_DIAGRAMS}")
    return faults


def _svg_faults(svg):
    """Return the faults of a diagram."""
    try:
        root = ET.fromstring(svg)
    except ET.ParseError as error:
        return [f"is no SVG: {error}"]
    faults = []
    for name in ("title", "desc"):
        found = root.find(f"{{http://www.w3.org/2000/svg}}{name}")
        if found is None or not (found.text or "").strip():
            faults.append(f"has no <{name}>")
    if not root.get("viewBox"):
        faults.append("has no viewBox")
    sizes = re.findall(r"font-size\s*[:=]\s*[\"']?\s*(\d+(?:\.\d+)?)", svg)
    if small := [size for size in sizes if float(size) < MIN_FONT_SIZE]:
        faults.append(f"has text of {small[0]} px, smaller than {MIN_FONT_SIZE}")
    if re.search(r"(?:href|src)\s*=\s*[\"'](?!#|data:)", svg) or "<script" in svg:
        faults.append("loads something from elsewhere")
    return faults


# --- locked numbers -----------------------------------------------------------------------------

_KEY = r"(?:\d\d:)?[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*"
_LOCK = re.compile(
    r"(?P<sign>(?:(?<![\w)])[+\-\N{MINUS SIGN}])?)(?P<digits>\d[\d,]*(?:\.\d+)?)"
    r"(?P<unit>\s?(?:%|per cent|percent|percentage points?|points?|\N{MULTIPLICATION SIGN}|times)"
    r"(?![a-z]))?(?P<mark>\*{0,3})"
    r"<!--\s*(?P<left>" + _KEY + r")(?:\s*(?P<sum>[-/])\s*(?P<right>" + _KEY + r"))?"
    r"(?:\s*:\s*(?P<form>percent|points|times))?\s*-->"
)
_UNITS = {
    None: {""},
    "percent": {"%", "per cent", "percent"},
    "points": {"points", "point", "percentage points", "percentage point"},
    "times": {"\N{MULTIPLICATION SIGN}", "times"},
}
_RANGE = re.compile(r"\s(?:to|and)\s")  # 40<!--a:percent--> to 50 %<!--b:percent-->
_DIFFERENCES = {"difference", "gain", "loss", "low", "high"}  # of a paired comparison, say
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# A comment that would lock a number, were there one right before it.
_LOCK_LIKE = re.compile(r"<!--\s*[a-z0-9_.:@]+(?:\s*[-/+*]\s*[a-z0-9_.:@]+)?\s*-->")
_FIXED = re.compile(r"[+\-\N{MINUS SIGN}]?\d[\d,.]*[^\d\n<]{0,20}<!--\s*fixed\s*-->")
_MEASURED = re.compile(
    r"\d*\.\d+|\d[\d,]*\s?(?:%|per cent\b|percent\b|percentage points?\b|times\b"
    r"|\N{MULTIPLICATION SIGN}(?!\s*[\d$]))|[+\-\N{MINUS SIGN}]\d+ points?\b"
)
_EXEMPT = [
    re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE),
    re.compile(r"\$\$.*?\$\$", re.DOTALL),
    re.compile(r"(`+)(?!`).+?\1", re.DOTALL),
    re.compile(r"(?<![\\\d])\$(?=\S)[^$]*?\S\$(?!\d)|\$\S\$"),
    re.compile(r"(?<=\])\([^()\s]*\)|<https?://[^>]*>|https?://\S+"),
    re.compile(r"\barXiv:\d{4}\.\d+|\bdoi:\S+", re.IGNORECASE),
    re.compile(r"^#+ (?:Exercise )?\d+(?:\.\d+)*\.?(?=[ :])", re.MULTILINE),
    re.compile(r"\b(?:[Ee]xercises?|[Ff]igures?|[Ss]ections?|[Nn]otebooks?) \d+(?:\.\d+)?\b"),
]


def ledger(nb):
    """Return the results that the last code cell displayed, each as the text shown.

    Returns
    -------
    dict
        Empty when that cell is no ``results.show()``.
    """
    code = cells(nb, "code")
    lines = printed(code[-1][1]).splitlines() if code else []
    if not lines or lines[0] != LEDGER_HEADING or ".show()" not in code[-1][1]["source"]:
        return {}
    return dict(line.split(" = ", 1) for line in lines[1:] if " = " in line)


def ledgers(paths=None):
    """Return the results of several notebooks by their two-digit number."""
    paths = NOTEBOOKS if paths is None else paths
    return {path.name[:2]: ledger(load_committed(path)) for path in paths}


def has_ledger(nb):
    """Check that the last code cell shows the results, folded."""
    if not ledger(nb):
        return ["the last code cell is no results.show() that listed at least one result"]
    pages = [o.get("data", {}).get("text/html", "") for o in cells(nb, "code")[-1][1]["outputs"]]
    if not any(page.startswith(f"<details><summary>{LEDGER_HEADING}<") for page in pages):
        return ["the list of results is not folded"]
    return []


_LEDGER = re.compile(r"\bresults\.(?:record|check|show)\(")


def ledger_cells(nb):
    """Check that the page shows none of the checking, and that a reader meets none of it."""
    faults = []
    code = cells(nb, "code")
    for number, cell in code:
        is_ledger = "ledger" in tags(cell)
        if found := None if is_ledger else _LEDGER.search(cell["source"]):
            faults.append(f"cell {number}: {found.group()}) belongs into a cell tagged 'ledger'")
        if is_ledger and cell["metadata"].get("jupyter", {}).get("source_hidden") is not True:
            faults.append(f"cell {number}: the ledger's cell is not folded")
        if is_ledger and cell["outputs"] and cell is not code[-1][1]:
            faults.append(f"cell {number}: a ledger's cell that shows something")
        statements = ast.walk(_parsed(cell["source"]))
        if "solution" not in tags(cell) and any(isinstance(s, ast.Assert) for s in statements):
            faults.append(
                f"cell {number}: an assert stops a reader who changed a value; "
                "write results.check(condition, 'claim') in a cell tagged 'ledger'"
            )
    return faults


def locked_value(match, results, others):
    """Return the Decimal that a locked number must show.

    Raises
    ------
    KeyError
        When a key is not among the results.
    """
    left = _look_up(match["left"], results, others)
    right = _look_up(match["right"], results, others) if match["right"] else None
    value = left if right is None else left - right if match["sum"] == "-" else left / right
    return value * 100 if match["form"] in ("percent", "points") else value


def _look_up(key, results, others):
    """Return one result as a Decimal."""
    if key[:2].isdigit():
        results, key = others.get(key[:2], {}), key[3:]
    return Decimal(results[key])


def shown_value(match):
    """Return the number that the prose shows, and the size of its last digit."""
    digits = match["digits"].replace(",", "")
    value = Decimal(digits)
    if match["sign"] not in ("", "+"):
        value = -value
    decimals = len(digits.partition(".")[2])
    return value, Decimal(1).scaleb(-decimals)


def lock_fault(match, results, others):
    """Return what is wrong with one locked number, or None."""
    where = match.group().strip()
    begins_range = not match["unit"] and _RANGE.match(match.string, match.end())
    if not begins_range and (match["unit"] or "").strip() not in _UNITS[match["form"]]:
        return f"{where} shows another unit than its comment names"
    is_difference = match["sum"] == "-" or match["left"].split(".")[-1] in _DIFFERENCES
    if match["form"] == "points" and not is_difference:
        return f"{where}: points are a difference, 'key - key:points'"
    try:
        value = locked_value(match, results, others)
    except KeyError as missing:
        return f"{where}: no result {missing}"
    except (InvalidOperation, ZeroDivisionError):
        return f"{where}: cannot be computed"
    shown, last_digit = shown_value(match)
    if abs(shown - value) > last_digit / 2:
        return f"{where} disagrees with the result, {value:f}"
    if not _separated(match["digits"]):
        return f"{where}: the commas do not separate thousands"
    return None


def _separated(digits):
    """Return whether commas, if any, stand before each group of three digits."""
    whole = digits.partition(".")[0]
    return "," not in whole or f"{int(whole.replace(',', '')):,}" == whole


def prose_faults(markdown, results, others=None):
    """Return the faults of the numbers in one piece of prose.

    Parameters
    ----------
    markdown : str
        The source.
    results : dict
        What a key without a notebook's number looks up, see `ledger`.
    others : dict of dict, optional
        The results of all notebooks by their two-digit number.
    """
    for pattern in _EXEMPT:
        markdown = pattern.sub(" ", markdown)
    markdown = _FIXED.sub(" ", markdown)
    faults = [lock_fault(match, results, others or {}) for match in _LOCK.finditer(markdown)]
    rest = _LOCK.sub(" ", markdown)
    for comment in _COMMENT.findall(rest):
        if _LOCK_LIKE.fullmatch(comment):
            faults.append(f"{comment} stands behind no number that it could lock")
    for found in _MEASURED.finditer(_COMMENT.sub(" ", rest)):
        faults.append(f"the number {found.group()!r} is not locked to a result")
    return [fault for fault in faults if fault]


def locked_numbers(nb, others=None):
    """Check that each number in the prose is that of the results, and none is unlocked."""
    results = ledger(nb)
    return [
        f"cell {number}: {fault}"
        for number, cell in cells(nb, "markdown")
        for fault in prose_faults(cell["source"], results, others)
    ]


def relocked(markdown, results, others=None):
    """Return prose with each locked number rewritten from the results, digits kept.

    Code and mathematics are left as they are, and so is a number whose key is unknown or that
    agrees already.
    """
    hidden = [m.span() for pattern in _EXEMPT[:4] for m in pattern.finditer(markdown)]

    def rewrite(match):
        if any(start <= match.start() < stop for start, stop in hidden):
            return match.group()
        fault = lock_fault(match, results, others or {})
        if fault is None or "disagrees" not in fault:
            return match.group()
        value = locked_value(match, results, others or {})
        _, last_digit = shown_value(match)
        comma = "," if "," in match["digits"] or abs(value) >= 10_000 else ""
        places = max(0, -last_digit.as_tuple().exponent)
        sign = "+" if match["sign"] == "+" and value >= 0 else ""
        minus = match["sign"] if match["sign"] not in ("", "+") else "\N{MINUS SIGN}"
        number = sign + f"{value:{comma}.{places}f}".replace("-", minus)
        return number + match.group()[match.end("digits") - match.start() :]

    return _LOCK.sub(rewrite, markdown)


# --- teaching -----------------------------------------------------------------------------------


def headings(nb):
    """Return triples of cell number, level and text of all headings."""
    found = []
    for number, cell in cells(nb, "markdown"):
        source = _EXEMPT[0].sub("", cell["source"])
        for hashes, words in re.findall(r"^(#+) +(.+?)\s*$", source, re.MULTILINE):
            found.append(
                (number, len(hashes), words.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
            )
    return found


def opening(nb):
    """Check for title, what you'll do, learn and need, the time, and a first result soon."""
    start = " ".join(cell["source"] for cell in nb["cells"][:6] if cell["cell_type"] == "markdown")
    start = start.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    faults = []
    if not headings(nb) or headings(nb)[0][:2] != (0, 1):
        faults.append("the first cell does not begin with the title")
    faults += [f"the opening says nothing of {word!r}" for word in OPENING if word not in start]
    if not any(cell["outputs"] for _, cell in cells(nb, "code")[:5]):
        faults.append("the first five code cells show no result")
    return faults


def closing(nb):
    """Check that the last two sections are a summary and reading."""
    last = [words.lower() for _, level, words in headings(nb) if level == 2][-2:]
    if len(last) < 2 or any(want not in got for want, got in zip(CLOSING, last, strict=True)):
        return [f"the last two sections are {last}, expected a summary and where to read more"]
    return []


def bounds(nb):
    """Check that the notebook is short, and its cells are."""
    aside = {"ledger", "solution"}
    lesson = [cell for cell in nb["cells"] if not aside & set(tags(cell))]
    code = [c["source"].splitlines() for c in lesson if c["cell_type"] == "code"]
    prose = (_COMMENT.sub("", cell["source"]) for _, cell in cells(nb, "markdown"))
    mean = sum(bool(line.strip()) for lines in code for line in lines) / max(1, len(code))
    return [
        f"{value:.4g} {what}, more than {bound:,}"
        for value, what, bound in [
            (len(lesson), "cells", MAX_CELLS),
            (len(re.findall(r"\w+", " ".join(prose))), "words", MAX_WORDS),
            (mean, "lines in a code cell on average", MAX_MEAN_CELL_LINES),
        ]
        if value > bound
    ]


# --- exercises ----------------------------------------------------------------------------------

_EXERCISE = re.compile(r"^### Exercise (\d+)\.(\d+): .*\(\d+ minutes?\)\s*$")


def exercises(nb):
    """Check that each exercise is a task, the reader's cell and a folded, accepted solution."""
    found = exercise_cells(nb)
    faults = []
    if len(found) < MIN_EXERCISES:
        faults.append(f"{len(found)} exercises, fewer than {MIN_EXERCISES}")
    for expected, (name, start) in enumerate(found, 1):
        heading = nb["cells"][start]["source"].splitlines()[0]
        if not _EXERCISE.match(heading):
            faults.append(f"cell {start}: heading is not '### Exercise 1.1: title (5 minutes)'")
        elif name.split(".")[-1] != str(expected):
            faults.append(f"cell {start}: exercise {name} stands where number {expected} should")
        faults += [f"exercise {name}: {fault}" for fault in _exercise_faults(nb, start)]
    solutions = [n for n, cell in enumerate(nb["cells"]) if "solution" in tags(cell)]
    for stray in sorted(set(solutions) - {start + 3 for _, start in found}):
        faults.append(f"cell {stray}: a solution that belongs to no exercise")
    return faults


def exercise_cells(nb):
    """Return pairs of an exercise's number, such as '1.2', and that of the cell it begins in."""
    return [
        (match.group(1), number)
        for number, cell in cells(nb, "markdown")
        if (match := re.match(r"### Exercise ([\d.]*\d)", cell["source"]))
    ]


def _exercise_faults(nb, start):
    """Return the faults of the exercise whose task is in cell ``start``."""
    following = nb["cells"][start + 1 : start + 4]
    if [cell["cell_type"] for cell in following] != ["code", "markdown", "code"]:
        return ["the task is not followed by the reader's cell, a heading and the solution"]
    reader, heading, solution = following
    faults = []
    if not _is_open(reader["source"]):
        faults.append("the reader's cell is not a function whose body is ... and a check")
    if not re.fullmatch(r"Not attempted yet\. [^\n]*\n", printed(reader)):
        faults.append("the reader's cell did not print one line 'Not attempted yet. ...'")
    if SOLUTION_HEADING not in heading["source"]:
        faults.append(f"no cell says {SOLUTION_HEADING!r}")
    if tags(solution) != ["solution"]:
        faults.append("the solution's cell is not tagged 'solution'")
    if solution["metadata"].get("jupyter", {}).get("source_hidden") is not True:
        faults.append("the solution is not folded: metadata jupyter.source_hidden is not true")
    if not re.fullmatch(r"Right\. [^\n]*\n", printed(solution)):
        faults.append("the solution's check did not print one line 'Right. ...'")
    if _last_statement(reader["source"]) != _last_statement(solution["source"]):
        faults.append("the reader's cell and the solution do not end in the same check")
    return faults


def _last_statement(source):
    """Return the last statement of a cell, spelled one way."""
    body = _parsed(source).body
    return ast.unparse(body[-1]) if body else ""


def _parsed(source):
    """Return a cell's syntax tree, an empty one when it is no Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse("")


def _is_open(source):
    """Return whether a cell is one function whose body is ``...``, and a call."""
    body = _parsed(source).body
    if len(body) < 2 or not isinstance(body[-2], ast.FunctionDef):
        return False
    inside = body[-2].body
    if ast.get_docstring(body[-2]) is not None:
        inside = inside[1:]
    is_call = isinstance(body[-1], ast.Expr) and isinstance(body[-1].value, ast.Call)
    return is_call and [ast.unparse(line) for line in inside] == ["..."]


def solution_source(nb, exercise):
    """Return the source of an exercise's solution, without the check at its end.

    Parameters
    ----------
    nb : dict
        The notebook, see `load`.
    exercise : str
        Its number, such as ``"1.2"``.
    """
    start = dict(exercise_cells(nb))[exercise]
    cell = nb["cells"][start + 3]
    if "solution" not in tags(cell):
        raise ValueError(f"cell {start + 3} is not the solution of exercise {exercise}")
    tree = _parsed(cell["source"])
    lines = cell["source"].splitlines()
    return "\n".join(lines[: tree.body[-1].lineno - 1]) + "\n"


GUARDS = [
    execution_counts,
    no_errors,
    no_machine_traces,
    no_estimator_pages,
    metadata,
    known_tags,
    ignored_cells,
    size,
    figures,
    diagrams,
    has_ledger,
    ledger_cells,
    locked_numbers,
    opening,
    closing,
    bounds,
    exercises,
]


def faults_of(nb, others=None):
    """Return the faults of a notebook by all guards."""
    return [
        f"{guard.__name__}: {fault}"
        for guard in GUARDS
        for fault in (guard(nb, others) if guard is locked_numbers else guard(nb))
    ]


if __name__ == "__main__":
    chosen = [path for path in NOTEBOOKS if path.name[:2] in sys.argv[1:] or not sys.argv[1:]]
    found = [
        f"{path.name}, {fault}" for path in chosen for fault in faults_of(load(path), ledgers())
    ]
    print("\n".join(found) or "no faults")
    sys.exit(bool(found))
