"use strict";
// What the pages share: how the API is asked, who is logged in, and words for numbers and times. All text goes in as text: labels and errors
// can hold anything. A token stays in this tab's session storage and goes out as a header, never as a cookie: no other site can make
// the browser send it.

const REFRESH_MS = 5000;
const ROOT = document.documentElement.dataset.root || ""; // from this page to where the server begins, behind any proxy
const byId = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// ---- the API

const TOKEN = "portent.token";
class LoginNeeded extends Error {}

function withToken(headers) {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

async function send(method, path) {
  const headers = withToken({ Accept: "application/json" });
  const response = await fetch(ROOT + path, { method, headers, signal: AbortSignal.timeout(REFRESH_MS * 2) });
  const body = await response.json();
  if (body.status === "success") return body;
  if (response.status === 401) throw new LoginNeeded(sessionStorage.getItem(TOKEN) ? body.error : "");
  throw new Error(body.error || `HTTP ${response.status}`);
}

const ask = (path) => send("GET", path);
const post = (path) => send("POST", path);
const query = (pairs) => new URLSearchParams(Object.entries(pairs).filter(([, value]) => value)).toString();

const PICTURE_MS = 60000; // a chart changes with its prediction, some minutes apart
const pictures = new Map(); // path → what was fetched, and when

// A picture that may take a login: an `img` sends no header.
async function showPicture(image, path) {
  const known = pictures.get(path);
  if (known && Date.now() - known.at < PICTURE_MS) {
    image.src = known.url;
    return;
  }
  const response = await fetch(ROOT + path, { headers: withToken({}), signal: AbortSignal.timeout(REFRESH_MS * 2) });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const url = URL.createObjectURL(await response.blob());
  if (known) URL.revokeObjectURL(known.url);
  pictures.set(path, { url, at: Date.now() });
  image.src = url;
}

// ---- logging in

// Shows the form in place of the page until a token is taken.
function showLogin(why, then) {
  let form = byId("login");
  if (!form) {
    const field = el("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: "" });
    form = el("form", { id: "login" }, el("h2", {}, "Log in"),
      el("p", { id: "login-why", role: "alert" }),
      el("label", { for: "token" }, "Your token, as portent token new has printed it"), field,
      el("button", { type: "submit" }, "Log in"),
      el("p", { class: "faint" }, "It stays in this tab and is forgotten when the tab is closed."));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(TOKEN, field.value.trim());
      form.remove();
      document.body.classList.remove("locked");
      then();
    });
    byId("summary").textContent = "";
    document.querySelector("main").prepend(form);
    document.body.classList.add("locked");
    field.focus();
  }
  byId("login-why").textContent = why;
}

function logOut() {
  sessionStorage.removeItem(TOKEN);
  location.reload();
}

// ---- words for numbers and times

function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return Number(value.toPrecision(4)).toExponential();
  return new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(value);
}

const percent = (p) => (p > 0.995 && p < 1 ? ">\u00a099\u00a0%" : p < 0.005 && p > 0 ? "<\u00a01\u00a0%" : `${Math.round(p * 100)}\u00a0%`);
const millis = (text) => (text ? Date.parse(text) : NaN);

function utc(text) {
  const ms = millis(text);
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 19).replace("T", " ") : "–";
}

function span(ms) {
  const minutes = Math.max(0, Math.round(ms / 60000));
  if (minutes < 1) return `${Math.max(0, Math.round(ms / 1000))} s`;
  if (minutes < 60) return `${minutes} min`;
  const parts = (large, largeUnit, small, smallUnit) => `${large} ${largeUnit}${small ? ` ${small} ${smallUnit}` : ""}`;
  if (minutes < 48 * 60) return parts(Math.floor(minutes / 60), "h", minutes % 60, "min");
  return parts(Math.floor(minutes / 1440), "d", Math.floor((minutes % 1440) / 60), "h");
}

function labels(set) {
  const pairs = Object.entries(set).filter(([name]) => name !== "__name__");
  const inner = pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
  return (set.__name__ || "") + (inner ? `{${inner}}` : "");
}

function fact(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function table(id, columns, rows) {
  const head = el("tr", {}, ...columns.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell, i) => {
    const [content, kind] = Array.isArray(cell) ? cell : [cell, null];
    return el("td", { class: kind || columns[i][1] }, content);
  })));
  if (!body.length) body.push(el("tr", {}, el("td", { colspan: columns.length }, "none")));
  byId(id).replaceChildren(el("thead", {}, head), el("tbody", {}, ...body));
}

function notice(title, lines) {
  const box = byId("notice");
  box.hidden = !title;
  box.replaceChildren(...(title ? [el("strong", {}, title), el("ul", {}, ...lines.map((line) => el("li", {}, line)))] : []));
}

// ---- the loop

// Calls `refresh` every few seconds while the page is seen. What fails is said, and what is shown stays.
function keepFresh(refresh) {
  let goodAt = null;
  async function once() {
    try {
      await refresh();
      goodAt = new Date();
    } catch (error) {
      if (error instanceof LoginNeeded) return showLogin(error.message, once);
      const since = goodAt ? `What is shown is from ${goodAt.toISOString().slice(11, 19)} UTC.` : "Nothing could be loaded yet.";
      notice("Portent does not answer.", [error.message, since]);
    }
  }
  async function loop() {
    if (!document.hidden && !byId("login")) await once();
    setTimeout(loop, REFRESH_MS);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !byId("login")) once(); });
  loop();
  return once;
}
