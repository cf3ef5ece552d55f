"""Tests of exact search: every case is compared with a full sort of exactly rounded scores."""

import math
import tracemalloc

import numpy as np
import pytest

import crossmodal_utils as cm


def full_sort(queries, database, k):
    """Return scores and indices of a stable full sort, each score summed by math.fsum.

    Products of two float32 numbers are exact in float64, and fsum rounds only their total.
    """
    dtype = np.result_type(queries, database)
    if len(queries) * database.size > 2_000_000:  # too many for fsum: float64 will do
        S = np.einsum("qd,nd->qn", queries.astype(float), database.astype(float)).astype(dtype)
    else:
        pairs = np.multiply(queries[:, None], database[None], dtype=float)
        S = np.array([[math.fsum(products) for products in row] for row in pairs]).astype(dtype)
    order = np.argsort(-S, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(S, order, axis=1), order


def assert_like_a_full_sort(queries, database, k):
    """Assert that exact_top_k returns the indices and scores of a full sort."""
    scores, indices = cm.exact_top_k(queries, database, k)
    expected, order = full_sort(queries, database, k)
    assert scores.dtype == expected.dtype and indices.dtype == np.int64
    assert np.array_equal(indices, order)
    if scores.dtype == np.float32:
        assert np.array_equal(scores, expected)
    else:  # float64 sums differ in their last digits with the order of summing
        np.testing.assert_allclose(
            scores, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max()
        )


def clustered(n, d, rng, n_clusters=50, spread=0.3):
    """Return unit rows (n, d) in clusters, as descriptions are: float32."""
    X = rng.normal(size=(n_clusters, d))[rng.integers(n_clusters, size=n)]
    X = X + spread * rng.normal(size=(n, d))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 1000, 4097])
def test_every_k_up_to_all_items(n, dtype):
    rng = np.random.default_rng(n)
    database, queries = clustered(n, 7, rng).astype(dtype), clustered(3, 7, rng).astype(dtype)
    for k in sorted({1, min(2, n), min(10, n), max(1, n // 3), max(1, n - 1), n}):
        assert_like_a_full_sort(queries, database, k)


@pytest.mark.parametrize("n_queries", [1, 2, 255, 256, 257, 600])
def test_any_number_of_queries(n_queries):
    rng = np.random.default_rng(n_queries)
    assert_like_a_full_sort(clustered(n_queries, 16, rng), clustered(3001, 16, rng), 10)


@pytest.mark.parametrize("seed", range(30))
def test_random_shapes_with_duplicates(seed):
    rng = np.random.default_rng(seed)
    n, d, n_queries = rng.integers(1, 3000), rng.integers(1, 40), rng.integers(1, 40)
    k = int(rng.integers(1, min(n, 200) + 1))
    distinct = clustered(int(rng.integers(1, n + 1)), d, rng)
    database = distinct[rng.integers(len(distinct), size=n)]
    queries = np.vstack([clustered(n_queries, d, rng), database[:1]])
    dtypes = [(np.float32, np.float32), (np.float64, np.float32), (np.float32, np.float64)]
    for of_queries, of_database in dtypes if seed % 3 == 0 else dtypes[:1]:
        if of_queries == np.float32 == of_database:
            assert_like_a_full_sort(queries, database, k)
            continue
        # Duplicates tie exactly, as the score of a pair does not depend on where its row stands.
        scores, indices = cm.exact_top_k(
            queries.astype(of_queries), database.astype(of_database), k
        )
        assert scores.dtype == np.float64
        pairs = np.multiply(queries[:, None], database[None], dtype=float).sum(axis=2)
        assert np.array_equal(indices, np.argsort(-pairs, axis=1, kind="stable")[:, :k])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_scores_everywhere_stand_in_order_of_index(dtype):
    rng = np.random.default_rng(0)
    row, queries = rng.normal(size=(1, 33)).astype(dtype), rng.normal(size=(5, 33)).astype(dtype)
    for n in (1, 100, 9000, 40_001):
        _, indices = cm.exact_top_k(queries, np.repeat(row, n, axis=0), min(n, 70))
        assert (indices == np.arange(min(n, 70))).all()
    assert (cm.exact_top_k(queries, np.zeros((500, 33), dtype), 500)[0] == 0).all()


@pytest.mark.parametrize("border", [64, 2048, 16384])
def test_ties_on_both_sides_of_a_border(border):
    """The best row stands, among poor ones, before and after a border of groups and blocks."""
    rng = np.random.default_rng(1)
    database = np.tile(-clustered(1, 24, rng), (2 * border + 5, 1))
    database += 0.01 * rng.normal(size=database.shape).astype(np.float32)
    best = [border - 2, border - 1, border, border + 1, 2 * border + 4]
    database[best] = -database[0]
    for n_queries in (1, 300):
        queries = np.repeat(database[best[:1]], n_queries, axis=0)
        for k in (1, 2, 3, 5):
            assert (cm.exact_top_k(queries, database, k)[1] == best[:k]).all()


def test_scores_closer_than_the_rounding_of_float32_are_told_apart():
    """Rows that differ in the last bit of one coordinate, against the fast scan's rounding."""
    rng = np.random.default_rng(2)
    database = np.repeat(clustered(1, 64, rng), 5000, axis=0)
    at = rng.integers(64, size=5000)
    moved = database[np.arange(5000), at]
    database[np.arange(5000), at] = np.nextafter(moved, rng.choice([-9, 9], 5000).astype("f4"))
    queries = clustered(20, 64, rng)
    expected = np.einsum("qd,nd->qn", queries.astype(float), database.astype(float))
    expected = np.argsort(-expected.astype(np.float32), axis=1, kind="stable")[:, :25]
    assert np.array_equal(cm.exact_top_k(queries, database, 25)[1], expected)


@pytest.mark.parametrize("powers", [(-20, -20), (-20, 0), (0, -20), (20, -20), (18, 18), (0, 20)])
def test_extreme_scales(powers):
    rng = np.random.default_rng(3)
    queries, database = clustered(5, 12, rng), clustered(2000, 12, rng)
    scaled = [X * np.float32(10.0**p) for X, p in zip((queries, database), powers, strict=True)]
    assert_like_a_full_sort(*scaled, 20)


def test_one_giant_row_does_not_hide_the_others():
    rng = np.random.default_rng(4)
    queries, database = clustered(5, 12, rng), clustered(3000, 12, rng)
    database[1234] *= 1e12
    assert_like_a_full_sort(queries, database, 20)


@pytest.mark.filterwarnings("error")
def test_partial_sums_beyond_float32_are_summed_in_float64():
    rng = np.random.default_rng(5)
    database = clustered(70_000, 8, rng)
    database[:, 0], database[:, 1] = 3e38, -3e38  # cancel, but float32 would overflow on the way
    database[::2, :2] = database[::2, 1::-1]
    queries = np.abs(clustered(3, 8, rng))
    queries[:, :2] = 2
    assert_like_a_full_sort(queries, database, 9)


@pytest.mark.filterwarnings("error")
def test_scores_beyond_their_numbers_are_refused():
    for scale, dtype in ((1e20, np.float32), (1e160, np.float64)):
        for n in (300, 9000):
            X = np.full((n, 4), scale, dtype)
            with pytest.raises(ValueError, match="scores exceed"):
                cm.exact_top_k(X[:300], X, 3)


def test_other_layouts_and_kinds_of_numbers():
    rng = np.random.default_rng(6)
    Q, D = clustered(9, 30, rng), clustered(4000, 30, rng)
    layouts = [D[::-1], D[::3], D[:, ::2], np.asfortranarray(D), D[:, ::-1], D[5:6]]
    for database in layouts:
        assert_like_a_full_sort(Q[:, : database.shape[1]], database, min(7, len(database)))
    assert_like_a_full_sort(np.asfortranarray(Q)[::-1], D, 7)
    ints = rng.integers(-3, 4, (700, 5))
    S = ints[:9] @ ints.T
    for of_queries, of_items in ((np.int8, np.int64), (np.float32, np.int16), (np.float16,) * 2):
        scores, indices = cm.exact_top_k(ints[:9].astype(of_queries), ints.astype(of_items), 50)
        assert np.array_equal(indices, np.argsort(-S, axis=1, kind="stable")[:, :50])
        assert np.array_equal(scores, -np.sort(-S, axis=1)[:, :50]) and scores.dtype == float


def test_sections_are_merged(monkeypatch):
    rng = np.random.default_rng(7)
    distinct = clustered(300, 10, rng)
    database, queries = distinct[rng.integers(300, size=2000)], clustered(11, 10, rng)
    for rows in (64, 100, 999, 1999):
        monkeypatch.setattr(cm, "SECTION", rows)
        for k in (1, 65, 2000):
            assert_like_a_full_sort(queries, database, k)


def test_inputs_stay_as_they_are_and_may_be_read_only():
    rng = np.random.default_rng(8)
    arrays = [clustered(20, 16, rng), clustered(5000, 16, rng)]
    copies = [a.copy() for a in arrays]
    for a in arrays:
        a.setflags(write=False)
    first = cm.exact_top_k(*arrays, 9)
    again = cm.exact_top_k(*arrays, 9)
    for a, copy in zip([*arrays, *first], [*copies, *again], strict=True):
        assert np.array_equal(a, copy)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 2047, 20_000])
def test_a_row_that_is_not_finite_is_named(bad, row):
    X = np.full((20_001, 3), 1e-3, np.float32)
    X[row, 1] = bad
    for n_queries in (1, 50):
        with pytest.raises(ValueError, match=f"database must be finite; row {row} holds NaN"):
            cm.exact_top_k(np.zeros((n_queries, 3), np.float32), X, 2)
    with pytest.raises(ValueError, match=f"queries must be finite; row {row} holds NaN"):
        cm.exact_top_k(X, np.ones((2, 3), np.float32), 1)


def test_a_memory_mapped_database_gives_the_same(tmp_path):
    rng = np.random.default_rng(9)
    database, queries = clustered(9000, 16, rng), clustered(30, 16, rng)
    np.save(tmp_path / "rows.npy", database)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for of_map, of_array in zip(
        cm.exact_top_k(queries, mapped, 8), cm.exact_top_k(queries, database, 8), strict=True
    ):
        assert type(of_map) is np.ndarray and np.array_equal(of_map, of_array)


def test_blas_has_its_threads_back_and_searches_may_run_at_once():
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(10)
    database, queries = clustered(50_000, 16, rng), clustered(64, 16, rng)
    threads = [library["num_threads"] for library in cm._blas().info()]
    expected = cm.exact_top_k(queries, database, 5)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: cm.exact_top_k(queries, database, 5), range(12)):
            assert all(np.array_equal(*both) for both in zip(found, expected, strict=True))
    assert threads == [library["num_threads"] for library in cm._blas().info()]


@pytest.mark.parametrize("kind", ["distinct", "duplicates"])
def test_memory_is_bounded(kind):
    """Scores of 256 queries with 200,000 items would take 205 MB; a copy of the items 13 MB."""
    rng = np.random.default_rng(11)
    database, queries = clustered(200_000, 16, rng), clustered(256, 16, rng)
    if kind == "duplicates":
        database = database[rng.integers(50, size=len(database))]
    tracemalloc.start()
    try:
        for k in (10, 300):
            tracemalloc.reset_peak()
            cm.exact_top_k(queries, database, k)
            assert tracemalloc.get_traced_memory()[1] < 130e6
    finally:
        tracemalloc.stop()
