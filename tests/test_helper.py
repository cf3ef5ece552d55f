"""Tests of the helper: each compares with an oracle that works another way, or with a property."""

import math
import os
import pickle
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import scipy.linalg
import skops.io
import threadpoolctl
from PIL import Image
from sklearn import cross_decomposition
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline, make_union

import course
import crossmodal_utils as cm

SMALL = {"n_components": 5, "batch_size": 64, "epochs": 8}


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
    catalogue = course.make_catalogue(800, random_state=1, size=48)
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
    weighted = cm.CCA(regularization=0, weight_power=1).fit(X, Y)
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


def test_tower_gradient_agrees_with_differences():
    rng = np.random.default_rng(5)
    X, W, E_text = rng.normal(size=(6, 5)), rng.normal(size=(5, 4)), batch()[1]

    def loss(W):
        return cm.info_nce(unit(X @ W), E_text, 0.3)

    numeric = numeric_gradient(lambda W: loss(W)[0], W)
    assert_gradient(cm.tower_gradient(X, W, loss(W)[1]), numeric)


# --- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{}, {"start": "random"}])
def test_training_lowers_the_loss_and_repeats_itself(change):
    X, Y = correlated_views()
    options = {**SMALL, "learning_rate": 3e-3, **change}
    one, two = (cm.ContrastiveAligner(**options).fit(X, Y) for _ in range(2))
    assert one.loss_.shape == (8,) and one.loss_[-1] < one.loss_[0] - 0.05
    assert np.array_equal(one.transform_image(X), two.transform_image(X))
    other = cm.ContrastiveAligner(**options, random_state=1).fit(X, Y)
    assert not np.array_equal(one.transform_image(X), other.transform_image(X))


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


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"learning_rate": "fast"},
        {"epochs": 0},
        {"start": "zero"},
        {"patience": 0},
        {"batch_size": 2.5},
        {"n_components": 0},
        {"regularization": -1},
    ],
)
def test_bad_options_are_named(options):
    X, Y = correlated_views()
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        cm.ContrastiveAligner(**options).fit(X, Y)


@pytest.mark.parametrize(
    "options", [{"regularization": r} for r in (-1, math.nan, (1, 2, 3), (0.1, -1))]
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
        (bad, Y, ValueError, "NaN"),
        (X, Y[:-1], ValueError, "300, 299"),
        (X[:1], Y[:1], ValueError, "all rows that came are equal"),
        (X[:, 0], Y, ValueError, "2D array"),
        (np.full(X.shape, "a"), Y, ValueError, "convert"),
        (X, np.full(Y.shape, 0.1), ValueError, "equal"),
        ([], [], ValueError, "2D array"),
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
    for pairs, told in (((Y, X), "7 columns"), ((X[:5], Y[:4]), "5, 4")):
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
        (photo(), ValueError, r"in a list, \[image\]"),
        (Image.fromarray(photo()), TypeError, r"\[image\]"),
        ([], ValueError, "empty"),
        (np.zeros((0, 8, 8, 3), np.uint8), ValueError, "empty"),
        ([np.zeros((8, 8, 4), np.uint8)], ValueError, "8, 8, 4"),
        ([Image.new("RGB", (0, 4))], ValueError, "image 0"),
        (["a.png"], ValueError, "a.png.*No such file"),
        ([photo(), None], TypeError, "image 1: "),
        ("a.png", TypeError, "list of pictures; str came"),
        (None, TypeError, "NoneType"),
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
        assert np.allclose(image.transform(test.images[i : i + 1])[0], X_test[i], atol=1e-4)
    assert np.allclose(image.transform(test.images[::-1]), X_test[::-1], atol=1e-4)


def test_fit_transform_equals_transform(shop, features):
    image, text, (X, Y), _ = features
    assert np.allclose(image.transform(shop[0].images[:50]), X[:50], atol=1e-4)
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
    assert np.mean(rows["type"] == rows["type"][nearest]) > 0.4  # two of four views see colours
    assert np.mean(rows["colour"] == rows["colour"][nearest]) > 0.3


def test_photos_all_alike_do_not_break_the_features():
    black = np.zeros((4, 48, 48, 3), dtype=np.uint8)
    features = cm.ImageFeatures()
    assert np.allclose(features.fit_transform(black), 0)
    assert np.isfinite(features.transform(photo(48, 48)[None])).all()
    with pytest.raises(ValueError, match="2 photos"):
        features.fit(black[:1])


@pytest.mark.parametrize("options", [{"size": 8}, {"n_components": 0}, {"size": 64.0}])
def test_bad_options_of_image_features_are_named(options):
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        cm.ImageFeatures(**options).fit(np.zeros((4, 48, 48, 3), dtype=np.uint8))


# --- text features ------------------------------------------------------------------------------

TEXTS = ["red shirt size M", "blue shirt size L", "red mug 12", "blue mug 34", "a red hat M 2"]


def test_text_features_have_the_terms_and_weights_of_tf_idf():
    """With as many axes as there are, angles in the view of words are those of TF-IDF."""
    options = {"token_pattern": r"(?u)[^\W\d_]+|\d", "ngram_range": (1, 2), "min_df": 2}
    reference = TfidfVectorizer(sublinear_tf=True, **options).fit(TEXTS)
    ours = cm.TextFeatures(letters=None).fit(TEXTS)
    assert ours.views_["words"]["terms"].tolist() == reference.get_feature_names_out().tolist()
    full = reference.transform(TEXTS).toarray()
    axes = np.linalg.svd(full)[2][: len(ours.views_["words"]["mean"])]
    kept = unit(full @ axes.T)  # the best of this rank
    rows = ours.transform(TEXTS) * ours.views_["words"]["scale"] + ours.views_["words"]["mean"]
    assert np.allclose(rows @ rows.T, kept @ kept.T, atol=1e-6)


def test_the_letters_of_a_text_are_the_sum_over_its_words():
    """The view of letters equals scikit-learn's char_wb, up to the length of a row."""
    texts = [re.sub(r"\d", "", text) for text in TEXTS]  # a digit is a word of its own here
    reference = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2).fit(texts)
    text = cm.TextFeatures().fit(texts)
    view = text.views_["letters"]
    assert view["terms"].tolist() == reference.get_feature_names_out().tolist()
    scaled = text.transform(texts)[:, -len(view["mean"]) :]
    rows = scaled * view["scale"] + view["mean"]
    full = reference.transform(texts).toarray()
    expected = unit(full @ np.linalg.svd(full)[2][: rows.shape[1]].T)
    assert np.allclose(rows @ rows.T, expected @ expected.T, atol=1e-6)


def test_unknown_words_count_nothing_and_are_warned_of():
    text = cm.TextFeatures(letters=None).fit(2 * TEXTS)
    assert np.allclose(text.transform(["red"]), text.transform(["red zebra"]))
    with pytest.warns(UserWarning, match="66.7% of the texts hold no known word"):
        found = text.transform(["red mug", "quagga", ""])
    assert np.array_equal(found[1], found[2]) and not np.array_equal(found[0], found[1])


def test_letters_bring_a_typing_error_near_its_word():
    texts = [
        f"{colour} {thing}"
        for colour in ("scarlet", "emerald", "navy")
        for thing in ("mug", "hat")
    ]
    text = cm.TextFeatures().fit(2 * texts)
    typed, *known = text.transform(["scralet", "scarlet", "emerald", "navy"])
    assert np.argmin([np.linalg.norm(typed - row) for row in known]) == 0


def test_case_and_unicode_forms_make_no_difference():
    text = cm.TextFeatures().fit(2 * ["café noir", "thé noir", "लाल कमीज", "नीली कमीज"])
    assert {"café", "लाल", "कमीज"} <= set(text.views_["words"]["terms"])
    forms = ["CAFÉ noir", unicodedata.normalize("NFD", "café noir"), "café noir"]
    rows = text.transform(forms)
    assert np.allclose(rows, rows[:1])


def test_scripts_without_spaces_are_told_apart():
    colours, things = ("红色", "蓝色", "绿色", "黄色"), ("陶瓷杯", "帆布包", "运动鞋", "羊毛帽")
    texts = [colour + thing for colour in colours for thing in things]
    rows = cm.TextFeatures().fit(2 * texts).transform([*texts, "红色的陶瓷杯"])
    assert np.linalg.norm(rows[:-1] - rows[-1], axis=1).argmin() == 0


def test_any_sequence_of_texts_will_do():
    table = {"red": "a red mug", "blue": "a blue mug"}
    for texts in (tuple(table.values()), table.values(), np.array(list(table.values()))):
        assert cm.check_texts(texts) == ["a red mug", "a blue mug"]


def test_one_letter_words_and_digits_count():
    text = cm.TextFeatures().fit(2 * TEXTS)
    terms = set(text.views_["words"]["terms"])
    assert {"m", "l", "a", "1", "2", "3", "4"} <= terms
    assert "12" not in terms and "1 2" in terms
    large, middle = text.transform(["shirt size L", "shirt size M"])
    assert np.linalg.norm(large - middle) > 0.1


@pytest.mark.parametrize(
    "texts, error, told",
    [
        ("red shirt", TypeError, "str came"),
        ({"sku": "red shirt"}, TypeError, "dict came"),
        ({"red shirt"}, TypeError, "set came"),
        (frozenset({"red shirt"}), TypeError, "frozenset came"),
        (np.array([["red shirt"]]), TypeError, "one column"),
        (iter(["red shirt"]), TypeError, "list of str"),
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
        with pytest.raises(ValueError, match="2 words must occur in two texts"):
            cm.TextFeatures().fit(texts)


# --- the model ----------------------------------------------------------------------------------


def embeddings(model, features):
    """Return the model's embeddings of the test rows."""
    X, Y = features[3]
    return model.encode_features(X, "image"), model.encode_features(Y, "text")


def test_every_objective_beats_chance_by_far_and_cca_weighted_once(models, shop, features):
    image, text, (X, Y), _ = features
    cca = cm.CCA(weight_power=1)
    weighted = cm.CrossModalModel(objective="cca", cca=cca).fit_aligners(X, Y, image, text)
    scores = {}
    for name, model in {**models, "once": weighted}.items():
        ranks = cm.evaluate(*embeddings(model, features), shop[1].texts)
        scores[name] = [cm.summarize(r)["r1"] for r in ranks.values()]
    chance, once = cm.chance_levels(200)["r1"], scores["once"]
    for side in range(2):
        assert min(score[side] for score in scores.values()) > chance + 0.15
        assert scores["contrastive"][side] > once[side] + 0.03
        assert scores["combined"][side] > once[side] + 0.02


@pytest.mark.parametrize("objective", ["cca", "contrastive", "combined"])
def test_embeddings_are_unit_rows_in_single_precision(models, features, objective):
    for E in embeddings(models[objective], features):
        assert E.dtype == np.float32 and np.allclose(np.linalg.norm(E, axis=1), 1, atol=1e-6)


def test_fit_does_all_that_its_parts_do(shop):
    train, test = shop[0][:150], shop[1][:50]
    fitted = cm.CrossModalModel(objective="cca").fit(train.images, train.texts)
    image, text = cm.ImageFeatures(), cm.TextFeatures()
    X, Y = image.fit_transform(train.images), text.fit_transform(train.texts)
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
    E, F = (rows[:70] for rows in embeddings(model.fit_aligners(X, Y, image, text), features))
    e, f, e_bank, f_bank = (
        part.astype(float)
        for part in (
            *(rows[:70] for rows in embeddings(plain, features)),
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
    for bad in (-1, 2.5):
        with pytest.raises((TypeError, ValueError), match="hub_neighbours"):
            cm.CrossModalModel(hub_neighbours=bad).fit_aligners(X, Y, image, text)


def test_bad_input_to_the_model(models, shop, features):
    model, test = models["cca"], shop[1]
    before = model.encode_text(test.texts)
    cases = (
        (lambda: model.encode_image(test.images[0]), ValueError, "images must be an array"),
        (lambda: model.encode_image(test.images / 255), TypeError, "float64"),
        (lambda: model.encode_text(test.texts[0]), TypeError, "str came"),
        (lambda: model.encode_text([None]), TypeError, "row 0"),
        (lambda: model.retrieve(test.images[:2], test.texts, k=201), ValueError, "200"),
        (lambda: model.retrieve(test.images[:2], []), ValueError, "empty"),
        (lambda: model.retrieve_description(test.images, test.texts), ValueError, "image 0"),
        (lambda: model.encode_features(features[3][0], "photo"), ValueError, "photo"),
        (lambda: model.encode_features(features[3][0][:, :9], "image"), ValueError, "9 came"),
        (lambda: model.fit(test.images, test.texts[:-1]), ValueError, "200, 199"),
        (lambda: model.fit(test.images, [3] * 200), TypeError, "row 0"),
        (lambda: model.fit(test.images, ["a"] * 200), ValueError, "2 words"),
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
    with pytest.raises(ValueError, match="599 columns; 20 came"):
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


@pytest.mark.parametrize("objective", ["cca", "contrastive", "combined"])
def test_a_saved_model_comes_back_bit_for_bit(models, shop, tmp_path, objective):
    model, test = models[objective], shop[1][:20]
    path = tmp_path / "model.npz"
    model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    loaded = cm.CrossModalModel.load(str(path))
    for call in ("encode_image", "encode_text"):
        items = test.images if call == "encode_image" else test.texts
        assert np.array_equal(getattr(loaded, call)(items), getattr(model, call)(items))
    assert loaded.objective == objective and loaded.bank_.keys() == model.bank_.keys()
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").stat().st_size == pytest.approx(path.stat().st_size, rel=0.01)


def test_options_come_back_so_that_a_second_fit_is_the_same(shop, tmp_path):
    train, test = shop[0][:80], shop[1]
    model = cm.CrossModalModel(
        objective="cca",
        text_features=cm.TextFeatures(ngrams=(1, 1), random_state=np.int64(4)),
        cca=cm.CCA(np.int64(17), regularization=np.array([0.2, 0.5])),
        hub_neighbours=np.int64(3),
    ).fit(train.images, train.texts)
    model.save(tmp_path / "m.npz")
    loaded = cm.CrossModalModel.load(tmp_path / "m.npz")
    again = loaded.encode_text(test.texts)
    assert np.array_equal(again, model.encode_text(test.texts)) and again.shape[1] == 17 + 4
    refitted = loaded.fit(train.images, train.texts)
    assert np.allclose(refitted.encode_text(test.texts), again, atol=1e-6)


def test_truncated_foreign_and_future_files_are_refused(models, tmp_path):
    path, bad = tmp_path / "model.npz", tmp_path / "bad.npz"
    models["cca"].save(path)
    whole = path.read_bytes()
    for content in (b"", b"PK", b"hello", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match="not a whole model file"):
            cm.CrossModalModel.load(bad)
    np.savez(tmp_path / "foreign.npz", weights=np.eye(3))
    skops.io.dump({"a": np.eye(3)}, tmp_path / "dict.skops")
    skops.io.dump(TfidfVectorizer(), tmp_path / "other.skops")
    skops.io.dump(cm.CrossModalModel(), tmp_path / "unfitted.skops")
    for name in ("foreign.npz", "dict.skops", "other.skops", "unfitted.skops"):
        with pytest.raises(ValueError, match=name):
            cm.CrossModalModel.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        cm.CrossModalModel.load(tmp_path / "nowhere.npz")


class Stranger(cm.CCA):
    """A part of somebody's own."""


def test_types_that_are_not_trusted_are_refused_and_can_be_named(features, tmp_path):
    image, text, (X, Y), _ = features
    cm.CrossModalModel(objective="cca", cca=Stranger()).fit_aligners(X, Y).save(tmp_path / "m")
    with pytest.raises(ValueError, match="Untrusted.*Stranger"):
        cm.CrossModalModel.load(tmp_path / "m")
    loaded = cm.CrossModalModel.load(tmp_path / "m", trusted=[f"{__name__}.Stranger"])
    assert isinstance(loaded.aligners_[0], Stranger)


class Bomb:
    """Something whose unpickling shows."""

    def __reduce__(self):
        """Make a file when unpickled."""
        return open, (os.environ["BOMB"], "w")


def test_pickles_are_never_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    np.savez(tmp_path / "bomb.npz", header=np.array([Bomb()], dtype=object))
    (tmp_path / "bomb.pickle").write_bytes(pickle.dumps(Bomb()))
    for name in ("bomb.npz", "bomb.pickle"):
        with pytest.raises(ValueError):
            cm.CrossModalModel.load(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_models_of_other_parts_and_without_featurisers_are_saved(shop, features, tmp_path):
    train, test = shop
    words = make_pipeline(
        make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3))),
        TruncatedSVD(50, random_state=0),
    )
    model = cm.CrossModalModel(objective="combined", text_features=words)
    model.fit(train.images[:200], train.texts[:200], groups=train.groups[:200])
    model.save(tmp_path / "m")
    loaded = cm.CrossModalModel.load(tmp_path / "m")
    assert np.array_equal(loaded.encode_text(test.texts), model.encode_text(test.texts))
    X, Y = features[2]
    bare = cm.CrossModalModel(objective="cca").fit_aligners(X, Y)
    bare.save(tmp_path / "m")
    loaded = cm.CrossModalModel.load(tmp_path / "m")
    assert np.array_equal(loaded.encode_features(Y, "text"), bare.encode_features(Y, "text"))
    with pytest.raises(ValueError, match="without text features"):
        loaded.encode_text(test.texts)


def test_a_crash_while_saving_leaves_the_old_file(models, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    models["cca"].save(path)
    old = path.read_bytes()

    def crash(model, file):
        file.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(skops.io, "dump", crash)
    with pytest.raises(KeyboardInterrupt):
        models["contrastive"].save(path)
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", lambda handle: exec("raise OSError('disk full')"))
    with pytest.raises(OSError, match="disk full"):
        models["contrastive"].save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old and [p.name for p in tmp_path.iterdir()] == ["model.npz"]


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
        with pytest.raises(ValueError, match="scores contains"):
            cm.true_ranks(np.full((4, 4), bad))
        with pytest.raises(ValueError, match="E_image contains"):
            cm.evaluate(np.full((4, 4), bad), np.eye(4))


def test_true_ranks_refuse_bad_input():
    with pytest.raises(ValueError, match="query 2 has none"):
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
    with pytest.raises(TypeError, match="str came"):
        cm.same_text("red mug", texts)
    with pytest.raises(ValueError, match="3, 3, 1"):
        cm.evaluate(E, swapped, texts[:1])


def test_evaluate_looks_in_both_directions():
    E_image = unit(np.array([[1.0, 0], [1, 1]]))
    E_text = unit(np.array([[1.0, 0.9], [1, 1.2]]))
    ranks = cm.evaluate(E_image, E_text)
    assert ranks["image_to_text"].tolist() == [1, 2]
    assert ranks["text_to_image"].tolist() == [2, 1]
    with pytest.raises(ValueError, match="2, 3"):
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
    by_hand = ((1 + 2 / 3) / 2 + 1 / 3) / 2  # three equal scores of which one is right
    assert cm.mean_average_precision(scores, relevant) == pytest.approx(by_hand)
    rng = np.random.default_rng(0)
    scores, relevant = rng.normal(size=(30, 20)), rng.random((30, 20)) < 0.3
    relevant[:, 0] = True
    pairs = zip(relevant, scores, strict=True)
    expected = np.mean([average_precision_score(right, row) for right, row in pairs])
    assert cm.mean_average_precision(scores, relevant) == pytest.approx(expected)


def test_chance_levels_know_how_many_items_are_right():
    rng = np.random.default_rng(0)
    counts = np.array([1, 3, 3, 5])
    S = rng.random((4000, 30))
    relevant = np.arange(30) < np.tile(counts, 1000)[:, None]
    expected, measured = cm.chance_levels(30, counts), cm.summarize(cm.true_ranks(S, relevant))
    assert measured == pytest.approx(expected, rel=0.08)
    assert cm.chance_levels(3, 3) == {"r1": 1, "r5": 1, "r10": 1, "mrr": 1, "median_rank": 1}
    for bad in (0, 31):
        with pytest.raises(ValueError, match="n_relevant"):
            cm.chance_levels(30, bad)


def test_any_caption_of_a_picture_is_a_hit():
    """With perfect embeddings of pictures with three captions each, recall@1 is 1 both ways."""
    pictures = unit(np.random.default_rng(0).normal(size=(20, 8)))
    E = np.repeat(pictures, 3, axis=0)
    groups = [f"{i // 3}.jpg" for i in range(60)]
    for ranks in cm.evaluate(E, E, groups=groups).values():
        assert (ranks == 1).all()
    for ranks in cm.evaluate(E, E).values():
        assert (ranks == 3).all()


def test_rows_of_a_group_are_not_negatives(monkeypatch):
    seen, info_nce = [], cm.info_nce
    monkeypatch.setattr(cm, "info_nce", lambda *given: seen.append(given[3]) or info_nce(*given))
    X, Y = correlated_views(60)
    groups = np.arange(60) // 3
    cm.ContrastiveAligner(**SMALL).fit(X, Y, groups=groups, validation=(X, Y, groups))
    assert all(((targets > 0).sum(axis=1) == 3).all() for targets in seen)


def test_chance_levels_agree_with_a_simulation():
    rng = np.random.default_rng(0)
    measured = cm.summarize(rng.integers(1, 41, 200_000))
    assert cm.chance_levels(40) == pytest.approx(measured, rel=0.03)
    assert cm.chance_levels(3)["r5"] == 1.0
    with pytest.raises(ValueError, match="n_items"):
        cm.chance_levels(0)
    with pytest.raises(TypeError, match="n_items"):
        cm.chance_levels(10.5)


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


def test_bootstrap_refuses_bad_input():
    for bad in ([], [np.nan], 3.0):
        with pytest.raises(ValueError, match="one value per query, finite"):
            cm.bootstrap_interval(bad)
    with pytest.raises(ValueError):
        cm.bootstrap_interval([1.0, 2.0], n_resamples=0)
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
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
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
import course
import crossmodal_utils as cm
assert state() == before, [a == b for a, b in zip(state(), before)]
course.make_catalogue(12, random_state=0, size=48)
assert state() == before
""")


THREADS = """
import course
import crossmodal_utils as cm
shop = course.make_catalogue(130, random_state=0, size=48)
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


def test_one_thread_or_two_print_the_same(capsys):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    two = run(THREADS, **dict.fromkeys(names, "2"))
    with threadpoolctl.threadpool_limits(1):
        exec(THREADS, {})
    one = capsys.readouterr().out
    assert one == two and len(one.splitlines()) == 5


# --- pictures -----------------------------------------------------------------------------------
