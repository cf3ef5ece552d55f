"""Compare approximate search on a million descriptions with exact search and with FAISS.

All in one run, on the same rows, queries and threads; prints medians and the spread. Not a test:
run it alone on the machine, from anywhere, with ``python tests/benchmark_approximate.py``. It
needs faiss-cpu, and builds the million of notebook 04 if that has not run yet.
"""

import os
import pathlib
import statistics
import sys
import time

import faiss
import numpy as np
import threadpoolctl

NOTEBOOKS = pathlib.Path(__file__).resolve().parent.parent / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))
os.chdir(NOTEBOOKS)  # the notebooks' saved/ lies there

import crossmodal_utils as cm  # noqa: E402
import million  # noqa: E402
from approximate import InvertedLists, ProductQuantizer, ScalarQuantizer, recall, rerank  # noqa: E402

K, REPEATS = 10, 7
N_LISTS, PROBES = 1024, (4, 8, 16, 32)


def timed(rivals, n_queries):
    """Return {name: (queries per second: median, least, most, what it returned)}, by turns."""
    times, found = {name: [] for name in rivals}, {}
    for _ in range(REPEATS):
        for name, search in rivals.items():
            start = time.perf_counter()
            found[name] = search()
            times[name].append(n_queries / (time.perf_counter() - start))
    return {n: (statistics.median(t), min(t), max(t), found[n]) for n, t in times.items()}


def faiss_lists(E, n_lists):
    """Return FAISS's inverted lists of rows, trained by itself, Euclidean as ours."""
    quantizer = faiss.IndexFlatL2(E.shape[1])
    index = faiss.IndexIVFFlat(quantizer, E.shape[1], n_lists, faiss.METRIC_INNER_PRODUCT)
    index.train(E)
    index.add(E)
    return index, quantizer  # FAISS does not keep the second alive


def compare(title, E, queries, n_lists):
    """Print recall and throughput of exact search, our lists and FAISS's."""
    start = time.perf_counter()
    ours = InvertedLists(n_lists=n_lists).fit(E)
    middle = time.perf_counter()
    theirs, _quantizer = faiss_lists(E, n_lists)
    seconds = middle - start, time.perf_counter() - middle
    print(f"\n{title}: {len(E):,} x {E.shape[1]}, {n_lists} lists, k = {K}")
    print(f"build: ours {seconds[0]:.1f} s, FAISS {seconds[1]:.1f} s")
    print(
        f"{'queries':14s}{'visited':>8s}{'recall':>8s}{'FAISS':>8s}{'queries/s':>11s}"
        f"{'(spread)':>17s}{'/ exact':>9s}{'/ FAISS':>9s}"
    )
    for name, Q in queries.items():
        true = cm.exact_top_k(Q, E, K)[1]
        for p in PROBES:
            theirs.nprobe = p
            rivals = {
                "exact": lambda Q=Q: cm.exact_top_k(Q, E, K)[1],
                "ours": lambda Q=Q, p=p: ours.search(Q, K, p)[1],
                "faiss": lambda Q=Q: theirs.search(Q, K)[1],
            }
            rates = timed(rivals, len(Q))
            mid, low, high, found = rates["ours"]
            r, f = recall(found, true), recall(rates["faiss"][3], true)
            print(
                f"{name:14s}{p:8d}{r:8.3f}{f:8.3f}{mid:11,.0f}{f'({low:,.0f}-{high:,.0f})':>17s}"
                f"{mid / rates['exact'][0]:9.1f}{mid / rates['faiss'][0]:9.2f}",
                flush=True,
            )


def compressed(E, queries):
    """Print recall of codes, raw and after ranking the candidates again."""
    print(
        f"\ncodes: {'queries':12s}{'bytes':>6s}{'raw':>8s}{'of 50':>8s}{'of 100':>8s}"
        f"{'of 200':>8s}{'build':>9s}{'queries/s':>11s}"
    )
    codecs = {
        "PQ 8": ProductQuantizer(n_pieces=8),
        "PQ 16": ProductQuantizer(n_pieces=16),
        "int8": ScalarQuantizer(),
    }
    for title, codec in codecs.items():
        start = time.perf_counter()
        codec.fit(E)
        build = time.perf_counter() - start
        for name, Q in queries.items():
            true = cm.exact_top_k(Q, E, K)[1]
            start = time.perf_counter()
            ids = codec.search(Q, 200)[1]
            recalls = [recall(ids[:, :K], true)]
            rate = len(Q) / (time.perf_counter() - start)
            recalls += [recall(rerank(Q, ids[:, :w], E, K)[1], true) for w in (50, 100, 200)]
            shown = "".join(f"{r:8.3f}" for r in recalls)
            size = codec.bytes_per_item_
            print(f"{title:7s}{name:12s}{size:6.0f}{shown}{build:7.1f} s{rate:11,.0f}", flush=True)


def main():
    """Run all comparisons with the threads that NumPy's matrix products use."""
    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
    n_threads = max(library["num_threads"] for library in blas.info())
    faiss.omp_set_num_threads(n_threads)
    print(f"{n_threads} threads, FAISS {faiss.__version__}, NumPy {np.__version__}")
    train_texts, test = million.shop()
    model = million.trained_model()
    start = time.perf_counter()
    g = million.gallery(model, train_texts, test)
    print(f"the million: {time.perf_counter() - start:.1f} s")
    queries = {"photos": g.photos, "paraphrases": g.paraphrases}
    compare("descriptions", g.E, queries, N_LISTS)
    compressed(g.E, queries)
    rng = np.random.default_rng(0)
    R = million.on_grid(rng.normal(size=g.E.shape))
    compare("random rows", R, {"random": million.on_grid(rng.normal(size=(1000, 64)))}, N_LISTS)


if __name__ == "__main__":
    main()
