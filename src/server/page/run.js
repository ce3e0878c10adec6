"use strict";
// One run: what it was for, and its lines in the audit.

const key = location.pathname.split("/").pop();

const turn = (what) => `step ${what.step + 1}${what.attempt > 1 ? `, try ${what.attempt}` : ""}`;

// A line of the audit in words.
const SAID = {
  proposed: (line) => `Proposed by ${line.proposal.by || "Portent"}; the gate says ${line.verdict.decision}`,
  approved: (line) => `Approved by ${line.by}${line.reason ? `: ${line.reason}` : ""}`,
  rejected: (line) => `Denied by ${line.by}${line.reason ? `: ${line.reason}` : ""}`,
  claimed: () => "The gate was asked again, and nothing had changed: it begins",
  started: (line) => `${line.what.is_undo ? "Taking back" : "Started"} ${turn(line.what)} (${line.action})`,
  ended: (line) => `${line.what.is_undo ? "Taking back" : "Ended"} ${turn(line.what)}: ${line.end.replace("_", " ")}${line.note ? `. ${line.note}` : ""}`,
  lost: (line) => `Nobody has said how ${turn(line.what)} ended; it is asked`,
  checking: () => "All steps are done; whether it helped must show",
  measured: (line) => `Measured ${number(line.value)}: ${line.answer.replace("_", " ")}`,
  undoing: (line) => `It is taken back: ${line.why}`,
  escalated: (line) => `Handed to a person. Tried: ${line.tried.map((t) => `${t.is_undo ? "taking back " : ""}${t.step} (${t.action}) ${t.end.replace("_", " ")}`).join(", ")}`,
  closed: (line) => `${line.outcome.replace("_", " ")}: ${line.why}`,
};
const BAD = ["rolled_back", "escalated", "aborted"];

function words(line) {
  const text = (SAID[line.record] || (() => line.record))(line);
  const { at, record, ...rest } = line;
  return el("div", {}, text, el("details", {}, el("summary", {}, "the line itself"), el("pre", {}, JSON.stringify(rest, null, 1))));
}

const kind = (line) => (line.record === "escalated" ? "bad" : line.record !== "closed" ? null : line.outcome === "verified" ? "good" : BAD.includes(line.outcome) ? "bad" : null);

function draw(detail) {
  const { run, prediction } = detail;
  const state = run.outcome || run.phase;
  document.title = `${run.playbook}: ${state.replace("_", " ")} · Portent`;
  byId("summary").textContent = `${run.playbook}: ${state.replace("_", " ")}`;
  byId("run").replaceChildren(el("article", { class: "approval" },
    el("div", { class: "head" }, el("h2", {}, run.playbook, " on ", el("code", {}, run.targets.join(", "))),
      run.is_high_risk ? el("span", { class: "risk" }, "high risk") : null),
    el("p", { class: "where" }, run.about),
    el("p", { class: `said ${run.outcome === "verified" ? "good" : BAD.includes(run.outcome) ? "bad" : ""}` },
      el("strong", {}, state.replace("_", " ")), run.why ? `: ${run.why}` : ""),
    run.phase === "waiting" ? el("p", {}, el("a", { href: `../approvals#${run.run}` }, "Answer it")) : null,
    el("dl", { class: "facts" },
      fact("then", number(run.value)), fact("bad at", number(run.threshold)), fact("likely", percent(run.likelihood)),
      fact("now", prediction ? number(prediction.current_value) : "–"), fact("watch", run.watch),
      fact("proposed", `${utc(run.proposed_at)} by ${run.proposed_by || "Portent"}`), fact("approved by", run.approved_by || "–")),
    el("p", { class: "where" }, run.service ? `${run.service} · ` : "", el("code", {}, labels(run.labels))),
    el("details", {}, el("summary", {}, `The gate's ${run.reasons.length} reasons`), el("ul", {}, ...run.reasons.map((reason) => el("li", {}, reason))))));
  byId("audit-section").hidden = false;
  table("audit", [["At", "time"], ["What"]], detail.audit.map((line) => [utc(line.at), [words(line), kind(line)]]));
}

let drawn = "";
keepFresh(async () => {
  const answer = (await ask(`api/v1/runs/${encodeURIComponent(key)}`)).data;
  const text = JSON.stringify(answer);
  // Unfolded lines stay unfolded while nothing changes.
  if (text !== drawn) draw(answer);
  drawn = text;
  notice(null, []);
});
