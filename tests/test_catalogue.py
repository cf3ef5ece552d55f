"""Tests of the catalogues: the generated shop, the characters, and what holds them."""

import re

import numpy as np
import pytest

import crossmodal_utils as cm


@pytest.fixture(scope="module")
def shop():
    """Return a catalogue large enough for every attribute value to occur."""
    return cm.make_catalogue(1200, random_state=0, size=48)


@pytest.fixture(scope="module")
def characters():
    """Return the characters of the default font."""
    return cm.load_characters()


def shared(catalogue):
    """Return the six shared attributes of a catalogue."""
    return {name: catalogue.attributes[name] for name in cm.SHARED}


def has_word(text, words):
    """Tell whether any of the comma-separated words occurs as a whole word."""
    return any(re.search(rf"(?<![\w-]){w}(?![\w-])", text, re.I) for w in words.split(", "))


def test_shapes_and_types(shop):
    """Photos, texts and attributes have one row per product."""
    assert len(shop) == 1200 and shop.images.shape == (1200, 48, 48, 3)
    assert shop.images.dtype == np.uint8 and all(isinstance(text, str) for text in shop.texts)
    assert shop.attributes["mentions"].shape == (1200, 6) and len(repr(shop)) < 200
    assert cm.make_catalogue(2, random_state=0).images.shape == (2, 64, 64, 3)


def test_deterministic_and_seeded():
    """The same seed, as int or Generator, gives the same catalogue, another seed another one."""
    one, two = (cm.make_catalogue(20, random_state=s) for s in (5, np.random.default_rng(5)))
    assert np.array_equal(one.images, two.images) and one.texts == two.texts
    other = cm.make_catalogue(20, random_state=6)
    assert not np.array_equal(one.images, other.images) and one.texts != other.texts


def test_texts_and_images_do_not_depend_on_each_other(monkeypatch):
    """Texts are the same at every size; photos are the same under another grammar."""
    small, large = (cm.make_catalogue(20, random_state=5, size=s) for s in (48, 64))
    assert small.texts == large.texts
    monkeypatch.setattr(cm, "OMITTED", (0, 50, 50, 50, 50, 50))
    changed = cm.make_catalogue(20, random_state=5, size=48)
    assert np.array_equal(changed.images, small.images) and changed.texts != small.texts


def test_photos_show_the_attributes(shop):
    """Nuisances differ between photos of one product; the product itself fills much of it."""
    one = {name: np.repeat(values[:1], 6) for name, values in shared(shop).items()}
    photos = cm.draw_products(one, random_state=1).astype(int)
    assert all(np.abs(photos[0] - photo).mean() > 2 for photo in photos[1:])
    plain = {**one, "pattern": np.repeat("plain", 6)}
    dots = {**one, "pattern": np.repeat("dots", 6)}
    a, b = (cm.draw_products(x, random_state=1).astype(int) for x in (plain, dots))
    assert (np.abs(a - b).max(axis=3) > 40).mean() > 0.02


def test_every_value_occurs_about_equally_often(shop):
    """Each value of each attribute is drawn; plain is the most common pattern."""
    for name, options in (("type", cm._types()), ("colour", cm.COLOURS)):
        values, counts = np.unique(shop.attributes[name], return_counts=True)
        assert set(values) == set(options) and counts.max() < 2 * counts.min()
    assert set(shop.attributes["pattern"]) == set(cm.PATTERNS)
    assert 0.15 < np.mean(shop.attributes["pattern"] == "plain") < 0.25
    for kind, (_, _, _, *parts) in cm._types().items():
        of_kind = shop.attributes["type"] == kind
        for name, options in zip(("cut", "detail"), parts, strict=True):
            assert set(shop.attributes[name][of_kind]) == set(options) and len(options) >= 2
    assert np.all(shop.attributes["colour"] != shop.attributes["accent"])


def test_words_of_one_colour_belong_to_no_other():
    """No word of a colour stands in a word of another, nor in the other tables of words."""
    assert all(len(words.split(", ")) == 3 for _, words in cm.COLOURS.values())
    for name, (_, words) in cm.COLOURS.items():
        others = ", ".join(w for other, (_, w) in cm.COLOURS.items() if other != name)
        prose = " ".join((cm.TYPES, cm.FRAMES, cm.BARE, cm.BRAND, *cm.PROSE.values()))
        for word in words.split(", "):
            assert not has_word(others, word) and not has_word(prose, word)


def test_mentions_agree_with_texts(shop):
    """What is stated is in the text and what is left out is not."""
    mentions = shop.attributes["mentions"]
    assert mentions[:, 0].all() and np.all(np.abs(mentions[:, 1:].mean(axis=0) - 0.85) < 0.05)
    for i, text in enumerate(shop.texts):
        kind, colour, pattern, accent, cut, detail = (shop.attributes[n][i] for n in cm.SHARED)
        types = cm._types()[kind]
        adjectives, nouns, _ = cm.PATTERNS[pattern]
        phrases = [
            ", ".join(types[3 + k][v][0]).replace("+", "") for k, v in enumerate((cut, detail))
        ]
        prints = f"{adjectives}, {nouns}" if nouns else adjectives
        words = (", ".join(types[1]), cm.COLOURS[colour][1], prints, cm.COLOURS[accent][1])
        stated = [has_word(text, options) for options in (*words, *phrases)]
        assert stated == mentions[i].tolist(), text


def test_texts_read_well(shop):
    """Length, articles, spaces and leftovers of the templates; hardly any text twice."""
    assert all(8 <= len(text.split()) <= 26 and text[0].isupper() for text in shop.texts)
    assert not any(re.search(r"[{}|+_=~^]|  | [,.]", text) for text in shop.texts)
    assert not any(re.search(r"\ba [aeiou]|\ban [^aeiouA]", text) for text in shop.texts)
    assert len(set(shop.texts)) > 0.99 * len(shop)


def test_group_is_equality_of_the_six(shop):
    """Two products share a group exactly if they share all six attributes."""
    keys = list(zip(*shared(shop).values(), strict=True))
    pairs = set(zip(keys, shop.attributes["group"].tolist(), strict=True))
    assert len(pairs) == len(set(keys)) == len(set(shop.attributes["group"].tolist()))


def test_split_is_exact_and_keeps_groups_together():
    """Sizes are exact, no item twice, no group in two parts; without groups nothing is lost."""
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    texts = [str(i) for i in range(200)]
    grouped = cm.Catalogue(images, texts, {"group": np.arange(200) // 7})
    for seed in range(20):
        parts = grouped.split(validation=30, test=45, random_state=seed)
        assert [len(part) for part in parts[1:]] == [30, 45] and 113 <= len(parts[0]) <= 125
        sets = [set(part.attributes["group"].tolist()) for part in parts]
        assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
        assert all(p.texts == [str(v) for v in p.images[:, 0, 0, 0]] for p in parts)
    parts = cm.Catalogue(images, texts).split(validation=0, test=50, random_state=1)
    assert [len(part) for part in parts] == [150, 0, 50]
    assert sorted(t for part in parts for t in part.texts) == sorted(texts)
    for sizes in ({"validation": 100, "test": 100}, {"validation": -1, "test": 5}):
        with pytest.raises(ValueError, match="validation"):
            grouped.split(**sizes, random_state=0)
    with pytest.raises(ValueError, match="0.2"):
        grouped.split(validation=5, test=0.2, random_state=0)


def test_indexing(shop):
    """Arrays, slices, masks and integers choose the same rows of everything, as copies."""
    mask = np.zeros(1200, dtype=bool)
    mask[[3, 5]] = True
    for index, rows in ((mask, [3, 5]), ([5, 3], [5, 3]), (slice(3, 6, 2), [3, 5]), (-1, [1199])):
        part = shop[index]
        assert part.texts == [shop.texts[i] for i in rows]
        assert np.array_equal(part.images, shop.images[rows])
        assert np.array_equal(part.attributes["mentions"], shop.attributes["mentions"][rows])
    assert len(shop[[]]) == 0 and not np.shares_memory(shop[2:4].images, shop.images)
    with pytest.raises(IndexError):
        shop[1200]


def test_oracle(shop):
    """The own text is a perfect fit, equal fits tie, a false statement costs, recall is high."""
    part = shop[:1000]
    truth, mentions = shared(part), part.attributes["mentions"]
    scores = cm.oracle_scores(truth, truth, mentions)
    own = np.diag(scores)
    assert np.all(own > 0) and np.all(own == scores.max(axis=0))
    same = mentions & True
    same[:, 1:] = False  # the type alone: every text of this type fits alike
    fits = cm.oracle_scores(truth, truth, same)[0]
    assert set(fits) == {fits[0], -1000.0} and np.all(
        (fits > 0) == (truth["type"] == truth["type"][0])
    )
    for s, fit in ((scores, own), (scores.T, own)):
        ties = (s == s.max(axis=1, keepdims=True)).sum(axis=1)
        recall = np.mean((fit == s.max(axis=1)) / ties)
        assert 0.88 < recall < 0.99


def test_characters(characters):
    """All named characters that draw something, on one baseline, black on white."""
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
    assert all(image.min() == 0 or image.min() < 200 for image in characters.images)


@pytest.mark.parametrize(
    "n, size", [(0, 64), (2.0, 64), (True, 64), ("9", 64), (3, 47), (3, 64.0)]
)
def test_bad_sizes(n, size):
    """The message says what came."""
    with pytest.raises(ValueError, match="came"):
        cm.make_catalogue(n, random_state=0, size=size)


def test_bad_input(shop):
    """Unknown values, lengths that differ and unknown fonts are refused with what is allowed."""
    good = shared(shop[:2])
    for name in cm.SHARED:
        bad = {**good, name: np.array(["nonsense", good[name][1]])}
        with pytest.raises(ValueError, match="choose one of"):
            cm.draw_products(bad, random_state=0)
    for bad in (
        {**good, "cut": good["cut"][:1]},
        {**good, "accent": good["colour"]},
        {"type": ["mug"]},
    ):
        with pytest.raises(ValueError):
            cm.describe_products(bad, random_state=0)
    with pytest.raises(ValueError, match="mentions"):
        cm.oracle_scores(good, good, np.ones((3, 6), dtype=bool))
    with pytest.raises(ValueError, match="DejaVuSans.ttf"):
        cm.load_characters(font="Nothing.ttf")
    with pytest.raises(ValueError, match="texts"):
        cm.Catalogue(shop.images, shop.texts[:-1])
    with pytest.raises(ValueError, match="uint8"):
        cm.Catalogue(shop.images / 255, shop.texts)
    for texts in ([None], "a"):
        with pytest.raises(TypeError, match="str"):
            cm.Catalogue(shop.images[:1], texts)
