"""Execute notebooks from clean kernels and write them as they are committed.

    python tests/refresh_notebooks.py                      all notebooks
    python tests/refresh_notebooks.py notebooks/01_*.ipynb some
    python tests/refresh_notebooks.py --check --tolerance 0.02
        write nothing; fail when a cell raises or a result differs from the committed one by more
    python tests/refresh_notebooks.py --twice
        write nothing; run every code cell twice, as a reader does, and fail when one raises or
        warns

Each notebook runs in its own folder with this Python. Volatile metadata is dropped, cells keep
their ids, and locked numbers in the prose are rewritten from the new results; README.md's too,
when no notebooks are named. What changed is printed. Two runs write the same bytes.
"""

import argparse
import copy
import difflib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import ipykernel.kernelspec
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

import guards

README = guards.ROOT / "README.md"


class ThisPython(KernelSpecManager):
    """Start every kernel with the Python that runs this tool, whatever kernels are installed."""

    def get_kernel_spec(self, kernel_name):
        """Return the specification of ipykernel in this environment."""
        return KernelSpec(
            resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict()
        )


def execute(nb, folder, timeout, strict=True):
    """Execute a notebook in place, in a clean kernel that starts in ``folder``."""
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    client = NotebookClient(
        nb,
        km=manager,
        timeout=timeout,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    environment = guards.SAME_SUMS | os.environ | {"COURSE_STRICT": "1"}
    if not strict:
        del environment["COURSE_STRICT"]
    # nbclient stops only kernels of its own making unless told. What a kernel's process itself
    # writes, as nbval does, is dropped; what a cell writes is not.
    client.execute(cleanup_kc=True, stderr=subprocess.DEVNULL, env=environment)


def doubled(nb):
    """Return a notebook with each code cell twice in a row."""
    twice = copy.deepcopy(nb)
    twice.cells = []
    for cell in nb.cells:
        again = copy.deepcopy(cell)
        again.id = f"{cell.id}-2"
        twice.cells += [cell, again] if cell.cell_type == "code" else [cell]
    return twice


def clean(nb):
    """Drop what differs from run to run or from machine to machine, in place."""
    nb.metadata = nbformat.from_dict(guards.METADATA)
    nb.nbformat, nb.nbformat_minor = 4, 5
    for number, cell in enumerate(nb.cells):
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in sorted(guards.CELL_METADATA & set(cell.metadata))}
        )
        if "id" not in cell:
            cell.id = hashlib.sha256(f"{number} {cell.source}".encode()).hexdigest()[:8]
        if cell.cell_type == "code":
            cell.outputs = merged(cell.outputs)
            if not cell.source.strip():
                cell.execution_count = None


def merged(outputs):
    """Join neighbouring pieces of one stream, which the kernel cuts as time has it."""
    result = []
    for output in outputs:
        is_same = (
            result
            and output.output_type == "stream" == result[-1].output_type
            and output.name == result[-1].name
        )
        if is_same:
            result[-1].text += output.text
        else:
            result.append(output)
    return result


def relock(nb, others):
    """Rewrite the locked numbers of a notebook's prose, in place."""
    results = guards.ledger(nb)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = guards.relocked(cell.source, results, others)


def changes(old, new):
    """Yield lines that say what differs between two notebooks."""
    before = {cell.get("id"): cell for cell in old.cells}
    for number, cell in enumerate(new.cells):
        was = before.get(cell.id)
        if was is None:
            yield f"cell {number}: new id {cell.id}"
            continue
        if was.source != cell.source:
            yield f"cell {number}: prose"
            yield from _difference(was.source, cell.source)
        if cell.cell_type == "code" and was.outputs and was.outputs != cell.outputs:
            yield f"cell {number}: output"
            yield from _difference(_shown(was), _shown(cell))


def _shown(cell):
    """Return the texts of a cell's outputs."""
    return "\n".join([guards.printed(cell), *(guards.alt(output) for output in cell.outputs)])


def _difference(old, new):
    """Yield the lines that went and came."""
    for line in difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            yield "    " + line[:160]


def drift(old, new, tolerance):
    """Yield lines about results that differ by more than the tolerance.

    The tolerance is absolute for results up to 1, relative to their size above.
    """
    for key in old.keys() | new.keys():
        if key not in old or key not in new:
            yield f"{key}: only in the {'new' if key in new else 'committed'} results"
            continue
        was, now = float(old[key]), float(new[key])
        if abs(now - was) > tolerance * max(1.0, abs(was)):
            yield f"{key}: {old[key]} committed, {new[key]} now"


def write(path, content):
    """Replace a file's text in one step."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(content, encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def run(path, timeout, twice=False):
    """Return the committed and the newly executed notebook, the latter None when it failed."""
    old, nb = guards.load(path), guards.load(path)
    nb = doubled(nb) if twice else nb
    try:
        execute(nb, path.parent, timeout, strict=not twice)
    except (CellExecutionError, CellTimeoutError) as error:
        print(f"{path.name}: FAILED\n{error}")
        return old, None
    clean(nb)
    return old, nb


def main(arguments=None):
    """Run the tool and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all, and README.md")
    parser.add_argument("--check", action="store_true", help="write nothing, compare results")
    parser.add_argument("--tolerance", type=float, default=0.0, help="for --check (default 0)")
    parser.add_argument("--twice", action="store_true", help="write nothing, run cells twice")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one cell")
    options = parser.parse_args(arguments)

    paths = options.notebooks or guards.NOTEBOOKS
    runs = {p.resolve(): run(p.resolve(), options.timeout, options.twice) for p in paths}
    failed = any(nb is None for _, nb in runs.values())
    if options.twice:
        return int(_report_complaints(runs) or failed)
    if options.check:
        return int(_report_drift(runs, options.tolerance) or failed)
    others = guards.ledgers()
    others |= {path.name[:2]: guards.ledger(nb) for path, (_, nb) in runs.items() if nb}
    for path, (old, nb) in runs.items():
        if nb is not None:
            relock(nb, others)
            _write_notebook(path, old, nb)
    if not options.notebooks:
        _write_readme(others)
    return int(failed)


def _report_complaints(runs):
    """Print what cells wrote to stderr when run twice, and return whether any did."""
    found = [
        f"{path.name}, {fault}"
        for path, (_, nb) in runs.items()
        if nb is not None
        for fault in guards.no_errors(nb)
    ]
    print(*found, f"{len(runs)} notebooks run with every code cell twice", sep="\n")
    return bool(found)


def _report_drift(runs, tolerance):
    """Print each notebook's drift and return whether there is any."""
    found = False
    for path, (old, nb) in runs.items():
        if nb is not None:
            lines = sorted(drift(guards.ledger(old), guards.ledger(nb), tolerance))
            print("\n    ".join([f"{path.name}: {len(lines)} results differ", *lines]))
            found = found or bool(lines)
    return found


def _write_notebook(path, old, nb):
    """Write one notebook and print what changed."""
    nbformat.validate(nb)
    content = nbformat.writes(nb).rstrip("\n") + "\n"
    is_same = path.read_text(encoding="utf-8") == content
    print(f"{path.name}: {'unchanged' if is_same else 'written'}")
    for line in changes(old, nb):
        print("  " + line)
    if not is_same:
        write(path, content)


def _write_readme(others):
    """Rewrite README.md's locked numbers and print what changed."""
    old = README.read_text(encoding="utf-8")
    new = guards.relocked(old, {}, others)
    if new != old:
        print("README.md: written", *_difference(old, new), sep="\n")
        write(README, new)


if __name__ == "__main__":
    sys.exit(main())
