"""Measure how soon a written row is seen at each consistency level, as notebook 08 quotes it.

Not a test: it needs a Milvus server, and Milvus Lite has no levels. On Linux one starts without
Docker, in an environment of its own, by

    python -m pip install milvus==2.3.5
    milvus-server --data served --proxy-port 19530

and then here

    python tests/benchmark_engine.py http://127.0.0.1:19530 [--runs N] [--writes N]

The levels take turns in random order, after random pauses. Filters need nothing of their own: set
VECTOR_URI to that address and run notebook 08, whose sections 1 to 3 and 7 then ask the server.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "notebooks")]

from course import engines  # noqa: E402

LEVELS, N_ROWS, D = ("Strong", "Session", "Bounded", "Eventually"), 5000, 64
NAME = "course_benchmark"


def make_collection(client, vectors):
    """Make the collection anew with the first rows, and wait until they are seen."""
    client.drop_collection(NAME)
    client.create_collection(NAME, dimension=D, metric_type="IP")
    for start in range(0, N_ROWS, 1000):
        rows = enumerate(vectors[start : start + 1000], start)
        client.insert(NAME, [{"id": i, "vector": vector} for i, vector in rows])
    client.flush(NAME)
    time.sleep(3)


def ask(client, vector, level):
    """Return the id found, None if there is none, and the seconds that the question took."""
    begin = time.perf_counter()
    hits = client.search(NAME, data=[vector], limit=1, consistency_level=level)[0]
    return hits[0]["id"] if hits else None, time.perf_counter() - begin


def until_seen(client, i, vector, level):
    """Insert a row, and ask until it is found; return (questions asked, seconds since)."""
    client.insert(NAME, [{"id": i, "vector": vector}])
    begin, asked = time.perf_counter(), 0
    while time.perf_counter() < begin + 60:
        asked += 1
        if ask(client, vector, level)[0] == i:
            return asked, time.perf_counter() - begin
    raise RuntimeError(f"row {i} was not seen within a minute at {level}")


def run(client, n_writes, seed, results):
    """Add to ``results`` what ``n_writes`` writes, and as many questions alone, show a level."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((N_ROWS + n_writes * len(LEVELS), D)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    make_collection(client, vectors)
    for i, level in enumerate(rng.permutation(LEVELS * n_writes).tolist(), N_ROWS):
        time.sleep(rng.uniform(0.1, 0.6))
        results[level]["seen"].append(until_seen(client, i, vectors[i], level))
    for level in LEVELS:
        time.sleep(1.5)
        for i in range(n_writes):
            time.sleep(rng.uniform(0.05, 0.25))
            results[level]["alone"].append(ask(client, vectors[i], level)[1])
    client.drop_collection(NAME)


def spread(seconds):
    """Return median and middle half in milliseconds, as text."""
    low, middle, high = 1000 * np.quantile(seconds, [0.25, 0.5, 0.75])
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def main():
    """Print one line a level."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--writes", type=int, default=20)
    options = parser.parse_args()
    client = engines.connect(options.uri)
    results = {level: {"seen": [], "alone": []} for level in LEVELS}
    for seed in range(options.runs):
        run(client, options.writes, seed, results)
    print("server", client.get_server_version())
    for level, found in results.items():
        asked, after = np.array(found["seen"]).T
        told = f"{np.sum(asked == 1)} of {len(asked)} by the next question"
        print(f"{level:10s} {told}, after {spread(after)} ms, alone {spread(found['alone'])} ms")


if __name__ == "__main__":
    main()
