"""A million descriptions of the generated shop, each encoded by the trained text encoder.

``gallery(model, train_texts, test)`` returns a `Gallery`: first the test products' descriptions,
then distractors, which describe other products; and as queries the test photos and a second
description of each test product. The grammar is the helper's own. Here it is spoken faster: its
rules are parsed once, and the encoder's steps are folded into one table. Tests compare both with
`crossmodal_utils`, word for word and number for number.
"""

import concurrent.futures
import functools
import hashlib
import itertools
import math
import multiprocessing
import pathlib
import re

import numpy as np
import scipy.sparse
import threadpoolctl
from sklearn.decomposition import PCA

import crossmodal_utils as cm

GRID = 2048  # coordinates are whole multiples of 1 / GRID, see `on_grid`
CHUNK = 10_000  # descriptions written at a time, each chunk from a seed of its own


def shop():
    """Return the texts of the training products, and the test products, of ``course.shop()``.

    Word for word and pixel for pixel; where they were not drawn before, only the photos of the
    test products are.
    """
    import course  # here, as it is slow to import and processes that only write do without

    if course.photos_file().exists():
        train, _, test = course.shop()
        return train.texts, test
    rng = np.random.default_rng(0)
    rows = attributes_of(random_products(8800, rng))
    photo_seed, text_seed = rng.integers(0, 2**32, 2).tolist()
    attributes = dict(zip(cm.SHARED, np.array(rows).T, strict=True))
    group = np.unique(_keys(cm._rows(attributes)[1]), return_inverse=True)[1]
    texts = describe(rows, np.random.default_rng(text_seed))
    blank = np.zeros((len(rows), 1, 1, 3), dtype=np.uint8)
    numbered = {**attributes, "group": group, "row": np.arange(len(rows))}
    catalogue = cm.Catalogue(blank, texts, numbered)
    train, _, test = catalogue.split(validation=500, test=1000, random_state=0)
    images = draw_some(attributes, test.attributes["row"], photo_seed)
    return train.texts[:7000], cm.Catalogue(images, test.texts, test.attributes)


def trained_model():
    """Return the model that notebook 01 saved; train it on ``course.shop()`` if it is missing."""
    import course  # as above

    if course.model_file().exists():
        return cm.CrossModalModel.load(course.model_file())
    return course.shop_model(*course.shop()[:2])


def draw_some(attributes, wanted, random_state, size=64):
    """Return the photos of some rows, ascending, as ``cm.draw_products`` draws them among all."""
    rng, noise = np.random.default_rng(random_state), []
    chance = rng.integers(0, 2**16, (len(attributes["type"]), 16))
    for start in range(0, len(chance), 128):
        shape = len(chance[start : start + 128]), size, size, 3
        here = wanted[(wanted >= start) & (wanted < start + 128)] - start
        noise.append(rng.integers(-4, 5, shape, dtype=np.int8)[here])
    noise = np.concatenate(noise)
    given = [chance[wanted], *(noise[i : i + 128] for i in range(0, len(noise), 128))]
    some = {name: values[wanted] for name, values in attributes.items()}
    return cm.draw_products(some, random_state=_Given(given), size=size)


class _Given(np.random.Generator):
    """A generator of random numbers that were drawn before."""

    def __init__(self, arrays):
        super().__init__(np.random.PCG64(0))
        self._arrays = iter(arrays)

    def integers(self, *_, **__):
        """Return the next of the arrays."""
        return next(self._arrays)


class Texts:
    """Many texts in one block of bytes: a tenth of the objects, half of the memory of a list.

    ``texts[i]`` is a str, ``texts[array]`` or a slice a list of str.
    """

    def __init__(self, block, ends):
        self.block, self.ends = block, ends

    @classmethod
    def of(cls, texts):
        """Return the Texts of a list of str."""
        encoded = [text.encode() for text in texts]
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self):
        """Return the number of texts."""
        return len(self.ends)

    def __getitem__(self, index):
        """Return one text for an integer, a list of them for anything else."""
        if isinstance(index, int | np.integer):
            index = range(len(self))[index]
            start = self.ends[index - 1] if index else 0
            return self.block[start : self.ends[index]].tobytes().decode()
        return [self[int(i)] for i in np.arange(len(self))[index]]


class Gallery:
    """Descriptions as unit rows, and queries whose true item is known.

    Attributes
    ----------
    E : float32 array (n, d), descriptions; row i below ``n_true`` is that of test product i
    photos, paraphrases : float32 arrays (n_true, d); query i is for row i
    texts : `Texts`, the n descriptions
    paraphrase_texts : `Texts`
    axes : float64 array (256, 256), the principal axes; the first d are projected on
    """

    ARRAYS = ("E", "photos", "paraphrases", "axes")
    TEXTS = ("texts", "paraphrase_texts")

    def __init__(self, **parts):
        vars(self).update(parts)
        self.n_true = len(self.photos)

    def project(self, Z):
        """Return embeddings (m, 256) of the model as rows like those of ``E``, (m, d)."""
        return on_grid(Z @ self.axes[:, : self.E.shape[1]])

    def save(self, path):
        """Write the gallery to one .npz file; a crash leaves no half of it."""
        arrays = {name: getattr(self, name) for name in self.ARRAYS}
        for name in self.TEXTS:
            arrays[f"{name}.block"] = getattr(self, name).block
            arrays[f"{name}.ends"] = getattr(self, name).ends
        cm._write_safely(path, lambda file: np.savez(file, **arrays))

    @classmethod
    def load(cls, path):
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            texts = {n: Texts(file[f"{n}.block"], file[f"{n}.ends"]) for n in cls.TEXTS}
            return cls(**{name: file[name] for name in cls.ARRAYS}, **texts)


def gallery(
    model, train_texts, test, *, n_items=1_000_000, n_components=64, n_jobs=2, report=None
):
    """Return the Gallery of this model, read from notebooks/saved/ if it was built before.

    Parameters
    ----------
    model : fitted `crossmodal_utils.CrossModalModel` of linear towers
    train_texts : list of str, which the principal axes are fitted on
    test : `crossmodal_utils.Catalogue`, the products to be found
    n_items, n_components : int, how many descriptions, and numbers for each
    n_jobs : int, processes; the result is the same for any number
    report : callable, optional; called with a line of progress now and then
    """
    path = _file(f"{n_items}_{n_components}")
    if path.exists():
        return Gallery.load(path)
    built = build(
        model,
        train_texts,
        test,
        n_items=n_items,
        n_components=n_components,
        n_jobs=n_jobs,
        report=report,
    )
    path.parent.mkdir(exist_ok=True)
    for old in path.parent.glob("million_*.npz"):  # of other versions; each is hundreds of MB
        old.unlink()
    built.save(path)
    return built


def _file(what):
    """Return where the gallery is kept: a new name for each version of what makes it."""
    sources = [pathlib.Path(cm.__file__).read_bytes(), pathlib.Path(__file__).read_bytes()]
    version = hashlib.sha256(b"".join(sources).replace(b"\r\n", b"\n")).hexdigest()[:8]
    return pathlib.Path("saved", f"million_{what}_{version}.npz")


def build(model, train_texts, test, *, n_items, n_components, n_jobs, report=None):
    """Return a Gallery, written and encoded afresh; see `gallery`."""
    if n_items < len(test):
        raise ValueError(
            f"n_items must be at least {len(test)}, the test products; {n_items} came"
        )
    axes = principal_axes(model.encode_text(train_texts))
    encoder = Encoder.of(model, axes[:, :n_components])
    attributes = {name: test.attributes[name] for name in cm.SHARED}
    second = cm.describe_products(attributes, random_state=1)[0]
    true, again = encoder(test.texts), encoder(second)
    seen = set(test.texts) | set(second)
    taken, rows, texts = _keys(cm._rows(attributes)[1]), [true], [*test.texts]
    chunks = _chunks(encoder, taken, n_items, n_jobs)
    chunks = itertools.chain([next(chunks)], chunks)  # the other processes are at work from here
    photos = on_grid(model.encode_image(test.images) @ encoder.axes)
    n_told = 0
    for E, written in chunks:
        fresh = [i for i, text in enumerate(written) if text not in seen]
        rows.append(E[fresh])
        texts += [written[i] for i in fresh]
        seen.update(written)
        if report is not None and len(texts) * 10 // n_items > n_told:
            n_told = len(texts) * 10 // n_items
            report(f"{min(len(texts), n_items):9,d} descriptions")
        if len(texts) >= n_items:
            break
    return Gallery(
        E=np.concatenate(rows)[:n_items],
        photos=photos,
        paraphrases=again,
        texts=Texts.of(texts[:n_items]),
        paraphrase_texts=Texts.of(second),
        axes=axes,
    )


def principal_axes(E):
    """Return the principal axes of embeddings (n, d), the widest first, float64 (d, d)."""
    return PCA(svd_solver="full").fit(E.astype(float)).components_.T


def on_grid(Z):
    """Return rows scaled to length 1 and rounded to multiples of 1 / GRID, as float32.

    A product of two such numbers is a multiple of 2**-22, and so is a sum of them. Below 4 all of
    these are float32 numbers: scores are exact, and the same on every machine and in every order
    of adding. The price is a coordinate's error of at most 0.00025.
    """
    return (np.rint(Z * (GRID / _lengths(Z))) / GRID).astype(np.float32)


def _lengths(Z):
    """Return the length of each row, (n, 1), at least 1e-12."""
    return np.maximum(np.sqrt(np.einsum("ij,ij->i", Z, Z)), 1e-12)[:, None]


# --- encoding -----------------------------------------------------------------------------------


class Encoder:
    """The text encoder of a model with linear towers, as one sparse product.

    Counts of words and word pairs, weighted and scaled to length 1, are multiplied with a matrix
    (SVD), another (whitening) and a third (the tower). Their product is computed once.

    Attributes
    ----------
    words : dict, a number from 1 for each known word; 0 is for all others
    pairs : int array (n_words, n_words), the term that two words in sequence are, or -1
    single : int array (n_words,), the term that a word is, or -1
    idf : float array (n_terms,); table : array (n_terms, 256); shift : array (256,)
    axes : array (256, d)
    """

    def __init__(self, words, single, pairs, idf, table, shift, axes):
        self.words, self.single, self.pairs = words, single, pairs
        self.idf, self.table, self.shift, self.axes = idf, table, shift, axes

    @classmethod
    def of(cls, model, axes):
        """Fold the text encoder of a model; ValueError if its tower is not linear."""
        features, (aligner,) = model.text_features_, model.aligners_
        if "inner" in aligner.text_ or model.n_neighbours_ or tuple(features.ngrams) != (1, 2):
            raise ValueError("only a linear tower on words and pairs folds into one matrix")
        terms = [term.split() for term in features.vocabulary_.tolist()]
        words = [*sorted({w for term in terms for w in term}), END]
        words = {word: i for i, word in enumerate(words, 1)}
        single = np.full(len(words) + 1, -1, dtype=np.int32)
        pairs = np.full((len(words) + 1, len(words) + 1), -1, dtype=np.int32)
        for number, term in enumerate(terms):
            place = tuple(words[w] for w in term)
            if len(place) == 1:
                single[place[0]] = number
            else:
                pairs[place] = number
        maps = aligner.text_
        fold = maps["whiten"] @ maps["linear"]
        table, shift = features.components_.T @ fold, -maps["mean"] @ fold
        return cls(words, single, pairs, features.idf_, table, shift, axes)

    def __call__(self, texts):
        """Return unit rows on the grid, float32 (n, d), of texts."""
        return on_grid(self.embed(texts) @ self.axes)

    def embed(self, texts):
        """Return what ``model.encode_text`` returns, float64 (n, 256)."""
        # One thread: the processes share the cores, and sums come out in one order.
        with threadpoolctl.threadpool_limits(1, "blas"):
            Z = self.weights(texts) @ self.table + self.shift
            return Z / _lengths(Z)

    def weights(self, texts):
        """Return the weights of words and pairs, sparse (n, n_terms), as TextFeatures does."""
        found = _tokens(texts)
        known = self.words.get
        tokens = np.fromiter([known(token, 0) for token in found], np.int32, len(found))
        is_end = tokens == self.words[END]  # no pair contains it or reaches into the next text
        row = np.cumsum(is_end) - is_end
        pair = self.pairs[tokens[:-1], tokens[1:]]
        terms = np.concatenate([self.single[tokens], pair])
        rows, keep = np.concatenate([row, row[:-1]]), terms >= 0
        shape = len(texts), len(self.idf)
        counts = scipy.sparse.csr_matrix((np.ones(keep.sum()), (rows[keep], terms[keep])), shape)
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
        counts.data /= np.repeat(np.maximum(lengths, 1e-300), np.diff(counts.indptr))
        return counts


END = "|"  # the token after each text; no word, so no text holds it
SPACED = bytes(i if chr(i).isalnum() or chr(i) == "\n" else 32 for i in range(128)) + b" " * 128


def _tokens(texts):
    """Return the words and single digits of texts without line breaks, with END after each text.

    The same as the pattern of `crossmodal_utils.TextFeatures`, in a third of the time.
    """
    joined = "\n".join([*texts, ""]).lower()
    if not joined.isascii():
        found = re.findall(r"[^\W\d_]+|\d|\n", joined)
        return [END if token == "\n" else token for token in found]
    spaced = joined.encode().translate(SPACED)
    for digit in b"0123456789":
        spaced = spaced.replace(b"%c" % digit, b" %c " % digit)
    return spaced.replace(b"\n", b" | ").decode().split()


# --- writing ------------------------------------------------------------------------------------


def _chunks(encoder, taken, n_items, n_jobs):
    """Yield (rows, texts) of one chunk after the other, until nobody asks for more."""
    n_chunks = math.ceil(1.05 * n_items / CHUNK) + 1  # some texts come twice and are left out
    if n_jobs == 1:
        _start(encoder, taken)
        yield from map(_write_and_encode, range(n_chunks), [CHUNK] * n_chunks)
        return
    # Fresh processes, not copies of this one: the same on Linux, macOS and Windows.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(n_jobs, context, _start, (encoder, taken))
    try:
        yield from pool.map(_write_and_encode, range(n_chunks), [CHUNK] * n_chunks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_shared = {}  # what a process keeps from one chunk to the next


def _start(encoder, taken):
    """Give a process what it needs for every chunk."""
    _shared.update(encoder=encoder, taken=taken)


def _write_and_encode(number, n):
    """Return rows float32 (m, d) and texts of one chunk: m of n products are none to test with."""
    rng = np.random.default_rng([7, number])
    codes = random_products(n, rng)
    codes = codes[~np.isin(_keys(codes), _shared["taken"])]
    texts = describe(attributes_of(codes), rng)
    return _shared["encoder"](texts), texts


def random_products(n, rng):
    """Return the codes of n products' six shared attributes, int (n, 6).

    The same products as `crossmodal_utils.make_catalogue` draws from this rng.
    """
    draws = rng.integers(0, 2**30, (n, 6))
    n_parts = np.array([[len(part) for part in cm._options(kind)[4:]] for kind in cm._types()])
    codes, n_colours = draws % [len(n_parts), len(cm.COLOURS), 25, 1, 1, 1], len(cm.COLOURS)
    codes[:, 2] = np.maximum(codes[:, 2] - 1, 0) // 4  # plain 5 times in 25, the others 4 times
    codes[:, 3] = (codes[:, 1] + 1 + draws[:, 3] % (n_colours - 1)) % n_colours
    codes[:, 4:] = draws[:, 4:] % n_parts[codes[:, 0]]
    return codes


def attributes_of(codes):
    """Return the six attributes of products as tuples of str, from their codes (n, 6)."""
    kinds, colours, patterns = list(cm._types()), list(cm.COLOURS), list(cm.PATTERNS)
    cuts, details = ([cm._options(kind)[j] for kind in kinds] for j in (4, 5))
    return [
        (kinds[t], colours[c], patterns[p], colours[a], cuts[t][x], details[t][y])
        for t, c, p, a, x, y in codes.tolist()
    ]


def _keys(codes):
    """Return one number for each product, equal where all six attributes are."""
    return codes @ 20 ** np.arange(6)


def describe(rows, rng):
    """Return the texts that ``cm.describe_products`` writes of rows of attributes, from this rng.

    Word for word the same, in a third of the time: what does not depend on the product is parsed
    once, and the dice of all texts are thrown together.
    """
    mentions = rng.integers(0, 100, (len(rows), 6)) >= cm.OMITTED
    dice = rng.integers(0, 2**30, (len(rows), 64))[:, :48].tolist()  # no text throws more
    return [
        _write(row, says, iter(throws).__next__)
        for row, says, throws in zip(rows, mentions.tolist(), dice, strict=True)
    ]


@functools.cache
def _phrases(text, separator=", "):
    """Return the phrases of a list in one str."""
    return tuple(text.split(separator))


@functools.cache
def _expansions(text):
    """Return how many options each {a|b|c} of a template has, and all texts it expands to.

    A text stands at the place that its options' numbers spell, the first one's weighing most.
    """
    parts = re.split(r"\{([^{}]*)\}", text)
    options = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    sizes = tuple(len(some) for some in options[1::2])
    return sizes, ["".join(chosen) for chosen in itertools.product(*options)]


def _expand(text, die):
    """Replace each {a|b|c} by one of its options."""
    sizes, texts = _expansions(text)
    at = 0
    for size in sizes:
        at = at * size + die() % size
    return texts[at]


@functools.cache
def _prose(family):
    """Return what `_expansions` returns for each line of shop prose for a family of products."""
    lines = f"{cm.PROSE['any']}\n{cm.PROSE[family.rstrip('+')]}".split("\n")
    return [_expansions(line) for line in lines]


@functools.cache
def _parts(kind, cut, detail):
    """Return pairs for the two parts: phrases, and whether each stands before the noun."""
    _, _, _, *both = cm._types()[kind]
    phrases = [options[part][0] for options, part in zip(both, (cut, detail), strict=True)]
    return [[(phrase.lstrip("+"), phrase[0] == "+") for phrase in some] for some in phrases]


@functools.cache
def _slots(frame):
    """Return a frame's pieces by turns: text, and a letter of BNTAF that stands for a form."""
    return re.split(r"\b([BNTAF])\b", frame)


def _noun_phrase(row, says, die):
    """Return (noun phrase, list of features), as the helper's _noun_phrase."""
    kind, colour, pattern, accent, cut, detail = row
    before, features, (adjectives, nouns, _) = [], [], cm.PATTERNS[pattern]
    for options, said in zip(_parts(kind, cut, detail), says[4:], strict=True):
        phrase, is_before = options[die() % len(options)]
        if said:
            (before if is_before else features).append(phrase)
    options = _phrases(cm.COLOURS[colour][1])
    colour = [options[die() % len(options)]] * says[1]
    options = _phrases(cm.COLOURS[accent][1])
    accent = options[die() % len(options)] if says[3] else ""
    options = _phrases(adjectives)
    adjective, after = [options[die() % len(options)]] * says[2], ""
    plain, printed = (adjective, []) if pattern == "plain" else ([], adjective)
    if printed and (accent or die() % 2):
        extra = ("", " and trim", " and edging")[die() % 3] if accent and not features else ""
        options = _phrases(nouns)
        features.insert(0, f"{accent} {options[die() % len(options)]}{extra}".strip())
        printed, accent = [], ""
    if accent:
        features.append(f"{accent} {_expand(cm.TRIM, die)}")
    if colour and not printed and die() % 3 == 2:
        colour, after = [], f" in {colour[0]}"
    words = before + colour if die() % 2 else colour + before
    turn = die() % len(features) if features else 0
    options = cm._types()[kind][1]
    noun = " ".join([*plain, *words, *printed, options[die() % len(options)]]) + after
    return noun, features[turn:] + features[:turn]


def _write(row, says, die):
    """Write one description, as the helper's _write."""
    noun, features = _noun_phrase(row, says, die)
    family = cm._types()[row[0]][0]
    plural = family[-1] == "+"
    frames = _phrases(cm.FRAMES if features else cm.BARE, "\n")
    frame = _expand(frames[die() % len(frames)], die)
    brand = _expand(cm.BRAND, die)
    article = ("a pair of ", "")[die() % 2] if plural else "an " if noun[0] in "aeiouA" else "a "
    this = "these " if plural else "this "
    listed = " and ".join([", ".join(features[:-1]), *features[-1:]][len(features) < 2 :])
    forms = {"B": brand, "N": noun, "T": this + noun, "A": article + noun, "F": listed}
    pieces = list(_slots(frame))
    pieces[1::2] = [forms[letter] for letter in pieces[1::2]]
    first = "".join(pieces)
    sentences, prose = [first[0].upper() + first[1:]], list(_prose(family))
    least, n_words = 10 + die() % 12, first.count(" ") + 1
    for _ in range(4):
        if n_words >= least:  # then nothing more is added
            break
        sizes, lines = prose.pop(die() % len(prose))
        at = 0
        for size in sizes:
            at = at * size + die() % size
        line = lines[at]
        more = line.count(" ") + 1
        if n_words + more <= 25:
            sentences.insert((0, len(sentences), len(sentences))[die() % 3], line)
            n_words += more
    return " ".join(sentences)
