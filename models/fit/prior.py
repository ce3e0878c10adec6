#!/usr/bin/env python3
"""Fits what the anomaly score believes of a series before it has hours of its own, and the share of odd hours that is one false alarm.

    cargo build --release --workspace --example score_rows
    python models/fit/prior.py SPLIT WORK target/release/examples/score_rows [models/src/score/prior.rs]

SPLIT holds labelled series: ad/series.parquet (series_id, ts in s, value, ignore) and ad/manifest.json (windows, interval_s, source,
group). WORK is a scratch folder. Prints recall, precision and false alarms a series-week on the half that nothing was fitted to, for halves by
source and by server; then, with a fourth argument, writes the constants fitted to everything. The calibration of
models/src/score/calibrate.rs is repeated here with numpy, since what is fitted stands before it."""
import json, subprocess, sys, zlib
from datetime import date
from pathlib import Path

import numpy as np, pandas as pd

BINS, TAIL, PRIOR_HOURS, HALF_HOURS, LEAST_BREADTH, MOST = 64, .15, 400, 1440, .5, 120
RUN_SHARE, SILENT = .02, 64
HOUR, DAY, WEEK = 3600, 86400, 604800
# One false alarm is promised; what was fitted to 116 series does up to three quarters worse on series of the same kinds that it has not seen.
TARGET = .62


def position(x): return np.clip((np.log2(np.maximum(x, 1e-12)) + 6) * 4, 0, MOST)


class Series:
    def __init__(self, meta, ts, rows, keep):
        self.meta, self.ts, self.keep = meta, ts, keep & (ts - ts[0] >= max(DAY, 24 * meta["interval_s"])); hour = ts // HOUR
        self.starts = np.r_[0, np.flatnonzero(np.diff(hour)) + 1]; self.at = position(rows[:, 1:]); self.has_run = rows[:, 2] > 0
        # The running measure of an hour stands in for each of its samples: an episode begins when it first rises.
        last = np.r_[self.starts[1:] - 1, len(ts) - 1]; self.largest = rows[last, 1:]; self.counts = self.starts >= SILENT
        self.young = np.arange(len(ts)) < DAY / meta["interval_s"]

    def histogram(self, kind):
        x = self.largest[self.counts, kind]; x = x[x > 0] if kind == 0 else x
        return np.bincount(np.minimum(position(x).astype(int), BINS - 1), minlength=BINS) / max(len(x), 1)

    def ln_p(self, kind, prior):
        """Of every sample, by the hours before its own."""
        out = np.empty(len(self.ts)); counted = np.zeros(BINS); keep = .5 ** (1 / HALF_HOURS); b = np.arange(BINS); ends = np.r_[self.starts[1:], len(self.ts)]
        bins = np.minimum(position(self.largest[:, kind]).astype(int), BINS - 1)
        for i, (lo, hi) in enumerate(zip(self.starts, ends)):
            h = counted + PRIOR_HOURS * prior; share = np.r_[np.cumsum(h[::-1])[::-1], 0] / h.sum()
            first = np.flatnonzero(share[1:] <= TAIL)[0]; above, below = share[first], share[first + 1]
            begin = first + np.clip((above - TAIL) / max(above - below, 1e-12), 0, 1)
            excess = (TAIL - below) * ((first + 1 + begin) / 2 - begin) + ((share[:-1] - share[1:]) * (b + .5 - begin))[first + 1:].sum(); breadth = max(excess / TAIL, LEAST_BREADTH)
            x = self.at[lo:hi, kind]; k = np.minimum(x.astype(int), BINS - 1)
            out[lo:hi] = np.where(x >= begin, np.log(TAIL) - (x - begin) / breadth, np.log(np.maximum(share[k] + (share[k + 1] - share[k]) * (x - k), 1e-30)))
            if self.counts[i] and (kind == 1 or self.largest[i, 0] > 0): counted *= keep; counted[bins[i]] += 1
        return out

    def rarity(self, priors):
        """-ln p of every sample that is judged."""
        run = np.where(self.young | ~self.has_run, 0, np.minimum(self.ln_p(1, priors[1]) - np.log(RUN_SHARE), 0))
        return -np.minimum(self.ln_p(0, priors[0]), run)


def read(split, work, binary):
    meta = json.load(open(split / "ad/manifest.json")); frame = pd.read_parquet(split / "ad/series.parquet"); parts, index, at = [], [], 0
    for m in meta:
        g = frame[(frame.series_id == m["series_id"]) & np.isfinite(frame.value)].sort_values("ts").drop_duplicates("ts", keep="last"); d = np.sort(np.diff(g.ts))
        parts.append(g); index.append((at, at + len(g), 1000 * int(d[(len(d) - 1) // 2]))); at += len(g)
    g = pd.concat(parts); g.value.to_numpy("<f8").tofile(work / "values.f64"); (g.ts.to_numpy("<i8") * 1000).tofile(work / "times.i64"); np.array(index, "<i8").tofile(work / "series.i64")
    subprocess.run([binary, work / "values.f64", work / "times.i64", work / "series.i64", work / "rows.f32"], check=True)
    rows = np.fromfile(work / "rows.f32", "<f4").reshape(-1, 3).astype(float)
    return [Series(m, p.ts.to_numpy(), rows[a:b], (p.ignore == 0).to_numpy()) for m, p, (a, b, _) in zip(meta, parts, index)]


def priors(series): return [np.mean([s.histogram(kind) for s in series], 0) for kind in (0, 1)]


def events(series, rarity, edge):
    hit = windows = good = false = 0; weeks = 0.
    for s, r in zip(series, rarity):
        ts, over = s.ts[s.keep], r[s.keep] >= edge; weeks += len(ts) * s.meta["interval_s"] / WEEK; windows += len(s.meta["windows"]); x = ts[over]
        if not len(x): continue
        cut = np.flatnonzero(np.diff(x) > max(HOUR, 2 * s.meta["interval_s"])) + 1; found = [(g[0], g[-1]) for g in np.split(x, cut)]
        hit += sum(any(b >= lo and a <= hi for a, b in found) for lo, hi in s.meta["windows"])
        ok = sum(any(b >= lo and a <= hi for lo, hi in s.meta["windows"]) for a, b in found); good += ok; false += len(found) - ok
    return dict(recall=hit / max(windows, 1), precision=good / max(good + false, 1), false_alarms=false / weeks)


def edge(series, rarity, target):
    """The lowest -ln p with no more false alarms than the target."""
    lo, hi = 1., 12.
    for _ in range(20):
        mid = (lo + hi) / 2; lo, hi = (mid, hi) if events(series, rarity, mid)["false_alarms"] > target else (lo, mid)
    return hi


def held_out(series, is_first, name):
    for side in (True, False):
        fit, test = [s for s in series if is_first(s) == side], [s for s in series if is_first(s) != side]; p = priors(fit)
        e = edge(fit, [s.rarity(p) for s in fit], TARGET); got = events(test, [s.rarity(p) for s in test], e)
        print(f"{name:28s} fitted to {len(fit):3d}, hour p {np.exp(-e):.4f}; on the other {len(test):3d}: " + ", ".join(f"{k} {v:.3f}" for k, v in got.items()), flush=True)


def main(split, work, binary, out=None):
    work = Path(work); series = read(Path(split), work, binary); p = priors(series); rarity = [s.rarity(p) for s in series]; e = edge(series, rarity, TARGET)
    print(f"all: hour p {np.exp(-e):.4f}: " + ", ".join(f"{k} {v:.3f}" for k, v in events(series, rarity, e).items()))
    held_out(series, lambda s: s.meta["source"] in ("NAB", "ASD", "DonutKPI"), "by source")
    for seed in range(3): held_out(series, lambda s: bool(zlib.crc32(f"{seed}{s.meta['group']}".encode()) & 1), f"by server, split {seed}")
    if out: write(out, series, p, np.exp(-e))


def write(out, series, p, hour_p):
    table = lambda bins: [("    " + ", ".join("0.0" if v < 5e-6 else f"{v:.5f}" for v in row) + ",") for row in bins.reshape(8, 8)]
    sources = ", ".join(sorted({s.meta["source"] for s in series}))
    lines = ["//! What hours of other series look like: the shares that count before a series has hours of its own. Written by `models/fit/prior.py`; do not", "//! edit.", "//!",
             f"//! Hourly maxima of both measures over {len(series)} series of public sources and a generator ({sources}), each series weighing the", f"//! same; {date.today()}. Bins as in `calibrate`.", "",
             "use super::calibrate::{Prior, prior};", "",
             f"/// Share of hours at or past a score of 1.0 for one false alarm a week: {168 * hour_p:.1f} hours of a week, since odd hours come in clusters, one episode", f"/// each. {TARGET} false alarms a series-week on the series that it was fitted to leave room for those that it was not.",
             f"pub(super) const HOUR_P_AT_ONE: f64 = {hour_p:.4f};", "", "/// Of the distance of all views.", "#[rustfmt::skip]", "pub(super) static DISTANCE: Prior = prior(&["] + table(p[0]) + ["]);", "",
             "/// Of the runs of one value, and of none.", "#[rustfmt::skip]", "pub(super) static RUN: Prior = prior(&["] + table(p[1]) + ["]);", ""]
    Path(out).write_text("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5): sys.exit(__doc__)
    main(*sys.argv[1:])
