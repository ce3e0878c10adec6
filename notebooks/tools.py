"""What all notebooks need: the program, the bundled data, a look."""

import json
import os
import pathlib
import subprocess
import tempfile
import tomllib

import matplotlib.pyplot as plt
import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parent.parent
PORTENT = os.environ.get("PORTENT", str(ROOT / "target" / "release" / "portent"))
WORK = pathlib.Path(tempfile.mkdtemp(prefix="portent-notebook-"))

# Told apart in grey and by the colour-blind (Okabe and Ito).
OURS, THEIRS, BAD, QUIET = "#0072b2", "#e69f00", "#d55e00", "#999999"
plt.rcParams.update(
    {"figure.figsize": (9, 3.6), "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "font.size": 10}
)


def portent(*arguments, ok=(0,)):
    """Runs the program and gives back what it wrote to stdout."""
    done = subprocess.run([PORTENT, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode not in ok:
        raise RuntimeError(f"portent {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def portent_json(*arguments):
    return json.loads(portent(*arguments))


def data(name):
    """A bundled set as a frame, a column a series."""
    frame = pd.read_csv(ROOT / "datasets" / name / "data.csv")
    frame.index = pd.to_datetime(frame.pop("timestamp"), unit="s", utc=True)
    return frame


def card(name):
    return tomllib.loads((ROOT / "datasets" / name / "dataset.toml").read_text())


def path_of(name):
    return ROOT / "datasets" / name / "data.csv"


def hours(seconds):
    return None if seconds is None else round(seconds / 3600, 1)
