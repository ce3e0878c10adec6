#!/usr/bin/env python3
"""Fits the logistic map of breach probabilities as the daemon sees them (a week of hours and five hours of minutes), and writes its constants.

    cargo build --release --workspace --example ring_rows
    python models/fit/fit_rings.py SPLIT WORK target/release/examples/ring_rows models/src/breach/ring_constants.rs

The questions are those of fit.py, and so is their truth: breaches of samples. Prints the skill over the constant base rate in five-fold
cross-validation, and of either half of the series fitted to the other, before it fits to everything."""
import subprocess, sys, zlib
from datetime import date
from pathlib import Path

import numpy as np

import fit, questions

RIDGE = 2e-2
GATES = [*fit.GATES, "by_paths"]


def names(source):
    """Feature names in order: those of samples, of the last hours, and of the forecast's paths."""
    text = Path(source).with_name("recent.rs").read_text(); text = text[text.index("pub const RECENT_NAMES"):]; text = text[text.index("[\"") + 1:text.index("];")]
    return fit.names(Path(source).with_name("features.rs")) + [w.strip().strip('"') for w in text.replace("\n", " ").split(",") if w.strip()] + ["by_paths"]


def held_out(e, y, w, t, f, of):
    p = np.full(len(y), np.nan)
    for k in np.unique(f): p[f == k] = fit.predict(fit.fit(e[f != k], y[f != k], w[f != k], RIDGE), e[f == k])
    print("skill, held out by", of, {o: round(fit.skill(y[g], p[g], w[g]), 3) for o in fit.WEIGHT for g in [(t.origin == o).to_numpy()]}, flush=True)


def main(split, work, rows, out):
    work = Path(work); features = names(out); t = questions.build(split, work)
    subprocess.run([rows, work / "values.f64", work / "questions.i64", work / "ring_rows.f64"], check=True)
    x = np.fromfile(work / "ring_rows.f64").reshape(len(t), -1); assert x.shape[1] == len(features), (x.shape, len(features))
    known = np.isfinite(x).all(1); x, t = x[known], t[known].reset_index(drop=True)
    y, w = t.y.to_numpy(float), fit.weights(t); e = fit.expand(x, [features.index(g) for g in GATES])
    held_out(e, y, w, t, t.group.map(lambda g: zlib.crc32(g.encode()) % 2).to_numpy(), "half of the series")
    held_out(e, y, w, t, fit.fold(t, False), "server and series"); held_out(e, y, w, t, fit.fold(t, True), "server and kind")
    write(out, features, t, fit.fit(e, y, w, RIDGE))


def write(out, features, t, model):
    base, b = model[0], model[1].reshape(-1, len(features)).T
    lines = ["//! Constants of the rings' logistic map. Written by `models/fit/fit_rings.py`; do not edit.", "//!",
             f"//! Fitted {date.today()} to {len(t):,} questions at natural rates about {t.name.nunique()} series, those of `constants.rs`, each seen through a",
             f"//! block's rings; ridge {RIDGE}, weights by origin of a series {fit.WEIGHT}.", "",
             "use super::rings::RING_FEATURES;", "", "/// Log odds where every feature is zero.", f"pub const BASE: f64 = {base:.5f};", "",
             "/// For each feature: its weight, and what a gate (horizon, explained, known, by paths) adds to it.", "#[rustfmt::skip]", "pub const WEIGHTS: [[f64; 5]; RING_FEATURES] = ["]
    lines += ["    [" + ", ".join(f"{v:.5f}" for v in row) + f"], // {n}" for n, row in zip(features, b)] + ["];", ""]
    Path(out).write_text("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) != 5: sys.exit(__doc__)
    main(*sys.argv[1:])
