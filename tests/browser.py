"""Open notebooks in a real JupyterLab and a real browser, as a reader does.

    python tests/browser.py notebooks/01_*.ipynb notebooks/05_*.ipynb

Each is copied with the course into a temporary folder, opened by the README's own command, and run
from top to bottom. Fails when a dialog stands in the way, a cell raises, a diagram does not load,
a folded cell unfolds, or a figure's numbers cannot be opened from the keyboard; in notebook 05
also when the search box does not answer words, a photo, a file that is none, or words that fit
nothing. Needs Chromium (or CHROME=its path).
"""

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import websocket  # JupyterLab's server brings it
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
PANEL = """const app = window.jupyterapp ?? window.jupyterlab;
  const panel = [...app.shell.widgets('main')].find(w => w.context?.path.endsWith('NAME'));"""
OPENED = """(async () => { PANEL
  await panel.context.ready; await panel.sessionContext.ready; app.shell.activateById(panel.id);
  return panel.sessionContext.session?.kernel?.status === 'idle';
})()"""
RUN_ALL = """(async () => { PANEL
  for (const cell of panel.content.model.cells)
    if (cell.type === 'code') cell.executionCount = null;
  app.commands.execute('notebook:run-all-cells');
})()"""
STATE = """(() => { PANEL
  const cells = [...panel.content.model.cells].filter(
    c => c.type === 'code' && c.sharedModel.getSource().trim());
  const outputs = cells.flatMap(c => c.outputs.toJSON());
  const left = cells.filter(c => c.executionCount === null || c.executionState === 'running');
  return {left: left.length,
          errors: outputs.filter(o => o.output_type === 'error').map(o => o.evalue)};
})()"""
FAULTS = """(async () => { PANEL
  const notebook = panel.content, faults = [];
  for (const [place, cell] of notebook.widgets.entries()) {
    notebook.activeCellIndex = place;
    await notebook.scrollToItem(place);
    await new Promise(done => setTimeout(done, 120));
    if (cell.model.getMetadata('jupyter')?.source_hidden && !cell.inputHidden)
      faults.push(`cell ${place} is not folded`);
    for (const image of cell.node.querySelectorAll('.jp-RenderedMarkdown img')) {
      await image.decode().catch(() => faults.push(`cell ${place}: ${image.alt} did not load`));
      if (!image.alt) faults.push(`cell ${place}: a diagram without text`);
    }
    for (const part of cell.node.querySelectorAll('.jp-OutputArea details')) {
      const summary = part.querySelector('summary');
      summary.focus();
      if (part.open || document.activeElement !== summary)
        faults.push(`cell ${place}: open, or not to be reached by key`);
    }
  }
  return faults;
})()"""
SEARCH_BOX = """(() => {
  const box = document.querySelector('.jp-OutputArea input[type=text]');
  if (!box) return null;
  const area = box.closest('.jp-OutputArea');
  area.scrollIntoView(); box.focus(); box.select();
  return area.innerText + ' photos: ' + area.querySelectorAll('img').length;
})()"""
UPLOAD = "document.querySelector('.jp-OutputArea .jupyter-button.widget-upload').click()"


def main(paths):
    """Try the notebooks and return the exit code."""
    chrome = os.environ.get("CHROME") or next(filter(None, map(shutil.which, NAMES)), None)
    if chrome is None:
        print("no Chromium was found: nothing is tried")
        return 0
    faults = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        project = Path(folder) / "course"
        aside = shutil.ignore_patterns("saved", "__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / "notebooks", project / "notebooks", ignore=aside)
        shutil.copy(ROOT / "crossmodal_utils.py", project / "notebooks")
        address = stack.enter_context(jupyterlab(project, paths[0]))
        page = stack.enter_context(browser(chrome, folder))
        for path in paths:
            found = list(try_notebook(page, f"{address}/lab/tree/notebooks/{path.name}"))
            if "05_" in path.name and not found:
                found = list(try_search_box(page, Path(folder)))
            print(f"{path.name}: {'; '.join(found) or 'as it should be'}", flush=True)
            faults += found
    return bool(faults)


def try_notebook(page, address):
    """Yield what is wrong with a notebook in the browser."""

    def ask(script):
        return value(page, script.replace("PANEL", PANEL).replace("NAME", address.split("/")[-1]))

    page("Page.navigate", url=address)
    wait(lambda: ask(OPENED), 90)
    if ask("document.querySelectorAll('.jp-Dialog').length"):
        yield "a dialog stands in the way"
        return
    ask(RUN_ALL)
    wait(lambda: not ask(STATE)["left"] or ask(STATE)["errors"], 600)
    yield from ask(STATE)["errors"]
    yield from ask(FAULTS)


def try_search_box(page, folder):
    """Yield what does not get the answer that it should."""
    picture, letter = folder / "red.png", folder / "letter.jpg"
    Image.new("RGB", (300, 200), "red").save(picture)
    letter.write_text("Dear customer, this is no picture.")
    if value(page, SEARCH_BOX) is None:
        yield "there is no search box"
        return
    for action, given, expected in (
        (type_words, "striped umbrella", "photos: 4"),
        (type_words, "zzyzx qwvkj", "No match"),
        (upload, picture, "photos: 4"),
        (upload, letter, "letter.jpg is not a picture"),
        (type_words, "hat", "photos: 4"),
    ):
        action(page, given)
        try:
            wait(lambda sought=expected: sought in value(page, SEARCH_BOX), 30)
        except TimeoutError:
            yield f"{given} is not answered by {expected!r}: {value(page, SEARCH_BOX)!r}"


def type_words(page, words):
    """Type into the search box and press Enter."""
    value(page, SEARCH_BOX)  # to stand in it, with its words marked
    page("Input.insertText", text=words)
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    page("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
    page("Input.dispatchKeyEvent", type="keyUp", **key)


def upload(page, path):
    """Press the button of the search box, and choose a file."""
    page("Page.enable")
    page("Page.setInterceptFileChooserDialog", enabled=True)
    page("Runtime.evaluate", expression=UPLOAD, userGesture=True)
    wait(lambda: page("Page.enable") == {} and "Page.fileChooserOpened" in page.events, 30)
    node = page.events.pop("Page.fileChooserOpened")["backendNodeId"]
    page("DOM.setFileInputFiles", files=[str(path)], backendNodeId=node)


@contextlib.contextmanager
def jupyterlab(project, path):
    """Run JupyterLab as README.md says, and yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", f"--port={port}"]
    command += [
        "--ServerApp.token=",
        "--ServerApp.root_dir=.",
        "--LabApp.expose_app_in_browser=True",
    ]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    settings = {"JUPYTER_CONFIG_DIR": str(project / "config"), "HOME": str(project)}
    run = subprocess.Popen(
        [*command, f"notebooks/{path.name}"],
        cwd=project,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(lambda: reachable(f"http://localhost:{port}/api"), 60)
        yield f"http://localhost:{port}"
    finally:
        run.terminate()
        run.wait(30)


@contextlib.contextmanager
def browser(chrome, folder):
    """Run a browser without a window, and yield a function that sends a command to its page."""
    port = free_port()
    command = [chrome, "--headless=new", "--no-sandbox", f"--remote-debugging-port={port}"]
    command += [f"--user-data-dir={folder}/profile", "--window-size=1300,1400"]
    command += ["--remote-allow-origins=*", "about:blank"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(lambda: reachable(f"http://localhost:{port}/json/version"), 60)
        with urllib.request.urlopen(f"http://localhost:{port}/json") as answer:
            pages = [p for p in json.load(answer) if p["type"] == "page"]
        channel = websocket.create_connection(pages[0]["webSocketDebuggerUrl"], timeout=900)
        numbers = itertools.count(1)

        def send(method, **parameters):
            number = next(numbers)
            channel.send(json.dumps({"id": number, "method": method, "params": parameters}))
            while (answer := json.loads(channel.recv())).get("id") != number:
                send.events[answer.get("method")] = answer.get("params")  # the last of each kind
            return answer.get("result", {})

        send.events = {}
        yield send
        channel.close()
    finally:
        run.terminate()
        run.wait(30)


def value(page, expression):
    """Return the value of a JavaScript expression in the page, None when it raised."""
    told = page("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
    if "exceptionDetails" in told:
        raise RuntimeError(told["exceptionDetails"].get("exception", {}).get("description"))
    return told.get("result", {}).get("value")


def wait(holds, seconds):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(RuntimeError):
            if holds():
                return
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s")
        time.sleep(0.5)


def reachable(address):
    """Return whether a server answers."""
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(address, timeout=5))
    return False


def free_port():
    """Return the number of a port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    sys.exit(main(given or sorted((ROOT / "notebooks").glob("0[15]_*.ipynb"))))
