"""Load the plugin that tells pytest how to run the notebooks, wherever it is started."""

pytest_plugins = ["run_notebooks"]
