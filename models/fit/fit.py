#!/usr/bin/env python3
"""Fits the logistic map of breach probabilities and writes its constants.

    cargo build --release --workspace --example breach_rows
    python models/fit/fit.py SPLIT WORK target/release/examples/breach_rows models/src/breach/constants.rs

SPLIT holds labelled series (see questions.py); generated series of kinds.py are added. WORK is a scratch folder. Natural rates: origins lie
at fixed distances, every (series, threshold, horizon) weighs the same. Prints the skill over the constant base rate in five-fold
cross-validation, where a fold holds whole servers (real series) or whole kinds (generated ones), before it fits to everything."""
import subprocess, sys, zlib
from datetime import date
from pathlib import Path

import numpy as np, pandas as pd

import questions

RIDGE = 5e-3
WEIGHT = dict(real=1.0, more=.7, generated=1.0, ours=.5)
GATES = ["logH", "reg_exp", "known"]
FOLDS = 5


def names(source):
    """Feature names, in order, from the comments of features.rs' NAMES."""
    text = Path(source).read_text(); text = text[text.index("pub const NAMES"):]; text = text[text.index("= [") + 3:text.index("];")]
    return [w.strip().strip('"') for w in text.replace("\n", " ").split(",") if w.strip()]


def weights(t):
    groups = t.groupby(["name", "threshold", "hours"]).y.transform("size") * t.groupby("name").threshold.transform("nunique")
    w = (t.origin.map(WEIGHT) / groups * np.where(t.over, .3, 1)).to_numpy(); return w / w.mean()


def expand(x, gates): return np.concatenate([x] + [x * x[:, [g]] for g in gates], 1)


def fit(x, y, w, ridge=RIDGE):
    """Ridge logistic regression by Newton's method on standardised columns; base and weights on the raw ones."""
    m = np.average(x, axis=0, weights=w); s = np.sqrt(np.average((x - m) ** 2, axis=0, weights=w)) + 1e-6
    z = np.c_[np.ones(len(x)), (x - m) / s]; rate = np.average(y, weights=w); b = np.zeros(z.shape[1]); b[0] = np.log(rate / (1 - rate))
    r = np.eye(len(b)) * ridge * w.sum(); r[0, 0] = 0
    for _ in range(12):
        p = 1 / (1 + np.exp(-(z @ b).clip(-30, 30))); h = w * np.maximum(p * (1 - p), 1e-4)
        d = np.linalg.solve((z * h[:, None]).T @ z + r, z.T @ (w * (y - p)) - r @ b); b += d
        if np.abs(d).max() < 1e-6: break
    raw = b[1:] / s; return b[0] - raw @ m, raw


def predict(model, x): return 1 / (1 + np.exp(-(model[0] + x @ model[1])))


def skill(y, p, w):
    base = np.average(y, weights=w); return 1 - np.average((p - y) ** 2, weights=w) / np.average((base - y) ** 2, weights=w)


def fold(t, by_kind):
    key = t.group.where(t.kind == "real", t.kind) if by_kind else t.group
    return key.map(lambda g: zlib.crc32(g.encode()) % FOLDS).to_numpy()


def main(split, work, rows, out):
    work = Path(work); features = names(Path(out).with_name("features.rs")); t = questions.build(split, work)
    subprocess.run([rows, work / "values.f64", work / "questions.i64", work / "rows.f64"], check=True)
    x = np.fromfile(work / "rows.f64").reshape(len(t), -1); assert x.shape[1] == len(features), (x.shape, len(features))
    known = np.isfinite(x).all(1); x, t = x[known], t[known].reset_index(drop=True)
    y, w = t.y.to_numpy(float), weights(t); e = expand(x, [features.index(g) for g in GATES])
    for by_kind in (False, True):
        f = fold(t, by_kind); p = np.empty(len(y))
        for k in range(FOLDS): p[f == k] = predict(fit(e[f != k], y[f != k], w[f != k]), e[f == k])
        print("skill, held out by", "server and kind" if by_kind else "server and series", {o: round(skill(y[g], p[g], w[g]), 3) for o in WEIGHT for g in [(t.origin == o).to_numpy()]})
    write(out, features, t, fit(e, y, w))


def write(out, features, t, model):
    base, b = model[0], model[1].reshape(-1, len(features)).T
    lines = ["//! Constants of the logistic map. Written by `models/fit/fit.py`; do not edit.", "//!",
             f"//! Fitted {date.today()} to {len(t):,} questions at natural rates about {t.name.nunique()} series: labelled server metrics",
             "//! (Numenta NAB, ASD, SMD, Microsoft cloud monitoring, Donut), generated disks, leaks and seasons, and those of `models/fit/kinds.py`;",
             f"//! ridge {RIDGE}, weights by origin of a series {WEIGHT}.", "",
             "use super::features::FEATURES;", "", "/// Log odds where every feature is zero.", f"pub const BASE: f64 = {base:.5f};", "",
             "/// For each feature: its weight, and what a gate (horizon, explained, known) adds to it.", "#[rustfmt::skip]", "pub const WEIGHTS: [[f64; 4]; FEATURES] = ["]
    lines += ["    [" + ", ".join(f"{v:.5f}" for v in row) + f"], // {n}" for n, row in zip(features, b)] + ["];", ""]
    Path(out).write_text("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) != 5: sys.exit(__doc__)
    main(*sys.argv[1:])
