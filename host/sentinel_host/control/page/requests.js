// The latest requests, and one of them as a waterfall: what each guest changed and logged.

import { byId, html, keep, size, time } from "./elements.js";

const KEPT = 200, SHOWN = 30;

export class Requests {
  constructor() {
    this.records = [];
    this.waiting = [];
    this.rows = new Map();
    this.open = new Set();
    this.isPaused = false;
    byId("filter").addEventListener("input", () => this.show());
    byId("pause").addEventListener("click", event => {
      this.isPaused = !this.isPaused;
      event.currentTarget.setAttribute("aria-pressed", this.isPaused);
      event.currentTarget.textContent = this.isPaused ? "Resume" : "Pause";
      if (!this.isPaused) this.add([]);
    });
  }

  /** Records, oldest first. */
  add(records) {
    this.waiting.push(...records);
    if (this.isPaused) {
      this.waiting = this.waiting.slice(-KEPT);
      return;
    }
    const known = new Set(this.records.map(each => each.id));
    const fresh = this.waiting.filter(each => !known.has(each.id)).reverse();
    this.waiting = [];
    const all = [...fresh, ...this.records];
    // What somebody reads stays.
    this.records = all.filter((record, index) => index < KEPT || this.open.has(record.id));
    this.show();
  }

  show() {
    const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = record => words.every(word => told(record).includes(word));
    const found = this.records.filter((record, index) => this.open.has(record.id) || fits(record));
    const shown = found.filter((record, index) => index < SHOWN || this.open.has(record.id));
    keep(byId("request-rows"), this.rows, shown, record => record.id, record => this.row(record));
    byId("no-requests").hidden = shown.length > 0;
    byId("no-requests").textContent = this.records.length ? "No request fits the filter." : "No request yet. They appear here as they end.";
  }

  row(record) {
    const button = html("button", { type: "button", class: "line", "aria-expanded": "false" },
      html("span", { class: "time" }, new Date(record.started_at / 1000).toLocaleTimeString("en-GB")),
      html("span", { class: `status ${kind(record)}` }, String(record.status || "–")),
      html("span", {}, record.method),
      html("span", { class: "path" }, record.path, record.why === "explained" ? html("span", { class: "tag" }, "explained") : null,
        record.outcome === "completed" ? null : html("span", { class: "tag" }, record.outcome)),
      html("span", { class: "where" }, record.route),
      html("span", { class: "took" }, time(record.duration / 1e6)));
    const element = html("li", {}, button);
    button.addEventListener("click", () => {
      const isOpen = !this.open.has(record.id);
      button.setAttribute("aria-expanded", isOpen);
      if (isOpen) {
        this.open.add(record.id);
        element.append(detail(record));
      } else {
        this.open.delete(record.id);
        element.querySelector(".detail")?.remove();
      }
    });
    return { element };
  }
}

const told = record => [record.id, record.method, record.path, record.route, record.status, record.upstream, record.endpoint,
  record.authority, record.client, record.why, record.outcome].join(" ").toLowerCase();

const kind = record => record.status >= 500 || record.status === 0 ? "bad" : record.status >= 400 ? "warn" : "good";

function detail(record) {
  const query = record.query === null ? "" : `?${record.query}`;
  const facts = [
    ["URL", `${record.scheme}://${record.authority}${record.path}${query}`], ["id", record.id], ["client", record.client],
    ["HTTP", record.http_version], ["route", record.route], ["answered by", record.origin], ["upstream", record.upstream], ["endpoint", record.endpoint],
    ["request", size(record.request_bytes)], ["response", size(record.response_bytes)], ["worker", String(record.worker)],
    ["outcome", record.outcome], ["recorded", record.why], ["trace", record.trace_id],
  ];
  return html("div", { class: "detail" },
    html("dl", { class: "facts" }, ...facts.filter(([, value]) => value).map(([name, value]) =>
      html("div", {}, html("dt", {}, name), html("dd", {}, value)))),
    record.is_whole ? null : html("p", { class: "muted" }, "Recorded when it was over: stages and changes are not known."),
    html("ol", { class: "fall", "aria-label": "Waterfall" }, ...waterfall(record)));
}

/** Stages in order, and within them guests and tries, each with what is to be told of it. */
function waterfall(record) {
  const all = Math.max(1, record.duration, ...record.hooks.map(end), ...record.stages.map(end), ...record.tries.map(end));
  const entries = [
    ...record.stages.map(stage => ({ ...stage, level: 0, row: bar("stage", stage.name, stage, all) })),
    ...record.hooks.map(hook => ({ ...hook, level: 1, row: guestRows(record, hook, all) })),
    ...record.tries.map(each => ({ ...each, level: 1, row: tryRow(each, all) })),
  ];
  // What is within a stage comes after it.
  entries.sort((one, other) => one.start - other.start || one.level - other.level || end(other) - end(one));
  const lines = record.lines.filter(line => !record.hooks.some(hook => hook.guest === line.guest));
  return [...entries.flatMap(entry => entry.row), ...lines.map(line => more([logged(line)]))];
}

const end = part => part.start + part.duration;

function bar(kind, name, part, all, isIll = false) {
  const span = html("span", { class: "span" });
  span.style.left = `${Math.min(99, part.start / all * 100)}%`;
  span.style.width = `${Math.min(100 - part.start / all * 100, part.duration / all * 100)}%`;
  return html("li", { class: `${kind}${kind === "stage" ? "" : " inner"}${isIll ? " ill" : ""}` },
    html("span", { class: "what", title: name }, name), html("span", { class: "lane" }, span),
    html("span", { class: "took" }, time(part.duration / 1e6)));
}

function guestRows(record, hook, all) {
  const isIll = ["failed", "refused"].includes(hook.outcome);
  const name = `${hook.guest} · ${hook.hook.replace("on-", "")}`;
  const row = bar("guest", hook.outcome === "passed" ? name : `${name} · ${hook.outcome}`, hook, all, isIll);
  const notes = hook.changes.map(changed);
  if (hook.error) notes.push(html("div", { class: "bad-text" }, hook.error));
  if (hook.asks) notes.push(html("div", {}, `asks for the body, to ${hook.asks} it`));
  if (hook.calls > 1) notes.push(html("div", {}, `${hook.calls} calls, ${size(hook.taken)} in, ${size(hook.given)} out`));
  // A line does not say which hook wrote it: it is shown once, with the guest's last.
  const isLast = record.hooks.filter(each => each.guest === hook.guest).at(-1) === hook;
  if (isLast) notes.push(...record.lines.filter(line => line.guest === hook.guest).map(logged));
  return notes.length ? [row, more(notes)] : [row];
}

function tryRow(attempt, all) {
  const told = attempt.error ? attempt.error : attempt.status;
  return [bar("try", `${attempt.endpoint} · ${told}`, attempt, all, Boolean(attempt.error) || attempt.status >= 500)];
}

const more = notes => html("li", { class: "more" }, html("div", { class: "changes" }, ...notes));

const logged = line => html("div", { class: line.level === "error" ? "bad-text" : "log" }, `${line.level} ${line.message}`);

function changed(change) {
  const name = change.part === "header" ? change.name : change.part;
  const before = change.before.map(value => html("del", {}, value)), after = change.after.map(value => html("ins", {}, value));
  const between = before.length && after.length ? [" → "] : [];
  return html("div", {}, `${name}: `, ...spaced(before), ...between, ...spaced(after), after.length || before.length ? null : "removed");
}

const spaced = elements => elements.flatMap((element, index) => index ? [", ", element] : [element]);
