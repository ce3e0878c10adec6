"""Portent beside what one would write in Python: a rolling 7-day z-score in pandas, Holt-Winters in river, Prophet.

Made series, 28 days at a minute: disks that fill and are emptied, traffic with a rhythm, memory, queues. Everything runs on one thread, and
CPU time is what is compared, a series: portent's is that of the whole process, reading the Parquet file included. The rivals do a part of
its work, which is said beside each. A package that is not installed is said and left out.

    python benches/side_by_side/side_by_side.py [--series 60] [--portent target/release/portent]
"""

import argparse
import logging
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

MINUTES, DAY = 28 * 1440, 1440
# Slow rivals look at so many of the series, the same as everybody's first ones.
SAMPLE = {"pandas": 20, "river": 4, "prophet": 4}


def made(np, count):
    """A column a series: a quarter of each kind."""
    random, t = np.random.default_rng(20261122), np.arange(MINUTES)
    columns = {}
    for i in range(count):
        noise = random.normal(0, 1, MINUTES)
        if i % 4 == 0:
            per_day = random.uniform(0.01, 0.06)
            values = 0.3 + (random.uniform(0, 0.5) + per_day * t / DAY) % 0.62 + 2e-5 * noise
        elif i % 4 == 1:
            values = 0.5 + random.uniform(0.1, 0.3) * np.sin(2 * np.pi * t / DAY + i) + 0.02 * noise
        elif i % 4 == 2:
            values = 0.2 + 0.02 * np.abs(noise)
        else:
            values = 0.6 + 0.1 * np.cumsum(noise) / np.sqrt(MINUTES) + 0.005 * noise
        columns[f"s{i}"] = values
    return columns


def own(function):
    """CPU seconds of something done in this process."""
    began = time.process_time()
    function()
    return time.process_time() - began


def of_child(arguments):
    """CPU seconds and peak memory in MB of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(a) for a in arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1000


def z_score(frame):
    def work():
        for name in frame.columns[: SAMPLE["pandas"]]:
            before = frame[name].rolling("7D", closed="left", min_periods=DAY)
            ((frame[name] - before.mean()).abs() / before.std() > 3).sum()

    return own(work) / min(SAMPLE["pandas"], len(frame.columns)), "anomalies by 3 sigma of every sample; no season, no forecast"


def holt_winters(frame):
    from river.time_series import HoltWinters

    def work():
        for name in frame.columns[: SAMPLE["river"]]:
            # The season of a day needs a day of state; a forecast every hour, as the engine's own looks are.
            model = HoltWinters(alpha=0.1, beta=0.01, gamma=0.1, seasonality=DAY)
            for i, value in enumerate(frame[name].to_numpy()):
                model.learn_one(value)
                if i % 60 == 0 and i > 2 * DAY:
                    model.forecast(horizon=60)

    return own(work) / SAMPLE["river"], "every sample learned, an hour's forecast every hour; no intervals, no likelihood"


def prophet(frame):
    # Both talk about every fit, and set up their loggers anew while they are imported.
    logging.disable(logging.CRITICAL)
    from prophet import Prophet

    names = list(frame.columns[: SAMPLE["prophet"]])

    def work():
        for name in names:
            past = frame[name].iloc[-7 * DAY :: 5].tz_localize(None).reset_index()
            past.columns = ["ds", "y"]
            model = Prophet()
            model.fit(past)
            model.predict(model.make_future_dataframe(periods=288, freq="5min", include_history=False))

    # Stan works in a process of its own.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own(work)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds / len(names), "one fit on a week of 5 minutes and one forecast; a backtest would fit again and again"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--portent", type=pathlib.Path, default=pathlib.Path("target/release/portent"))
    asked = parser.parse_args()
    try:
        import numpy as np
        import pandas as pd
    except ImportError as error:
        print(f"side by side: not measured, {error}: pip install -r benches/side_by_side/requirements.txt")
        return 0
    frame = pd.DataFrame(made(np, asked.series), index=pd.date_range("2026-03-02", periods=MINUTES, freq="1min", tz="UTC", name="timestamp"))
    print(f"side by side: {asked.series} series x 28 d x 1 min; CPU seconds a series on one thread, and how many times portent backtest's")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "made.parquet"
        try:
            frame.reset_index().to_parquet(file, compression="zstd", row_group_size=DAY)
        except ImportError as error:
            print(f"  not measured, {error}: pip install -r benches/side_by_side/requirements.txt")
            return 0
        backtest, memory = of_child([asked.portent, "backtest", file, "--above", "0.9", "--horizon", "24h", "--threads", "1"])
        os.environ["RAYON_NUM_THREADS"] = "1"
        detect, _ = of_child([asked.portent, "detect", file, "-o", "table"])
    base = backtest / asked.series
    line = lambda who, seconds, what: print(f"  {who:<28} {seconds:>9.4f} s {seconds / base:>8.2f} x   {what}")
    line("portent backtest", base, f"everything: normal, anomalies, forecasts, predictions, four rivals, truth; {memory:.0f} MB at most")
    line("portent detect", detect / asked.series, "a score for every sample")
    for who, rival in [("pandas 7-day z-score", z_score), ("river Holt-Winters", holt_winters), ("Prophet", prophet)]:
        try:
            line(who, *rival(frame))
        except Exception as error:  # A package that is broken here must not end the bench: it is said.
            print(f"  {who:<28} not measured: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
