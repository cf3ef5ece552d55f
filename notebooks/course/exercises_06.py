"""Checks for the exercises of notebook 06. Call one with your function; it prints one line."""

import numpy as np

from . import Check, Mistake

# --- 6.1 composing against luck -----------------------------------------------------------------

_TEST = [("A", "ACUTE"), ("A", "GRAVE"), ("A", "DOT"), ("E", "ACUTE"), ("O", ""), ("O", "ACUTE")]


def _luck_probes():
    return [
        (([("A", "ACUTE"), ("E", "ACUTE")], _TEST), (1 / 3 + 1) / 2),
        (([("A", "GRAVE")], _TEST), 1 / 3),
        (([("O", "ACUTE"), ("A", "DOT"), ("A", "GRAVE")], _TEST), (1 / 2 + 1 / 3 + 1 / 3) / 3),
    ]


def _luck(asked, candidates, half=0):
    return np.mean([1 / sum(c[half] == a[half] for c in candidates) for a in asked])


check_luck = Check(
    _luck_probes,
    right="Who knows one half and guesses the other gets this much; composing must beat it.",
    mistakes=[
        Mistake(
            "the other half",
            "you let the mark be known and the base be guessed; here the base is known.",
            like=lambda asked, candidates: _luck(asked, candidates, 1),
        ),
        Mistake(
            "only among the asked",
            "the guess is among all candidates of that base, not only among those asked for.",
            like=lambda asked, candidates: _luck(asked, asked),
        ),
        Mistake(
            "one in all",
            "the base is known, so the guess is among the candidates of that base, not among all.",
            like=lambda asked, candidates: 1 / len(candidates),
        ),
        Mistake(
            "reciprocal of the mean",
            "average 1 / m over the questions; you take the reciprocal of the average m.",
            like=lambda asked, candidates: (
                1 / np.mean([sum(c[0] == a[0] for c in candidates) for a in asked])
            ),
        ),
    ],
)

# --- 6.2 a tie is settled by lot ----------------------------------------------------------------


def _lot_probes():
    S = np.array([[0.9, 0.9, 0.1], [0.5, 0.5, 0.7], [0.2, 0.2, 0.2]])
    return [
        ((S,), np.array([1 / 2, 0, 1 / 3])),
        ((np.eye(3),), np.ones(3)),
        ((np.array([[0.1, 0.4], [0.3, 0.3]]),), np.array([0, 1 / 2])),
    ]


def _tops(S):
    return S == S.max(axis=1, keepdims=True)


check_lot = Check(
    _lot_probes,
    right="Twins now earn what a lot among them would earn on average.",
    mistakes=[
        Mistake(
            "ties count for",
            "you count a tie as a whole hit; m items that share the first place earn 1 / m.",
            like=lambda S: np.diag(_tops(S)) * 1.0,
        ),
        Mistake(
            "ties count against",
            "you count a tie as a miss; m items that share the first place earn 1 / m.",
            like=lambda S: (_tops(S).sum(axis=1) == 1) * np.diag(_tops(S)) * 1.0,
        ),
        Mistake(
            "whoever is first",
            "an item earns its share only if it is itself among those in the first place.",
            like=lambda S: 1 / _tops(S).sum(axis=1),
        ),
        Mistake(
            "one number",
            "return one share for each query, not their mean.",
            when=lambda answer, right, S: np.ndim(answer) == 0,
        ),
    ],
)

# --- 6.3 what another typeface may teach --------------------------------------------------------


def _allowed_probes():
    a, b, c = (np.full((2, 2, 3), value, dtype=np.uint8) for value in (0, 100, 200))
    return [
        ((["A", "B", "C"], np.stack([a, b, c]), ["B"], np.stack([c])), np.array([1, 0, 0]) > 0),
        ((["D", "E"], np.stack([b, a]), ["F"], np.stack([c])), np.array([1, 1]) > 0),
        ((["H", "G"], np.stack([a, a]), ["G", "K"], np.stack([b, c])), np.array([1, 0]) > 0),
    ]


def _known(images, held_images):
    held = {image.tobytes() for image in held_images}
    return np.array([image.tobytes() in held for image in images])


check_allowed = Check(
    _allowed_probes,
    right="Neither a held-out name nor a held-out picture gets in by the back door.",
    mistakes=[
        Mistake(
            "names only",
            "a held-out picture may come back under another name; leave that out, too.",
            like=lambda names, images, held_names, held_images: ~np.isin(names, held_names),
        ),
        Mistake(
            "pictures only",
            "a held-out name with another picture of it is the answer itself; leave it out.",
            like=lambda names, images, held_names, held_images: ~_known(images, held_images),
        ),
        Mistake(
            "both at once",
            "one of the two is enough: leave out what shares a name or a picture.",
            like=lambda names, images, held_names, held_images: (
                ~(np.isin(names, held_names) & _known(images, held_images))
            ),
        ),
        Mistake(
            "the other way round",
            "you mark what must stay out; mark what may be used.",
            like=lambda names, images, held_names, held_images: (
                np.isin(names, held_names) | _known(images, held_images)
            ),
        ),
    ],
)

# --- 6.4 moved copies ---------------------------------------------------------------------------


def _moved_probes():
    ramp = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    down, left = np.full_like(ramp, 255), np.full_like(ramp, 255)
    down[:, 1] = ramp[:, 0]
    down[:, 2] = ramp[:, 1]
    down[:, 3] = ramp[:, 2]
    for row in range(1, 4):  # up by one and left by two
        left[:, row - 1, :2] = ramp[:, row, 2:]
    return [((ramp, 1, 0), down), ((ramp, -1, -2), left), ((ramp, 0, 0), ramp)]


def _moved(images, down, right, fill=255):
    n, height, width, _ = images.shape
    out = np.full_like(images, fill)
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                out[:, y, x] = images[:, y - down, x - right]
    return out


check_moved = Check(
    _moved_probes,
    right="What leaves the picture is gone, and paper comes in.",
    mistakes=[
        Mistake(
            "wraps around",
            "what leaves on one side comes in on the other; fill with paper instead.",
            like=lambda images, down, right: np.roll(images, (down, right), (1, 2)),
        ),
        Mistake(
            "filled with ink",
            "you fill with 0, which is ink; paper is 255.",
            like=lambda images, down, right: _moved(images, down, right, 0),
        ),
        Mistake(
            "the other direction",
            "the picture goes up and left; positive numbers mean down and right.",
            like=lambda images, down, right: _moved(images, -down, -right),
        ),
        Mistake(
            "axes exchanged",
            "axis 1 runs down and axis 2 runs right; you have exchanged them.",
            like=lambda images, down, right: _moved(images, right, down),
        ),
    ],
)
