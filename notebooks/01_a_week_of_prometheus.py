# %% [markdown]
# # A week of Prometheus
# What would Portent have told about last week? A real Prometheus gets three weeks of twelve disks (`datasets/disks`: rotated logs, some of
# which outgrow their disk), and `portent backtest` reads one of them from it. Then the server is stopped, and the same week is gone over
# again, from the cache.

# %%
import json
import socket
import subprocess
import time
import urllib.request

import matplotlib.pyplot as plt
import pandas as pd
from tools import BAD, OURS, WORK, card, data, hours, portent

disks = data("disks")
print(f"{disks.shape[1]} disks, {disks.index[0]:%d %b} to {disks.index[-1]:%d %b %Y}, {disks.notna().sum().sum()} samples")

# %% [markdown]
# A past for the server: OpenMetrics text, made into blocks by Prometheus' own `promtool`.

# %%
past, blocks = WORK / "past.txt", WORK / "blocks"
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
with past.open("w") as out:
    out.write("# TYPE disk_used_ratio gauge\n")
    for name, values in disks.items():
        for at, value in values.dropna().items():
            out.write(f'disk_used_ratio{{instance="{name}"}} {value} {at.timestamp():.0f}\n')
    out.write("# EOF\n")
promtool = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=486h", str(past), str(blocks)]
subprocess.run(promtool, check=True, capture_output=True)
(WORK / "prometheus.yml").write_text("global: { scrape_interval: 1m }\n")
flags = [f"--config.file={WORK}/prometheus.yml", f"--storage.tsdb.path={blocks}", "--storage.tsdb.retention.time=100y"]
server = subprocess.Popen(["prometheus", *flags, f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
CLOSE_AT_END = [server.kill]
url = f"http://127.0.0.1:{port}"
for _ in range(300):
    try:
        urllib.request.urlopen(f"{url}/-/ready", timeout=1)
        break
    except OSError:
        time.sleep(0.1)
asked = f"{url}/api/v1/query?query=count(disk_used_ratio)&time={disks.index[-1].timestamp():.0f}"
print(json.load(urllib.request.urlopen(asked))["data"]["result"][0]["value"][1], "series on the server")

# %% [markdown]
# The week that is judged is the one from 12 to 19 March; the week before is only learned from.

# %%
config, report = WORK / "portent.yaml", WORK / "report.json"
config.write_text(f"""
sources: [ {{ name: here, prometheus: {{ url: "{url}" }} }}]
watches:
  - name: disk-filling
    query: disk_used_ratio
    step: 5m
    above: 0.9
    horizon: 24h
    service: "{{{{instance}}}}"
""")
week = ("--from", "2026-03-12T00:00:00Z", "--to", "2026-03-19T00:00:00Z")
print(portent("backtest", "-c", config, *week, "--json", report, "--cache", WORK / "cache"))
first = json.loads(report.read_text())

# %% [markdown]
# The same again without the server.

# %%
server.terminate()
server.wait()
portent("backtest", "-c", config, *week, "--json", report, "--cache", WORK / "cache")
again = json.loads(report.read_text())
print("notes of the first run: ", first["notes"])
print("notes of the second run:", again["notes"])

# %% [markdown]
# Each disk that filled up, with what was told and when. Blue: the prediction, from raising to the time it named. Red: where it was full.

# %%
full = sorted({event["labels"]["instance"] for event in first["events"]})
fig, axes = plt.subplots(len(full), 1, figsize=(9, 1.5 * len(full) + 0.6), sharex=True, squeeze=False)
for axis, name in zip(axes[:, 0], full):
    shown = disks[name]["2026-03-12":"2026-03-18"]
    axis.plot(shown.index, shown, color="black", linewidth=0.9)
    axis.axhline(0.9, color=BAD, linewidth=0.8, linestyle="--")
    for told in (told for told in first["predictions"] if told["labels"]["instance"] == name):
        raised, eta = pd.Timestamp(told["raised_at"]), told["eta"]["p50"] or told["predicted_threshold_time"]
        axis.axvline(raised, color=OURS, linewidth=1.4)
        if eta:
            axis.axvspan(raised, pd.Timestamp(eta), color=OURS, alpha=0.15, linewidth=0)
    for event in (event for event in first["events"] if event["labels"]["instance"] == name):
        axis.axvline(pd.Timestamp(event["at"]), color=BAD, linewidth=1.4)
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axis.set_ylim(0.4, 1.02)
axes[0, 0].set_title("used share of the disks that filled up; blue: told, red: full")
fig.autofmt_xdate(rotation=0, ha="center")

# %%
groups = [("portent", first["summary"]), *((rival["name"], rival) for rival in first["rivals"])]
table = pd.DataFrame(
    [
        {
            "who": name,
            "events": group["events"],
            "told": group["told"],
            "false alarms": group["false_alarms"],
            "median lead, h": hours(group["median_lead_time_s"]),
        }
        for name, group in groups
    ]
).set_index("who")
table

# %% [markdown]
# What this page claims.

# %%
true = [pd.Timestamp(at) for incident in card("disks")["incident"] for at in incident["crosses"]]
in_week = [at for at in true if pd.Timestamp("2026-03-12", tz="UTC") <= at < pd.Timestamp("2026-03-19", tz="UTC")]
assert first["summary"]["events"] >= 5, "a week with something to tell"
assert all(any(abs(pd.Timestamp(event["at"]) - at) <= pd.Timedelta("3h") for at in in_week) for event in first["events"]), "each is a labelled one"
assert 2 * first["summary"]["told"] > first["summary"]["events"], "more than half was told"
six_hours = first["rivals"][0]
assert first["summary"]["false_alarms"] <= six_hours["false_alarms"], "and not more often in vain than predict_linear"
for key in ("predictions", "events", "summary", "rivals"):
    assert first[key] == again[key], f"{key}: the second run needs no server and says the same"
assert any("by remote read" in note for note in first["notes"]) and any("from the cache" in note for note in again["notes"])
print("all hold")
