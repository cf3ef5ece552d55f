"""What pytest does with the notebooks beyond nbval: order, threads, texts of pictures."""

import os

import pytest

import guards

# Kernels that keep freed memory for their next large array, as far as the C library is glibc, save
# a tenth of the time: the system need not clear the same pages again and again.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}

# Notebook 01 saves the model that most others load, so it starts first; beside it runs what needs
# no model. Then come the long ones, so that both workers end at about the same time.
ORDER = (
    "notebooks/01",
    "notebooks/05",
    "tests/test_helper",
    "notebooks/04",
    "notebooks/03",
    "notebooks/06",
    "notebooks/02",
)


def pytest_configure(config):
    """Give each of several workers, and its kernels, one thread, and memory that they keep.

    BLAS reads this when NumPy is first imported, which is later. More threads than cores only
    get in each other's way.
    """
    if hasattr(config, "workerinput"):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        for name, value in KEEP_MEMORY.items():
            os.environ.setdefault(name, value)


def pytest_collection_modifyitems(items):
    """Put the files in order; within a file nothing changes."""

    def place(item):
        return next((i for i, start in enumerate(ORDER) if item.nodeid.startswith(start)), 99)

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a cell whose pictures are described otherwise than in the committed notebook."""
    result = yield
    if hasattr(item, "test_outputs") and item.options["check"]:
        if fault := guards.alt_drift(item.cell.outputs, item.test_outputs):
            item.raise_cell_error(fault, fault)
    return result
