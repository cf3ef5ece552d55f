"""Exact search agrees with a full sort; the index with a dict, and while threads change it."""

import os
import random
import threading

import numpy as np
import pytest
import threadpoolctl

import crossmodal_utils as cm


def assert_like_a_full_sort(queries, database, k):
    """Compare with a stable sort of all scores in float64; equal scores may change places."""
    scores, indices = cm.exact_top_k(queries, database, k)
    S = queries.astype(float) @ database.astype(float).T
    expected = -np.sort(-S, axis=1)[:, :k]
    tolerance = 1e-5 if scores.dtype == np.float32 else 1e-12
    assert np.allclose(scores, expected, rtol=tolerance, atol=tolerance)
    assert np.allclose(
        np.take_along_axis(S, indices, axis=1), scores, rtol=tolerance, atol=tolerance
    )
    assert all(len(set(row)) == k for row in indices.tolist())


# --- exact search -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 1023, 1025, 9000])
def test_any_number_of_items_and_any_k(n, dtype):
    rng = np.random.default_rng(n)
    queries, database = (
        rng.normal(size=(3, 5)).astype(dtype),
        rng.normal(size=(n, 5)).astype(dtype),
    )
    for k in sorted({1, 2, 10, n // 5, n // 4, n // 2, n - 1, n} & set(range(1, n + 1))):
        assert_like_a_full_sort(queries, database, k)


@pytest.mark.parametrize("seed", range(12))
def test_random_shapes_with_duplicates(seed):
    rng = np.random.default_rng(seed)
    n, d, m = (int(rng.integers(1, high)) for high in (6000, 40, 600))
    database = rng.normal(size=(n, d)).astype(np.float32)
    database[rng.integers(0, n, n // 2)] = database[rng.integers(0, n, n // 2)]
    assert_like_a_full_sort(rng.normal(size=(m, d)).astype(np.float32), database, min(n, 13))


def test_equal_scores_of_small_integers_stand_in_order_of_their_index():
    queries = np.array([[1.0, 0], [0, 1]])
    database = np.tile(np.eye(2), (40, 1))
    scores, indices = cm.exact_top_k(queries, database, 40)
    assert (scores == 1).all()
    assert indices.tolist() == [list(range(0, 80, 2)), list(range(1, 80, 2))]


def test_other_layouts_and_kinds_of_numbers():
    rng = np.random.default_rng(0)
    queries, database = rng.integers(-9, 9, (4, 6)), rng.integers(-9, 9, (500, 6))
    expected = cm.exact_top_k(queries.astype(float), database.astype(float), 5)
    for q, d in ((queries, database), (queries.tolist(), database), (queries, database * 1.0)):
        assert np.array_equal(cm.exact_top_k(q, np.asfortranarray(d), 5)[0], expected[0])


def test_bad_input_is_refused():
    X = np.eye(4)
    for k in (0, -1, 5, 1.0):
        with pytest.raises((TypeError, ValueError), match="k must be|k =="):
            cm.exact_top_k(X, X, k)
    with pytest.raises(ValueError, match="4 columns and items 3"):
        cm.exact_top_k(X, X[:, :3], 1)
    for dtype in (np.float32, np.float64):
        for bad in (np.nan, np.inf):
            damaged = np.where(np.arange(4)[:, None] == 2, bad, X).astype(dtype)
            with pytest.raises(ValueError, match="database contains"):
                cm.exact_top_k(X, damaged, 1)
            with pytest.raises(ValueError, match="queries contains"):
                cm.exact_top_k(damaged, X, 1)
    with pytest.raises(ValueError, match="too large"):
        cm.exact_top_k(np.full((1, 4), 1e30, np.float32), np.full((9, 4), 1e30, np.float32), 1)


def test_a_memory_mapped_database_gives_the_same(tmp_path):
    rng = np.random.default_rng(0)
    database = rng.normal(size=(5000, 8)).astype(np.float32)
    np.save(tmp_path / "rows.npy", database)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    queries = database[:7]
    for one, two in zip(
        cm.exact_top_k(queries, mapped, 9), cm.exact_top_k(queries, database, 9), strict=True
    ):
        assert np.array_equal(one, two)


def test_blas_has_its_threads_back_and_searches_may_run_at_once():
    def threads():
        info = threadpoolctl.threadpool_info()
        return [library["num_threads"] for library in info if library["user_api"] == "blas"]

    before, X = threads(), np.random.default_rng(0).normal(size=(20_000, 8))
    wanted, found = cm.exact_top_k(X[:50], X, 3)[1], []
    workers = [
        threading.Thread(target=lambda: found.append(cm.exact_top_k(X[:50], X, 3)[1]))
        for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 6 and all(np.array_equal(f, wanted) for f in found)
    assert threads() == before


# --- the index ----------------------------------------------------------------------------------


def assert_agrees(index, oracle, rng):
    """Compare an index with a dict of id: (row, item)."""
    assert len(index) == len(oracle)
    if not oracle:
        with pytest.raises(ValueError, match="empty"):
            index.search(np.ones((1, 5)), 1)
        return
    ids = np.array(list(oracle))
    rows = np.array([oracle[i][0] for i in ids])
    queries, k = rng.normal(size=(3, 5)), int(rng.integers(1, len(ids) + 1))
    scores, found = index.search(queries, k)
    expected = -np.sort(-(queries @ rows.T), axis=1)[:, :k]
    assert np.allclose(scores, expected, atol=1e-4)
    assert index.items(found) == [[oracle[i][1] for i in row] for row in found.tolist()]


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_operations_agrees_with_a_dict(seed, tmp_path):
    rng, chooser = np.random.default_rng(seed), random.Random(seed)
    index, oracle, next_id = cm.EmbeddingIndex(), {}, 0
    for step in range(40):
        do = chooser.choice(["add", "add", "remove", "reopen", "search"])
        if do == "add":
            n = chooser.randint(1, 30)
            E, items = rng.normal(size=(n, 5)), [f"{step}: é \n {i}" for i in range(n)]
            ids = index.add(E, items)
            assert ids.tolist() == list(range(next_id, next_id + n))
            next_id += n
            oracle |= {i: (e, item) for i, e, item in zip(ids.tolist(), E, items, strict=True)}
        elif do == "remove" and oracle:
            gone = chooser.sample(sorted(oracle), chooser.randint(1, min(20, len(oracle))))
            index.remove(gone)
            for i in gone:
                del oracle[i]
        elif do == "reopen" and oracle:
            index.save(tmp_path / "index")
            index = cm.EmbeddingIndex.load(tmp_path / "index")
            n_files = len(list((tmp_path / "index").iterdir()))
            assert n_files == 1 or os.name == "nt"  # Windows keeps files that are mapped
        assert_agrees(index, oracle, rng)


def test_bad_input_to_the_index_changes_nothing():
    index, E = cm.EmbeddingIndex(), np.eye(4)
    index.add(E, list("abcd"))
    cases = (
        (lambda: index.add(E, list("abc")), ValueError, r"\[4, 3\]"),
        (lambda: index.add(np.eye(3), list("abc")), ValueError, "4 columns"),
        (lambda: index.add(E * np.nan, list("abcd")), ValueError, "NaN"),
        (lambda: index.add(E * 1e300, list("abcd")), ValueError, "infinity|too large"),
        (lambda: index.add(E, "abcd"), TypeError, "str came"),
        (lambda: index.add(E, [1, 2, 3, 4]), TypeError, "row 0 is int"),
        (lambda: index.remove([0, 9]), ValueError, "1 unknown or removed ids, such as 9"),
        (lambda: index.items([[7]]), ValueError, "unknown"),
        (lambda: index.search(E[:, :2], 1), ValueError, "4 columns"),
        (lambda: index.search(E, 5), ValueError, "k == 5"),
    )
    for call, error, told in cases:
        with np.errstate(over="ignore"), pytest.raises(error, match=told):
            call()
    assert len(index) == 4 and index.items(index.search(E, 1)[1]) == [["a"], ["b"], ["c"], ["d"]]
    assert index.items(2) == "c" and index.items([[0], [3]]) == [["a"], ["d"]]
    E[:] = 0  # the index keeps what came
    assert index.search(np.eye(4), 1)[0].tolist() == [[1], [1], [1], [1]]


def test_an_index_emptied_can_be_filled_again():
    index = cm.EmbeddingIndex()
    index.remove(index.add(np.eye(3), list("abc")))
    assert len(index) == 0 and index.add(np.eye(3)[:1], ["d"]).tolist() == [3]
    assert index.items(index.search(np.eye(3)[:1], 1)[1]) == [["d"]]


def test_missing_damaged_and_foreign_folders_are_refused(tmp_path):
    index, folder = cm.EmbeddingIndex(), tmp_path / "index"
    index.add(np.eye(4), list("abcd"))
    with pytest.raises(ValueError, match="no whole index"):
        cm.EmbeddingIndex.load(folder)
    index.save(folder)
    for file in sorted(folder.iterdir()):
        whole = file.read_bytes()
        for content in (whole[:-1], whole[: len(whole) // 2], b"", b"hello"):
            file.write_bytes(content)
            with pytest.raises(ValueError, match="no whole index"):
                cm.EmbeddingIndex.load(folder)
        n_bytes = whole.index(b"[4, [0, 1, 2, 3]")
        for rest in (b"5", b"null", b'[3, [0, 1], ["a"]]'):
            file.write_bytes(whole[:n_bytes] + rest)
            with pytest.raises(ValueError, match="no whole index"):
                cm.EmbeddingIndex.load(folder)
        np.savez(tmp_path / "other.npz", np.eye(3))
        file.write_bytes((tmp_path / "other.npz").read_bytes())
        with pytest.raises(ValueError, match="no whole index"):
            cm.EmbeddingIndex.load(folder)
        file.unlink()
        with pytest.raises(ValueError, match="no whole index"):
            cm.EmbeddingIndex.load(folder)
        file.write_bytes(whole)
    assert len(cm.EmbeddingIndex.load(folder)) == 4
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all my work")
    index.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "all my work"


def test_searching_while_another_thread_adds_and_removes():
    index, faults, stop = cm.EmbeddingIndex(), [], threading.Event()
    index.add(np.eye(64), [f"base {i}" for i in range(64)])

    def search():
        while not stop.is_set():
            try:
                if (index.search(np.eye(64), 1)[1][:, 0] != np.arange(64)).any():
                    faults.append("wrong answer")
            except Exception as error:  # anything that a search raises is the fault looked for
                faults.append(repr(error))

    workers = [threading.Thread(target=search) for _ in range(2)]
    for worker in workers:
        worker.start()
    rng = np.random.default_rng(0)
    for _ in range(60):
        k = int(rng.integers(1, 200))
        index.remove(index.add(0.001 * rng.normal(size=(k, 64)), ["z"] * k))
    stop.set()
    for worker in workers:
        worker.join()
    assert faults == []
