# %% [markdown]
# # Forecast families against naive
# `portent forecast` with several of its families on data with a rhythm (`datasets/capacity`), on growth that falls back (`datasets/disks`) and
# on real servers (`datasets/servers`), a day ahead from four origins, beside the seasonal naive forecast: tomorrow is as today was. Errors are
# in units of that forecast's own past errors (MASE).

# %%
import io

import matplotlib.pyplot as plt
import pandas as pd
from tools import OURS, QUIET, THEIRS, data, path_of, portent

# Origins are noons, so that a day ahead ends at one.
ORIGINS = {
    "capacity": pd.date_range("2026-03-24 12:00", periods=4, freq="3D", tz="UTC"),
    "disks": pd.date_range("2026-03-12 12:00", periods=4, freq="2D", tz="UTC"),
    "servers": pd.date_range("2020-10-10 12:00", periods=4, freq="3D", tz="UTC"),
}
FAMILIES = ["auto", "seasonal-median", "holt-winters", "theta", "drift", "naive"]
DAY, LEVEL = pd.Timedelta("1D"), 0.95


def forecasts(name, family):
    asked = [x for origin in ORIGINS[name] for x in ("--origin", origin.strftime("%Y-%m-%dT%H:%M:%SZ"))]
    text = portent("forecast", path_of(name), "--model", family, "--horizon", "24h", "--levels", LEVEL, *asked, "-o", "csv")
    return pd.read_csv(io.StringIO(text), parse_dates=["origin", "timestamp"])


values = {name: data(name) for name in ORIGINS}
made = {(name, family): forecasts(name, family) for name in ORIGINS for family in FAMILIES}
print(sum(len(frame) for frame in made.values()), "forecast values of", len(made), "runs")

# %% [markdown]
# One of them, so that one knows what is compared: a day of a pool that two shifts fill, with its 95 % interval, and yesterday's day again.

# %%
one, origin = "two-shifts", ORIGINS["capacity"][2]
own = made["capacity", "auto"].query("series == @one and origin == @origin").set_index("timestamp")
truth = values["capacity"][one]
fig, axis = plt.subplots()
axis.plot(truth[origin - 2 * DAY : origin + DAY], color="black", linewidth=0.9, label="measured")
axis.fill_between(own.index, own[f"lower_{LEVEL}"], own[f"upper_{LEVEL}"], color=OURS, alpha=0.2, linewidth=0, label="95 % interval")
axis.plot(own["median"], color=OURS, label="auto")
axis.plot(truth.shift(freq=DAY)[origin : origin + DAY], color=THEIRS, linewidth=1, label="seasonal naive")
axis.axvline(origin, color=QUIET, linestyle="--", linewidth=1)
axis.set_ylim(top=0.95)
axis.legend(ncols=4, fontsize=8, loc="upper left")
axis.set_title(f"{one}, a day ahead")
fig.autofmt_xdate(rotation=0, ha="center")

# %% [markdown]
# All of them. The naive error that everything is divided by is that of the seven days before each origin.


# %%
def scored(frame, name):
    """Mean absolute error of each series and origin over its seasonal naive past, and the share inside the interval."""
    rows = []
    for (series, origin), own in frame.groupby(["series", "origin"]):
        own, truth = own.set_index("timestamp"), values[name][series].dropna()
        past = truth[origin - 7 * DAY : origin]
        yesterday = truth.shift(freq=DAY)
        scale = (past - yesterday.reindex(past.index)).abs().mean()
        ahead = truth.reindex(own.index).dropna()
        if len(ahead) < 10 or not scale > 0:
            continue
        own = own.loc[ahead.index]
        inside = (ahead >= own[f"lower_{LEVEL}"] - 1e-9) & (ahead <= own[f"upper_{LEVEL}"] + 1e-9)
        naive = (ahead - yesterday.reindex(ahead.index)).abs().mean()
        rows.append({"mase": (ahead - own["median"]).abs().mean() / scale, "naive": naive / scale, "inside": inside.mean()})
    return pd.DataFrame(rows).mean()


scores = {key: scored(frame, key[0]) for key, frame in made.items()}
table = pd.DataFrame({name: {family: scores[name, family]["mase"] for family in FAMILIES} for name in ORIGINS})
table.loc["seasonal naive"] = {name: scores[name, "auto"]["naive"] for name in ORIGINS}
table.round(2)

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2))
for axis, name in zip(axes, ORIGINS):
    colors = [OURS if family == "auto" else THEIRS if family == "seasonal naive" else QUIET for family in table.index]
    axis.barh(table.index[::-1], table[name][::-1], color=colors[::-1])
    axis.axvline(table.loc["seasonal naive", name], color=THEIRS, linestyle="--", linewidth=1)
    axis.set_title(f"{name}: MASE")
    if axis is not axes[0]:
        axis.set_yticklabels([])
fig.tight_layout()

# %% [markdown]
# An interval of 95 % should hold 95 % of what comes.

# %%
inside = pd.DataFrame({name: {family: 100 * scores[name, family]["inside"] for family in FAMILIES} for name in ORIGINS})
inside.round(1)

# %% [markdown]
# What this page claims.

# %%
naive = table.loc["seasonal naive"]
assert all(table.loc["auto", name] < naive[name] for name in ORIGINS), "the combination beats seasonal naive on each set"
assert table.loc["auto"].mean() <= 1.02 * table.drop(index="auto").mean(axis=1).min(), "and on the whole no single family beats it"
assert all(80 <= inside.loc["auto", name] <= 100 for name in ORIGINS), "its 95 % intervals are not far off, on series that break too"
lower, upper = f"lower_{LEVEL}", f"upper_{LEVEL}"
ordered = [((frame[lower] <= frame["median"] + 1e-12) & (frame["median"] <= frame[upper] + 1e-12)).all() for frame in made.values()]
assert all(ordered), "lower, median, upper, in every row of every family"
print("all hold")
