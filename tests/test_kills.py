"""Saved amid fifty kills: the old one or the new. Four threads at one index: the right ids."""

import contextlib
import multiprocessing
import random
import sys
import threading
import time

import numpy as np
import pytest

import crossmodal_utils as cm

# A copy of this process starts in milliseconds, but only Linux copies it in safety.
START, N_KILLS = ("fork", 50) if sys.platform == "linux" else ("spawn", 4)


# --- kills --------------------------------------------------------------------------------------


def index_of(generation):
    """Return an index whose number of rows and whose items tell its generation."""
    rng, n = np.random.default_rng(generation), 100 + generation % 50
    index = cm.EmbeddingIndex()
    index.add(rng.normal(size=(n, 8)), [f"{generation} {i}" for i in range(n)])
    return index


def model_of(generation):
    """Return a model whose random state and whose weights tell its generation."""
    X = np.random.default_rng(generation).normal(size=(30, 5))
    model = cm.CrossModalModel(objective="cca", random_state=generation)
    return model.fit_aligners(X, X + 0.1)


def generation_of_index(path):
    """Return the generation of a saved index, after a look at all that it holds."""
    index = cm.EmbeddingIndex.load(path)
    generation = int(index.items([0])[0].split()[0])
    wanted, Q = index_of(generation), np.eye(8)
    assert np.array_equal(index.search(Q, 3), wanted.search(Q, 3))
    assert index.items(np.arange(len(index))) == wanted.items(np.arange(len(wanted)))
    return generation


def generation_of_model(path):
    """Return the generation of a saved model, after a look at what it computes."""
    model = cm.CrossModalModel.load(path)
    E, wanted = (
        m.encode_features(np.eye(5), "image") for m in (model, model_of(model.random_state))
    )
    assert np.allclose(E, wanted, atol=1e-6)
    return model.random_state


def save_until_killed(make, path, generation, pipe):
    """Save one generation after the other and say so each time."""
    while True:  # ends at the latest when nobody holds the pipe's other end
        make(generation).save(path)
        pipe.send(generation)
        generation += 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "found_at"),
    [(index_of, generation_of_index), (model_of, generation_of_model)],
    ids=["index", "model"],
)
def test_kills_while_saving_leave_the_old_or_the_new(make, found_at, tmp_path):
    context, path, rng = multiprocessing.get_context(START), tmp_path / "saved", random.Random(0)
    start, there = time.monotonic(), 0
    make(there).save(path)
    a_save, n_amid = time.monotonic() - start, 0
    for kill in range(N_KILLS):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=save_until_killed, args=(make, path, there + 1, theirs), daemon=True
        )
        process.start()
        theirs.close()
        assert ours.poll(60), "the process that saves did not come up"
        time.sleep(rng.uniform(0, a_save))
        process.kill()
        process.join()
        said = list(heard(ours))[-1]
        # A file half written lies beside what counts, where the kill came amid writing.
        n_amid += any(file.name.startswith(".") for file in list(path.parent.rglob("*")))
        there = found_at(path)
        assert there in (said, said + 1), f"kill {kill}"  # what was said to be saved, or the next
        for file in path.parent.glob(".*"):
            file.unlink()
    assert n_amid or START == "spawn"


def heard(pipe):
    """Yield what a process said before it was killed."""
    with pipe, contextlib.suppress(EOFError, OSError):
        while pipe.poll():
            yield pipe.recv()


# --- threads ------------------------------------------------------------------------------------


def test_four_threads_that_add_and_search_get_the_right_ids():
    """Each adds rows in a direction of its own, finds them by that, and reads their items."""
    index, faults, n_rounds, together = cm.EmbeddingIndex(), [], 25, threading.Barrier(4)
    index.add(np.full((20_000, 8), 1e-3), ["z"] * 20_000)  # so that joining what came takes time

    def work(t):
        mine = []
        for i in range(n_rounds):
            row = np.zeros((2, 8))
            row[:, t], row[0, t + 4] = 1 + i, 0.5
            together.wait(20)
            mine += index.add(row, [f"{t}: {i}a", f"{t}: {i}b"]).tolist()
            _, ids = index.search(np.eye(8)[t : t + 1], 2)
            if sorted(ids[0].tolist()) != mine[-2:]:
                faults.append(f"thread {t} found {ids[0]} for {mine[-2:]}")
            if index.items(mine[-2:]) != [f"{t}: {i}a", f"{t}: {i}b"]:
                faults.append(f"thread {t} read {index.items(mine[-2:])} in round {i}")
        if index.items(mine) != [f"{t}: {i}{part}" for i in range(n_rounds) for part in "ab"]:
            faults.append(f"thread {t} has others' items")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that the threads get in each other's way often
    try:
        workers = [threading.Thread(target=work, args=(t,)) for t in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    assert faults == [] and len(index) == 20_000 + 4 * 2 * n_rounds
