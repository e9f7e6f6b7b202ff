// Signing in, and one stream of events for all that is shown. Everything comes from the admin API.

import { Board } from "./board.js";
import { Picture } from "./drawing.js";
import { byId, mark, say } from "./elements.js";
import { History } from "./history.js";
import { Requests } from "./requests.js";

const PROOF = "sentinel-proof", THEME = "sentinel-theme";
const RETRY = 2000;

// A cookie that no script sees makes the session, together with this.
const proof = () => localStorage.getItem(PROOF) ?? "";
const ask = (path, options = {}) => fetch(path, { ...options, headers: { "x-sentinel-session": proof(), ...options.headers } });

let board, picture, history, requests, stream;

function live(isOn, text) {
  mark(byId("live"), "class", isOn ? "live on" : "live off");
  say(byId("live"), text);
}

function showSignIn() {
  stream?.abort();
  byId("board").hidden = byId("nav").hidden = byId("sign-out").hidden = byId("ready").hidden = true;
  byId("sign-in").hidden = false;
  byId("live").textContent = "";
  byId("token").focus();
}

function showBoard() {
  byId("sign-in").hidden = true;
  byId("board").hidden = byId("nav").hidden = byId("sign-out").hidden = false;
  if (!board) {
    board = new Board();
    requests = new Requests();
    picture = new Picture(byId("picture"));
  }
  history = new History();
}

function onEvent(name, data) {
  if (name === "requests") {
    requests.add(data);
  } else if (name === "state") {
    history.add(data);
    // Nobody sees what is drawn in a hidden tab.
    if (document.hidden) return;
    board.show(history);
    picture.show(history);
    live(true, "live");
  }
}

/** Read events until the stream ends; begin again after a pause. */
async function listen() {
  stream = new AbortController();
  const { signal } = stream;
  while (!signal.aborted) {
    try {
      const response = await ask("events", { signal });
      if (response.status === 401 || response.status === 403) return showSignIn();
      if (!response.ok) throw new Error(`the gateway answers ${response.status}`);
      await read(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch (error) {
      if (signal.aborted) return;
    }
    live(false, "reconnecting");
    await new Promise(done => setTimeout(done, RETRY));
  }
}

async function read(reader) {
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const messages = text.split("\n\n");
    text = messages.pop();
    for (const message of messages) {
      const [event, data] = message.split("\n");
      onEvent(event.slice("event: ".length), JSON.parse(data.slice("data: ".length)));
    }
  }
}

async function begin() {
  if (!proof()) return showSignIn();
  const response = await ask("explain").catch(() => null);
  if (!response) {
    live(false, "no answer");
    setTimeout(begin, RETRY);
    return;
  }
  if (!response.ok) return showSignIn();
  showBoard();
  say(byId("explain-token"), (await response.json()).token);
  listen();
}

byId("sign-in-form").addEventListener("submit", async event => {
  event.preventDefault();
  const token = byId("token").value.trim();
  say(byId("sign-in-fault"), "");
  const body = JSON.stringify({ token });
  const response = await fetch("session", { method: "POST", body, headers: { "content-type": "application/json" } }).catch(() => null);
  const answer = await response?.json().catch(() => ({}));
  if (!response?.ok) {
    say(byId("sign-in-fault"), answer?.error ? `${answer.error[0].toUpperCase()}${answer.error.slice(1)}.` : "The gateway does not answer.");
    byId("token").select();
    return;
  }
  localStorage.setItem(PROOF, answer.proof);
  byId("token").value = "";
  await begin();
  byId("main").focus();
});

byId("sign-out").addEventListener("click", async () => {
  await ask("session", { method: "DELETE" }).catch(() => null);
  localStorage.removeItem(PROOF);
  showSignIn();
});

// Browsers have a clipboard for pages of this machine, and for those over TLS.
byId("copy").hidden = !navigator.clipboard;
byId("copy").addEventListener("click", async event => {
  const button = event.currentTarget;
  await navigator.clipboard.writeText(`x-sentinel-explain: ${byId("explain-token").textContent}`);
  say(button, "Copied");
  setTimeout(() => say(button, "Copy"), RETRY);
});

const THEMES = ["auto", "light", "dark"];

function useTheme(theme) {
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
  say(byId("theme"), theme[0].toUpperCase() + theme.slice(1));
  mark(byId("theme"), "aria-label", `Theme: ${theme}`);
}

byId("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(localStorage.getItem(THEME) ?? "auto") + 1) % THEMES.length];
  localStorage.setItem(THEME, next);
  useTheme(next);
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !history?.now) return;
  board.show(history);
  picture.show(history);
});

useTheme(localStorage.getItem(THEME) ?? "auto");
begin();
