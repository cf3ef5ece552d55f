"""Approximate search against oracles, and the fast writer and encoder against the helper's."""

import numpy as np
import pytest

import approximate
import course
import crossmodal_utils as cm
import million
from approximate import InvertedLists, ProductQuantizer, ScalarQuantizer

N, D = 3000, 16


def unit(X):
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def data():
    """Return clustered rows, and queries near some of them."""
    rng = np.random.default_rng(0)
    E = unit(rng.normal(size=(60, D))[rng.integers(0, 60, N)] + 0.5 * rng.normal(size=(N, D)))
    return E, unit(E[:40] + 0.1 * rng.normal(size=(40, D)))


@pytest.fixture(scope="module")
def lists(data):
    return InvertedLists(n_lists=30, n_probe=4).fit(data[0])


def by_sorting(Q, E, k):
    """Return ids and scores of a full sort, equal scores in order of their row."""
    S = Q @ E.T
    order = np.argsort(-S, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(S, order, axis=1), order


# --- inverted lists -----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 7, 40])
def test_all_lists_visited_is_exact(data, lists, k):
    E, Q = data
    scores, ids = lists.search(Q, k, n_probe=30)
    right_scores, right = by_sorting(Q, E, k)
    assert (ids == right).all()
    assert np.allclose(scores, right_scores, atol=1e-6)


def test_what_is_found_is_the_best_of_the_lists_visited(data, lists):
    E, Q = data
    labels = approximate.nearest(E, lists.centres_)
    visited = lists.probe(Q)
    for q, (scores, ids) in enumerate(zip(*lists.search(Q, 5), strict=True)):
        inside = np.flatnonzero(np.isin(labels, visited[q]))
        right_scores, right = by_sorting(Q[q : q + 1], E[inside], 5)
        assert (ids == inside[right[0]]).all()
        assert np.allclose(scores, right_scores[0], atol=1e-6)


def test_lists_hold_each_row_once_and_the_nearest_centre(data, lists):
    E, _ = data
    held = lists.ids_[lists.ids_ >= 0]
    assert sorted(held) == list(range(N)) and lists.sizes_.sum() == N
    distance = ((E[:200, None] - lists.centres_) ** 2).sum(axis=2)
    labels = approximate.nearest(E[:200], lists.centres_)
    chosen = distance[np.arange(200), labels]
    assert np.allclose(chosen, distance.min(axis=1), atol=1e-5)


def test_recall_grows_with_the_lists_visited(data, lists):
    E, Q = data
    true = by_sorting(Q, E, 10)[1]
    recalls = [approximate.recall(lists.search(Q, 10, p)[1], true) for p in (1, 2, 4, 8, 16, 30)]
    assert recalls == sorted(recalls) and recalls[-1] == 1
    visited = [lists.rows_scored(Q, p).mean() for p in (1, 2, 4, 8, 16, 30)]
    assert visited == sorted(visited) and visited[-1] == 30 + N


def test_one_query_at_a_time_finds_the_same(data, lists):
    _, Q = data
    _, together = lists.search(Q, 8)
    alone = np.concatenate([lists.search(q[None], 8)[1] for q in Q])
    assert (together == alone).all()


def test_blocks_of_queries_change_nothing(data, lists, monkeypatch):
    _, Q = data
    whole = lists.search(Q, 8)
    monkeypatch.setattr(approximate, "BUFFER", 1000)
    parts = lists.search(Q, 8)
    assert (whole[1] == parts[1]).all() and np.allclose(whole[0], parts[0], atol=1e-6)


def test_equal_rows_stand_in_order_and_empty_lists_do_no_harm():
    E = np.repeat(np.eye(4, dtype=np.float32), 70, axis=0)
    lists = InvertedLists(n_lists=8, n_probe=8).fit(E)
    _, ids = lists.search(np.eye(4, dtype=np.float32), 70)
    assert (ids == np.arange(280).reshape(4, 70)).all()


def test_negative_scores_only():
    rng = np.random.default_rng(1)
    E = np.abs(rng.normal(size=(500, 8))).astype(np.float32)
    Q = -E[:9]
    _, ids = InvertedLists(n_lists=10, n_probe=10).fit(E).search(Q, 6)
    assert (ids == by_sorting(Q, E, 6)[1]).all()


def test_too_few_in_the_lists_visited_is_said(data):
    E, Q = data
    scores, ids = InvertedLists(n_lists=100, n_probe=1).fit(E).search(Q, 200)
    missing = ids < 0
    assert missing.any() and (scores[missing] == -np.inf).all()
    assert np.isfinite(scores[~missing]).all()
    assert (np.diff(missing.astype(int), axis=1) >= 0).all()  # only at the end


def test_the_same_seed_gives_the_same(data):
    E, Q = data
    first, again = (InvertedLists(n_lists=20, random_state=3).fit(E) for _ in range(2))
    assert (first.ids_ == again.ids_).all()
    assert (first.search(Q, 5)[1] == again.search(Q, 5)[1]).all()


def test_arguments_are_left_alone(data):
    E, Q = data
    E, Q = E.copy(), Q.copy()
    before = E.copy(), Q.copy()
    for index in (
        InvertedLists(n_lists=20, codec=ProductQuantizer(n_pieces=4, n_codewords=16)),
        InvertedLists(n_lists=20),
        ScalarQuantizer(),
    ):
        approximate.rerank(Q, index.fit(E).search(Q, 9)[1], E, 3)
    assert (E == before[0]).all() and (Q == before[1]).all()


# --- codes --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["scalar", "product"])
def codec(request, data):
    kinds = {
        "scalar": ScalarQuantizer(),
        "product": ProductQuantizer(n_pieces=4, n_codewords=32),
    }
    return kinds[request.param].fit(data[0])


def test_codes_are_searched_as_the_rows_they_stand_for(data, codec, monkeypatch):
    _, Q = data
    monkeypatch.setattr(approximate, "BLOCK", 700)
    scores, ids = codec.search(Q, 12)
    right_scores, right = by_sorting(Q, codec.decode(codec.codes_), 12)
    assert np.allclose(scores, right_scores, atol=1e-6)
    tied = np.isclose(right_scores[:, 1:], right_scores[:, :-1], atol=1e-6).any(axis=1)
    assert (ids[~tied] == right[~tied]).all()


def test_lists_of_codes_are_the_codes_search(data, codec):
    E, Q = data
    lists = InvertedLists(n_lists=12, n_probe=12, codec=codec).fit(E)
    assert np.allclose(lists.search(Q, 9)[0], codec.search(Q, 9)[0], atol=1e-6)


def test_codes_put_into_lists_are_lists_of_codes(data, codec, lists):
    E, Q = data
    at_once = InvertedLists(n_lists=30, n_probe=4, codec=codec).fit(E)
    later = lists.with_codes(codec)
    assert lists.codec is None and later.bytes_per_item_ == at_once.bytes_per_item_
    for one, other in zip(at_once.search(Q, 9), later.search(Q, 9), strict=True):
        assert (one == other).all()
    with pytest.raises(ValueError, match="fitted on the rows in the lists; 100 and 3000 came"):
        lists.with_codes(ScalarQuantizer().fit(E[:100]))


def test_decoding_what_was_decoded_changes_nothing(codec):
    rows = codec.decode(codec.codes_)
    assert np.allclose(codec.decode(codec.encode(rows)), rows, atol=1e-6)


def test_scalar_codes_are_within_half_a_step(data):
    E, _ = data
    codec = ScalarQuantizer().fit(E)
    assert (np.abs(codec.decode(codec.codes_) - E) <= codec.scale_ * 0.5001).all()
    assert codec.bytes_per_item_ == D


def test_tables_give_the_scores_of_decoded_rows(data):
    E, Q = data
    codec = ProductQuantizer(n_pieces=4, n_codewords=32).fit(E)
    tables = codec.tables(Q)
    by_tables = tables[:, np.arange(4), codec.codes_].sum(axis=2)
    assert np.allclose(by_tables, Q @ codec.decode(codec.codes_).T, atol=1e-6)
    assert codec.bytes_per_item_ == 4


def test_distance_to_a_code_is_least_piece_by_piece(data):
    E, _ = data
    codec = ProductQuantizer(n_pieces=4, n_codewords=32).fit(E)
    pieces = E[:50, codec.order_].reshape(50, 4, 1, -1)
    distance = ((pieces - codec.codewords_) ** 2).sum(axis=3)  # (50, 4, 32)
    chosen = np.take_along_axis(distance, codec.codes_[:50, :, None].astype(int), axis=2)
    assert np.allclose(chosen[..., 0], distance.min(axis=2), atol=1e-6)


def test_a_code_for_each_row_loses_nothing():
    E = np.eye(8, dtype=np.float32)[np.arange(40) % 8]
    codec = ProductQuantizer(n_pieces=2, n_codewords=5, n_iterations=50).fit(E)
    assert np.abs(codec.decode(codec.codes_) - E).max() < 0.5


def test_more_candidates_never_recall_less(data):
    E, Q = data
    true = by_sorting(Q, E, 10)[1]
    ids = ProductQuantizer(n_pieces=4, n_codewords=32).fit(E).search(Q, 400)[1]
    recalls = [
        approximate.recall(approximate.rerank(Q, ids[:, :width], E, 10)[1], true)
        for width in (10, 20, 50, 100, 400)
    ]
    assert recalls == sorted(recalls) and recalls[-1] > 0.99


def test_reranked_scores_are_exact(data):
    E, Q = data
    candidates = np.tile(np.arange(N)[::-1], (len(Q), 1))
    candidates[:, :7] = -1  # none
    scores, ids = approximate.rerank(Q, candidates, E, 5)
    right_scores, right = by_sorting(Q, E[: N - 7], 5)
    assert (ids == right).all() and np.allclose(scores, right_scores, atol=1e-6)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (InvertedLists(n_lists=N + 1), "n_lists must be at most 3000"),
        (InvertedLists(n_lists=0), "n_lists must be an int >= 1"),
        (InvertedLists(n_probe=True), "n_probe must be an int >= 1"),
        (ProductQuantizer(n_pieces=5), "n_pieces must divide 16"),
        (ProductQuantizer(n_pieces=0), "n_pieces must be an int >= 1"),
        (ProductQuantizer(n_codewords=257), "n_codewords must be at most 256"),
    ],
)
def test_options_that_cannot_work_are_refused(data, index, told):
    with pytest.raises(ValueError, match=told):
        index.fit(data[0])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (dict(Q=np.zeros((2, D)), k=N + 1), "k must be at most 3000"),
        (dict(Q=np.zeros((2, D)), k=0), "k must be an int >= 1"),
        (dict(Q=np.zeros((2, D + 1)), k=1), "must have 16 columns"),
        (dict(Q=np.zeros(D), k=1), r"must have shape \(n, d\)"),
        (dict(Q=np.full((2, D), np.nan), k=1), "must be finite"),
        (dict(Q=np.zeros((2, D)), k=1, n_probe=31), "n_probe must be at most 30"),
    ],
)
def test_queries_that_do_not_fit_are_refused(lists, arguments, told):
    with pytest.raises(ValueError, match=told):
        lists.search(**arguments)


def test_search_before_fit_is_refused():
    for index in (InvertedLists(), ScalarQuantizer(), ProductQuantizer()):
        with pytest.raises(ValueError, match="call fit first"):
            index.search(np.zeros((1, D)), 1)


def test_rerank_of_more_than_the_candidates_is_refused(data):
    E, Q = data
    with pytest.raises(ValueError, match="from 1 to 3, the candidates; 4 came"):
        approximate.rerank(Q, np.zeros((len(Q), 3), int), E, 4)


# --- a million descriptions, in small -----------------------------------------------------------


@pytest.fixture(scope="module")
def shop():
    """Return a small shop and a model with linear towers."""
    catalogue = cm.make_catalogue(260, random_state=1)
    train, _, test = catalogue.split(validation=0, test=40, random_state=0)
    model = cm.CrossModalModel(
        image_features=cm.ImageFeatures(n_components=40, n_patches=0),
        contrastive=cm.ContrastiveAligner(hidden_size=0, epochs=2, n_components=48),
    )
    return model.fit(train.images, train.texts), train.texts, test


def test_the_fast_writer_writes_what_the_helper_writes():
    rows = million.attributes_of(million.random_products(1500, np.random.default_rng(0)))
    attributes = dict(zip(cm.SHARED, np.array(rows).T, strict=True))
    theirs, _ = cm.describe_products(attributes, random_state=5)
    assert million.describe(rows, np.random.default_rng(5)) == theirs


def test_random_products_are_those_of_the_catalogue():
    catalogue = cm.make_catalogue(400, random_state=3)
    codes = million.random_products(400, np.random.default_rng(3))
    assert (cm._rows(catalogue.attributes)[1] == codes).all()
    theirs = list(zip(*(catalogue.attributes[name] for name in cm.SHARED), strict=True))
    assert million.attributes_of(codes) == theirs


def test_photos_drawn_alone_are_those_drawn_among_all():
    catalogue = cm.make_catalogue(300, random_state=3)
    seed = np.random.default_rng(3)
    seed.integers(0, 2**30, (300, 6))
    wanted = np.array([0, 5, 127, 128, 250, 299, *range(130, 240)])
    wanted.sort()
    attributes = {name: catalogue.attributes[name] for name in cm.SHARED}
    photos = million.draw_some(attributes, wanted, seed.integers(0, 2**32, 2).tolist()[0])
    assert (photos == catalogue.images[wanted]).all()


def test_the_shop_is_the_courses_shop(monkeypatch, tmp_path):
    real = cm.make_catalogue
    monkeypatch.chdir(tmp_path)  # nothing was drawn before, and what is kept goes there
    monkeypatch.setattr(cm, "draw_products", lambda a, **_: np.zeros((len(a["type"]), 1, 1, 3)))
    monkeypatch.setattr(million, "draw_some", lambda a, rows, seed: np.zeros((len(rows), 1, 1, 3)))
    monkeypatch.setattr(cm, "Catalogue", _Loose)
    train_texts, products = million.shop()
    assert not course.photos_file().exists()
    train, _, test = course.shop()
    assert real is cm.make_catalogue
    assert train_texts == train.texts and products.texts == test.texts
    assert all((products.attributes[n] == test.attributes[n]).all() for n in cm.SHARED)


def test_a_shop_that_was_drawn_before_comes_back(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    photos = np.random.default_rng(0).integers(0, 256, (8800, 2, 2, 3), np.uint8)
    monkeypatch.setattr(cm, "draw_products", lambda *_, **__: photos)
    old = course.photos_file().with_name("photos_0123abcd.npz")
    old.parent.mkdir()
    old.write_bytes(b"of another version")
    drawn = course.shop()
    assert not old.exists()
    monkeypatch.setattr(cm, "make_catalogue", None)  # so that it cannot be drawn again
    train_texts, test = million.shop()
    for one, again in zip(drawn, course.shop(), strict=True):
        assert one.texts == again.texts and (one.images == again.images).all()
        assert one.images.dtype == again.images.dtype and list(one.attributes) == list(
            again.attributes
        )
        for name, values in one.attributes.items():
            assert values.dtype == again.attributes[name].dtype
            assert (values == again.attributes[name]).all()
    assert train_texts == drawn[0].texts and test.texts == drawn[2].texts


class _Loose(cm.Catalogue):
    """A catalogue whose photos are only zeros, of whichever kind."""

    def __init__(self, images, texts, attributes=None):
        super().__init__(np.zeros((len(texts), 1, 1, 3), np.uint8), texts, attributes)


def test_the_folded_encoder_is_the_models(shop):
    model, train_texts, test = shop
    encoder = million.Encoder.of(model, million.principal_axes(model.encode_text(train_texts)))
    texts = [
        *test.texts,
        "",
        "one",
        "Nothing_known qwerty 47",
        "it's 4.6 or 146",
        "a | pipe",
        "_",
        "\t",
    ]
    texts += ["Ünïcode nä 4²6 dress", "dress"]
    assert np.abs(encoder.embed(texts) - model.encode_text(texts)).max() < 1e-5
    plain = encoder.embed(texts[:-2])  # none but ASCII: the fast way to split
    assert np.abs(plain - model.encode_text(texts[:-2])).max() < 1e-5
    features = model.text_features_
    counter = features._counter(vocabulary=features.vocabulary_.tolist())
    counter.idf_ = features.idf_
    assert np.abs(encoder.weights(texts) - counter.transform(texts)).max() < 1e-12


def test_a_hidden_layer_does_not_fold(shop):
    train = cm.make_catalogue(30, random_state=1)
    model = cm.CrossModalModel(
        image_features=cm.ImageFeatures(n_components=10, n_patches=0),
        contrastive=cm.ContrastiveAligner(hidden_size=8, epochs=1),
    ).fit(train.images, train.texts)
    with pytest.raises(ValueError, match="only a linear tower"):
        million.Encoder.of(model, np.eye(3))


@pytest.fixture(scope="module")
def small(shop):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(million, "CHUNK", 400)
        return million.build(*shop, n_items=1000, n_components=8, n_jobs=1)


def test_the_gallery_is_distinct_and_describes_other_products(shop, small):
    _, _, test = shop
    texts = small.texts[:]
    assert len(set(texts)) == len(texts) == 1000 == len(small.E)
    assert texts[:40] == test.texts
    assert not set(texts) & set(small.paraphrase_texts[:])


def test_rows_are_those_of_their_texts(shop, small):
    model, _, test = shop
    rows = small.project(model.encode_text(small.texts[:]))
    assert np.abs(rows - small.E).max() <= 1.01 / million.GRID  # a rounding may fall either way
    photos = small.project(model.encode_image(test.images))
    assert (photos == small.photos).all()


def test_scores_on_the_grid_are_exact(small):
    exact = small.photos.astype(float) @ small.E.T.astype(float)
    assert (small.photos @ small.E.T == exact).all()
    assert (small.photos[:, ::-1] @ small.E[:, ::-1].T == exact).all()
    assert np.abs(np.linalg.norm(small.E, axis=1) - 1).max() < 0.002


def test_two_processes_build_the_same(shop, small, monkeypatch):
    monkeypatch.setattr(million, "CHUNK", 400)
    again = million.build(*shop, n_items=1000, n_components=8, n_jobs=2)
    assert (small.E == again.E).all() and small.texts[:] == again.texts[:]
    assert (small.paraphrases == again.paraphrases).all()


def test_a_gallery_is_kept_and_read_again(shop, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(million, "CHUNK", 400)
    options = dict(n_items=500, n_components=8, n_jobs=1)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "million_500_8_00000000.npz").write_bytes(b"of another version")
    first = million.gallery(*shop, **options)
    monkeypatch.setattr(million, "build", None)  # so that building again would fail
    again = million.gallery(*shop, **options)
    assert (first.E == again.E).all() and first.texts[:] == again.texts[:]
    assert len(list((tmp_path / "saved").iterdir())) == 1


def test_texts_are_read_as_from_a_list():
    plain = ["one", "", "two words", "ünï"]
    texts = million.Texts.of(plain)
    assert [texts[i] for i in range(-4, 4)] == plain * 2
    assert texts[1:3] == plain[1:3] and texts[np.array([3, 0])] == [plain[3], plain[0]]
    with pytest.raises(IndexError):
        texts[4]
