"""Connections to Milvus, a server process on this machine, and cells that end without the engine.

Importing this module needs neither package. ``python engines.py server ...`` is ``milvus-lite
server ...`` that ends with its parent: it stops when its standard input closes, which the
operating system does for a parent that was killed.
"""

import _thread
import ast
import atexit
import contextlib
import importlib
import importlib.util
import logging
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest.mock
import urllib.parse

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC would write notes of its own to stderr
INSTALL = 'python -m pip install -e ".[engines]"'
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # several threads would build another graph in each run


class EngineError(RuntimeError):
    """The engine is missing, cannot be reached, or does not start; the message says what to do."""


# --- is it there? --------------------------------------------------------------------------------


def missing():
    """Return the names of the packages that are not installed, a list."""
    return [name for name in ("pymilvus", "milvus_lite") if not _can_import(name)]


def _can_import(name):
    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(name) is not None


def check():
    """Say what is missing, and let the cells that need it end with one line each."""
    if lacking := missing():
        print(f"Not installed: {', '.join(lacking)}. In the folder of the course, run")
        print(f"    {INSTALL}")
        print("and restart the kernel. Until then the cells that need it say so and end.")
        from IPython import get_ipython

        if (shell := get_ipython()) is not None:
            shell.ast_transformers.append(_Skipping())


class _Skipping(ast.NodeTransformer):
    """Put each cell under ``with skipping():``."""

    def visit_Module(self, node):  # noqa: N802  (the name that ast looks for)
        if node.body:
            here = f"__import__({__name__!r}, fromlist=['skipping']).skipping()"
            wrapped = ast.parse(f"with {here}: pass").body[0]
            wrapped.body, node.body = node.body, [wrapped]
        return ast.fix_missing_locations(node)


@contextlib.contextmanager
def skipping():
    """Turn what a missing engine causes, missing names and results included, into one line."""
    try:
        yield
    except (EngineError, ImportError, NameError, KeyError):
        print(f"Skipped without the engine. ({INSTALL})")


# --- connections ---------------------------------------------------------------------------------


def address():
    """Return (uri, token) from VECTOR_URI and VECTOR_TOKEN, None and "" where they are unset."""
    # Not MILVUS_URI: pymilvus reads that name on import, and fails on a folder's path.
    return os.environ.get("VECTOR_URI") or None, os.environ.get("VECTOR_TOKEN", "")


def connect(uri, *, token="", timeout=10.0):
    """Return a ``pymilvus.MilvusClient`` that has answered, or raise EngineError in time.

    ``uri`` is a folder whose name ends in .db, opened inside this process, or ``http://host:port``
    of a server or cluster; ``token`` is its ``user:password`` or key, if it asks for one.
    """
    pymilvus, uri = _pymilvus(), str(uri)
    is_remote = "://" in uri
    if not is_remote and not uri.endswith(".db"):
        raise EngineError(f"{uri!r} is no address: give http://host:port or a folder named *.db")
    if is_remote:
        _knock(uri, timeout)
    elif pathlib.Path(uri).is_file():
        told = "made by version 2 of Milvus Lite? Choose a new name, and insert the rows again"
        raise EngineError(f"{uri} is a file, not a folder: {told}")
    with _overheard("milvus_lite.server_manager") as errors:
        try:
            client = pymilvus.MilvusClient(uri, token=token, timeout=timeout)
            client.list_collections(timeout=timeout)
        except pymilvus.MilvusException as error:
            told = _remote_fault(uri, error) if is_remote else _folder_fault(uri, errors)
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
    try:
        with unittest.mock.patch.dict(os.environ, ONE_THREAD):  # read once, when FAISS is loaded
            importlib.import_module("faiss")
        pymilvus = importlib.import_module("pymilvus")
    except Exception as error:  # pymilvus refuses a MILVUS_URI that is a path, for one
        raise EngineError(f"pymilvus cannot be imported: {error}; is MILVUS_URI set?") from error
    for name in ("pymilvus", "milvus_lite"):  # errors come as exceptions; say them once
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return pymilvus


@contextlib.contextmanager
def _overheard(name):
    """Yield a list that collects the exceptions a logger is told of, unsaid elsewhere."""
    logger, handler, errors = logging.getLogger(name), logging.Handler(), []
    handler.emit = lambda record: errors.append(record.exc_info and record.exc_info[1])
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield errors
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


def _knock(uri, timeout):
    """Raise EngineError unless something accepts connections at this address."""
    try:
        parsed = urllib.parse.urlsplit(uri)
        where = parsed.hostname, parsed.port or (443 if parsed.scheme == "https" else 19530)
        socket.create_connection(where, timeout).close()
    except (OSError, ValueError) as error:
        told = f"nothing answers at {uri} ({error}): is the server running, the address right?"
        raise EngineError(told) from error


def _remote_fault(uri, error):
    """Say why an address that accepts connections gave no client."""
    if any(word in str(error).lower() for word in ("auth", "token", "password")):
        return f"{uri} refuses this user: set VECTOR_TOKEN to user:password, or to the key"
    return f"{uri} did not answer as Milvus: is it another program, or still starting?"


def _folder_fault(uri, errors):
    """Say why a folder could not be opened."""
    if not pathlib.Path(uri).absolute().parent.is_dir():
        return f"the folder that {uri} should stand in does not exist: create it first"
    if any(type(error).__name__ == "DataDirLockedError" for error in errors):
        return _held(uri)
    return f"{uri} could not be opened: {errors[0]!r}" if errors else f"{uri} did not open"


def _held(folder):
    """Say what to do about a folder that somebody else has open."""
    return (
        f"{folder} is held by another process, a notebook or a server: only one at a time can "
        "open it. Close that one, or serve the folder and let both connect to the server"
    )


def workspace():
    """Return this process's folder for engines, made if it is not there, removed at its end."""
    folder = pathlib.Path(tempfile.gettempdir(), f"course_engines_{os.getpid()}")
    folder.mkdir(exist_ok=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# --- a server on this machine --------------------------------------------------------------------


class Server:
    """``milvus-lite server`` on this machine only, as a process that ends with this one.

    Use it as a context manager, or call `start` and `stop`. The data lie in ``folder``; after
    ``timeout`` seconds it is given up. Once started it answers at ``uri``; ``process`` is None
    while it is stopped.
    """

    _serving = {}  # the running servers of this process, by their folder

    def __init__(self, folder, *, timeout=30.0):
        self.folder, self.timeout, self.process = folder, timeout, None

    def start(self):
        """Start, wait until it answers, and return self; EngineError if it does not."""
        pymilvus = _pymilvus()
        if (other := self._serving.get(str(self.folder))) is not None:
            other.stop()  # a cell that starts a server may run twice
        port = _free_port()
        self.uri, self._said = f"http://127.0.0.1:{port}", tempfile.TemporaryFile()
        place = ["--host", "127.0.0.1", "--data-dir", str(self.folder), "--port", str(port)]
        self.process = subprocess.Popen(
            [sys.executable, "-P", __file__, "server", *place],
            stdin=subprocess.PIPE,  # closes with this process, and that stops the server
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # interrupting the kernel is not to reach it
            env={**os.environ, **ONE_THREAD},
        )
        atexit.register(self.stop)
        self._serving[str(self.folder)] = self
        try:
            self._wait(pymilvus)
        except BaseException:
            self.kill()
            raise
        return self

    def _wait(self, pymilvus):
        """Return once the server answers; EngineError if it ends or the time is up."""
        until = time.monotonic() + self.timeout
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise EngineError(self._why())
            try:
                _knock(self.uri, 1.0)
                pymilvus.MilvusClient(self.uri, timeout=1.0, dedicated=True).close()
                return
            except (EngineError, pymilvus.MilvusException):
                time.sleep(0.05)
        raise EngineError(f"the server did not answer at {self.uri} within {self.timeout:g} s")

    def _why(self):
        """Say why the process ended, from the last line that it wrote."""
        self._said.seek(0)
        last = self._said.read().decode(errors="replace").strip().rpartition("\n")[2]
        if "DataDirLockedError" in last:
            return _held(self.folder)
        return f"the server ended at once: {last.strip() or 'it said nothing'}"

    def kill(self):
        """End the process at once, unasked; the operating system keeps what it was given."""
        if self.process is not None:
            self.process.kill()
        self.stop()

    def stop(self):
        """Ask the server to end, by closing what it listens to; kill it if it does not."""
        atexit.unregister(self.stop)
        if self.process is None:
            return
        self._serving.pop(str(self.folder), None)
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


def _free_port():
    """Return a port that nobody has; two servers of gRPC would share one without a word."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
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


if __name__ == "__main__":
    _serve(sys.argv[1:])
