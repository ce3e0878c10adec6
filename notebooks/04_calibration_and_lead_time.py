# %% [markdown]
# # Calibration and lead time
# Does a stated 80 % mean 80 %, and how long before is one told? Two ways to ask: every seven hours about every series (`portent forecast
# --cases`), and as it would have been told, alarm by alarm (`portent backtest`). On the bundled sets that break: `disks`, `leaks`, `capacity`.

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from tools import OURS, QUIET, THEIRS, WORK, card, data, hours, path_of, portent

SETS = ["disks", "leaks", "capacity"]
HORIZON, SUSTAIN, EVERY = pd.Timedelta("24h"), 3, pd.Timedelta("7h")


def breaches(values, above):
    """First of three samples in a row at or past the threshold, each time."""
    bad = values.dropna() >= above
    run = bad.rolling(SUSTAIN).sum().shift(1 - SUSTAIN) == SUSTAIN
    return run.index[run & ~run.shift(1, fill_value=False) & ~bad.shift(1, fill_value=False)]


def asked(name):
    """The questions, and whether it then broke."""
    about, values = card(name), data(name)
    rows = []
    for series in values:
        times = breaches(values[series], about["above"])
        own = values[series].dropna()
        for origin in pd.date_range(pd.Timestamp("2026-03-09", tz="UTC"), own.index[-1] - HORIZON, freq=EVERY):
            if own.asof(origin) >= about["above"]:
                continue
            came = bool(((times > origin) & (times <= origin + HORIZON)).any())
            rows.append({"series": series, "origin": origin, "came": came, "above": about["above"]})
    cases = pd.DataFrame(rows)
    file = WORK / f"{name}-cases.csv"
    out = cases.assign(case=cases.index, horizon_s=int(HORIZON.total_seconds()), sustain=SUSTAIN, origin=cases["origin"].map(lambda t: t.isoformat()))
    out[["case", "series", "origin", "horizon_s", "above", "sustain"]].to_csv(file, index=False)
    answers = [json.loads(line) for line in portent("forecast", path_of(name), "--cases", file, "-o", "jsonl").splitlines()]
    said = {int(answer["case"]): answer["likelihood"] for answer in answers}
    return cases.assign(likelihood=cases.index.map(said), set=name)


questions = pd.concat([asked(name) for name in SETS], ignore_index=True)
print(f"{len(questions)} questions, {questions['came'].sum()} of them followed by a breach within a day")

# %% [markdown]
# What was said against what came, in bins. Beside each point: how many questions it stands for; the bar is what chance allows (95 %). In the
# middle the program is too careful: what it calls a third comes more often than that. The ends, by which alarms are raised and not raised, hold.

# %%
edges = [0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0001]
bins = questions.groupby(pd.cut(questions["likelihood"], edges, right=False), observed=True)
reliability = bins.agg(said=("likelihood", "mean"), came=("came", "mean"), n=("came", "size"))
chance = 1.96 * np.sqrt(reliability["said"] * (1 - reliability["said"]) / reliability["n"])
fig, axis = plt.subplots(figsize=(5, 4.6))
axis.plot([0, 1], [0, 1], color=QUIET, linestyle="--", linewidth=1, label="what is said comes")
axis.errorbar(reliability["said"], reliability["said"], yerr=chance, fmt="none", ecolor=QUIET, elinewidth=5, alpha=0.4)
axis.plot(reliability["said"], reliability["came"], "o", color=OURS, label="portent")
for _, row in reliability.iterrows():
    axis.annotate(f"{row['n']:.0f}", (row["said"], row["came"]), textcoords="offset points", xytext=(7, -11), fontsize=8)
axis.set(xlabel="likelihood that was said", ylabel="share that came", title="all questions on three sets")
axis.legend(loc="upper left")

# %%
base = questions.groupby("set")["came"].transform("mean")
brier = ((questions["likelihood"] - questions["came"]) ** 2).groupby(questions["set"]).mean()
of_base = ((base - questions["came"]) ** 2).groupby(questions["set"]).mean()
pd.DataFrame({"questions": questions["set"].value_counts(), "Brier score": brier, "always the base rate": of_base, "skill": 1 - brier / of_base}).round(3)

# %% [markdown]
# And as it would have been told, with the same rules for three alerts that everybody writes first.

# %%
def gone_over(name):
    about, file = card(name), WORK / f"{name}.json"
    portent("backtest", path_of(name), "--above", about["above"], "--horizon", "24h", "--json", file)
    return json.loads(file.read_text())


reports = {name: gone_over(name) for name in SETS}
leads = {name: [event["lead_time_s"] / 3600 for event in report["events"] if event["lead_time_s"] is not None] for name, report in reports.items()}
every = np.concatenate([np.array(of_set) for of_set in leads.values()])
fig, axis = plt.subplots(figsize=(8, 3.2))
axis.hist([leads[name] for name in SETS], bins=np.arange(0, 25, 2), stacked=True, color=[OURS, THEIRS, QUIET], label=SETS)
axis.axvline(np.median(every), color="black", linewidth=1)
axis.set(xlabel="hours from the alarm to the breach", ylabel="events", title=f"lead time; the line is the median, {np.median(every):.1f} h")
axis.legend()

# %%
rows = []
for name, report in reports.items():
    for who, group in [("portent", report["summary"]), *((rival["name"], rival) for rival in report["rivals"])]:
        known = {"set": name, "who": who, "events": group["events"], "told": group["told"], "false alarms": group["false_alarms"]}
        rows.append({**known, "median lead, h": hours(group["median_lead_time_s"])})
told = pd.DataFrame(rows).set_index(["set", "who"])
told

# %% [markdown]
# How far off is the time that was said? Zero is right, right of it: it came sooner than said.

# %%
off = [told["outcome"]["eta_error_s"] / 3600 for report in reports.values() for told in report["predictions"] if told["outcome"]["eta_error_s"] is not None]
fig, axis = plt.subplots(figsize=(8, 2.8))
axis.hist(np.clip(off, -12, 12), bins=np.arange(-12, 12.5, 1), color=OURS)
axis.axvline(0, color="black", linewidth=1)
axis.set(xlabel="hours said minus hours true", ylabel="predictions", title="error of the time that was said")

# %% [markdown]
# What this page claims.

# %%
assert (brier < 0.7 * of_base).all(), "on each set at least three tenths better than always saying the base rate"
sure = questions[questions["likelihood"] >= 0.8]
quiet = questions[questions["likelihood"] < 0.05]
assert sure["came"].mean() >= 0.75, "what is called likely comes"
assert quiet["came"].mean() <= 0.03, "and what is called unlikely does not"
total = told.groupby(level="who")[["told", "false alarms"]].sum()
events = sum(report["summary"]["events"] for report in reports.values())
assert 2 * total.loc["portent", "told"] > events, "more than half of all events were told"
assert total.loc["portent", "false alarms"] < 0.5 * total.loc["predict_linear[6h]", "false alarms"], "with less than half of predict_linear's false alarms"
assert np.median(every) >= 2, "two hours before or more"
assert abs(np.median(off)) <= 2, "and the time that is said is right in the middle"
print("all hold")
