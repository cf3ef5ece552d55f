"""The engines of notebook 08: what goes wrong says so in seconds, and leaves nothing behind."""

import contextlib
import multiprocessing
import os
import pathlib
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time

import numpy as np
import psutil  # ipykernel brings it
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

import crossmodal_utils as cm
import guards
import refresh_notebooks
from course import engines

needs_engine = pytest.mark.skipif(
    bool(engines.missing()), reason=f"without the extra: {engines.INSTALL}"
)
FOLDER = guards.ROOT / "notebooks"
ALONE = FOLDER / "course"  # where the module can be imported without the package's others
NOTEBOOK = FOLDER / "08_into_an_engine.ipynb"
D = 8


def from_the_page(name):
    """Return the class that a cell of the notebook writes out."""
    code = [cell["source"] for _, cell in guards.cells(guards.load(NOTEBOOK), "code")]
    scope = {"np": np, "cm": cm}
    exec(next(source for source in code if source.startswith(f"class {name}:")), scope)
    return scope[name]


MilvusIndex = from_the_page("MilvusIndex")


@contextlib.contextmanager
def within(seconds):
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def rows(ids):
    vectors = np.random.default_rng(0).standard_normal((1000, D)).astype(np.float32)
    return [
        {"id": i, "vector": vectors[i % 1000], "description": f"thing {i}", "price": float(i)}
        for i in ids
    ]


def make_collection(client, name="things"):
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=D)
    schema.add_field("description", DataType.VARCHAR, max_length=100)
    schema.add_field("price", DataType.FLOAT)
    client.create_collection(name, schema=schema)


def add_index(client, name="things", kind="FLAT"):
    index = client.prepare_index_params()
    index.add_index("vector", index_type=kind, metric_type="IP")
    client.create_index(name, index)
    client.load_collection(name)


def children():
    """Return the processes of this machine that serve a folder for this process."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            command = child.cmdline()
            found += [command] if any("engines.py" in part for part in command) else []
    return found


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield pathlib.Path(path, "shop.db")


@pytest.fixture
def client(folder):
    client = engines.connect(folder)
    yield client
    engines.close(client, folder)


# --- an engine inside this process ---------------------------------------------------------------


@needs_engine
def test_what_was_flushed_is_there_after_reopening(folder):
    client = engines.connect(folder)
    make_collection(client)
    client.insert("things", rows(range(20)))
    client.flush("things")
    engines.close(client, folder)
    client = engines.connect(folder)
    try:
        client.load_collection("things")
        assert len(client.query("things", filter="id >= 0", limit=100)) == 20
    finally:
        engines.close(client, folder)


@needs_engine
@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("shop", "no address: give http://host:port or a folder named *.db"),
        ("no/such/folder/shop.db", "does not exist: create it first"),
    ],
)
def test_an_address_that_cannot_be_opened_says_why(uri, words, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with within(5), pytest.raises(engines.EngineError, match=words.replace("*", r"\*")):
        engines.connect(uri)
    assert capfd.readouterr().err == "" and not list(tmp_path.iterdir())


@needs_engine
def test_a_file_of_version_2_in_place_of_a_folder_says_so(folder, capfd):
    with contextlib.closing(sqlite3.connect(folder)) as old:
        old.execute("create table a (b)")
    with within(5), pytest.raises(engines.EngineError, match="a file, not a folder: made by ver"):
        engines.connect(folder)
    assert capfd.readouterr().err == ""


@needs_engine
def test_a_folder_held_by_another_process_says_so(folder, capfd):
    holder = textwrap.dedent("""
        import sys, milvus_lite
        held = milvus_lite.MilvusLite(sys.argv[1])
        print(flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", holder, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with within(3), pytest.raises(engines.EngineError, match="held by another process"):
            engines.connect(folder)
        with within(5), pytest.raises(engines.EngineError, match="held by another process"):
            engines.Server(folder).start()
        other.stdin.close()
    assert capfd.readouterr().err == "" and not children()
    engines.close(engines.connect(folder), folder)  # free again


# --- addresses -----------------------------------------------------------------------------------


@needs_engine
def test_an_address_where_nobody_listens_says_so(capfd):
    port = engines._free_port()
    with within(2), pytest.raises(engines.EngineError, match="nothing answers at"):
        engines.connect(f"http://127.0.0.1:{port}")
    assert capfd.readouterr().err == ""


@needs_engine
@pytest.mark.parametrize("uri", ["http://127.0.0.1:99999", "http://"])
def test_an_address_that_cannot_be_says_so(uri):
    with within(2), pytest.raises(engines.EngineError, match="nothing answers at"):
        engines.connect(uri, timeout=1)


@needs_engine
def test_an_address_that_accepts_and_is_silent_says_so_in_time(capfd):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with within(3), pytest.raises(engines.EngineError, match="did not answer as Milvus"):
            engines.connect(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1)
    assert capfd.readouterr().err == ""


def test_the_address_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("VECTOR_URI", raising=False)
    monkeypatch.delenv("VECTOR_TOKEN", raising=False)
    assert engines.address() == (None, "")
    monkeypatch.setenv("VECTOR_URI", "http://here:1")
    monkeypatch.setenv("VECTOR_TOKEN", "me:secret")
    assert engines.address() == ("http://here:1", "me:secret")


# --- a server ------------------------------------------------------------------------------------


@needs_engine
def test_a_server_serves_two_clients_what_the_embedded_engine_finds(folder, client, capfd):
    Q = np.random.default_rng(1).standard_normal((5, D)).astype(np.float32)
    make_collection(client)
    client.insert("things", rows(range(500)))
    client.flush("things")
    add_index(client, kind="HNSW")
    embedded = MilvusIndex(client, "things").search(Q, 10)
    with engines.Server(folder.with_name("served")) as server:
        first, second = (engines.connect(server.uri) for _ in range(2))
        make_collection(first)
        first.insert("things", rows(range(500)))
        first.flush("things")
        add_index(first, kind="HNSW")
        for one in (first, second):
            served = MilvusIndex(one, "things").search(Q, 10)
            assert (served[1] == embedded[1]).all() and np.allclose(served[0], embedded[0])
        assert len(children()) == 1
        first.close()
        second.close()
    assert not children() and server.process is None
    server.stop()  # again: nothing to do
    assert capfd.readouterr().err == ""


@needs_engine
def test_a_cell_that_starts_a_server_may_run_twice(folder):
    first = engines.Server(folder).start()
    with engines.Server(folder).start() as second:
        assert first.process is None and len(children()) == 1
        engines.connect(second.uri).close()
        second.start()
        assert len(children()) == 1
    assert not children()


@needs_engine
def test_a_server_that_ends_at_once_says_its_last_words(folder):
    folder.write_text("a file where its folder should be")
    with within(5), pytest.raises(engines.EngineError, match="ended at once: FileExistsError"):
        engines.Server(folder).start()
    assert not children()


@needs_engine
def test_a_server_that_does_not_come_up_is_given_up(folder, monkeypatch):
    silent = folder.with_name("silent.py")
    silent.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(engines, "__file__", str(silent))
    with within(4), pytest.raises(engines.EngineError, match="did not answer at .* within 0.5 s"):
        engines.Server(folder, timeout=0.5).start()
    monkeypatch.undo()
    assert not children()
    processes = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
    assert not any(str(silent) in command for command in processes)


@needs_engine
def test_a_server_ends_with_a_parent_that_was_killed(folder):
    parent = textwrap.dedent("""
        import sys, time, engines  # alone, without the package that takes seconds
        server = engines.Server(sys.argv[1]).start()
        print(server.process.pid, server.uri, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", parent, folder], stdout=subprocess.PIPE, cwd=ALONE, text=True
    ) as process:
        pid, uri = process.stdout.readline().split()
        process.kill()
    until = time.monotonic() + 10
    while psutil.pid_exists(int(pid)) and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(engines.EngineError, match="nothing answers"):
        engines.connect(uri)
    engines.close(engines.connect(folder), folder)  # nobody holds it


# --- the adapter ---------------------------------------------------------------------------------


@needs_engine
def test_the_adapter_finds_what_an_exact_search_finds(client):
    make_collection(client)
    client.insert("things", rows(range(300)))
    client.flush("things")
    add_index(client)
    E = np.array([row["vector"] for row in rows(range(300))])
    Q = np.random.default_rng(1).standard_normal((7, D)).astype(np.float32)
    index = MilvusIndex(client, "things")
    scores, ids = index.search(Q, 10)
    right = cm.exact_top_k(Q, E, 10)
    assert (ids == right[1]).all() and np.allclose(scores, right[0], atol=1e-5)
    assert index.items(ids) == [[f"thing {i}" for i in row] for row in ids]
    few = index.search(Q, 10, filter="price < 3")
    assert (few[1][:, 3:] == -1).all() and np.isneginf(few[0][:, 3:]).all()
    assert [len(row) for row in index.items(few[1])] == [3] * 7
    turned = MilvusIndex(client, "things", prepare=lambda Q: -Q)
    assert (turned.search(-Q, 10)[1] == ids).all()


@needs_engine
def test_the_adapter_refuses_what_the_engine_lets_pass(client):
    for name in ("things", "empty"):
        make_collection(client, name)
        add_index(client, name)
    client.insert("things", rows(range(20)))
    index, empty = MilvusIndex(client, "things"), MilvusIndex(client, "empty")
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN|infinity"):
            index.search(np.full((1, D), bad), 2)
    with pytest.raises(ValueError, match=f"things holds rows of {D} numbers, not 5"):
        index.search(np.ones((1, 5)), 2)
    with pytest.raises(ValueError, match="nothing found in empty: it is empty, or no row passes"):
        empty.search(np.ones((1, D)), 2)
    with pytest.raises(ValueError, match="nothing found in things"):
        index.search(np.ones((1, D)), 2, filter="price < 0")


@needs_engine
def test_a_model_retrieves_from_the_adapter_as_from_an_index(client):
    class Model(cm.CrossModalModel):
        def encode_image(self, images):
            return np.eye(D, dtype=np.float32)[: len(images)]

    make_collection(client)
    add_index(client)
    with pytest.raises(ValueError, match="nothing found"):
        Model().retrieve_description(0, MilvusIndex(client, "things"))
    client.insert("things", rows(range(50)))
    own = cm.EmbeddingIndex()
    own.add([row["vector"] for row in rows(range(50))], [f"thing {i}" for i in range(50)])
    found = Model().retrieve([0, 0], MilvusIndex(client, "things"), k=3)
    assert found == Model().retrieve([0, 0], own, k=3)


# --- kills ---------------------------------------------------------------------------------------


def ids_in(client):
    client.load_collection("things")
    found = client.query("things", filter="id >= 0", output_fields=["id"])
    return [row["id"] for row in found]


@needs_engine
def test_a_log_read_again_doubles_rows_and_an_upsert_mends_that(folder):
    """What a kill between the two last steps of a flush leaves, made on purpose."""
    client = engines.connect(folder)
    make_collection(client)
    client.insert("things", rows(range(30)))
    log = next(folder.rglob("wal"))
    kept = {path: path.read_bytes() for path in log.iterdir()}
    client.flush("things")
    engines.close(client, folder)
    for path, content in kept.items():
        path.write_bytes(content)
    client = engines.connect(folder)
    try:
        Q, index = np.ones((1, D), np.float32), MilvusIndex(client, "things")
        assert sorted(ids_in(client)) == sorted([*range(30), *range(30)])
        assert len(set(index.search(Q, 10)[1][0])) == 5
        client.upsert("things", rows(range(30)))
        assert sorted(ids_in(client)) == list(range(30))
        assert len(set(index.search(Q, 10)[1][0])) == 10
    finally:
        engines.close(client, folder)


def write_until_killed(folder, pipe):
    """Say which rows are there, mend doubles, then insert and flush, saying so, until killed."""
    client = engines.connect(folder)
    if "things" not in client.list_collections():
        make_collection(client)
    there = ids_in(client)
    pipe.send(("there", there))
    # See the test above: written anew, they are there once.
    if doubles := sorted(i for i in set(there) if there.count(i) > 1):
        client.upsert("things", rows(doubles))
        assert len(ids_in(client)) == len(set(there))
    for start in range(max(there, default=-1) + 1, 10**6, 25):
        client.insert("things", rows(range(start, start + 25)))
        pipe.send(("inserted", start + 25))
        if start % 75 == 0:
            client.flush("things")
            pipe.send(("flushed", start + 25))


@contextlib.contextmanager
def writer(context, folder):
    """Start a process that writes, yield the pipe that it speaks through, and kill it."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=write_until_killed, args=(folder, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.poll(20), "the writer did not come up"
        yield ours
    finally:
        process.kill()
        process.join()


def heard(pipe, seconds=0.0):
    """Yield what comes through a pipe for a while, or until it is empty."""
    until = time.monotonic() + seconds
    with contextlib.suppress(EOFError, OSError):
        while pipe.poll(max(0, until - time.monotonic())):
            yield pipe.recv()
            if seconds and time.monotonic() > until:
                return


@needs_engine
def test_twenty_kills_during_inserts_lose_nothing_that_was_flushed(folder, monkeypatch):
    # A process that has imported all and holds nothing makes each writer, in a moment.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    context.set_forkserver_preload(["faiss", "milvus_lite.adapter.grpc.server", __name__])
    rng, acknowledged = random.Random(0), {"inserted": 0, "flushed": 0}
    for kill in range(21):
        with writer(context, folder) as pipe:
            said, there = pipe.recv()
            lost = set(range(acknowledged["inserted"])) - set(there)
            assert said == "there" and not lost, f"kill {kill} lost {len(lost)} rows"
            assert set(there) == set(range(len(set(there)))) and len(set(there)) % 25 == 0
            acknowledged.update(heard(pipe, rng.uniform(0.03, 0.15)))
        acknowledged.update(heard(pipe))  # what it had said before the kill counts
    assert acknowledged["flushed"] > 0 and acknowledged["inserted"] > 20 * 25


# --- without the extra ---------------------------------------------------------------------------


@pytest.fixture
def without_engine(tmp_path):
    """Return an environment in which neither package is found."""
    blocking = """
        import importlib.abc, sys
        class Block(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("faiss", "pymilvus", "milvus_lite"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Block())
    """
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(blocking))
    path = os.pathsep.join([str(tmp_path), str(guards.ROOT), str(FOLDER)])
    return {**os.environ, "PYTHONPATH": path}


def test_without_the_packages_everything_says_what_to_install(without_engine):
    """In plain Python each call raises that; in a notebook a cell that needs them says it."""
    script = textwrap.dedent("""
        import engines
        print(engines.missing())
        for call in (lambda: engines.connect("a.db"), lambda: engines.Server("a").start()):
            try:
                call()
            except engines.EngineError as error:
                print(error)
        engines.check()

        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_cell("import engines; engines.check()")
        for cell in ("client = engines.connect('a.db')", "client.flush()", "x = 2; print(x + 1)"):
            assert shell.run_cell(cell).success, cell
        assert not shell.run_cell("1 / 0").success
    """)
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=without_engine,
        cwd=ALONE,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert run.stdout.startswith("['pymilvus', 'milvus_lite']")
    skipped = "Skipped without the engine."
    assert run.stdout.partition(skipped)[0].count(engines.INSTALL) == 4
    assert run.stdout.count(skipped) == 2 and "\n3\n" in run.stdout


def test_without_the_packages_the_notebook_runs_to_its_end(without_engine):
    nb = guards.load(NOTEBOOK)
    manager = AsyncKernelManager(kernel_spec_manager=refresh_notebooks.ThisPython())
    client = NotebookClient(nb, km=manager, resources={"metadata": {"path": str(FOLDER)}})
    client.execute(cleanup_kc=True, env=without_engine, stderr=subprocess.DEVNULL)
    assert guards.no_errors(nb) == []
    said = [guards.printed(cell) for _, cell in guards.cells(nb, "code")]
    assert engines.INSTALL in said[0] and sum("Skipped without" in text for text in said) > 10
    solutions = [c for _, c in guards.cells(nb, "code") if "solution" in guards.tags(c)]
    assert all(guards.printed(cell).startswith("Right. ") for cell in solutions)
