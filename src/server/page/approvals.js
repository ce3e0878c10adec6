"use strict";
// What waits for a person's word. A card is built once and stays where it is until it is answered: nothing moves under a hand, and no
// half-written reason is lost. Only a click on one of the two buttons answers; Enter does not.

const RECENT_LIMIT = 30;
const URGENT_MS = 120000;
const NAME = "portent.name";
const cards = new Map(); // run → its card's parts
let who = { logins: true, name: null, may: [] };
let aheadMs = 0; // how far the daemon's clock is ahead of this one: its time is what counts

const may = (deed) => who.may.includes(deed);
const ownName = () => (who.logins ? who.name : byId("name").value.trim());
const by = () => (who.logins ? "" : ownName());

// ---- one card

function left(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min` : `${Math.floor(s / 60)} min ${two(s % 60)} s`;
}

function spread(detail) {
  const { dependents, tier } = detail;
  const names = dependents.length ? el("ul", { class: "names" }, ...dependents.map((name) => el("li", {}, el("code", {}, name)))) : null;
  const count = dependents.length === 0 ? "No declared service depends on it." :
    `${dependents.length} ${dependents.length === 1 ? "service depends" : "services depend"} on it:`;
  return el("div", {}, el("h4", {}, "Blast radius"), el("p", {}, `Tier ${tier}. ${count}`), names);
}

function buildCard(run) {
  const parts = { run, token: run.token, answered: false };
  parts.steps = el("ol", { class: "steps" });
  parts.tried = el("span", { class: "faint" });
  parts.again = el("button", { type: "button", class: "small" }, "Ask again");
  parts.left = el("strong", {}, "");
  parts.when = el("p", { class: "when" });
  parts.spread = el("div", {});
  parts.picture = el("img", { alt: `History and forecast of ${labels(run.labels)}`, hidden: "" });
  // What is foretold stands at the right end: that is what a telephone shows first.
  parts.picture.addEventListener("load", () => {
    parts.picture.hidden = false;
    parts.picture.parentNode.scrollLeft = parts.picture.offsetWidth;
  });
  parts.reason = el("input", { id: `reason-${run.run}`, maxlength: "500", autocomplete: "off" });
  parts.approve = el("button", { type: "button", class: "go" }, "Approve");
  parts.deny = el("button", { type: "button", class: "danger" }, "Deny");
  parts.said = el("p", { class: "said", role: "status" });
  parts.form = el("form", { class: "answer" }, el("label", { for: parts.reason.id }, "Reason, for the audit"), parts.reason,
    el("div", { class: "buttons" }, parts.approve, parts.deny));
  parts.form.addEventListener("submit", (event) => event.preventDefault());
  parts.approve.addEventListener("click", () => answer(parts, "approve"));
  parts.deny.addEventListener("click", () => answer(parts, "deny"));
  parts.again.addEventListener("click", () => dryRun(parts));
  parts.expiry = el("p", { class: "expiry" }, "Expires in ", parts.left, ", at ", el("time", { datetime: run.expires_at }, `${utc(run.expires_at)} UTC`));
  const asked = run.findings.map((finding, i) => [finding, run.reasons[i]]).filter(([finding]) => finding.admits !== "allow");
  const rest = run.reasons.filter((_, i) => run.findings[i].admits === "allow");
  parts.node = el("article", { class: "approval", id: run.run, "aria-labelledby": `title-${run.run}` },
    el("div", { class: "head" },
      el("h3", { id: `title-${run.run}` }, run.playbook, " on ", el("code", {}, run.targets.join(", "))),
      run.is_high_risk ? el("span", { class: "risk" }, "high risk") : null),
    el("p", { class: "where" }, run.about),
    parts.expiry,
    el("div", { class: "columns" },
      el("div", {},
        el("h4", {}, "What would be done"), parts.steps,
        el("p", { class: "row" }, may("dry_run") ? parts.again : null, parts.tried)),
      el("div", {},
        el("h4", {}, "Why"), parts.when,
        el("dl", { class: "facts" },
          fact("then", number(run.value)), fact("bad at", number(run.threshold)), fact("likely", percent(run.likelihood)),
          fact("watch", run.watch)),
        el("p", { class: "where" }, run.service ? `${run.service} · ` : "", el("code", {}, labels(run.labels))),
        el("p", {}, "A person is asked because:"),
        el("ul", {}, ...asked.map(([, reason]) => el("li", { class: "obstacle" }, reason))),
        el("details", {}, el("summary", {}, `The ${rest.length} checks that it passed`), el("ul", {}, ...rest.map((reason) => el("li", {}, reason)))),
        parts.spread)),
    el("div", { class: "picture" }, parts.picture), parts.form, parts.said);
  drawSteps(parts, run.steps.map((step) => ({ ...step, would: null, error: null })));
  return parts;
}

function drawSteps(parts, trials) {
  parts.steps.replaceChildren(...parts.run.steps.map((step, i) => {
    const { risk, would, error } = trials[i] || {};
    return el("li", {},
      el("p", {}, el("strong", {}, step.name), ` · ${step.action}`, risk === "high" ? el("span", { class: "faint" }, " · can do harm") : null),
      el("pre", {}, would || step.with && JSON.stringify(step.with)),
      error ? el("p", { class: "obstacle" }, `It would fail: ${error}`) : null,
      step.undo ? el("p", { class: "faint" }, `Taken back by ${step.undo.action} `, el("code", {}, JSON.stringify(step.undo.with))) : null);
  }));
}

async function dryRun(parts) {
  if (!may("dry_run")) {
    parts.tried.textContent = "As the playbook says; your role may not ask for a dry run.";
    return;
  }
  parts.again.disabled = true;
  parts.tried.textContent = "Asking what it would do …";
  try {
    const trials = (await post(`api/v1/runs/${parts.run.run}/dry-run`)).data;
    drawSteps(parts, trials);
    parts.tried.textContent = `Dry run of ${new Date(Date.now() + aheadMs).toISOString().slice(11, 19)} UTC. Nothing was done.`;
  } catch (error) {
    parts.tried.textContent = `No dry run: ${error.message}`;
  }
  parts.again.disabled = false;
}

async function explain(parts) {
  const detail = (await ask(`api/v1/runs/${parts.run.run}`)).data;
  parts.spread.replaceChildren(spread(detail));
  const prediction = detail.prediction;
  if (!prediction) return;
  const middle = prediction.eta.p50 || prediction.predicted_threshold_time;
  const eta = middle ? `${span(millis(middle) - Date.now() - aheadMs)} from now, at ${utc(middle)} UTC` : "after the horizon, more likely than not";
  parts.when.replaceChildren(el("strong", {}, prediction.title), `: ${number(prediction.current_value)} now, ` +
    `${percent(prediction.likelihood)} likely within ${prediction.horizon}; ${eta}`);
  // It may be drawn still, or never: asked for again with what else may have changed.
  if (parts.picture.hidden) showPicture(parts.picture, `charts/${prediction.id}.png`).catch(() => {});
}

// Whether this person may answer, and why not.
function permit(parts) {
  const own = parts.run.is_high_risk && parts.run.proposed_by && parts.run.proposed_by === ownName();
  const why = !may("decide") ? `You are ${who.role}: an approver has to answer.` : !ownName() ? "Write your name first: it stands in the audit." :
    own ? "You have proposed it and it is of high risk: somebody else must approve it." : "";
  parts.approve.disabled = Boolean(why) || parts.isAsking;
  parts.deny.disabled = Boolean(why && !own) || parts.isAsking;
  if (!parts.answered && !parts.isAsking && parts.failed === undefined) parts.said.textContent = why;
}

async function answer(parts, word) {
  parts.isAsking = true;
  parts.failed = undefined;
  permit(parts);
  parts.said.textContent = word === "approve" ? "Approving …" : "Denying …";
  try {
    const said = await post(`api/v1/approvals/${parts.run.run}/${word}?${query({ by: by(), reason: parts.reason.value, token: parts.token })}`);
    settle(parts, said.data);
  } catch (error) {
    parts.failed = error.message;
    parts.said.textContent = `Not done: ${error.message}`;
  }
  parts.isAsking = false;
  permit(parts);
}

// It waits no more: what became of it stands where the buttons were.
function settle(parts, run) {
  parts.answered = true;
  // As high as what it stands for: the second half of a double click must not meet another card.
  parts.said.style.minHeight = `${parts.form.offsetHeight}px`;
  parts.form.remove();
  parts.expiry.classList.remove("urgent");
  parts.expiry.replaceChildren("No longer waiting.");
  parts.node.classList.add("answered");
  follow(parts, run);
}

const WORDS = {
  waiting: "waits for an answer", reading: "the gate is asked once more", ready: "about to start", running: "a step is running",
  probing: "it is asked what became of a step", verifying: "done; whether it helped must show", refused: "the gate refused it",
  shadowed: "would have been done", rejected: "denied", expired: "nobody answered in time", aborted: "not begun: something had changed",
  verified: "done, and it helped", rolled_back: "did not help, and was taken back", escalated: "a person must look",
};
const BAD = ["rolled_back", "escalated", "aborted"];

const state = (run) => run.outcome || run.phase;

function follow(parts, run) {
  parts.run = run;
  const outcome = state(run);
  const approved = run.approved_by ? `Approved by ${run.approved_by}: ` : "";
  parts.said.className = `said ${outcome === "verified" ? "good" : BAD.includes(outcome) ? "bad" : ""}`;
  parts.said.replaceChildren(el("strong", {}, `${approved}${WORDS[outcome] || outcome}`), run.why ? `: ${run.why}` : "", ". ",
    el("a", { href: `runs/${run.run}` }, "All of it"));
}

// ---- the page

function tick() {
  const now = Date.now() + aheadMs;
  for (const parts of cards.values()) {
    if (parts.answered) continue;
    const ms = millis(parts.run.expires_at) - now;
    parts.left.textContent = left(ms);
    parts.expiry.classList.toggle("urgent", ms < URGENT_MS);
  }
}

function drawWaiting(waiting, recent, mode) {
  const box = byId("waiting");
  for (const run of waiting) {
    const known = cards.get(run.run);
    // Proposed once more after it was answered or had expired: a card of its own time.
    if (known && known.answered) known.node.remove();
    if (known && !known.answered) {
      known.token = run.token;
      explain(known).catch(() => {});
      continue;
    }
    const parts = buildCard(run);
    cards.set(run.run, parts);
    box.append(parts.node);
    dryRun(parts);
    explain(parts).catch((error) => { parts.when.textContent = error.message; });
    if (location.hash === `#${run.run}`) parts.node.scrollIntoView();
  }
  for (const parts of cards.values()) {
    const run = recent.find((known) => known.run === parts.run.run);
    if (run && run.phase !== "waiting" && !parts.isAsking) {
      if (parts.answered) follow(parts, run);
      else settle(parts, run);
    }
    permit(parts);
  }
  const count = waiting.length;
  if (!cards.size) {
    const why = mode === "observe" ? "Mode is observe: nothing is proposed." : mode === "shadow" ? "Mode is shadow: nobody is asked." : "";
    box.replaceChildren(el("p", { class: "quiet" }, el("strong", {}, "Nothing"), ` waits for an answer. ${why}`));
  } else if (box.querySelector(".quiet")) box.querySelector(".quiet").remove();
  document.title = count ? `(${count}) Approvals · Portent` : "Approvals · Portent";
  return count;
}

function drawRecent(recent) {
  byId("recent-section").hidden = !recent.length;
  const kind = (outcome) => (outcome === "verified" ? "good" : BAD.includes(outcome) ? "bad" : null);
  table("recent", [["Proposed", "time"], ["Playbook"], ["On"], ["What became of it"], ["Approved by"]], recent.map((run) => [
    utc(run.proposed_at), el("a", { href: `runs/${run.run}` }, run.playbook), el("code", {}, run.targets.join(", ")),
    [`${WORDS[state(run)] || state(run)}`, kind(run.outcome)], run.approved_by || "–"]));
}

function drawStopped(stoppedBy) {
  const box = byId("stopped");
  box.hidden = !stoppedBy;
  byId("power").hidden = Boolean(stoppedBy) || !may("stop");
  if (!stoppedBy) return;
  const resume = el("button", { type: "button" }, "Let it go on");
  resume.addEventListener("click", () => power("resume", resume));
  box.replaceChildren(el("p", {}, el("strong", {}, `Everything is stopped by ${stoppedBy}.`), " Nothing is started, whatever is approved."),
    may("resume") ? resume : el("p", { class: "faint" }, "An admin can let it go on: portent resume."));
}

async function power(word, button) {
  if (!who.logins && !ownName()) {
    byId("name").focus();
    return;
  }
  button.disabled = true;
  try {
    await post(`api/v1/${word}?${query({ by: by() })}`);
  } catch (error) {
    notice(`It could not be done: ${word}.`, [error.message]);
  }
  button.disabled = false;
  once();
}

async function refresh() {
  who = (await ask("api/v1/login")).data;
  const [status, waiting, recent] = await Promise.all([
    ask("api/v1/status"), ask("api/v1/approvals?limit=100"), ask(`api/v1/runs?limit=${RECENT_LIMIT}`)]);
  aheadMs = millis(status.data.now) - Date.now();
  byId("who").hidden = who.logins;
  const count = drawWaiting(waiting.data, recent.data, status.data.mode);
  drawRecent(recent.data);
  drawStopped(status.data.stopped_by);
  tick();
  byId("summary").textContent = `${count} ${count === 1 ? "waits" : "wait"} for an answer · mode ${status.data.mode}`;
  byId("login-name").textContent = who.logins ? `${who.name}, ${who.role}` : "";
  byId("log-out").hidden = !who.logins;
  byId("clock").textContent = `${utc(status.data.now)} UTC`;
  notice(status.data.readiness.ready ? null : "Not ready: predictions may be missing or old.", status.data.readiness.reasons);
}

byId("name").value = localStorage.getItem(NAME) || "";
byId("name").addEventListener("input", () => {
  localStorage.setItem(NAME, ownName());
  for (const parts of cards.values()) permit(parts);
});
byId("log-out").addEventListener("click", logOut);
byId("who").addEventListener("submit", (event) => event.preventDefault());
byId("stop").addEventListener("click", () => power("stop", byId("stop")));
setInterval(tick, 1000);
const once = keepFresh(refresh);
