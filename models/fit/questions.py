"""Breach questions at natural rates: origins at fixed distances, whatever happens after them.

An origin counts if none of the last `sustain` values is at or past the threshold, at least four days lie before it, and the whole horizon
after it. Writes the three files that `examples/breach_rows.rs` reads, and a table of what is true."""
import json
from pathlib import Path

import numpy as np, pandas as pd

import kinds

HOUR = 3600


def labelled(split):
    """Series of a labelled split (`breach/series.parquet`, `series.json`; `ad/series.parquet`, `manifest.json`): name, kind, group, step, values, thresholds."""
    meta = json.load(open(split / "breach/series.json")); df = {k: g for k, g in pd.read_parquet(split / "breach/series.parquet").groupby("series_id")}
    seen = set()
    for m in meta:
        v = df[m["series_id"]].value.to_numpy(float); seen.add(m["id"]); server = "/".join(m["id"].split("/")[:2])
        yield dict(name=m["id"], kind=m["family"], group=server if m["family"] == "real" else m["id"], origin="real" if m["family"] == "real" else "generated", step=m["interval_s"], values=v, thresholds=[m["threshold"]], sustain=m["sustain_samples"])
    meta = json.load(open(split / "ad/manifest.json")); df = {k: g for k, g in pd.read_parquet(split / "ad/series.parquet").groupby("series_id")}
    for m in meta:
        if m["synthetic"] or m["id"] in seen: continue
        g = df[m["series_id"]].sort_values("ts"); step = m["interval_s"]
        if step == 60: g = g.assign(ts=g.ts // 300 * 300).groupby("ts", as_index=False).value.mean(); step = 300
        at = ((g.ts - g.ts.iloc[0]) // step).to_numpy(); v = np.full(at[-1] + 1, np.nan); v[at] = g.value.to_numpy(float); f = v[np.isfinite(v)]
        th = sorted({float(np.quantile(f, q)) for q in (.96, .99, .995)}); server = "/".join(m["id"].split("/")[:2])
        yield dict(name=m["id"], kind="real", group=server, origin="more", step=step, values=v, thresholds=[t for t in th if (f < t).mean() > .8], sustain=3)


def generated(each, seed):
    for i, (kind, step, v, th) in enumerate(kinds.series(each, seed)):
        yield dict(name=f"{kind}/{i}", kind=kind, group=f"{kind}/{i}", origin="ours", step=step, values=v, thresholds=[th], sustain=[3, 3, 3, 1][i % 4])


def horizons(s):
    if s["origin"] == "generated": return [(24, 8), (72, 10), (168, 12)]
    if s["origin"] == "ours": return [(4, 16), (24, 18), (72, 22), (168, 30)]
    return [(4, 4), (24, 7)] if s["origin"] == "real" else [(4, 17), (24, 25)]


def windows(v, th, sustain, n, h):
    """Step (from 1) of the first of `sustain` values in a row at or past the threshold after index n - 1, within h; 0 for none."""
    w = v[n:n + h] >= th; run = np.convolve(w, np.ones(sustain, int))[sustain - 1:len(w)] if len(w) >= sustain else np.zeros(0)
    hit = np.flatnonzero(run >= sustain); return int(hit[0]) + 1 if len(hit) else 0


def build(split, out, each=16, seed=7):
    """Every sixth question has a short past (a few hours to four days) instead of the whole; every eighth origin that is past the threshold is asked, too."""
    out = Path(out); out.mkdir(parents=True, exist_ok=True); rows, q, values, base = [], [], [], 0
    for s in [*labelled(Path(split)), *generated(each, seed)]:
        v, step = s["values"], s["step"]; day = 86400 // step; values.append(v); r = np.random.default_rng([seed, len(v), base % 9973])
        for th in s["thresholds"]:
            for hours, every in horizons(s):
                h = hours * HOUR // step; stride = max(1, every * HOUR // step)
                for i, n in enumerate(range(4 * day + (len(rows) * 7) % stride, len(v) - h, stride)):
                    recent = v[n - s["sustain"]:n]; short = i % 6 == 5; over = np.isfinite(recent).any() and np.nanmax(recent) >= th
                    if not np.isfinite(recent).any() or np.isfinite(v[n:n + h]).mean() < .5 or (over and i % 8): continue
                    past = min(n, max(12, int(day * 4 * r.uniform(.05, 1) ** 2))) if short else n
                    hit = windows(v, th, s["sustain"], n, h)
                    q.append((base + n - past, base + n, np.float64(th).view(np.int64), 1, h, s["sustain"], day, 0))
                    rows.append((s["name"], s["kind"], s["group"], s["origin"], step, hours, th, n, hit > 0, hit, short, over))
        base += len(v)
    np.concatenate(values).astype("<f8").tofile(out / "values.f64"); np.array(q, "<i8").tofile(out / "questions.i64")
    d = pd.DataFrame(rows, columns="name kind group origin step hours threshold n y hit short over".split()); d.to_parquet(out / "truth.parquet"); return d


def asked(split, out):
    """The questions of `breach/cases.json`, in the same files."""
    split, out = Path(split), Path(out); out.mkdir(parents=True, exist_ok=True)
    meta = {m["series_id"]: m for m in json.load(open(split / "breach/series.json"))}; cases = json.load(open(split / "breach/cases.json"))
    df = {k: g for k, g in pd.read_parquet(split / "breach/series.parquet").groupby("series_id")}; values, at, base = [], {}, 0
    for k, g in df.items(): at[k] = (base, g.ts.to_numpy()); values.append(g.value.to_numpy(float)); base += len(g)
    rows, q = [], []
    for c in cases:
        m = meta[c["series_id"]]; start, ts = at[c["series_id"]]; n = int(np.searchsorted(ts, c["origin_ts"], side="right")); step = m["interval_s"]
        q.append((start, start + n, np.float64(m["threshold"]).view(np.int64), 1, c["horizon_s"] // step, m["sustain_samples"], 86400 // step, 0))
        rows.append((m["id"], m["family"], "/".join(m["id"].split("/")[:2]) if m["family"] == "real" else m["id"], c["series_id"], c["horizon_s"], bool(c["crosses"]), c["natural_rate"], (c["cross_ts"] or np.nan) - c["origin_ts"] if c["crosses"] else np.nan, step))
    np.concatenate(values).astype("<f8").tofile(out / "values.f64"); np.array(q, "<i8").tofile(out / "questions.i64")
    d = pd.DataFrame(rows, columns="name kind group series_id horizon_s y rate eta step".split()); d.to_parquet(out / "truth.parquet"); return d
