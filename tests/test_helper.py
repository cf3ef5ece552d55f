"""Tests of the helper: each compares with an oracle that works another way, or with a property."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
from PIL import Image
from sklearn import cross_decomposition
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score

import crossmodal_utils as cm

SMALL = {"n_components": 5, "hidden_size": 16, "batch_size": 64, "epochs": 8}


def correlated_views(n=300, d_image=7, d_text=5, seed=0):
    """Return two well-conditioned views that share three directions."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    X = shared @ rng.normal(size=(3, d_image)) + rng.normal(size=(n, d_image))
    Y = shared @ rng.normal(size=(3, d_text)) + 0.5 * rng.normal(size=(n, d_text))
    return X, Y


def unit(X):
    """Return rows of length 1."""
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def numeric_gradient(function, x, step=1e-5):
    """Return the gradient of a function of an array by central differences."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        values = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            values.append(function(moved))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    return gradient


def assert_gradient(analytic, numeric):
    """Assert agreement to 1e-6 of the gradient's own length."""
    assert np.linalg.norm(analytic - numeric) < 1e-6 * np.linalg.norm(numeric)


@pytest.fixture(scope="module")
def shop():
    """Return (train, test) of a small generated shop."""
    catalogue = cm.make_catalogue(800, random_state=1, size=48)
    train, _, test = catalogue.split(validation=0, test=200, random_state=0)
    return train[:600], test


@pytest.fixture(scope="module")
def features(shop):
    """Return the fitted featurisers, the training rows and the test rows of the shop."""
    train, test = shop
    image, text = cm.ImageFeatures(), cm.TextFeatures()
    fitted = image.fit_transform(train.images), text.fit_transform(train.texts)
    return image, text, fitted, (image.transform(test.images), text.transform(test.texts))


@pytest.fixture(scope="module")
def models(features):
    """Return a fitted model for each objective."""
    image, text, (X, Y), _ = features
    return {
        objective: cm.CrossModalModel(objective=objective).fit_aligners(X, Y, image, text)
        for objective in ("cca", "contrastive", "combined")
    }


# --- whitening and CCA --------------------------------------------------------------------------


def test_whitening_gives_the_identity_covariance():
    X, _ = correlated_views()
    mean, W = cm.whitening(X, 0)
    white = (X - mean) @ W
    assert np.allclose(white.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(white.T @ white / len(X), np.eye(X.shape[1]), atol=1e-10)


def test_whitening_drops_directions_without_variance():
    X, _ = correlated_views()
    shares = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)  # columns that sum to 1
    assert cm.whitening(shares, 0)[1].shape == (7, 6)
    assert cm.whitening(np.column_stack([X, np.full(len(X), 0.1)]), 0)[1].shape == (8, 7)


def test_shrinkage_is_relative_to_the_mean_variance():
    X, _ = correlated_views()
    mean, W = cm.whitening(X, 0.3)
    covariance = np.cov(X.T, bias=True)
    shrunk = covariance + 0.3 * np.trace(covariance) / 7 * np.eye(7)
    assert np.allclose(W.T @ shrunk @ W, np.eye(7))
    assert np.allclose((1000 * X - 1000 * mean) @ cm.whitening(1000 * X, 0.3)[1], (X - mean) @ W)


def test_cca_agrees_with_scikit_learn():
    X, Y = correlated_views()
    ours = cm.CCA(4, regularization=0).fit(X, Y).correlations_
    U, V = cross_decomposition.CCA(4, tol=1e-12, max_iter=5000).fit_transform(X, Y)
    theirs = [np.corrcoef(u, v)[0, 1] for u, v in zip(U.T, V.T, strict=True)]
    assert np.allclose(ours, theirs, rtol=0, atol=1e-6)


def test_cca_agrees_with_the_generalised_eigenproblem():
    X, Y = correlated_views()
    d = X.shape[1]
    C = np.cov(np.hstack([X, Y]).T, bias=True)
    within = scipy.linalg.block_diag(C[:d, :d], C[d:, d:])
    expected = scipy.linalg.eigh(C - within, within, eigvals_only=True)[::-1][:5]
    assert np.allclose(cm.CCA(regularization=0).fit(X, Y).correlations_, expected, atol=1e-9)


def test_cca_directions_have_these_correlations():
    X, Y = correlated_views()
    cca = cm.CCA(regularization=0, weight_power=0).fit(X, Y)
    U, V = (
        (Z - maps["mean"]) @ maps["whiten"] @ maps["linear"]
        for Z, maps in ((X, cca.image_), (Y, cca.text_))
    )
    between = U.T @ V / len(X)
    assert np.allclose(between, np.diag(cca.correlations_), atol=1e-10)
    weighted = cm.CCA(regularization=0).fit(X, Y)
    assert np.allclose(weighted.transform_image(X), unit(U * cca.correlations_))
    assert np.allclose(weighted.transform_text(Y), unit(V * cca.correlations_))


def test_cca_does_not_depend_on_order_scale_or_rotation():
    X, Y = correlated_views()
    rng = np.random.default_rng(1)
    order = rng.permutation(len(X))
    turn = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    plain = cm.CCA(3, regularization=0).fit(X, Y)
    S = plain.transform_image(X) @ plain.transform_text(Y).T
    for Z in (X * rng.uniform(0.01, 100, 7) + 5, X @ turn):
        other = cm.CCA(3, regularization=0).fit(Z, Y)
        assert np.allclose(other.correlations_, plain.correlations_)
        assert np.allclose(other.transform_image(Z) @ other.transform_text(Y).T, S, atol=1e-8)
    other = cm.CCA(3, regularization=0).fit(X[order], Y[order])
    assert np.allclose(other.transform_image(X), plain.transform_image(X), atol=1e-8)


def test_independent_views_of_rank_two_do_not_correlate_perfectly():
    rng = np.random.default_rng(0)
    X, Y = (rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) for _ in range(2))
    cca = cm.CCA(regularization=0).fit(X, Y)
    assert cca.correlations_.shape == (2,) and cca.correlations_.max() < 0.3


def turned(function):
    """Return a decomposition that finds the same vectors with other signs."""

    def other(*arguments, **options):
        U, *rest = function(*arguments, **options)
        if not rest:
            return U
        signs = np.where(np.arange(min(U.shape)) % 2, 1, -1)
        if len(rest) == 1:  # eigh: values and vectors
            return U, rest[0] * signs
        return U * signs, rest[0], rest[1] * signs[:, None]

    return other


@pytest.mark.parametrize("regularization", [0, (0.1, 1.0)])
def test_results_do_not_depend_on_the_signs_of_eigenvectors(regularization, monkeypatch):
    X, Y = correlated_views()
    small = cm.ContrastiveAligner(**SMALL, regularization=regularization)
    plain = [
        a.fit(X, Y).transform_image(X) for a in (cm.CCA(regularization=regularization), small)
    ]
    for name in ("eigh", "svd"):
        monkeypatch.setattr(np.linalg, name, turned(getattr(np.linalg, name)))
    other = [
        a.fit(X, Y).transform_image(X) for a in (cm.CCA(regularization=regularization), small)
    ]
    for a, b in zip(plain, other, strict=True):
        assert np.allclose(a, b, atol=1e-9)


def test_signs_are_fixed():
    X, Y = correlated_views()
    A, B = (cm.whitening(Z, 0)[1] for Z in (X, Y))
    P, Q, _ = cm.canonical_directions((X - X.mean(0)) @ A, (Y - Y.mean(0)) @ B)
    for axes in (A, P):
        assert (axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] > 0).all()
    assert Q.shape == (5, 5)


def test_whitening_of_few_rows_is_unique():
    """With fewer rows than columns most eigenvalues are 0, and their axes arbitrary."""
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(10, 30)), rng.normal(size=(5, 30))
    turn = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    (m, W), (m_turned, W_turned) = cm.whitening(X, 0.3), cm.whitening(X @ turn, 0.3)
    assert np.allclose((new @ turn - m_turned) @ W_turned @ turn.T, (new - m) @ W)


@pytest.mark.parametrize("regularization", [0, (0.1, 1.0)])
def test_fewer_items_than_features_and_a_constant_column_work(regularization):
    X, Y = correlated_views(6, 9, 8)
    X[:, 2] = 0.1
    cca = cm.CCA(regularization=regularization).fit(X, Y)
    E = cca.transform_image(X)
    assert np.isfinite(E).all() and np.allclose(np.linalg.norm(E, axis=1), 1)


# --- the contrastive loss and its gradients -----------------------------------------------------


def slow_info_nce(E_image, E_text, temperature, T):
    """Return the loss by its definition, one pair at a time."""
    n, loss = len(E_image), 0.0
    for i in range(n):
        for scores, wanted in (
            ([E_image[i] @ t / temperature for t in E_text], T[i]),
            ([v @ E_text[i] / temperature for v in E_image], T[:, i]),
        ):
            total = math.log(sum(math.exp(s) for s in scores))
            loss -= sum(w * (s - total) for w, s in zip(wanted, scores, strict=True)) / (2 * n)
    return loss


def batch(n=6, d=4):
    """Return unit rows of a batch, and targets that share two texts among three photos."""
    rng = np.random.default_rng(3)
    same = np.eye(n)
    same[:3, :3] = 1
    return *(unit(rng.normal(size=(n, d))) for _ in range(2)), same / same.sum(1, keepdims=True)


@pytest.mark.parametrize("shared", [False, True])
def test_info_nce_agrees_with_a_loop_and_with_differences(shared):
    E_image, E_text, targets = batch()
    T, given = (targets, targets) if shared else (np.eye(6), None)
    loss, by_image, by_text = cm.info_nce(E_image, E_text, 0.2, given)
    assert loss == pytest.approx(slow_info_nce(E_image, E_text, 0.2, T), rel=1e-12)
    numeric = numeric_gradient(lambda E: cm.info_nce(E, E_text, 0.2, given)[0], E_image)
    assert_gradient(by_image, numeric)
    numeric = numeric_gradient(lambda E: cm.info_nce(E_image, E, 0.2, given)[0], E_text)
    assert_gradient(by_text, numeric)


def test_info_nce_of_a_uniform_scorer_is_the_log_of_n_even_in_float32():
    E = np.tile(np.eye(1, 4), (8, 1))
    assert cm.info_nce(E, E, 0.1)[0] == pytest.approx(math.log(8))
    E_image, E_text, _ = batch()
    cold = cm.info_nce(E_image.astype(np.float32), E_text.astype(np.float32), 0.005)
    assert all(np.isfinite(part).all() for part in cold)  # exp underflows in single precision
    assert cold[0] == pytest.approx(cm.info_nce(E_image, E_text, 0.005)[0], rel=1e-4)


@pytest.mark.parametrize("hidden, dropout", [(False, False), (True, False), (True, True)])
def test_tower_gradient_agrees_with_differences(hidden, dropout):
    rng = np.random.default_rng(5)
    X, E_text = rng.normal(size=(6, 5)), batch()[1]
    maps = {"linear": rng.normal(size=(5, 4))}
    if hidden:
        maps |= {"inner": rng.normal(size=(5, 7)), "bias": rng.normal(size=7)}
        maps["outer"] = rng.normal(size=(7, 4))
    mask = (rng.random((6, 7)) > 0.3) / 0.7 if dropout else None

    def loss(changed):
        return cm.info_nce(unit(cm.tower(X, changed, mask)[0]), E_text, 0.3)

    gradient = cm.tower_gradient(X, maps, loss(maps)[1], mask)
    assert set(gradient) == set(maps)
    for name, weights in maps.items():
        numeric = numeric_gradient(lambda w, k=name: loss({**maps, k: w})[0], weights)
        assert_gradient(gradient[name], numeric)


# --- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{}, {"start": "random"}, {"hidden_size": 0}])
def test_training_lowers_the_loss_and_repeats_itself(change):
    X, Y = correlated_views()
    options = {**SMALL, "dropout": 0.0, "learning_rate": 3e-3, **change}
    one, two = (cm.ContrastiveAligner(**options).fit(X, Y) for _ in range(2))
    assert one.loss_.shape == (8,) and one.loss_[-1] < one.loss_[0] - 0.05
    assert np.array_equal(one.transform_image(X), two.transform_image(X))
    other = cm.ContrastiveAligner(**options, random_state=1).fit(X, Y)
    assert not np.array_equal(one.transform_image(X), other.transform_image(X))
    assert ("inner" in one.image_) == (one.hidden_size > 0)


def test_early_stopping_keeps_the_best_epoch():
    X, Y = correlated_views(260)
    held_out = X[200:], Y[200:]
    options = {**SMALL, "epochs": 60, "learning_rate": 0.02, "patience": 3}
    aligner = cm.ContrastiveAligner(**options).fit(X[:200], Y[:200], validation=held_out)
    best = aligner.best_epoch_
    assert best == aligner.validation_loss_.argmin() + 1
    assert len(aligner.validation_loss_) == len(aligner.loss_) == best + 3 < 60
    E_image, E_text = aligner.transform_image(held_out[0]), aligner.transform_text(held_out[1])
    loss = cm.info_nce(E_image, E_text, aligner.temperature)[0]
    assert loss == pytest.approx(aligner.validation_loss_.min(), rel=1e-12)


def test_equal_texts_are_not_negatives(monkeypatch):
    """Pairs with one text share the target, as many as meet in the batch."""
    seen, info_nce = [], cm.info_nce

    def spy(E_image, E_text, temperature, targets=None):
        seen.append(targets)
        return info_nce(E_image, E_text, temperature, targets)

    monkeypatch.setattr(cm, "info_nce", spy)
    X, Y = correlated_views(60)
    Y[::2] = Y[0]
    cm.ContrastiveAligner(**SMALL).fit(X, Y)
    for targets in seen:
        counts = np.sort((targets > 0).sum(axis=1))
        assert counts.tolist() == [1] * 30 + [30] * 30
        assert np.allclose(targets.sum(axis=1), 1) and np.array_equal(targets, targets.T)


def test_progress_is_printed_when_asked_for(capsys):
    X, Y = correlated_views()
    cm.ContrastiveAligner(**SMALL).fit(X, Y)
    assert capsys.readouterr().out == ""
    cm.ContrastiveAligner(**SMALL, verbose=True).fit(X, Y, validation=(X[:50], Y[:50]))
    lines = capsys.readouterr().out.splitlines()
    assert 4 <= len(lines) <= 8 and all("validation" in line for line in lines)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"learning_rate": "fast"},
        {"epochs": 0},
        {"hidden_size": -1},
        {"dropout": 1},
        {"start": "zero"},
        {"patience": 0},
        {"batch_size": 2.5},
        {"n_components": 0},
        {"regularization": -1},
    ],
)
def test_bad_options_are_named(options):
    X, Y = correlated_views()
    with pytest.raises(ValueError, match=f"{next(iter(options))}.* came"):
        cm.ContrastiveAligner(**options).fit(X, Y)


@pytest.mark.parametrize(
    "options", [{"regularization": r} for r in (-1, math.nan, "a", (1, 2, 3))]
)
def test_bad_options_of_cca_are_named(options):
    with pytest.raises(ValueError, match="regularization.* came"):
        cm.CCA(**options).fit(*correlated_views())


@pytest.mark.parametrize("aligner", [cm.CCA(4), cm.ContrastiveAligner(**SMALL)])
def test_bad_features_are_refused_and_nothing_changes(aligner):
    X, Y = correlated_views()
    aligner.fit(X, Y)
    before = aligner.transform_image(X)
    bad = X.copy()
    bad[7, 2] = np.nan
    cases = (
        (bad, Y, ValueError, "row 7"),
        (X, Y[:-1], ValueError, "300 rows"),
        (X[:1], Y[:1], ValueError, "2 pairs"),
        (X[:, 0], Y, ValueError, r"\(300,\)"),
        (X.astype(str), Y, TypeError, "<U"),
        (X, np.full(Y.shape, 0.1), ValueError, "equal"),
        ([], [], ValueError, "shape"),
    )
    for images, texts, error, told in cases:
        with pytest.raises(error, match=told):
            aligner.fit(images, texts)
        assert np.array_equal(aligner.transform_image(X), before)
    with pytest.raises(ValueError, match="7 columns.*5 came"):
        aligner.transform_image(Y)
    with pytest.raises(ValueError, match="not fitted"):
        type(aligner)().transform_text(Y)


def test_bad_validation_pairs_are_refused():
    X, Y = correlated_views()
    for pairs, told in (((Y, X), "7 columns"), ((X[:5], Y[:4]), "5 rows")):
        with pytest.raises(ValueError, match=told):
            cm.ContrastiveAligner(**SMALL).fit(X, Y, validation=pairs)


# --- pictures of any kind -----------------------------------------------------------------------


def photo(height=50, width=40, seed=0):
    """Return a smooth random RGB photo as an array."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "LA", "PA", "YCbCr", "I", "F"])
def test_pictures_of_any_mode_look_like_themselves(mode):
    original = Image.fromarray(photo())
    given = original.convert("P").convert("PA") if mode == "PA" else original.convert(mode)
    expected = original.convert("L" if mode in ("1", "L", "LA", "I", "F") else "RGB")
    a, b = (cm.as_photos([image], 32)[0].astype(float) for image in (given, expected))
    assert a.shape == (32, 32, 3) and np.abs(a - b).mean() < (40 if mode == "1" else 8)


def test_sixteen_bits_are_scaled_and_not_cut_off():
    grey = photo()[..., 0]
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    assert np.array_equal(cm.as_photos([deep], 32), cm.as_photos([grey], 32))


def test_transparent_pixels_are_white():
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (cm.as_photos([clear], 16) == 255).all()
    palette = Image.new("P", (20, 20), 0)
    palette.info["transparency"] = 0
    assert (cm.as_photos([palette], 16) == 255).all()


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (1, 500), (500, 1)])
def test_wide_and_tall_pictures_are_padded_with_their_border(shape):
    inner = np.full((*shape, 3), (10, 120, 200), dtype=np.uint8)
    assert (cm.as_photos([inner], 32)[0] == (10, 120, 200)).all()
    framed = np.full((90, 30, 3), 240, dtype=np.uint8)
    framed[20:70, 5:25] = (200, 0, 0)
    fitted = cm.as_photos([framed], 60)[0]
    assert (fitted[:, :18] == 240).all() and (fitted[:, -18:] == 240).all()
    assert (fitted[30, 28:32] == (200, 0, 0)).all()  # in the middle, not stretched to the sides
    assert np.abs(fitted[:, 20:40].mean() - framed.mean()) < 4


def test_square_photos_of_the_right_size_stay_as_they_are():
    photos = np.stack([photo(32, 32, seed) for seed in range(3)])
    assert np.array_equal(cm.as_photos(photos, 32), photos)
    assert np.array_equal(cm.as_photos(list(photos), 32), photos)


@pytest.mark.parametrize(
    "images, error, told",
    [
        (photo()[None] / 255, TypeError, "float64"),
        (photo()[None].astype(int), TypeError, "int64"),
        ([photo() / 255], TypeError, "float64"),
        (photo(), ValueError, "one image came"),
        (Image.fromarray(photo()), ValueError, "one image came"),
        ([], ValueError, "empty"),
        (np.zeros((0, 8, 8, 3), np.uint8), ValueError, "empty"),
        ([np.zeros((8, 8, 4), np.uint8)], ValueError, "8, 8, 4"),
        ([Image.new("RGB", (0, 4))], ValueError, "pixels"),
        (["a.png"], TypeError, "uint8"),
        ("a.png", TypeError, "a.png"),
        (None, TypeError, "None"),
    ],
)
def test_what_is_no_photos_is_refused(images, error, told):
    with pytest.raises(error, match=told):
        cm.as_photos(images, 32)


# --- image features -----------------------------------------------------------------------------


def test_image_features_do_not_depend_on_the_batch(shop, features):
    image, _, _, (X_test, _) = features
    test = shop[1]
    for i in (0, 130, 199):
        assert np.allclose(image.transform(test.images[i : i + 1])[0], X_test[i], atol=1e-9)
    assert np.allclose(image.transform(test.images[::-1]), X_test[::-1], atol=1e-9)


def test_fit_transform_equals_transform(shop, features):
    image, text, (X, Y), _ = features
    assert np.allclose(image.transform(shop[0].images[:50]), X[:50], atol=1e-9)
    assert np.allclose(text.transform(shop[0].texts[:50]), Y[:50], atol=1e-9)


def test_image_features_know_the_same_photo_at_another_size(shop, features):
    """Enlarged, a photo stays nearest to itself; its mirror image is nearer than a stranger."""
    image, _, _, (X, _) = features
    photos = shop[1].images[:40]
    large = [Image.fromarray(p).resize((150, 150), Image.Resampling.BICUBIC) for p in photos]
    near = np.linalg.norm(image.transform(large)[:, None] - X[:40], axis=2)
    assert (near.argmin(axis=1) == np.arange(40)).all()
    mirrored = np.linalg.norm(image.transform(photos[:, :, ::-1])[:, None] - X[:40], axis=2)
    assert np.mean(np.diag(mirrored) < np.median(mirrored, axis=1)) > 0.9


def test_image_features_see_colour_and_shape(shop, features):
    """The nearest other photo shares type and colour far more often than a random one does."""
    X, rows = features[3][0], shop[1].attributes
    distance = np.linalg.norm(X[:, None] - X, axis=2) + np.diag(np.full(200, np.inf))
    nearest = distance.argmin(axis=1)
    assert np.mean(rows["type"] == rows["type"][nearest]) > 0.5
    assert np.mean(rows["colour"] == rows["colour"][nearest]) > 0.3


def test_photos_all_alike_do_not_break_the_features():
    black = np.zeros((4, 48, 48, 3), dtype=np.uint8)
    features = cm.ImageFeatures()
    assert np.allclose(features.fit_transform(black), 0)
    assert np.isfinite(features.transform(photo(48, 48)[None])).all()
    with pytest.raises(ValueError, match="2 photos"):
        features.fit(black[:1])


@pytest.mark.parametrize(
    "options", [{"size": 8}, {"n_components": 0}, {"n_patches": -1}, {"size": 64.0}]
)
def test_bad_options_of_image_features_are_named(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}.* came"):
        cm.ImageFeatures(**options).fit(np.zeros((4, 48, 48, 3), dtype=np.uint8))


# --- text features ------------------------------------------------------------------------------

TEXTS = ["red shirt size M", "blue shirt size L", "red mug 12", "blue mug 34", "a red hat M 2"]


def test_text_features_keep_the_geometry_of_tf_idf():
    """With as many axes as there are, inner products are those of scikit-learn's TF-IDF."""
    pattern = r"(?u)[^\W\d_]+|\d"
    reference = TfidfVectorizer(
        token_pattern=pattern, ngram_range=(1, 2), min_df=2, sublinear_tf=True
    ).fit(TEXTS)
    ours = cm.TextFeatures().fit(TEXTS)
    assert ours.vocabulary_.tolist() == reference.get_feature_names_out().tolist()
    assert np.allclose(ours.idf_, reference.idf_)
    full = reference.transform(TEXTS).toarray()
    kept = full @ np.linalg.svd(full)[2][: ours.n_features_out_].T  # the best of this rank
    rows = ours.transform(TEXTS)
    assert np.allclose(rows @ rows.T, kept @ kept.T, atol=1e-6)


def test_text_features_learn_nothing_after_fit():
    text = cm.TextFeatures(min_count=1).fit(TEXTS)
    one, two = text.transform(["red mug", "red zebra mug"])
    assert "zebra" not in text.vocabulary_
    assert np.allclose(text.transform(["red"]), text.transform(["red zebra"]))
    assert one @ two > 0
    assert np.allclose(text.transform(["zebra", "", "Zürich!"]), 0)
    again = text.transform(["red mug", "quagga"])
    assert np.array_equal(again[0], one)


def test_one_letter_words_and_digits_count():
    text = cm.TextFeatures(min_count=1).fit(TEXTS)
    assert {"m", "l", "a", "1", "2", "3", "4"} <= set(text.vocabulary_)
    assert "12" not in text.vocabulary_ and "1 2" in text.vocabulary_
    large, middle = text.transform(["shirt size L", "shirt size M"])
    assert np.linalg.norm(large - middle) > 0.1
    assert np.allclose(*text.transform(["RED SHIRT", "red shirt"]))


@pytest.mark.parametrize(
    "texts, error, told",
    [
        ("red shirt", TypeError, "one str came"),
        ([], ValueError, "empty"),
        (["red", 3], TypeError, "row 1 is int 3"),
        (["red", float("nan")], TypeError, "row 1 is float nan"),
        ([b"red", "red"], TypeError, "row 0 is bytes"),
        (None, TypeError, "None"),
    ],
)
def test_what_is_no_texts_is_refused(texts, error, told):
    fitted = cm.TextFeatures().fit(TEXTS)
    for call in (fitted.fit, fitted.transform):
        with pytest.raises(error, match=told):
            call(texts)
    assert fitted.transform(TEXTS).shape[0] == 5


def test_texts_without_common_words_are_refused():
    for texts in (["a", "b", "c"], ["a"] * 4, [""] * 4, ["!!"]):
        with pytest.raises(ValueError, match="min_count=2"):
            cm.TextFeatures().fit(texts)


# --- the model ----------------------------------------------------------------------------------


def embeddings(model, features):
    """Return the model's embeddings of the test rows."""
    X, Y = features[3]
    return model.encode_features(X, "image"), model.encode_features(Y, "text")


def test_contrastive_beats_cca_beats_chance(models, shop, features):
    scores = {}
    for name, model in models.items():
        ranks = cm.evaluate(*embeddings(model, features), shop[1].texts)
        scores[name] = [cm.summarize(r)["r1"] for r in ranks.values()]
    chance = cm.chance_levels(200)["r1"]
    for side in range(2):
        assert scores["cca"][side] > chance + 0.15
        assert scores["contrastive"][side] > scores["cca"][side] + 0.03
        assert scores["combined"][side] > scores["cca"][side] + 0.02


@pytest.mark.parametrize("objective", ["cca", "contrastive", "combined"])
def test_embeddings_are_unit_rows_in_single_precision(models, features, objective):
    for E in embeddings(models[objective], features):
        assert E.dtype == np.float32 and np.allclose(np.linalg.norm(E, axis=1), 1, atol=1e-6)


def test_fit_does_all_that_its_parts_do(shop, features):
    train, test = shop
    fitted = cm.CrossModalModel(objective="cca").fit(train.images, train.texts)
    image, text, (X, Y), _ = features
    parts = cm.CrossModalModel(objective="cca").fit_aligners(X, Y, image, text)
    assert np.allclose(fitted.encode_text(test.texts), parts.encode_text(test.texts), atol=1e-6)
    assert np.allclose(
        fitted.encode_image(test.images), parts.encode_image(test.images), atol=1e-6
    )


def test_retrieve_returns_the_best_descriptions_in_order(models, shop):
    model, test = models["contrastive"], shop[1]
    found = model.retrieve(test.images[:5], test.texts, k=3)
    S = model.encode_image(test.images[:5]) @ model.encode_text(test.texts).T
    assert found == [[test.texts[j] for j in np.argsort(-row)[:3]] for row in S]
    assert model.retrieve(test.images[:2], tuple(test.texts)) == [row[:1] for row in found[:2]]
    best = model.retrieve_description(test.images[0], test.texts)
    assert best == found[0][0] == cm.retrieve_description(test.images[0], test.texts, model)


@pytest.mark.parametrize("n_neighbours", [1, 10, 100_000])
def test_the_correction_for_hubs_ranks_as_csls_does(features, n_neighbours):
    image, text, (X, Y), (X_test, Y_test) = features
    plain = cm.CrossModalModel(objective="cca", hub_neighbours=0)
    plain.fit_aligners(X, Y, image, text)
    model = cm.CrossModalModel(objective="cca", hub_neighbours=n_neighbours)
    E, F = embeddings(model.fit_aligners(X, Y, image, text), features)
    e, f, e_bank, f_bank = (
        part.astype(float)
        for part in (
            *embeddings(plain, features),
            plain.encode_features(X, "image"),
            plain.encode_features(Y, "text"),
        )
    )
    k = min(n_neighbours, len(X))
    r_image = np.sort(e @ f_bank.T, axis=1)[:, -k:].mean(axis=1)
    r_text = np.sort(f @ e_bank.T, axis=1)[:, -k:].mean(axis=1)
    csls = 2 * e @ f.T - r_image[:, None] - r_text
    assert np.allclose(4.5 * E @ F.T, csls, atol=3e-6)
    assert np.allclose(np.linalg.norm(E, axis=1), 1, atol=1e-6)
    sure = np.abs(csls[:, :, None] - csls[:, None, :]) > 1e-5
    S = E @ F.T
    order = (S[:, :, None] > S[:, None, :]) == (csls[:, :, None] > csls[:, None, :])
    assert order[sure].all()


def test_the_correction_survives_items_equal_to_the_bank():
    """An item whose neighbours equal it has closeness 1, or a little more in single precision."""
    rng = np.random.default_rng(0)
    E = unit(rng.normal(size=(200, 7)))
    rows = cm._with_hub_penalty(E, E.astype(np.float32), 1, True)
    assert np.isfinite(rows).all() and np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_hub_neighbours_must_be_a_count(features):
    image, text, (X, Y), _ = features
    for bad in (-1, 2.5, True):
        with pytest.raises(ValueError, match="hub_neighbours"):
            cm.CrossModalModel(hub_neighbours=bad).fit_aligners(X, Y, image, text)


def test_bad_input_to_the_model(models, shop, features):
    model, test = models["cca"], shop[1]
    before = model.encode_text(test.texts)
    cases = (
        (lambda: model.encode_image(test.images[0]), ValueError, "one image came"),
        (lambda: model.encode_image(test.images / 255), TypeError, "float64"),
        (lambda: model.encode_text(test.texts[0]), TypeError, "one str came"),
        (lambda: model.encode_text([None]), TypeError, "row 0"),
        (lambda: model.retrieve(test.images[:2], test.texts, k=201), ValueError, "200"),
        (lambda: model.retrieve(test.images[:2], []), ValueError, "empty"),
        (lambda: model.retrieve_description(test.images, test.texts), ValueError, "each image"),
        (lambda: model.encode_features(features[3][0], "photo"), ValueError, "photo"),
        (lambda: model.encode_features(features[3][0][:, :9], "image"), ValueError, "9 came"),
        (lambda: model.fit(test.images, test.texts[:-1]), ValueError, "200 and 199"),
        (lambda: model.fit(test.images, [3] * 200), TypeError, "row 0"),
        (lambda: model.fit(test.images, ["a"] * 200), ValueError, "min_count"),
        (lambda: model.fit(test.images[:1], ["a b a b"]), ValueError, "2 photos"),
    )
    for call, error, told in cases:
        with pytest.raises(error, match=told):
            call()
    assert np.array_equal(model.encode_text(test.texts), before)
    with pytest.raises(ValueError, match="objective.*magic"):
        cm.CrossModalModel(objective="magic").fit(test.images, test.texts)
    with pytest.raises(ValueError, match="not fitted"):
        cm.CrossModalModel().encode_image(test.images)


def test_a_featuriser_of_another_width_is_refused(models, shop):
    train, test = shop
    other = cm.CrossModalModel(objective="cca")
    vars(other).update(vars(models["cca"]))
    other.image_features_ = cm.ImageFeatures(n_components=20).fit(train.images[:60])
    with pytest.raises(ValueError, match="columns, as in fit; 20 came"):
        other.encode_image(test.images)


def test_callers_arrays_are_never_changed(shop, features):
    image, text, (X, Y), _ = features
    train = shop[0]
    rng = np.random.default_rng(0)
    S, relevant = rng.normal(size=(9, 9)), np.eye(9, dtype=bool)
    E, T = unit(rng.normal(size=(9, 4))), np.eye(9)
    arrays = [X, Y, train.images, S, relevant, E, T]
    copies = [a.copy() for a in arrays]
    for a in arrays:
        a.setflags(write=False)
    model = cm.CrossModalModel(
        objective="combined", contrastive=cm.ContrastiveAligner(epochs=2)
    ).fit_aligners(X, Y, image, text, validation=(X[:40], Y[:40]))
    model.encode_image(train.images[:5])
    cm.ImageFeatures().fit_transform(train.images[:30])
    cm.exact_top_k(E, E, 3), cm.evaluate(E, E), cm.info_nce(E, E, 0.1, T)
    cm.mean_average_precision(S, relevant), cm.true_ranks(S, relevant)
    cm.bootstrap_interval(S[0], n_resamples=9), cm.paired_bootstrap(S[0], S[1], n_resamples=9)
    for a, copy in zip(arrays, copies, strict=True):
        a.setflags(write=True)
        assert np.array_equal(a, copy)


# --- files --------------------------------------------------------------------------------------


def rewritten(path, target, change):
    """Write a changed copy of a model file: ``change`` edits its dict of arrays, header parsed."""
    with np.load(path) as file:
        arrays = dict(file)
    arrays["header"] = json.loads(str(arrays["header"]))
    change(arrays)
    arrays["header"] = np.array(json.dumps(arrays["header"]))
    with open(target, "wb") as file:
        np.savez(file, **arrays)
    return target


@pytest.mark.parametrize("objective", ["cca", "contrastive", "combined"])
def test_a_saved_model_comes_back_bit_for_bit(models, shop, tmp_path, objective):
    model, test = models[objective], shop[1]
    path = tmp_path / "model.npz"
    model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    loaded = cm.CrossModalModel.load(str(path))
    for call in ("encode_image", "encode_text"):
        items = test.images if call == "encode_image" else test.texts
        assert np.array_equal(getattr(loaded, call)(items), getattr(model, call)(items))
    assert loaded.objective == objective and loaded.n_neighbours_ == model.n_neighbours_
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").stat().st_size == pytest.approx(path.stat().st_size, rel=0.01)


def test_options_come_back_so_that_a_second_fit_is_the_same(shop, tmp_path):
    train, test = shop[0][:80], shop[1]
    model = cm.CrossModalModel(
        objective="cca",
        text_features=cm.TextFeatures(min_count=3, random_state=np.int64(4)),
        cca=cm.CCA(np.int64(17), regularization=np.array([0.2, 0.5])),
        hub_neighbours=np.int64(3),
    ).fit(train.images, train.texts)
    model.save(tmp_path / "m.npz")
    loaded = cm.CrossModalModel.load(tmp_path / "m.npz")
    again = loaded.encode_text(test.texts)
    assert np.array_equal(again, model.encode_text(test.texts)) and again.shape[1] == 17 + 4
    refitted = loaded.fit(train.images, train.texts)
    assert np.allclose(refitted.encode_text(test.texts), again, atol=1e-6)


def test_every_array_of_a_file_is_needed(shop, tmp_path):
    part, path = shop[0][:60], tmp_path / "model.npz"
    small = cm.ContrastiveAligner(hidden_size=8, epochs=1)
    model = cm.CrossModalModel(objective="combined", contrastive=small)
    model.fit(part.images, part.texts).save(path)
    with np.load(path) as file:
        names = [name for name in file.files if name != "header"]
    for name in names:
        bad = rewritten(path, tmp_path / "bad.npz", lambda arrays, n=name: arrays.pop(n))
        with pytest.raises(ValueError, match="lacks a part"):
            cm.CrossModalModel.load(bad)


@pytest.mark.parametrize(
    "name",
    [
        "image/mean_",
        "image/components_",
        "text/idf_",
        "aligner0/text_/mean",
        "aligner0/image_/linear",
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(models, tmp_path, name):
    path = tmp_path / "model.npz"
    models["cca"].save(path)
    for change in (lambda a: a[..., :-1], lambda a: a * np.nan):
        bad = rewritten(
            path, tmp_path / "bad.npz", lambda a, f=change: a.update({name: f(a[name])})
        )
        with pytest.raises(ValueError, match="lacks a part"):
            cm.CrossModalModel.load(bad)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("aligner1"),
        lambda h: h.pop("text"),
        lambda h: h.pop("model"),
        lambda h: h.update(image="nonsense"),
        lambda h: h["aligner0"].update({"class": "Popen"}),
        lambda h: h["aligner0"]["learned"].pop("image_"),
        lambda h: h["aligner0"]["options"].update(power=9),
        lambda h: h["model"]["options"].update(objective="magic"),
        lambda h: h["model"].pop("n_neighbours"),
    ],
)
def test_a_header_that_lacks_something_is_refused(models, tmp_path, change):
    models["combined"].save(tmp_path / "model.npz")
    bad = rewritten(
        tmp_path / "model.npz", tmp_path / "bad.npz", lambda arrays: change(arrays["header"])
    )
    with pytest.raises(ValueError, match="lacks a part"):
        cm.CrossModalModel.load(bad)


def test_truncated_foreign_and_future_files_are_refused(models, tmp_path):
    path, bad = tmp_path / "model.npz", tmp_path / "bad.npz"
    models["cca"].save(path)
    whole = path.read_bytes()
    for content in (b"", b"PK", b"hello", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match="not a whole model file"):
            cm.CrossModalModel.load(bad)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    bad.write_bytes(flipped)
    with pytest.raises(ValueError, match="bad.npz"):
        cm.CrossModalModel.load(bad)
    np.save(tmp_path / "array.npy", np.eye(3))
    np.savez(tmp_path / "foreign.npz", weights=np.eye(3))
    np.savez(tmp_path / "numbers.npz", header=np.eye(3))
    for name in ("array.npy", "foreign.npz", "numbers.npz"):
        with pytest.raises(ValueError, match="not a whole model file"):
            cm.CrossModalModel.load(tmp_path / name)
    rewritten(path, bad, lambda arrays: arrays["header"].update(format=cm.FORMAT + 1))
    with pytest.raises(ValueError, match=f"format {cm.FORMAT + 1}; .* {cm.FORMAT}"):
        cm.CrossModalModel.load(bad)
    with pytest.raises(FileNotFoundError):
        cm.CrossModalModel.load(tmp_path / "nowhere.npz")


class Bomb:
    """Something whose unpickling shows."""

    def __reduce__(self):
        """Make a file when unpickled."""
        return open, (os.environ["BOMB"], "w")


def test_pickles_are_never_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    np.savez(tmp_path / "bomb.npz", header=np.array([Bomb()], dtype=object))
    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object))
    for name in ("bomb.npz", "bomb.npy"):
        with pytest.raises(ValueError):
            cm.CrossModalModel.load(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_a_crash_while_saving_leaves_the_old_file(models, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    models["cca"].save(path)
    old = path.read_bytes()

    def crash(file, **arrays):
        file.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", crash)
    with pytest.raises(KeyboardInterrupt):
        models["contrastive"].save(path)
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", lambda handle: exec("raise OSError('disk full')"))
    with pytest.raises(OSError, match="disk full"):
        models["contrastive"].save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old and [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_a_model_that_cannot_be_saved_writes_nothing(shop, features, tmp_path):
    class Foreign(cm.CCA):
        """Somebody's own aligner."""

    image, text, (X, Y), _ = features
    model = cm.CrossModalModel(objective="cca", cca=Foreign()).fit_aligners(X, Y, image, text)
    with pytest.raises(TypeError, match="Foreign"):
        model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="not fitted"):
        cm.CrossModalModel().save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


# --- search -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("k", [1, 7, 500])
def test_exact_top_k_agrees_with_a_stable_sort(dtype, k):
    """Small integers make many ties, exact in any precision, over the borders of two blocks."""
    rng = np.random.default_rng(0)
    queries = rng.integers(-2, 3, (300, 4)).astype(dtype)
    database = rng.integers(-2, 3, (8192 + 700, 4)).astype(dtype)
    scores, indices = cm.exact_top_k(queries, database, k)
    S = queries @ database.T
    expected = np.argsort(-S, axis=1, kind="stable")[:, :k]
    assert np.array_equal(indices, expected)
    assert np.array_equal(scores, np.take_along_axis(S, expected, axis=1))
    assert scores.dtype == (np.float32 if dtype == np.float32 else np.float64)


def test_exact_top_k_of_the_whole_database_is_a_full_ranking():
    rng = np.random.default_rng(1)
    queries, database = rng.normal(size=(3, 6)), rng.normal(size=(50, 6))
    scores, indices = cm.exact_top_k(queries, database, 50)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert (np.sort(indices, axis=1) == np.arange(50)).all()


def test_exact_top_k_refuses_bad_input():
    X = np.eye(4)
    with pytest.raises(ValueError, match="at most 4.* 5 came"):
        cm.exact_top_k(X, X, 5)
    for k in (0, -1, 1.0, True):
        with pytest.raises(ValueError, match="k must be"):
            cm.exact_top_k(X, X, k)
    with pytest.raises(ValueError, match="4 columns and items 3"):
        cm.exact_top_k(X, X[:, :3], 1)
    for dtype in (np.float32, np.float64):
        with pytest.raises(ValueError, match="row 2"):
            cm.exact_top_k(X, np.where(np.arange(4)[:, None] == 2, np.nan, X).astype(dtype), 1)
    with pytest.raises(ValueError, match="shape"):
        cm.exact_top_k(X[0], X, 1)


# --- evaluation ---------------------------------------------------------------------------------


def test_true_ranks_by_hand():
    S = np.array([[3.0, 1, 2], [5, 5, 5], [1, 9, 4]])
    assert cm.true_ranks(S).tolist() == [1, 3, 2]
    relevant = np.array([[0, 1, 1], [1, 0, 1], [1, 0, 0]], dtype=bool)
    assert cm.true_ranks(S, relevant).tolist() == [2, 2, 3]
    assert cm.true_ranks(S[:, ::-1], relevant[:, ::-1]).tolist() == [2, 2, 3]


def test_a_constant_scorer_gets_the_worst_rank_and_nan_is_refused():
    assert cm.true_ranks(np.zeros((4, 6))).tolist() == [6] * 4
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite; row 0"):
            cm.true_ranks(np.full((4, 4), bad))
        with pytest.raises(ValueError, match="finite"):
            cm.evaluate(np.full((4, 4), bad), np.eye(4))


def test_true_ranks_refuse_bad_input():
    with pytest.raises(ValueError, match="4 queries but 2 items"):
        cm.true_ranks(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="query 1 has none"):
        cm.true_ranks(np.zeros((2, 2)), np.array([[True, True], [False, False]]))
    for relevant in (np.eye(3), np.eye(2, dtype=bool)):
        with pytest.raises(ValueError, match="relevant must be bool"):
            cm.true_ranks(np.zeros((3, 3)), relevant)


def test_same_text_makes_duplicates_hits():
    texts = ["red mug", "blue mug", "red mug"]
    same = cm.same_text(texts, texts[:2])
    assert same.tolist() == [[True, False], [False, True], [True, False]]
    E = np.eye(3)
    swapped = E[[2, 1, 0]]
    assert cm.evaluate(E, swapped)["image_to_text"].tolist() == [3, 1, 3]
    for ranks in cm.evaluate(E, swapped, texts).values():
        assert ranks.tolist() == [1, 1, 1]
    with pytest.raises(TypeError, match="one str"):
        cm.same_text("red mug", texts)


def test_evaluate_looks_in_both_directions():
    E_image = unit(np.array([[1.0, 0], [1, 1]]))
    E_text = unit(np.array([[1.0, 0.9], [1, 1.2]]))
    ranks = cm.evaluate(E_image, E_text)
    assert ranks["image_to_text"].tolist() == [1, 2]
    assert ranks["text_to_image"].tolist() == [2, 1]
    with pytest.raises(ValueError, match="2 rows"):
        cm.evaluate(E_image, np.eye(3)[:, :2])


def test_summaries_by_hand():
    measured = cm.summarize([1, 2, 6, 11])
    expected = {"r1": 0.25, "r5": 0.5, "r10": 0.75, "mrr": (1 + 1 / 2 + 1 / 6 + 1 / 11) / 4}
    assert measured == pytest.approx({**expected, "median_rank": 4.0})
    assert cm.recall_at_k([1, 2, 3], 2) == pytest.approx(2 / 3)
    for bad in ([], [0, 1], [[1, 2]], [1, np.nan]):
        with pytest.raises(ValueError, match="ranks"):
            cm.summarize(bad)
        with pytest.raises(ValueError, match="ranks"):
            cm.recall_at_k(bad, 1)


def test_mean_average_precision_by_hand_and_by_scikit_learn():
    scores = np.array([[4.0, 3, 2, 1], [1, 1, 1, 0]])
    relevant = np.array([[1, 0, 1, 0], [1, 0, 0, 0]], dtype=bool)
    by_hand = ((1 + 2 / 3) / 2 + 1 / 3) / 2  # the tie puts the second query's item third
    assert cm.mean_average_precision(scores, relevant) == pytest.approx(by_hand)
    rng = np.random.default_rng(0)
    scores, relevant = rng.normal(size=(30, 20)), rng.random((30, 20)) < 0.3
    relevant[:, 0] = True
    pairs = zip(relevant, scores, strict=True)
    expected = np.mean([average_precision_score(right, row) for right, row in pairs])
    assert cm.mean_average_precision(scores, relevant) == pytest.approx(expected)


def test_chance_levels_agree_with_a_simulation():
    rng = np.random.default_rng(0)
    measured = cm.summarize(rng.integers(1, 41, 200_000))
    assert cm.chance_levels(40) == pytest.approx(measured, rel=0.03)
    assert cm.chance_levels(3)["r5"] == 1.0
    with pytest.raises(ValueError, match="n_items"):
        cm.chance_levels(0)


def test_bootstrap_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        low, high = cm.bootstrap_interval(rng.random(150) < 0.4, n_resamples=200)
        covered += low <= 0.4 <= high
    assert 180 <= covered <= 199
    normal = rng.normal(5, 2, 400)
    low, high = cm.bootstrap_interval(normal)
    half = 1.96 * normal.std() / 20
    assert (low, high) == pytest.approx((normal.mean() - half, normal.mean() + half), abs=0.03)
    assert cm.bootstrap_interval(normal) == (low, high)
    narrow = cm.bootstrap_interval(normal, confidence=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_bootstrap_refuses_bad_input():
    for bad in ([], [np.nan], 3.0):
        with pytest.raises(ValueError, match="values"):
            cm.bootstrap_interval(bad)
    for options in ({"confidence": 95}, {"n_resamples": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            cm.bootstrap_interval([1.0, 2.0], **options)
    with pytest.raises(ValueError, match="one value per query"):
        cm.paired_bootstrap([1, 2], [1, 2, 3])


def test_paired_bootstrap_sees_what_pairing_shows():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 10, 300)  # queries differ far more than the systems do
    a, b = hard + rng.normal(0.5, 1, 300), hard
    one, two = cm.paired_bootstrap(a, b), cm.paired_bootstrap(b, a)
    assert one["difference"] == pytest.approx(np.mean(a - b)) and one["low"] > 0.3
    assert one["p"] == 1 / 2000 and two["p"] == one["p"]
    assert (two["low"], two["high"]) == pytest.approx((-one["high"], -one["low"]))
    null = cm.paired_bootstrap(hard, hard[::-1])
    assert null["low"] < 0 < null["high"] and null["p"] > 0.5
    assert cm.paired_bootstrap(a, a) == {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_paired_bootstrap_is_rarely_fooled():
    rng = np.random.default_rng(1)
    p = [cm.paired_bootstrap(*rng.normal(size=(2, 60)), n_resamples=200)["p"] for _ in range(200)]
    assert 0.01 < np.mean(np.array(p) <= 0.05) < 0.1


# --- the interpreter ----------------------------------------------------------------------------


def run(code, **environment):
    """Run Python code afresh; return what it prints. Warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_import_changes_no_global_state():
    run("""
import random, warnings, sys
import numpy as np, matplotlib, sklearn, matplotlib.ft2font, sklearn.exceptions, PIL.Image
import sklearn.cluster, sklearn.decomposition, sklearn.feature_extraction.text
np.random.seed(3)
random.seed(3)
def state():
    numpy = np.random.get_state()
    return (numpy[1].tobytes(), numpy[2:], random.getstate(), dict(matplotlib.rcParams),
            list(warnings.filters), np.geterr(), np.get_printoptions(), sklearn.get_config(),
            list(sys.path))
before = state()
import crossmodal_utils as cm
assert state() == before, [a == b for a, b in zip(state(), before)]
cm.make_catalogue(12, random_state=0, size=48)
assert state() == before
""")


THREADS = """
import crossmodal_utils as cm
shop = cm.make_catalogue(130, random_state=0, size=48)
train, _, test = shop.split(validation=0, test=60, random_state=0)
model = cm.CrossModalModel(objective="combined", contrastive=cm.ContrastiveAligner(epochs=4))
model.fit(train.images, train.texts)
ranks = cm.evaluate(model.encode_image(test.images), model.encode_text(test.texts))
for name, values in ranks.items():
    print(name, values.tolist(), *(f"{v:.4f}" for v in cm.summarize(values).values()))
print(*(f"{v:.4f}" for v in model.aligners_[1].loss_))
print(*(f"{v:.4f}" for v in model.aligners_[0].correlations_[:20]))
print(model.retrieve(test.images[:3], test.texts, k=2))
"""


def test_one_thread_or_two_print_the_same():
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    one, two = (run(THREADS, **dict.fromkeys(names, n)) for n in "12")
    assert one == two and len(one.splitlines()) == 5


# --- pictures -----------------------------------------------------------------------------------


def test_plotters_draw_on_the_axes_given():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    S = np.array([[1.0, 0.2], [0.1, 0.9]])
    assert cm.plot_similarity(ax, S, [photo(), photo()], ["one", "two"]) is ax
    assert np.array_equal(ax.images[0].get_array(), S)
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.20", "0.10", "0.90"]
    ax = Figure().subplots()
    curves = {"train": np.array([3.0, 2]), "validation": np.array([4.0])}
    assert cm.plot_curves(ax, np.arange(1, 3), curves, "epoch", "loss") is ax
    assert [line.get_ydata().tolist() for line in ax.lines] == [[3, 2], [4]]
    ax = Figure().subplots()
    rows = {"CCA": {"up": (0.4, 0.3, 0.5)}, "contrastive": {"up": (0.6, 0.5, 0.7)}}
    assert cm.plot_comparison(ax, rows, chance=0.01) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["CCA", "contrastive"]
    axes = Figure().subplots(1, 2)
    assert cm.plot_photos(axes, [photo(), photo()], ["a", "b"], ["r", "g"]) is axes
    assert [a.get_xlabel() for a in axes] == ["a", "b"]
