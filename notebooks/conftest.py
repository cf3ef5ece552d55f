"""Make nbval compare the alternative texts of pictures too, which it leaves out as metadata."""

import pytest

import guards


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a cell whose pictures are described otherwise than in the committed notebook."""
    result = yield
    if hasattr(item, "test_outputs") and item.options["check"]:
        if fault := guards.alt_drift(item.cell.outputs, item.test_outputs):
            item.raise_cell_error(fault, fault)
    return result
