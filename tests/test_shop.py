"""The generated shop, the million made of it, and the characters."""

import hashlib
import importlib
import re

import numpy as np
import PIL
import pytest

import course
import crossmodal_utils as cm

# By name, as the package's functions `shop` and `million` hide the modules of that name.
drawing, grammar, million, shop = (
    importlib.import_module(f"course.{name}") for name in ("drawing", "grammar", "million", "shop")
)


@pytest.fixture(scope="module")
def products():
    """Return a catalogue large enough for every attribute value to occur."""
    return course.make_catalogue(1200, random_state=0, size=48)


@pytest.fixture
def saved(monkeypatch, tmp_path):
    """Keep what is saved in a new folder, and return that."""
    monkeypatch.setattr(shop, "FOLDER", tmp_path / "course")
    return tmp_path / "saved"


def shared(catalogue):
    """Return the six shared attributes of a catalogue."""
    return {name: catalogue.attributes[name] for name in course.SHARED}


def keys(catalogue):
    """Return the six shared attributes of each product as tuples."""
    return list(zip(*shared(catalogue).values(), strict=True))


def codes_of(catalogue):
    """Return the codes of products, int (n, 6)."""
    return grammar.checked(catalogue.attributes)[1]


def has_word(text, words):
    """Tell whether any of the words occurs as a whole word."""
    return any(re.search(rf"(?<![\w-]){word}(?![\w-])", text, re.I) for word in words)


# --- products, photos, descriptions -------------------------------------------------------------


def test_the_products_are_those_of_the_first_edition():
    """Figures in the notebooks hang on each word and pixel."""
    made = course.make_catalogue(200, random_state=5)
    words = hashlib.sha256("\n".join(made.texts).encode()).hexdigest()
    pixels = hashlib.sha256(made.images.tobytes()).hexdigest()
    assert words[:16] == "f2d37dcc5f636ed2"
    # Pillow before 11.3 fills the rims of some shapes otherwise: 3 values in 10,000, by 26 of 255.
    is_old = tuple(map(int, PIL.__version__.split(".")[:2])) < (11, 3)
    assert pixels[:16] == ("e0ee77c14c31c3b4" if is_old else "24d7328d9c00812d")


def test_shapes_and_types(products):
    assert len(products) == 1200 and products.images.shape == (1200, 48, 48, 3)
    assert products.images.dtype == np.uint8
    assert all(isinstance(text, str) for text in products.texts)
    assert products.attributes["mentions"].shape == (1200, 6)
    assert course.make_catalogue(2, random_state=0).images.shape == (2, 64, 64, 3)


def test_the_same_seed_gives_the_same_as_int_or_generator():
    one, two = (course.make_catalogue(20, random_state=s) for s in (5, np.random.default_rng(5)))
    assert np.array_equal(one.images, two.images) and one.texts == two.texts
    other = course.make_catalogue(20, random_state=6)
    assert not np.array_equal(one.images, other.images) and one.texts != other.texts


def test_texts_and_photos_do_not_depend_on_each_other(monkeypatch):
    small, large = (course.make_catalogue(20, random_state=5, size=s) for s in (48, 64))
    assert small.texts == large.texts
    monkeypatch.setattr(grammar, "OMITTED", (0, 50, 50, 50, 50, 50))
    changed = course.make_catalogue(20, random_state=5, size=48)
    assert np.array_equal(changed.images, small.images) and changed.texts != small.texts


def test_photos_differ_by_nuisance_and_by_attribute(products):
    one = {name: np.repeat(values[:1], 6) for name, values in shared(products).items()}
    photos = course.draw_products(one, random_state=1).astype(int)
    assert all(np.abs(photos[0] - photo).mean() > 2 for photo in photos[1:])
    plain, dots = ({**one, "pattern": np.repeat(name, 6)} for name in ("plain", "dots"))
    a, b = (course.draw_products(x, random_state=1).astype(int) for x in (plain, dots))
    assert (np.abs(a - b).max(axis=3) > 40).mean() > 0.02


def test_every_value_occurs_about_equally_often(products):
    for name, options in (("type", grammar.types()), ("colour", course.COLOURS)):
        values, counts = np.unique(products.attributes[name], return_counts=True)
        assert set(values) == set(options) and counts.max() < 2 * counts.min()
    assert set(products.attributes["pattern"]) == set(grammar.PATTERNS)
    assert 0.15 < np.mean(products.attributes["pattern"] == "plain") < 0.25
    for kind in grammar.types():
        of_kind = products.attributes["type"] == kind
        for name, options in zip(("cut", "detail"), grammar.options(kind)[4:], strict=True):
            assert set(products.attributes[name][of_kind]) == set(options) and len(options) >= 2
    assert np.all(products.attributes["colour"] != products.attributes["accent"])


def test_words_of_one_colour_belong_to_no_other():
    words = {name: words.split(", ") for name, (_, words) in course.COLOURS.items()}
    prose = [grammar.TYPES, grammar.FRAMES, grammar.BARE, grammar.BRAND, *grammar.PROSE.values()]
    for name, some in words.items():
        assert len(some) == 3
        others = sum((w for other, w in words.items() if other != name), [])
        assert not has_word(" ".join(others + prose), some)


def test_texts_state_what_mentions_says(products):
    mentions = products.attributes["mentions"]
    assert mentions[:, 0].all() and np.all(np.abs(mentions[:, 1:].mean(axis=0) - 0.85) < 0.05)
    rows = zip(keys(products), products.texts, mentions.tolist(), strict=True)
    for (kind, colour, pattern, accent, cut, detail), text, said in rows:
        kind = grammar.types()[kind]
        adjectives, nouns, _ = grammar.PATTERNS[pattern]
        words = (
            kind.nouns,
            course.COLOURS[colour][1].split(", "),
            [word for word in f"{adjectives}, {nouns}".split(", ") if word],
            course.COLOURS[accent][1].split(", "),
            [phrase for phrase, _ in kind.cuts[cut].phrases],
            [phrase for phrase, _ in kind.details[detail].phrases],
        )
        assert [has_word(text, some) for some in words] == said, text


def test_texts_read_well(products):
    texts = products.texts
    assert all(8 <= len(text.split()) <= 26 and text[0].isupper() for text in texts)
    assert not any(re.search(r"[{}|+_=~^\n]|  | [,.]", text) for text in texts)
    assert not any(re.search(r"\ba [aeiou]|\ban [^aeiouA]", text) for text in texts)
    assert len(set(texts)) > 0.99 * len(texts)


def test_a_group_is_equality_of_the_six(products):
    pairs = set(zip(keys(products), products.groups.tolist(), strict=True))
    assert len(pairs) == len(set(keys(products))) == len(set(products.groups.tolist()))


def test_rows_and_codes_are_the_same_products():
    codes = grammar.random_products(300, np.random.default_rng(3))
    rows = grammar.rows_of(codes)
    found_rows, found = grammar.checked(grammar.columns_of(rows))
    assert found_rows == rows and (found == codes).all()
    assert len(set(grammar.designs(codes).tolist())) == len(set(rows))


def test_oracle(products):
    """The own text is a perfect fit, equal fits tie, a false statement costs, recall is high."""
    part = products[:1000]
    truth, mentions = shared(part), part.attributes["mentions"]
    scores = course.oracle_scores(truth, truth, mentions)
    own = np.diag(scores)
    assert np.all(own > 0) and np.all(own == scores.max(axis=0))
    type_only = mentions & (np.arange(6) == 0)  # every text of this type fits alike
    fits = course.oracle_scores(truth, truth, type_only)[0]
    assert set(fits) == {fits[0], -1000.0}
    assert np.all((fits > 0) == (truth["type"] == truth["type"][0]))
    for s in (scores, scores.T):
        ties = (s == s.max(axis=1, keepdims=True)).sum(axis=1)
        assert 0.88 < np.mean((own == s.max(axis=1)) / ties) < 0.99


@pytest.mark.parametrize(
    "n, size", [(0, 64), (2.0, 64), (True, 64), ("9", 64), (3, 47), (3, 64.0)]
)
def test_sizes_that_cannot_be_are_refused(n, size):
    with pytest.raises(ValueError, match="came"):
        course.make_catalogue(n, random_state=0, size=size)


def test_attributes_that_cannot_be_are_refused(products):
    good = shared(products[:2])
    for name in course.SHARED:
        bad = {**good, name: np.array(["nonsense", good[name][1]])}
        with pytest.raises(ValueError, match="choose one of"):
            course.draw_products(bad, random_state=0)
    for bad, told in (
        ({**good, "cut": good["cut"][:1]}, "equally long"),
        ({**good, "accent": good["colour"]}, "accent must differ"),
        ({"type": ["mug"]}, "attributes lack"),
    ):
        with pytest.raises(ValueError, match=told):
            course.describe_products(bad, random_state=0)
    with pytest.raises(ValueError, match="mentions"):
        course.oracle_scores(good, good, np.ones((3, 6), dtype=bool))


# --- what is kept -------------------------------------------------------------------------------


def test_no_design_stands_in_two_parts(products):
    sizes = dict(n_train=700, n_validation=150, n_test=200)
    parts = shop._split(products, **sizes)
    assert [len(part) for part in parts] == list(sizes.values())
    designs = [set(keys(part)) for part in parts]
    assert not (designs[0] & designs[1] or designs[0] & designs[2] or designs[1] & designs[2])
    again = shop._split(products, **sizes)
    assert all(one.texts == two.texts for one, two in zip(parts, again, strict=True))


def test_the_shop_is_drawn_once(saved, monkeypatch):
    small = {"n_products": 300, "size": 48}
    real, split = course.make_catalogue, shop._split
    monkeypatch.setattr(shop, "make_catalogue", lambda n, **o: real(**small, **o))
    sizes = dict(n_train=100, n_validation=20, n_test=50)
    monkeypatch.setattr(shop, "_split", lambda products, **_: split(products, **sizes))
    saved.mkdir()
    old, other = saved / "shop_0123abcd.npz", saved / "shop_model_0123abcd.npz"
    old.write_bytes(b"of another version")
    other.write_bytes(b"of something else")
    drawn = course.shop()
    assert not old.exists() and other.exists() and len(list(saved.iterdir())) == 2
    monkeypatch.setattr(shop, "make_catalogue", None)  # so that it cannot be drawn again
    for one, two in zip(drawn, course.shop(), strict=True):
        assert one.texts == two.texts and np.array_equal(one.images, two.images)
        assert np.array_equal(one.groups, two.groups)
        assert list(one.attributes) == list(two.attributes)
        for name, values in one.attributes.items():
            assert values.dtype == two.attributes[name].dtype
            assert np.array_equal(values, two.attributes[name])


def test_the_model_is_trained_once_for_the_same_products(saved, monkeypatch, small_shop):
    _, train, test = small_shop
    first = course.shop_model(train, test)
    assert len(list(saved.iterdir())) == 1
    with monkeypatch.context() as patch:
        patch.setattr(cm.CrossModalModel, "fit", None)  # so that it cannot be trained again
        again = course.shop_model(train, test)
    assert np.array_equal(first.encode_text(test.texts), again.encode_text(test.texts))
    other = course.shop_model(train[:100], test)
    assert not np.array_equal(first.encode_text(test.texts), other.encode_text(test.texts))


def test_a_version_changes_with_its_sources(monkeypatch, tmp_path):
    monkeypatch.setattr(shop, "FOLDER", tmp_path)
    source, other = tmp_path / "a.py", tmp_path / "b.py"
    source.write_bytes(b"x = 1\n")
    other.write_bytes(b"y = 1\n")
    first = shop.version_of("a.py")
    assert re.fullmatch("[0-9a-f]{8}", first) and first == shop.version_of(source)
    assert first != shop.version_of("a.py", "b.py")
    source.write_bytes(b"x = 1\r\n")
    assert first == shop.version_of("a.py")
    source.write_bytes(b"x = 2\n")
    assert first != shop.version_of("a.py")


def test_a_failure_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "saved" / "what_01234567.npz"
    shop.write_safely(path, lambda new: new.write_bytes(b"old"))

    def fail(new):
        new.write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        shop.write_safely(path, fail)
    assert path.read_bytes() == b"old" and len(list(path.parent.iterdir())) == 1


# --- a million descriptions, in small -----------------------------------------------------------


def quick_model():
    """Return a model that is fitted in a second."""
    return cm.CrossModalModel(
        image_features=cm.ImageFeatures(n_components=40),
        text_features=cm.TextFeatures(n_components=60),
        contrastive=cm.ContrastiveAligner(epochs=2, n_components=48),
    )


@pytest.fixture(scope="module")
def small_shop():
    """Return a fitted model, the products that it was fitted on, and others."""
    made = course.make_catalogue(260, random_state=1)
    train, _, test = shop._split(made, n_train=200, n_validation=10, n_test=40)
    return quick_model().fit(train.images, train.texts, groups=train.groups), train, test


@pytest.fixture(scope="module")
def small(small_shop):
    model, train, test = small_shop
    return million.build(model, train.texts, test, n_items=3000, n_components=8)


def test_the_gallery_is_distinct_and_describes_other_products(small_shop, small):
    test = small_shop[2]
    assert len(set(small.texts)) == len(small.texts) == 3000 == len(small.E)
    assert small.texts[:40] == test.texts and small.n_true == len(small.photos) == 40
    assert not set(small.texts) & set(small.paraphrase_texts)
    codes = grammar.random_products(million.CHUNK, np.random.default_rng([7, 0]))
    known = set(keys(test))
    others = [row for row in grammar.rows_of(codes) if row not in known]
    first = zip(others, small.texts[40:140], strict=False)
    assert all(has_word(text, grammar.types()[row[0]].nouns) for row, text in first)


def test_the_gallery_knows_what_is_stated(small_shop, small):
    test = small_shop[2]
    assert (small.products == codes_of(test)).all()
    said = small.stated[:40] >= 0
    assert (said == test.attributes["mentions"]).all()
    assert (small.stated[:40][said] == small.products[said]).all()
    colours = list(course.COLOURS.values())
    for text, codes in zip(small.texts, small.stated.tolist(), strict=True):
        for place in (1, 3):  # a colour and the accent's
            if codes[place] >= 0:
                assert has_word(text, colours[codes[place]][1].split(", "))


def test_rows_are_those_of_their_texts(small_shop, small):
    model, _, test = small_shop
    rows = small.project(model.encode_text(small.texts))
    assert np.abs(rows - small.E).max() <= 1.01 / million.GRID  # a rounding may fall either way
    photos = small.project(model.encode_image(test.images))
    assert np.abs(photos - small.photos).max() <= 1.01 / million.GRID
    assert small.project(model.encode_text(test.texts), 5).shape == (40, 5)


def test_scores_on_the_grid_are_exact(small):
    exact = small.photos.astype(float) @ small.E.T.astype(float)
    assert (small.photos @ small.E.T == exact).all()
    assert (small.photos[:, ::-1] @ small.E[:, ::-1].T == exact).all()
    assert np.abs(np.linalg.norm(small.E, axis=1) - 1).max() < 0.002


def test_two_processes_build_the_same(small_shop, small):
    model, train, test = small_shop
    again = million.build(model, train.texts, test, n_items=3000, n_components=8, n_jobs=2)
    assert (small.E == again.E).all() and small.texts == again.texts
    assert (small.paraphrases == again.paraphrases).all()


def test_a_gallery_is_kept_for_its_model(saved, small_shop, monkeypatch):
    model, train, test = small_shop
    monkeypatch.setattr(million, "shop", lambda: (train, None, test))
    monkeypatch.setattr(million, "CHUNK", 400)
    options = dict(n_items=500, n_components=8, n_jobs=1)
    told = []
    first = course.million(model, **options, report=told.append)
    assert told[-1] == "      500 descriptions"
    real = million.build
    monkeypatch.setattr(million, "build", None)  # so that building again would fail
    again = course.million(model, **options)
    assert again.texts == first.texts and again.paraphrase_texts == first.paraphrase_texts
    for name in ("E", "photos", "paraphrases", "axes", "products", "stated"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    monkeypatch.setattr(million, "build", real)
    other = quick_model().fit(train.images[:150], train.texts[:150])
    assert not np.array_equal(course.million(other, **options).E, first.E)
    assert len(list(saved.iterdir())) == 1


@pytest.mark.parametrize("wrong", [{"n_items": 39}, {"n_components": 49}, {"n_components": 0}])
def test_a_gallery_that_cannot_be_is_refused(small_shop, wrong):
    model, train, test = small_shop
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be from"):
        million.build(model, train.texts, test, **{"n_items": 500, **wrong})


# --- characters ---------------------------------------------------------------------------------


def test_characters():
    """All named characters that draw something, on one baseline, black on white."""
    characters = course.characters()
    assert len(characters) > 5700 and characters.images.shape[1:] == (48, 48, 3)
    place = {name: i for i, name in enumerate(characters.texts)}
    assert "SPACE" not in place and characters.attributes["codepoint"][place["DIGIT ONE"]] == 49
    names = ("SMALL LETTER X", "CAPITAL LETTER H", "SMALL LETTER E", "SMALL LETTER E WITH ACUTE")
    photos = {n: characters.images[place[f"LATIN {n}"], :, :, 0] for n in names}
    ink = {n: 255 - photo.astype(int) for n, photo in photos.items()}
    foot = {n: np.flatnonzero(image.max(axis=1) > 128).max() for n, image in ink.items()}
    assert len(set(foot.values())) == 1
    plain, accented = ink["SMALL LETTER E"], ink["SMALL LETTER E WITH ACUTE"]
    assert np.all(accented >= plain) and accented.sum() > plain.sum()
    assert all(image.min() < 200 for image in characters.images)


def test_characters_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="DejaVuSans.ttf"):
        course.characters(font="Nothing.ttf")
    with pytest.raises(ValueError, match="size must be an int >= 16; 15 came"):
        course.characters(size=15)
