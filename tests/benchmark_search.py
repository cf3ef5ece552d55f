"""Compare exact search with scikit-learn, FAISS and the bare matrix product, and try the index.

Prints one table: all methods on the same data and threads, their repeats taking turns in one run,
so that a noisy machine is noisy for all. Not a test: run it alone on an idle machine, with

    python tests/benchmark_search.py [--rows N] [--repeats N] [--disk FOLDER] [--embeddings FILE]

FAISS is needed (``pip install faiss-cpu``). ``--embeddings`` names an .npy file of real
embeddings, float32 (n, d); without it clusters of unit vectors stand in. With ``--disk``, a folder
with 3 GB free, a saved million is opened and ten million are searched from disk.

Others may measure along: `compare` takes any functions, `table` prints what it returns.
"""

import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import threadpoolctl

import crossmodal_utils as cm

K, N_QUERIES, D = 10, 256, 64


def make_rows(n, d=D, *, n_clusters=2000, spread=0.5, random_state=0):
    """Return n unit rows in clusters, float32 (n, d), as embeddings of descriptions are."""
    rng = np.random.default_rng(random_state)
    centres = rng.normal(size=(n_clusters, d)).astype(np.float32)
    E = np.empty((n, d), np.float32)
    for i in range(0, n, 100_000):
        some = slice(i, min(i + 100_000, n))
        E[some] = spread * rng.standard_normal((some.stop - i, d), dtype=np.float32)
        E[some] += centres[rng.integers(n_clusters, size=some.stop - i)]
        E[some] /= np.linalg.norm(E[some], axis=1, keepdims=True)
    return E


def load_data(path, n):
    """Return queries and database: of a file, or clusters. Queries are rows, a little moved."""
    E = np.load(path)[:n].astype(np.float32, copy=False) if path else make_rows(n)
    rng = np.random.default_rng(1)
    Q = E[rng.integers(len(E), size=N_QUERIES)]
    Q = Q + 0.05 * rng.normal(size=Q.shape)
    return (Q / np.linalg.norm(Q, axis=1, keepdims=True)).astype(np.float32), E


def compare(methods, repeats):
    """Return {name: times (repeats,)} of functions that take turns; each runs once before."""
    times = {name: [] for name in methods}
    for repeat in range(repeats + 1):
        for name, function in methods.items():
            start = time.perf_counter()
            function()
            if repeat:
                times[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in times.items()}


def table(title, times, of):
    """Print times, and how many times as long as ``of`` each took, repeat by repeat."""
    print(f"\n{title}\n{'':40}  median     least   largest   times {of}'s (least to largest)")
    for name, values in times.items():
        ratios = values / times[of]
        told = f"{np.median(ratios):6.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
        told = "" if name == of else told
        spread = f"{1e3 * values.min():8.1f}  {1e3 * values.max():8.1f}"
        print(f"{name:40}{1e3 * np.median(values):8.1f}  {spread}  {told}  [ms]")


def blocked_product(queries, database, rows=4096):
    """Do nothing but the matrix product, block by block."""
    columns = np.ascontiguousarray(queries.T)
    out = np.empty((rows, len(queries)), np.float32)
    for i in range(0, len(database), rows):
        block = database[i : i + rows]
        np.matmul(block, columns, out=out[: len(block)])


def bare_product(queries, database):
    """Return {name: function} of the product alone, in two ways: the limit of exact search."""
    return {
        "bare product in blocks of 4,096": lambda: blocked_product(queries, database),
        "database @ queries.T": lambda: database @ queries.T,
    }


def exact_methods(queries, database):
    """Return {name: function} of exact search on the same data: ours and the rivals'."""
    import faiss
    from sklearn.neighbors import NearestNeighbors

    flat = faiss.IndexFlatIP(database.shape[1])
    flat.add(database)
    index = cm.EmbeddingIndex()
    index.add(database, [""] * len(database))
    brute = NearestNeighbors(n_neighbors=K, algorithm="brute", metric="sqeuclidean").fit(database)
    return {
        "exact_top_k": lambda: cm.exact_top_k(queries, database, K),
        "EmbeddingIndex.search": lambda: index.search(queries, K),
        "scikit-learn, brute, sqeuclidean": lambda: brute.kneighbors(queries),
        "FAISS IndexFlatIP": lambda: flat.search(queries, K),
        **bare_product(queries, database),
    }


def agreement(queries, database):
    """Return the share of results that are those of a full sort, for 16 queries."""
    S = queries[:16].astype(float) @ database.T.astype(float)
    order = np.argsort(-S.astype(np.float32), axis=1, kind="stable")[:, :K]
    return float((cm.exact_top_k(queries[:16], database, K)[1] == order).mean())


def resident():
    """Return this process's memory now, in bytes (Linux)."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak_beyond(function):
    """Return the growth of resident memory while a function runs, sampled every 2 ms."""
    before, most, done = resident(), [0], threading.Event()

    def watch():
        while not done.wait(0.002):
            most[0] = max(most[0], resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    function()
    done.set()
    watcher.join()
    return most[0]


def exact(arguments):
    """Measure exact search in memory."""
    queries, database = load_data(arguments.embeddings, arguments.rows)
    n, d = database.shape
    same = f"the same as a full sort: {agreement(queries, database):.0%}"
    print(f"{n:,} x {d} float32, k = {K}; {same}")
    growth = peak_beyond(lambda: cm.exact_top_k(queries, database, K))
    print(f"memory beyond the database, {N_QUERIES} queries: {growth / 1e6:.0f} MB")
    times = compare(exact_methods(queries, database), arguments.repeats)
    table(f"{N_QUERIES} queries at a time", times, "exact_top_k")
    one = exact_methods(queries[:1], database)
    table("one query at a time", compare(one, 5 * arguments.repeats), "exact_top_k")


# --- the index on disk: each step in a process of its own, so that its memory is its own ---------


def child(*arguments):
    """Run one step in a new process and pass on what it prints."""
    subprocess.run([sys.executable, __file__, "--step", *map(str, arguments)], check=True)


def step_build(folder, n):
    """Build an index a million at a time, and save it."""
    index, texts = cm.EmbeddingIndex(), [f"description {i}" for i in range(2**20)]
    start = time.perf_counter()
    for i in range(0, int(n), 2**20):
        E = make_rows(min(2**20, int(n) - i), random_state=i)
        index.add(E, texts[: len(E)])
    index.save(folder)
    print(f"{len(index):,} items built and saved in {time.perf_counter() - start:.0f} s")


def step_open(folder):
    """Open an index several times; then search it once, and again."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        index = cm.EmbeddingIndex.load(folder)
        times.append(time.perf_counter() - start)
    opened = f"{1e3 * np.median(times):.1f} ms ({1e3 * min(times):.1f} to {1e3 * max(times):.1f})"
    print(f"{len(index):,} items opened in {opened}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, n_queries in (("1 query", 1), (f"{N_QUERIES} queries", N_QUERIES)):
        Q = make_rows(n_queries, random_state=7)
        times = list(compare({"": lambda Q=Q: index.search(Q, K)}, 3).values())[0]
        print(f"  {name}: {np.median(times):.3f} s ({times.min():.3f} to {times.max():.3f})")
    index.items(index.search(Q, K)[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"  peak resident memory {peak / 1e6:.2f} GB, {before / 1e6:.2f} GB of it before searching"
    )


def step_change(folder):
    """Add to and remove from a saved index, and save it anew."""
    index = cm.EmbeddingIndex.load(folder)
    start = time.perf_counter()
    ids = index.add(make_rows(1000, random_state=5), ["new"] * 1000)
    index.remove(ids[::2])
    index.save(folder)
    print(f"1,000 items added, 500 removed and saved in {time.perf_counter() - start:.3f} s")


def on_disk(arguments):
    """Measure the index: opening, searching ten million from disk, changing."""
    for n in (1_000_000, 10_000_000):
        folder = pathlib.Path(arguments.disk) / f"index of {n}"
        print(flush=True)
        try:
            for step in ("build", "open", "change"):
                child(step, folder, *([n] if step == "build" else []))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--embeddings")
    parser.add_argument("--disk")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        name, *rest = arguments.step
        return {"build": step_build, "open": step_open, "change": step_change}[name](*rest)
    blas = [p for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
    print(f"{os.cpu_count()} cores, BLAS with {max(p['num_threads'] for p in blas)} threads")
    exact(arguments)
    if arguments.disk:
        on_disk(arguments)


if __name__ == "__main__":
    main()
