"""What notebook 06 needs of a vector database: connections, a server process, and an adapter.

The engine is Milvus, through ``pymilvus``. An address is either a folder whose name ends in .db,
which Milvus Lite opens inside this process, or ``http://host:port`` of a server or a cluster.
Importing this module needs neither package: `check` says what is missing, and the cells that need
it then end with one line each.

``python engines.py ARGUMENTS`` is ``milvus-lite ARGUMENTS`` that ends with its parent: it stops
when its standard input closes, which the operating system does for a parent that was killed.
"""

import _thread
import ast
import atexit
import importlib
import importlib.util
import logging
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import numpy as np

# gRPC writes notes of its own to stderr, which is compared in the tests of a notebook.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
INSTALL = 'python -m pip install -e ".[engines]"'
# Several threads would build another graph in each run.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


class EngineError(RuntimeError):
    """The engine is missing, cannot be reached, or does not start; the message says what to do."""


# --- is it there? --------------------------------------------------------------------------------


def missing():
    """Return the names of the packages that are not installed, a list."""
    return [name for name in ("pymilvus", "milvus_lite") if not _can_import(name)]


def _can_import(name):
    """Return whether a package is found, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check():
    """Make the notebook ready: say what is missing, and let cells that need it end cleanly.

    Without the packages each cell of this kernel that needs them, or a name from such a cell,
    prints one line and ends. All others run as ever.
    """
    if not (lacking := missing()):
        return
    print(f"Not installed: {', '.join(lacking)}. In the folder of the course, run")
    print(f"    {INSTALL}")
    print("and restart the kernel. Until then the cells that need it say so and end.")
    from IPython import get_ipython

    if (shell := get_ipython()) is not None:
        shell.ast_transformers.append(_Skipping())


class _Skipping(ast.NodeTransformer):
    """Wrap a cell so that what it lacks because of a missing engine is said in one line."""

    def visit_Module(self, node):  # noqa: N802  (the name that ast looks for)
        """Put the whole cell under ``with engines.skipping():``."""
        if node.body:
            wrapped = ast.parse("with __import__('engines').skipping(): pass").body[0]
            wrapped.body, node.body = node.body, [wrapped]
        return ast.fix_missing_locations(node)


class skipping:  # noqa: N801  (a context manager, used like a function)
    """Turn what a missing engine causes into one printed line."""

    def __enter__(self):
        """Do nothing."""

    def __exit__(self, kind, error, trace):
        """Swallow a missing engine, and names and results that an earlier cell did not make."""
        if kind is not None and issubclass(kind, EngineError | ImportError | NameError | KeyError):
            print(f"Skipped without the engine. ({INSTALL})")
            return True
        return False


# --- connections ---------------------------------------------------------------------------------


def address():
    """Return (uri, token) from VECTOR_URI and VECTOR_TOKEN, None and "" where they are unset."""
    # Not MILVUS_URI: pymilvus reads that name on import, and fails on a folder's path.
    return os.environ.get("VECTOR_URI") or None, os.environ.get("VECTOR_TOKEN", "")


def connect(uri, *, token="", timeout=10.0):
    """Return a ``pymilvus.MilvusClient`` that has answered, or raise within about the timeout.

    Parameters
    ----------
    uri : str or path
        A folder whose name ends in .db, opened inside this process, or ``http://host:port``.
    token : str
        ``user:password`` or key of a server that asks for one.
    timeout : float, seconds

    Raises
    ------
    EngineError
        If the packages are missing, another process holds the folder, nothing listens at the
        address, or what listens is no Milvus.
    """
    pymilvus, uri = _pymilvus(), str(uri)
    is_remote = "://" in uri
    if not is_remote and not uri.endswith(".db"):
        raise EngineError(f"{uri!r} is no address: give http://host:port or a folder named *.db")
    if is_remote:
        _knock(uri, timeout)
    with _Overheard("milvus_lite.server_manager") as heard:
        try:
            client = pymilvus.MilvusClient(uri, token=token, timeout=timeout)
            client.list_collections(timeout=timeout)
        except pymilvus.MilvusException as error:
            told = _remote_fault(uri, timeout, error) if is_remote else _folder_fault(uri, heard)
            raise EngineError(told) from error
    return client


def close(client, uri):
    """Close a client; what an embedded engine holds, its folder and its port, is given back."""
    client.close()
    if "://" not in str(uri):
        manager = importlib.import_module("milvus_lite.server_manager")
        manager.server_manager_instance.release_server(str(uri))


def _pymilvus():
    """Import and return pymilvus, quiet on stderr."""
    if lacking := missing():
        raise EngineError(f"not installed: {', '.join(lacking)}; run {INSTALL}")
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)  # read once, when FAISS is loaded
    try:
        importlib.import_module("faiss")
        pymilvus = importlib.import_module("pymilvus")
    except Exception as error:  # pymilvus refuses a MILVUS_URI that is a path, for one
        raise EngineError(f"pymilvus cannot be imported: {error}; is MILVUS_URI set?") from error
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    for name in ("pymilvus", "milvus_lite"):  # errors come as exceptions; say them once
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return pymilvus


class _Overheard(logging.Handler):
    """Keep the exceptions that a logger is told of while this is entered, and only there."""

    def __init__(self, name):
        super().__init__()
        self.logger, self.errors = logging.getLogger(name), []

    def emit(self, record):
        """Keep the exception of a record."""
        if record.exc_info:
            self.errors.append(record.exc_info[1])

    def __enter__(self):
        """Listen."""
        self.before = self.logger.level, self.logger.propagate
        self.logger.addHandler(self)
        self.logger.setLevel(logging.ERROR)
        self.logger.propagate = False
        return self.errors

    def __exit__(self, *exception):
        """Listen no more."""
        self.logger.removeHandler(self)
        self.logger.setLevel(self.before[0])
        self.logger.propagate = self.before[1]


def _knock(uri, timeout):
    """Raise EngineError unless something accepts connections at this address."""
    try:
        parsed = urllib.parse.urlsplit(uri)
        where = parsed.hostname, parsed.port or (443 if parsed.scheme == "https" else 19530)
        socket.create_connection(where, timeout).close()
    except (OSError, ValueError) as error:
        raise EngineError(
            f"nothing answers at {uri} ({error}): is the server running, and the address right?"
        ) from error


def _remote_fault(uri, timeout, error):
    """Say why an address that accepts connections gave no client."""
    said = str(error).lower()
    if "auth" in said or "token" in said or "password" in said:
        return f"{uri} refuses this user: set VECTOR_TOKEN to user:password, or to the key"
    return (
        f"{uri} accepts connections but did not answer as Milvus within {timeout:g} s: "
        "is it another program, or a server that is still starting?"
    )


def _folder_fault(uri, heard):
    """Say why a folder could not be opened."""
    if not pathlib.Path(uri).absolute().parent.is_dir():
        return f"the folder that {uri} should stand in does not exist: create it first"
    if any(type(error).__name__ == "DataDirLockedError" for error in heard):
        return (
            f"{uri} is held by another process, a notebook or a server: only one at a time can "
            "open it. Close that one, or serve the folder and let both connect to the server"
        )
    reason = f"{type(heard[0]).__name__}: {heard[0]}" if heard else "no reason given"
    return f"{uri} could not be opened: {reason}"


# --- a server on this machine --------------------------------------------------------------------


class Server:
    """``milvus-lite server`` on this machine only, as a process of its own.

    Use it as a context manager, or call `start` and `stop`. It stops with this process too,
    whichever way that ends.

    Parameters
    ----------
    folder : str or path, where the data lie; created if there is none
    port : int, optional; a free one by default
    timeout : float, seconds that it may take to answer

    Attributes
    ----------
    uri : str, where it answers, once it is started
    process : subprocess.Popen
    """

    def __init__(self, folder, *, port=None, timeout=30.0):
        self.folder = folder
        self.port = port
        self.timeout = timeout
        self.process = None

    def start(self):
        """Start, wait until it answers, and return self; EngineError if it does not."""
        if lacking := missing():
            raise EngineError(f"not installed: {', '.join(lacking)}; run {INSTALL}")
        if self.process is not None:
            raise EngineError("this server is started already: stop it first")
        port = _free_port(self.port)
        self.uri = f"http://127.0.0.1:{port}"
        arguments = ["--host", "127.0.0.1", "--data-dir", str(self.folder), "--port", str(port)]
        self._said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "server", *arguments],
            stdin=subprocess.PIPE,  # closes with this process, and that stops the server
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # interrupting the kernel is not to reach it
            env={**os.environ, **ONE_THREAD},
        )
        atexit.register(self.stop)
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise
        return self

    def _wait(self):
        """Return once the server answers; EngineError if it ends or the time is up."""
        until, pymilvus = time.monotonic() + self.timeout, _pymilvus()
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise EngineError(self._why())
            try:
                _knock(self.uri, 1.0)
                client = pymilvus.MilvusClient(self.uri, timeout=1.0, dedicated=True)
            except (EngineError, pymilvus.MilvusException):
                time.sleep(0.05)
            else:
                client.close()
                return
        raise EngineError(f"the server did not answer at {self.uri} within {self.timeout:g} s")

    def _why(self):
        """Say why the process ended, from the last line that it wrote."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        if "DataDirLockedError" in last:
            return (
                f"the folder {self.folder} is held by another process, a notebook or a server: "
                "close that one, or choose another folder"
            )
        return f"the server ended at once: {last.strip()}"

    def stop(self):
        """Ask the server to end, wait for it, and kill it if it does not."""
        self._end(ask=True)

    def kill(self):
        """End the server at once, as a power cut would."""
        self._end(ask=False)

    def _end(self, ask):
        """End the process and give back what it held."""
        atexit.unregister(self.stop)
        if self.process is None:
            return
        if not ask:
            self.process.kill()
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._said.close()
        self.process = None

    def __enter__(self):
        """Start."""
        return self.start()

    def __exit__(self, *exception):
        """Stop."""
        self.stop()


def _free_port(port):
    """Return this port if nobody has it, or any free one for None; EngineError if it is taken."""
    # The server itself would not notice: its sockets may share a port with those of another.
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port or 0))
        except (OSError, OverflowError) as error:
            raise EngineError(
                f"port {port} is taken or not allowed ({error}): leave it out to get a free one"
            ) from error
        return probe.getsockname()[1]


def _serve(arguments):
    """Run ``milvus-lite`` with these arguments until it ends or standard input closes."""

    def watch():
        while os.read(0, 1):  # not sys.stdin, whose lock would be held when Python ends
            pass
        _thread.interrupt_main()  # as Ctrl-C: the server closes its files
        time.sleep(8)
        os._exit(1)  # it did not

    threading.Thread(target=watch, daemon=True).start()
    importlib.import_module("milvus_lite.cmdline").main(arguments)


# --- the adapter ---------------------------------------------------------------------------------


class MilvusIndex:
    """A collection as something that `crossmodal_utils.CrossModalModel.retrieve` can search.

    Parameters
    ----------
    client : pymilvus.MilvusClient
    collection : str, with the fields id, vector and description
    options : dict, optional; how to search, such as ``{"ef": 64}``
    prepare : callable, optional; turns embeddings into rows as they lie in the collection
    """

    def __init__(self, client, collection, *, options=None, prepare=None):
        self.client = client
        self.collection = collection
        self.options = options
        self.prepare = prepare

    def search(self, Q, k, filter=""):
        """Return scores and ids (n_queries, k), best first; -inf and -1 where fewer are found."""
        Q = np.asarray(Q if self.prepare is None else self.prepare(Q), dtype=np.float32)
        params = {"metric_type": "IP", "params": self.options or {}}
        found = self.client.search(
            self.collection,
            data=list(Q),
            limit=k,
            filter=filter,
            output_fields=["id"],
            search_params=params,
        )
        scores, ids = np.full((len(Q), k), -np.inf), np.full((len(Q), k), -1)
        for i, hits in enumerate(found):
            scores[i, : len(hits)] = [hit["distance"] for hit in hits]
            ids[i, : len(hits)] = [hit["id"] for hit in hits]
        return scores, ids

    def descriptions(self, ids):
        """Return the descriptions of ids (n, k): n lists of str, those that were not found out."""
        wanted = np.unique(ids[ids >= 0]).tolist()
        rows = self.client.get(self.collection, wanted, output_fields=["id", "description"])
        texts = {row["id"]: row["description"] for row in rows}
        return [[texts[i] for i in row if i in texts] for row in np.asarray(ids).tolist()]


if __name__ == "__main__":
    _serve(sys.argv[1:])
