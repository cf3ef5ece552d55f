"""Approximate search: inverted lists, and codes that make rows smaller.

Everything is fitted on the rows ``E`` (n, d) of a database and answers ``search(Q, k)`` with
``(scores, ids)``, both (n_queries, k): inner products and row numbers, best first, equal scores
in order of their row. Where fewer than k items are found, the rest is -inf and -1.

Inverted lists visit a part of the database, codes visit all of it in a smaller form. The two
combine: lists may keep codes. `rerank` scores the candidates of any of them again, exactly.
"""

import copy
import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

import crossmodal_utils as cm

GROUP = 32  # scores of which only the largest is looked at first
BUFFER = 2**25  # scores held at a time, 128 MB
BLOCK = 2**15  # coded rows decoded at a time


def _check_search(estimator, Q, k):
    """Return queries as float32; raise unless the estimator is fitted and they fit it."""
    cm._check_fitted(estimator, "n_items_")
    Q = cm.check_matrix(Q, "Q", n_columns=estimator.n_features_in_, keep_single=True)
    cm._need_int("k", k, 1)
    if k > estimator.n_items_:
        raise ValueError(f"k must be at most {estimator.n_items_}, the number of items; {k} came")
    return Q.astype(np.float32, copy=False)


def best(scores, ids, k):
    """Return the k largest scores (n_queries, k) of each row and their ids, best first.

    Equal scores stand in order of their id. Both arguments are (n_queries, n_candidates), and
    what is missing is -inf and -1. With fewer than k candidates, such is appended.
    """
    n = scores.shape[1]
    if n < k:
        gap = ((0, 0), (0, k - n))
        scores = np.pad(scores, gap, constant_values=-np.inf)
        ids = np.pad(ids, gap, constant_values=-1)
    elif n > k:
        least = np.partition(scores, n - k, axis=1)[:, n - k, None]
        width = max(k, int((scores >= least).sum(axis=1).max()))  # more than k where they tie
        if width < n:
            keep = np.argpartition(scores, n - width, axis=1)[:, n - width :]
            scores, ids = (np.take_along_axis(a, keep, axis=1) for a in (scores, ids))
    order = np.lexsort((ids, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)


def rerank(Q, ids, E, k):
    """Score candidates again with the rows of E, and return the k best: (scores, ids).

    Parameters
    ----------
    Q : float array (n_queries, d)
    ids : int array (n_queries, n_candidates), rows of E, -1 for none
    E : float array (n, d), in memory or memory-mapped: only the candidates' rows are read
    k : int, at most n_candidates
    """
    if not 1 <= k <= ids.shape[1]:
        raise ValueError(f"k must be from 1 to {ids.shape[1]}, the candidates; {k} came")
    Q, scores = np.asarray(Q, dtype=np.float32), np.empty(ids.shape, dtype=np.float32)
    for start in range(0, len(Q), 256):  # in blocks, to bound the memory
        part = slice(start, start + 256)
        scores[part] = (E[ids[part]] @ Q[part, :, None])[..., 0]
    scores[ids < 0] = -np.inf
    return best(scores, ids, k)


def recall(found, true):
    """Return the mean share of the true ids (n, k) that are among those found (n, any)."""
    return float(np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)]))


class InvertedLists(BaseEstimator):
    """Sort rows into lists by k-means; search only the lists nearest to the query.

    Parameters
    ----------
    n_lists : int
    n_probe : int, how many lists a query visits unless `search` is told otherwise
    codec : `ScalarQuantizer` or `ProductQuantizer`, optional
        Keep codes in the lists instead of rows; it is fitted on the rows too.
    n_train : int, at most so many rows for k-means, or 30 a list if that is more
    n_iterations : int, of k-means
    random_state : int

    Attributes
    ----------
    centres_ : float32 array (n_lists, d), sizes_ : int array (n_lists,)
    ids_ : int array; rows_ : array, the rows (or codes) of one list after the other, each list
        filled up to whole groups with its last row, where ids_ has -1
    n_items_, n_features_in_ : int; bytes_per_item_ : float

    Notes
    -----
    Sivic and Zisserman (ICCV 2003); Jégou, Douze and Schmid (PAMI 2011). k-means is Euclidean: on
    unit rows it finds better lists than one by inner product.
    """

    def __init__(
        self,
        *,
        n_lists=1024,
        n_probe=16,
        codec=None,
        n_train=40_000,
        n_iterations=10,
        random_state=0,
    ):
        self.n_lists = n_lists
        self.n_probe = n_probe
        self.codec = codec
        self.n_train = n_train
        self.n_iterations = n_iterations
        self.random_state = random_state

    def fit(self, E, y=None):
        """Learn the centres from rows E (n, d), and sort all rows into lists."""
        E = cm.check_matrix(E, "E", keep_single=True).astype(np.float32, copy=False)
        for name in ("n_lists", "n_probe", "n_train", "n_iterations"):
            cm._need_int(name, getattr(self, name), 1)
        if self.n_lists > len(E):
            raise ValueError(f"n_lists must be at most {len(E)}, the rows; {self.n_lists} came")
        some = _sample(E, max(self.n_train, 30 * self.n_lists), self.random_state)
        self.centres_ = _centres(some, self.n_lists, self.n_iterations, self.random_state)
        self._fill(E, nearest(E, self.centres_.astype(float)))
        self.n_items_, self.n_features_in_ = E.shape
        return self

    def _fill(self, E, labels):
        """Lay the rows of each list one after the other, in whole groups."""
        order = np.argsort(labels, kind="stable")
        self.sizes_ = np.bincount(labels, minlength=self.n_lists)
        self._groups = -(-self.sizes_ // GROUP)  # whole groups in each list
        self._first = np.cumsum(self._groups) - self._groups
        before = np.cumsum(self.sizes_) - self.sizes_
        place = np.repeat(self._first * GROUP - before, self.sizes_) + np.arange(len(E))
        self.ids_ = np.full(self._groups.sum() * GROUP, -1, dtype=np.int32)
        self.ids_[place] = order
        self._store(E if self.codec is None else self.codec.fit(E).codes_)

    def _store(self, rows):
        """Keep rows or codes in the order of the lists, and note what an item takes."""
        # A copy of the list's last row changes no maximum, as zeros would.
        last = np.maximum.accumulate(np.where(self.ids_ >= 0, np.arange(len(self.ids_)), 0))
        self.rows_ = rows[self.ids_[last]]
        stored = self.rows_.nbytes + self.ids_.nbytes + self.centres_.nbytes
        self.bytes_per_item_ = stored / len(rows)

    def with_codes(self, codec):
        """Return lists like these that keep the codes of a codec fitted on the same rows."""
        cm._check_fitted(codec, "codes_")
        if codec.n_items_ != self.n_items_:
            came = f"{codec.n_items_} and {self.n_items_} came"
            raise ValueError(f"the codec must be fitted on the rows in the lists; {came}")
        coded = copy.copy(self)
        coded.codec = codec
        coded._store(codec.codes_)
        return coded

    def probe(self, Q, n_probe=None):
        """Return the lists that each query visits, int (n_queries, n_probe), in no order."""
        n_probe = self.n_probe if n_probe is None else n_probe
        cm._need_int("n_probe", n_probe, 1)
        if n_probe > self.n_lists:
            raise ValueError(f"n_probe must be at most {self.n_lists}, the lists; {n_probe} came")
        centres = self.centres_.astype(float)  # as in fit, see nearest
        closeness = Q @ centres.T - np.square(centres).sum(axis=1) / 2
        return np.argpartition(-closeness, n_probe - 1, axis=1)[:, :n_probe]

    def rows_scored(self, Q, n_probe=None):
        """Return how many rows, centres included, are compared with each query, int (n,)."""
        Q = _check_search(self, Q, 1)
        return self.n_lists + self.sizes_[self.probe(Q, n_probe)].sum(axis=1)

    def search(self, Q, k=10, n_probe=None):
        """Return (scores, ids), both (n_queries, k), of the best items in the lists visited.

        Parameters
        ----------
        Q : array (n_queries, d)
        k : int
        n_probe : int, optional; by default the option of that name
        """
        Q = _check_search(self, Q, k)
        lists = self.probe(Q, n_probe)
        rows = np.cumsum(self._groups[lists].sum(axis=1)) * GROUP
        blocks = np.flatnonzero(np.diff((rows - 1) // BUFFER)) + 1  # as many as the buffer holds
        found = [
            self._search_block(Q[part], lists[part], k)
            for part in np.split(np.arange(len(Q)), blocks)
        ]
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))

    def _search_block(self, Q, lists, k):
        """Search for some queries: score list by list, then open the groups of highest peaks."""
        n_probe = lists.shape[1]
        order = np.argsort(lists, axis=None, kind="stable")  # pairs of query and list, by list
        pairs = lists.ravel()[order]
        groups = self._groups[pairs]
        start = np.cumsum(groups) - groups  # where a pair's groups begin
        scores = np.empty((int(groups.sum()), GROUP), dtype=np.float32)
        peaks = np.empty(len(scores), dtype=np.float32)
        self._scan(Q, order // n_probe, pairs, start, scores, peaks)
        by_query = np.empty_like(start)
        by_query[order] = start
        chosen = _highest(peaks, by_query.reshape(lists.shape), self._groups[lists], k)
        at = np.maximum(chosen, 0)
        pair = np.searchsorted(start, at, side="right") - 1  # the last that begins there
        rows = (self._first[pairs[pair]] + at - start[pair])[..., None] * GROUP
        ids = self.ids_[rows + np.arange(GROUP)]
        ids[chosen < 0] = -1
        values = np.where(ids >= 0, scores[at], np.float32(-np.inf))
        return best(values.reshape(len(Q), -1), ids.reshape(len(Q), -1), k)

    def _scan(self, Q, queries, pairs, start, scores, peaks):
        """Multiply each list with all the queries that visit it; note the peak of each group."""
        edges = np.flatnonzero(np.diff(pairs, prepend=-1, append=-1))
        visited = pairs[edges[:-1]]
        columns = [edges[:-1], edges[1:], self._first[visited], self._groups[visited]]
        columns.append(start[edges[:-1]])
        jobs = list(zip(*(column.tolist() for column in columns), strict=True))
        Q = Q[queries]

        def work(thread, n_threads):
            for a, b, first, n_groups, at in jobs[thread::n_threads]:
                if n_groups:
                    rows = self.rows_[first * GROUP : (first + n_groups) * GROUP]
                    rows = rows if self.codec is None else self.codec.decode(rows)
                    part = scores[at : at + (b - a) * n_groups]
                    np.matmul(Q[a:b], rows.T, out=part.reshape(b - a, -1))
                    np.max(part, axis=1, out=peaks[at : at + len(part)])

        cm._in_threads(work, len(jobs))


def _highest(peaks, start, groups, k):
    """Return the numbers of the groups that can hold one of a query's k best, -1 for none.

    A query's groups are start[q, j], start[q, j] + 1, ... for groups[q, j] of them. The k-th
    highest peak is a score that k items reach: an item below it is not among the k best.
    """
    n, per_query = len(start), groups.sum(axis=1)
    flat = groups.ravel()
    runs = np.repeat(start.ravel() - (np.cumsum(flat) - flat), flat) + np.arange(flat.sum())
    numbers = np.full((n, max(k, int(per_query.max()))), -1, dtype=np.int64)
    numbers[np.arange(numbers.shape[1]) < per_query[:, None]] = runs
    heights = np.where(numbers >= 0, peaks[numbers], -np.inf).astype(np.float32, copy=False)
    width = numbers.shape[1]
    least = np.partition(heights, width - k, axis=1)[:, width - k, None]
    n_open = int(((heights >= least) & (numbers >= 0)).sum(axis=1).max())
    keep = np.argpartition(heights, width - n_open, axis=1)[:, width - n_open :]
    return np.take_along_axis(numbers, keep, axis=1)


def _sample(E, n, random_state):
    """Return n rows drawn without replacement, in their order; all if there are no more."""
    if n >= len(E):
        return E
    return E[np.sort(np.random.default_rng(random_state).choice(len(E), n, replace=False))]


def _centres(E, n, n_iterations, random_state):
    """Return the centres of k-means from one random start, float32 (n, d)."""
    options = {"init": "random", "n_init": 1, "max_iter": n_iterations, "tol": 0}
    with warnings.catch_warnings():
        # Where fewer rows differ than there are centres, some centres come twice: no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # In double precision near-ties fall the same way on every machine and number of threads.
        kmeans = KMeans(n, random_state=random_state, **options).fit(E.astype(float))
    return kmeans.cluster_centers_.astype(np.float32)


def nearest(E, centres):
    """Return the number of the nearest centre of each row, int32 (n,), by Euclidean distance.

    With centres in double precision, rows at a border fall the same way on every machine.
    """
    # |e - c|^2 = |e|^2 - 2 (e.c - |c|^2 / 2), and |e|^2 is the same for all centres.
    half, labels = np.square(centres).sum(axis=1) / 2, np.empty(len(E), dtype=np.int32)
    starts = range(0, len(E), 2048)

    def work(thread, n_threads):
        for start in starts[thread::n_threads]:
            part = slice(start, start + 2048)
            S = E[part] @ centres.T
            labels[part] = np.subtract(S, half, out=S).argmax(axis=1)

    cm._in_threads(work, len(starts))
    return labels


class _Codec(BaseEstimator):
    """What the codes share: search by decoding block after block."""

    def search(self, Q, k=10):
        """Return (scores, ids), both (n_queries, k), of the best items as the codes tell them."""
        Q = _check_search(self, Q, k)
        scores = np.full((len(Q), k), -np.inf, dtype=np.float32)
        ids = np.full((len(Q), k), -1, dtype=np.int64)
        for start in range(0, self.n_items_, BLOCK):
            rows = self.decode(self.codes_[start : start + BLOCK]).T
            for i in range(0, len(Q), 512):  # in parts, to bound the memory
                part = slice(i, i + 512)
                S = Q[part] @ rows
                found = S, np.broadcast_to(np.arange(S.shape[1]), S.shape)
                if start:
                    found = _above(S, scores[part, -1], start)
                both = zip((scores[part], ids[part]), found, strict=True)
                scores[part], ids[part] = best(*map(np.hstack, both), k)
        return scores, ids

    def _encode_all(self, E):
        """Return the codes of all rows, block after block, to bound the memory."""
        return np.concatenate([self.encode(E[i : i + BLOCK]) for i in range(0, len(E), BLOCK)])

    def _check(self, E):
        """Return the rows to fit on as float32, and note their shape."""
        E = cm.check_matrix(E, "E", keep_single=True).astype(np.float32, copy=False)
        self.n_items_, self.n_features_in_ = E.shape
        return E


def _above(S, least, start):
    """Return the scores above each query's least and their ids, padded to one width.

    S is (n_queries, n_items), of items from ``start`` on. An item that scores just the least
    stands behind those found before it: its group is not opened for it.
    """
    size = GROUP if S.shape[1] % GROUP == 0 else 1
    groups = S.reshape(len(S), -1, size)
    query, group = np.nonzero(groups.max(axis=2) > least[:, None])  # few, after the first blocks
    counts = np.bincount(query, minlength=len(S))
    place = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
    scores = np.full((len(S), counts.max(), size), -np.inf, dtype=np.float32)
    ids = np.full(scores.shape, -1, dtype=np.int64)
    scores[query, place] = groups[query, group]
    ids[query, place] = (start + group * size)[:, None] + np.arange(size)
    return scores.reshape(len(S), -1), ids.reshape(len(S), -1)


class ScalarQuantizer(_Codec):
    """Keep each coordinate as a whole number from -127 to 127: a byte instead of four.

    Attributes
    ----------
    codes_ : int8 array (n, d); scale_ : float32 array (d,), what a step of each coordinate means
    bytes_per_item_ : float
    """

    def fit(self, E, y=None):
        """Learn the steps from rows E (n, d), and encode them."""
        E = self._check(E)
        reach = np.maximum(E.max(axis=0), -E.min(axis=0))
        self.scale_ = np.maximum(reach, np.float32(1e-12)) / 127
        self.codes_ = self._encode_all(E)
        self.bytes_per_item_ = self.codes_.nbytes / len(E)
        return self

    def encode(self, E):
        """Return the codes of rows, int8 (n, d)."""
        return np.clip(np.rint(E / self.scale_), -127, 127).astype(np.int8)

    def decode(self, codes):
        """Return the rows that codes stand for, float32 (n, d)."""
        return codes * self.scale_


class ProductQuantizer(_Codec):
    """Cut each row into pieces, and keep for each piece the number of the nearest codeword.

    Parameters
    ----------
    n_pieces : int, a divisor of d: bytes per item
    n_codewords : int, at most 256, so that a number is one byte
    n_train : int, at most so many rows for k-means
    n_iterations : int, of k-means
    random_state : int

    Attributes
    ----------
    codewords_ : float32 array (n_pieces, n_codewords, d / n_pieces)
    order_ : int array (d,), which coordinates make up the pieces
    codes_ : uint8 array (n, n_pieces); bytes_per_item_ : float

    Notes
    -----
    Jégou, Douze and Schmid (PAMI 2011). Principal axes come in order of their variance, so each
    piece takes axes from the whole range, or the first would say nearly all and the last nothing.
    """

    def __init__(
        self, *, n_pieces=16, n_codewords=256, n_train=10_000, n_iterations=10, random_state=0
    ):
        self.n_pieces = n_pieces
        self.n_codewords = n_codewords
        self.n_train = n_train
        self.n_iterations = n_iterations
        self.random_state = random_state

    def fit(self, E, y=None):
        """Learn the codewords from rows E (n, d), and encode them."""
        E = self._check(E)
        for name in ("n_pieces", "n_codewords", "n_train", "n_iterations"):
            cm._need_int(name, getattr(self, name), 1)
        n, d = E.shape
        if d % self.n_pieces:
            raise ValueError(f"n_pieces must divide {d}, the columns; {self.n_pieces} came")
        if self.n_codewords > min(256, n):
            most = min(256, n)
            raise ValueError(f"n_codewords must be at most {most}; {self.n_codewords} came")
        some = _sample(E, max(self.n_train, self.n_codewords), self.random_state)
        by_variance = np.argsort(-some.var(axis=0), kind="stable")
        self.order_ = by_variance.reshape(-1, self.n_pieces).T.ravel()
        pieces = np.split(some[:, self.order_], self.n_pieces, axis=1)
        options = self.n_codewords, self.n_iterations, self.random_state
        self.codewords_ = np.stack([_centres(piece, *options) for piece in pieces])
        self.codes_ = self._encode_all(E)
        self.bytes_per_item_ = self.codes_.nbytes / n
        return self

    def encode(self, E):
        """Return the codes of rows, uint8 (n, n_pieces)."""
        pieces = np.split(E[:, self.order_], self.n_pieces, axis=1)
        found = [nearest(p, c) for p, c in zip(pieces, self.codewords_, strict=True)]
        return np.stack(found, axis=1).astype(np.uint8)

    def decode(self, codes):
        """Return the rows that codes stand for, float32 (n, d)."""
        rows = self.codewords_[np.arange(self.n_pieces), codes]  # (n, n_pieces, d / n_pieces)
        return rows.reshape(len(codes), -1)[:, np.argsort(self.order_)]

    def tables(self, Q):
        """Return the inner products of each query's pieces with all codewords.

        Float32 (n_queries, n_pieces, n_codewords). An item's score is the sum of the entries
        that its codes pick, one a piece; it is the score of the decoded row.
        """
        Q = _check_search(self, Q, 1)
        pieces = Q[:, self.order_].reshape(len(Q), self.n_pieces, -1)
        return np.einsum("qpd,pcd->qpc", pieces, self.codewords_)
