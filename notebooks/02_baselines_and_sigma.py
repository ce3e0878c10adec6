# %% [markdown]
# # Baselines and sigma
# What is normal for a series, how wide is it, and what does a threshold of sigmas do to a fleet in which nothing is wrong?
# `portent detect` on `datasets/fleet` (14 healthy series, 4 weeks) and `datasets/latency` (28 incidents), beside the rule that everybody writes
# first: further than 3 sigma from the mean of the last seven days.

# %%
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from tools import OURS, QUIET, THEIRS, card, data, path_of, portent

WEEK = pd.Timedelta("7D")


def detected(name):
    """A row a sample: value, band, score."""
    frame = pd.read_csv(io.StringIO(portent("detect", path_of(name), "-o", "csv")), parse_dates=["timestamp"])
    return {series: own.set_index("timestamp") for series, own in frame.groupby("series")}


def sigmas(values):
    """Distance from the mean of the seven days before, in their sigmas."""
    before = values.rolling(WEEK, closed="left", min_periods=288)
    return (values - before.mean()).abs() / before.std()


def stretches(is_odd, apart=pd.Timedelta("1h")):
    """Beginnings of runs of odd samples that are further apart than that."""
    times = is_odd.index[is_odd.fillna(False)]
    return times[np.r_[True, times[1:] - times[:-1] > apart]] if len(times) else times


fleet = detected("fleet")
values = data("fleet")
print(len(fleet), "series,", sum(len(own) for own in fleet.values()), "samples scored")

# %% [markdown]
# A series with a daily rhythm: the band follows the clock, the rule's three sigmas are as wide at night as by day.

# %%
own = fleet["web-0"]["2026-03-23":"2026-03-26"]
before = values["web-0"].rolling(WEEK, closed="left", min_periods=288)
mean, sigma = before.mean()[own.index], before.std()[own.index]
fig, axis = plt.subplots()
axis.fill_between(own.index, own["lower"], own["upper"], color=OURS, alpha=0.25, linewidth=0, label="portent: edge of normal")
axis.plot(own.index, mean + 3 * sigma, color=THEIRS, linewidth=1.2, label="7 days' mean ± 3 sigma")
axis.plot(own.index, mean - 3 * sigma, color=THEIRS, linewidth=1.2)
axis.plot(own.index, own["value"], color="black", linewidth=0.8, label="web-0")
axis.set_ylim(top=0.82)
axis.legend(loc="upper right", ncols=3, fontsize=8)
axis.set_title("what is normal, of a series with a rhythm")
fig.autofmt_xdate(rotation=0, ha="center")

# %% [markdown]
# How often is something called in a healthy fleet? Each call is false. Portent was asked for one a series-week (`--false-alarms 1/week`).

# %%
judged_from = pd.Timestamp(str(card("fleet")["scored_from"])).tz_convert("UTC")
rows = []
for name, own in fleet.items():
    weeks = (own.index[-1] - judged_from) / WEEK
    ours = stretches(own["score"][judged_from:] >= 1)
    distance = sigmas(values[name])[judged_from:]
    rows.append({"series": name, "portent": len(ours) / weeks, **{f"{k} sigma": len(stretches(distance > k)) / weeks for k in (2, 3, 4, 5)}})
calls = pd.DataFrame(rows).set_index("series")
mean_calls = calls.mean()
fig, axis = plt.subplots(figsize=(9, 3))
axis.bar(mean_calls.index, mean_calls, color=[OURS, *[THEIRS] * 4], width=0.6)
for place, value in enumerate(mean_calls):
    axis.text(place, value, f"{value:.1f}", ha="center", va="bottom")
axis.axhline(1, color=QUIET, linestyle="--", linewidth=1)
axis.set_title("false alarms a series-week in a healthy fleet (dashed: what was asked for)")

# %% [markdown]
# And where something is wrong? Incidents of `latency`: how many of them hold at least one call, against the false alarms that this costs.

# %%
latency, incidents = detected("latency"), card("latency")["incident"]
lat_values, judged_from = data("latency"), pd.Timestamp(str(card("latency")["scored_from"])).tz_convert("UTC")
spans = [(i["series"], pd.Timestamp(str(i["begins"])).tz_convert("UTC"), pd.Timestamp(str(i["ends"])).tz_convert("UTC")) for i in incidents]


def met(called):
    """Share of incidents with a call inside, and calls outside of all, a series-week."""
    found = sum(bool(((called[s] >= a) & (called[s] <= b)).any()) for s, a, b in spans)
    hour = pd.Timedelta("1h")
    inside = lambda s, at: any(s == t and a <= at <= b + hour for t, a, b in spans)
    wrong = sum(not inside(s, at) for s in called for at in called[s])
    weeks = sum((own.index[-1] - judged_from) / WEEK for own in latency.values())
    return found / len(spans), wrong / weeks


curves = {"portent": [], "7 days' mean ± k sigma": []}
for edge in (0.6, 0.8, 1.0, 1.2, 1.5):
    curves["portent"].append((edge, *met({s: stretches(own["score"][judged_from:] >= edge) for s, own in latency.items()})))
for edge in (2, 3, 4, 5, 6):
    distances = {s: sigmas(lat_values[s])[judged_from:] for s in latency}
    curves["7 days' mean ± k sigma"].append((edge, *met({s: stretches(d > edge) for s, d in distances.items()})))
fig, axis = plt.subplots(figsize=(7, 3.6))
for (name, points), color in zip(curves.items(), (OURS, THEIRS)):
    edges, recall, wrong = zip(*points)
    axis.plot(wrong, recall, "o-", color=color, label=name)
    for edge, r, w in points:
        axis.annotate(f"{edge:g}", (w, r), textcoords="offset points", xytext=(5, -10), fontsize=8)
axis.set(xlabel="false alarms a series-week", ylabel="incidents met", ylim=(0, 1), title="28 incidents: the score's edge, and the number of sigmas")
axis.legend(loc="lower right")

# %% [markdown]
# What this page claims.

# %%
three = mean_calls["3 sigma"]
assert mean_calls["portent"] <= 1.5, "in a healthy fleet about as many false alarms as were asked for"
assert mean_calls["portent"] < three / 3, "and less than a third of what three sigma cost"
ours, theirs = dict((e, (r, w)) for e, r, w in curves["portent"]), dict((e, (r, w)) for e, r, w in curves["7 days' mean ± k sigma"])
assert ours[1.0][1] < theirs[3][1], "fewer false alarms where something is wrong, too"
assert ours[1.0][0] >= theirs[3][0] - 0.05, "with no fewer incidents met"
assert all((own["lower"] <= own["upper"]).all() for own in (o.dropna(subset=["lower"]) for o in fleet.values()))
print("all hold")
