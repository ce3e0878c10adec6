"use strict";
// Asks the API every few seconds and draws what it says. All text goes in as text: labels and errors can hold anything.

const OPEN_LIMIT = 100;
const PAST_LIMIT = 50;
let login = { logins: true, may: [] };
let mayPropose = false;
const unfolded = new Set(); // ids of predictions whose details the reader has opened

function horizonMs(text) {
  const units = { ms: 1, s: 1000, m: 60000, h: 3600000, d: 86400000, w: 604800000, y: 31536000000 };
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) total += amount * units[unit];
  return total;
}

// ---- open predictions

function when(prediction, now) {
  const { p10, p50, p90 } = prediction.eta;
  const middle = p50 || prediction.predicted_threshold_time;
  const away = (text) => span(millis(text) - now);
  const line = el("p", { class: "when" });
  if (middle && millis(middle) > now) line.append("in ", el("strong", {}, away(middle)), `, at ${utc(middle)}`);
  else if (middle) line.append(el("strong", {}, "due now"), `, expected at ${utc(middle)}`);
  else line.append("more likely than not after the horizon");
  if (p10 || p90) line.append(`; 80 % between ${p10 ? away(p10) : "now"} and ${p90 ? away(p90) : "beyond the horizon"}`);
  return line;
}

function timeline(prediction, now) {
  const horizon = horizonMs(prediction.horizon);
  const { p10, p50, p90 } = prediction.eta;
  if (!horizon || !(p10 || p50 || p90)) return null;
  const place = (text) => (text ? Math.min(100, Math.max(0, ((millis(text) - now) / horizon) * 100)) : 100);
  const track = el("div", { class: "track", "aria-hidden": "true" });
  const range = el("div", { class: "range" });
  range.style.left = `${place(p10)}%`;
  range.style.width = `${place(p90) - place(p10)}%`;
  track.append(range);
  if (p50) {
    const middle = el("div", { class: "middle" });
    middle.style.left = `${place(p50)}%`;
    track.append(middle);
  }
  return el("div", {}, track, el("div", { class: "ends", "aria-hidden": "true" }, el("span", {}, "now"), el("span", {}, `+ ${span(horizon)}`)));
}

function chartPath(url) {
  const path = (url || "").match(/(?:^|\/)charts\/([A-Za-z0-9._-]+\.png)$/);
  return path ? `charts/${path[1]}` : null;
}

function why(prediction) {
  const box = el("details", {}, el("summary", {}, "Why, and what would help"));
  if (unfolded.has(prediction.id)) box.open = true;
  box.addEventListener("toggle", () => (box.open ? unfolded.add(prediction.id) : unfolded.delete(prediction.id)));
  if (prediction.evidence.length) box.append(el("ul", {}, ...prediction.evidence.map((e) => el("li", {}, e.text))));
  for (const playbook of prediction.suggested_playbooks) {
    box.append(el("p", {}, "Playbook ", el("code", {}, playbook.name), `: ${playbook.about}. It would run:`));
    box.append(el("ul", {}, ...playbook.would_run.map((step) => el("li", {}, step))));
    if (prediction.state === "open" && mayPropose) box.append(proposing(prediction, playbook.name));
  }
  const chart = chartPath(prediction.chart_url);
  if (chart) {
    const picture = el("img", { alt: `History and forecast of ${labels(prediction.labels)}` });
    const load = () => showPicture(picture, chart).catch(() => picture.remove());
    // Not before somebody looks: a hundred predictions are a hundred pictures.
    if (box.open) load();
    else box.addEventListener("toggle", load, { once: true });
    box.append(picture);
  }
  box.append(el("p", {}, el("code", {}, prediction.id), ` · watch ${prediction.watch} · raised ${utc(prediction.raised_at)}`));
  return box;
}

// A person wants it, whatever went by itself: it goes through the gate and waits for an answer on the page for approvals.
function proposing(prediction, playbook) {
  const said = el("span", { class: "faint", role: "status" });
  const button = el("button", { type: "button", class: "small" }, "Propose it");
  button.addEventListener("click", async () => {
    button.disabled = true;
    const by = login.logins ? "" : localStorage.getItem("portent.name");
    try {
      const run = (await post(`api/v1/predictions/${prediction.id}/propose?${query({ playbook, by })}`)).data;
      said.replaceChildren(run.why || "", " ", el("a", { href: `approvals#${run.run}` }, run.run));
    } catch (error) {
      said.textContent = error.message;
      button.disabled = false;
    }
  });
  return el("p", { class: "row" }, button, said);
}

function card(prediction, now) {
  const past = prediction.side === "above" ? "≥" : "≤";
  return el("article", { class: prediction.impact },
    el("div", { class: "head" },
      el("span", { class: "impact" }, prediction.impact),
      el("h3", {}, prediction.title),
      el("span", { class: "sure", title: "Probability of a breach within the horizon" }, `${percent(prediction.likelihood)} likely`)),
    el("p", { class: "where" }, prediction.service ? `${prediction.service} · ` : "", el("code", {}, labels(prediction.labels))),
    prediction.silenced ? el("p", { class: "faint" }, `silenced until ${utc(prediction.silenced.until)} by ${prediction.silenced.by}`) : "",
    when(prediction, now),
    timeline(prediction, now),
    el("dl", { class: "facts" },
      fact("now", number(prediction.current_value)),
      fact("bad", `${past} ${number(prediction.threshold)}`),
      fact("change", `${number(prediction.rate_of_change)} / min`),
      fact("confidence", percent(prediction.confidence))),
    why(prediction));
}

function drawOpen(answer, now, status) {
  const soonest = (p) => millis(p.eta.p50 || p.predicted_threshold_time) || Infinity;
  const open = answer.data.sort((a, b) => soonest(a) - soonest(b) || b.likelihood - a.likelihood);
  const nodes = open.map((prediction) => card(prediction, now));
  if (answer.more) nodes.push(el("p", { class: "quiet" }, `Only the ${OPEN_LIMIT} most recent are shown.`));
  if (!nodes.length) {
    const text = status.readiness.ready ? [el("strong", {}, "Nothing"), " is predicted to break."] : ["No predictions."];
    nodes.push(el("p", { class: "quiet" }, ...text));
  }
  byId("open").replaceChildren(...nodes);
}

// ---- tables

function verdict(prediction) {
  const truth = prediction.truth;
  if (!truth) return [prediction.ended_because || prediction.state, null];
  if (truth.verdict === "came_true") return ["came true", "good"];
  if (truth.verdict === "averted") return truth.breached_at ? ["came all the same", "bad"] : ["averted?", null];
  return truth.verdict === "did_not" ? ["did not come true", "bad"] : ["not known", null];
}

function drawPast(answer) {
  const past = answer.data.filter((p) => p.state !== "open");
  byId("past-section").hidden = !past.length;
  const lead = (p) => (p.truth && p.truth.verdict === "came_true" ? span(p.truth.lead_time_s * 1000) : "–");
  table("past", [["Prediction"], ["Series"], ["Raised", "time"], ["Ended", "time"], ["Truth"], ["Lead time", "number"]],
    past.map((p) => [p.title, el("code", {}, labels(p.labels)), utc(p.raised_at), utc(p.ended_at), verdict(p), lead(p)]));
}

function drawAnomalies(answer) {
  byId("anomalies-section").hidden = !answer.data.length;
  table("anomalies", [["Watch"], ["Series"], ["From", "time"], ["Until", "time"], ["Value", "number"], ["Normal", "number"],
    ["Score", "number"], ["Why"]],
    answer.data.map((a) => [a.watch, el("code", {}, labels(a.labels)), utc(a.started_at), a.ended_at ? utc(a.last_odd_at) : "now",
      number(a.value), `${number(a.lower)} to ${number(a.upper)}`, number(a.score), a.because]));
}

function drawStatus(status, now) {
  const counts = status.counts;
  byId("summary").textContent = `${counts.series} series · ${status.watches.length} watches · ${counts.predictions_open} open ` +
    `${counts.predictions_open === 1 ? "prediction" : "predictions"} · ${status.mode}`;
  document.title = counts.predictions_open ? `(${counts.predictions_open}) Portent` : "Portent";
  const ago = (text) => (text ? `${span(now - millis(text))} ago` : "–");
  table("watches", [["Name"], ["Source"], ["Series", "number"], ["State"], ["Last sample"], ["Last error"]],
    status.watches.map((w) => [w.name, w.source, String(w.series),
      [w.state.replace("_", " "), w.state === "failing" ? "bad" : null], ago(w.last_sample), w.last_error || "–"]));
  table("sources", [["Name"], ["URL"], ["State"], ["Behind", "number"], ["Last error"]],
    status.sources.map((s) => [s.name, el("code", {}, s.url), s.up ? ["up", "good"] : ["down", "bad"],
      s.lag_s === null ? "–" : span(s.lag_s * 1000), s.last_error || "–"]));
}

async function refresh() {
  login = (await ask("api/v1/login")).data;
  const [status, open, past, anomalies] = await Promise.all([
    ask("api/v1/status"),
    ask(`api/v1/predictions?state=open&limit=${OPEN_LIMIT}`),
    ask(`api/v1/predictions?limit=${PAST_LIMIT}`),
    ask("api/v1/anomalies?limit=50"),
  ]);
  const now = millis(status.data.now);
  mayPropose = login.may.includes("propose") && status.data.mode !== "observe" && (login.logins || localStorage.getItem("portent.name"));
  drawStatus(status.data, now);
  drawOpen(open, now, status.data);
  drawPast(past);
  drawAnomalies(anomalies);
  byId("clock").textContent = `${utc(status.data.now)} UTC · version ${status.data.version}`;
  notice(status.data.readiness.ready ? null : "Not ready: predictions may be missing or old.", status.data.readiness.reasons);
}

keepFresh(refresh);
