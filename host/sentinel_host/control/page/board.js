// Tiles and tables.

import { byId, count, html, keep, mark, pill, rate, say, share, size, span, svg, time } from "./elements.js";
import { WINDOW_SECONDS } from "./history.js";

const cell = (label, more = "") => html("td", { "data-label": label, class: more || undefined });
const figure = label => cell(label, "figure");
const sum = (items, of) => items.reduce((all, item) => all + of(item), 0);
const errors = route => route.failed + route.aborted;

export class Board {
  constructor() {
    this.rows = { routes: new Map(), endpoints: new Map(), guests: new Map(), limits: new Map(), faults: new Map(), tiles: new Map() };
  }

  show(history) {
    const now = history.now;
    const refusal = now.refusal ? [`The configuration file is refused, and the active configuration stays: ${now.refusal}`] : [];
    keep(byId("faults"), this.rows.faults, [...refusal, ...now.faults, ...now.certificates.flatMap(expiry)].map(text => ({ text })), each => each.text,
      each => ({ element: html("li", {}, each.text) }));
    keep(byId("tiles"), this.rows.tiles, tiles(history), each => each.name, makeTile);
    keep(byId("route-rows"), this.rows.routes, now.routes, each => each.name, () => routeRow(history));
    const endpoints = now.upstreams.flatMap(upstream => [
      { key: upstream.name, upstream },
      ...upstream.endpoints.map(endpoint => ({ key: `${upstream.name} ${endpoint.name}`, upstream, endpoint })),
    ]);
    keep(byId("endpoint-rows"), this.rows.endpoints, endpoints, each => each.key,
      each => each.endpoint ? endpointRow(history) : upstreamRow());
    keep(byId("guest-rows"), this.rows.guests, now.guests, each => each.name, () => guestRow(history));
    keep(byId("limit-rows"), this.rows.limits, now.limits, each => `${each.route} ${each.name}`, () => limitRow(history));
    const unrouted = history.rate(state => sum(Object.values(state.refused), number => number), WINDOW_SECONDS);
    say(byId("unrouted"), unrouted ? `${rate(unrouted)}/s reach no route` : "");
    byId("no-limits").hidden = now.limits.length > 0;
    byId("limit-table").hidden = now.limits.length === 0;
    const ready = byId("ready");
    pill(ready, now.faults.length ? "bad" : "good", now.faults.length ? "not ready" : "ready");
    ready.hidden = false;
  }
}

const SOON = 14;

/** A certificate that nobody renewed in time. */
function expiry(certificate) {
  if (certificate.days_left > SOON) return [];
  const when = certificate.days_left < 0 ? "has expired" : `expires in ${Math.floor(certificate.days_left)} days`;
  return [`The certificate of ${certificate.names.join(", ") || certificate.subject} ${when}: ${certificate.file}`];
}

function tiles(history) {
  const now = history.now;
  const requests = history.rate(state => sum(state.routes, route => route.requests), WINDOW_SECONDS);
  const failed = history.rate(state => sum(state.routes, errors), WINDOW_SECONDS);
  const part = requests ? failed / requests : 0;
  const latency = history.overall();
  const up = now.workers.filter(worker => worker.up).length;
  const restarts = sum(now.workers, worker => worker.restarts);
  return [
    { name: "Requests", value: rate(requests), unit: "/s" },
    { name: "Errors", value: share(part), unit: "", isBad: part > 0.01 },
    { name: "Latency, p95", value: time(latency?.p95), unit: "" },
    { name: "Active requests", value: count(now.active), unit: "" },
    { name: "Connections", value: count(now.connections), unit: "" },
    { name: "Workers", value: `${up}`, unit: `of ${now.workers.length}${restarts ? `, ${restarts} restarted` : ""}`, isBad: up < now.workers.length },
  ];
}

function makeTile() {
  const name = html("dt"), value = html("span"), unit = html("small");
  const element = html("div", { class: "tile" }, name, html("dd", {}, value, unit));
  return {
    element,
    update(tile) {
      say(name, tile.name);
      say(value, tile.value);
      say(unit, tile.unit);
      mark(element, "class", tile.isBad ? "tile bad" : "tile");
    },
  };
}

function spark(values) {
  const line = svg("path"), area = svg("path", { class: "area" });
  const element = svg("svg", { class: "spark", viewBox: "0 0 60 20", preserveAspectRatio: "none", "aria-hidden": "true" }, area, line);
  const update = rates => {
    const most = Math.max(1, ...rates), offset = 60 - rates.length;
    const points = rates.map((value, index) => `${offset + index} ${(19 - value / most * 17).toFixed(1)}`);
    mark(line, "d", points.length ? `M${points.join("L")}` : "");
    mark(area, "d", points.length ? `M${offset} 20L${points.join("L")}L59 20Z` : "");
  };
  return { element, update };
}

function routeRow(history) {
  const name = html("span"), matches = html("small"), drawn = spark();
  const cells = ["Requests/s", "Errors", "p50", "p95", "p99", "Total"].map(figure);
  const line = cell("Last minute", "wide");
  line.append(drawn.element);
  return {
    element: html("tr", {}, html("th", { scope: "row" }, name, matches), line, ...cells),
    update(route) {
      say(name, route.name);
      const where = [route.methods.join(", "), route.scheme, route.hosts.join(", ") + route.path].filter(Boolean).join(" ");
      say(matches, `${where} → ${leadsTo(route)}`);
      mark(matches, "title", route.goes_to);
      const requests = state => state.route.get(route.name)?.requests;
      drawn.update(history.rates(requests));
      const perSecond = history.rate(requests, WINDOW_SECONDS);
      const failed = history.rate(state => state.route.get(route.name) && errors(state.route.get(route.name)), WINDOW_SECONDS);
      const latency = history.latency(route.name);
      const texts = [rate(perSecond), perSecond ? share(failed / perSecond) : "–",
        time(latency?.p50), time(latency?.p95), time(latency?.p99), count(route.requests)];
      texts.forEach((text, index) => say(cells[index], text));
      mark(cells[1], "class", failed ? "figure bad-text" : "figure");
      mark(cells[5], "title", Object.entries(route.statuses).map(([status, number]) => `${status}: ${count(number)}`).join(", "));
    },
  };
}

/** In short; the whole is a tooltip. */
function leadsTo(route) {
  const names = Object.entries(route.upstreams);
  const all = sum(names, ([, weight]) => weight);
  if (!names.length) return route.goes_to;
  return names.map(([name, weight]) => names.length > 1 ? `${Math.round(weight / all * 100)} % ${name}` : name).join(", ");
}

function upstreamRow() {
  const name = html("span"), policy = html("small");
  return {
    element: html("tr", { class: "group" }, html("th", { scope: "rowgroup", colspan: 8 }, name, policy)),
    update({ upstream }) {
      say(name, upstream.name);
      say(policy, upstream.endpoints.length ? upstream.policy : `${upstream.policy}, no endpoint is known`);
    },
  };
}

const HEALTH = { serving: "good", warming: "warn", draining: "warn", ejected: "bad", down: "bad" };

function endpointRow(history) {
  const state = html("span"), fill = html("div", { class: "fill" }), told = html("span", { class: "told" });
  const name = html("th", { scope: "row" });
  const cells = ["Requests/s", "Active", "Failures", "Latency", "Connections"].map(figure);
  const stateCell = cell("State"), shareCell = cell("Share");
  stateCell.append(state);
  shareCell.append(html("div", { class: "meter" }, html("div", { class: "rail" }, fill), told));
  return {
    element: html("tr", {}, name, stateCell, shareCell, ...cells),
    update({ key, upstream, endpoint }) {
      say(name, endpoint.name);
      const left = endpoint.state === "ejected" ? `, ${Math.ceil(endpoint.ejected_for)} s left` : "";
      pill(state, HEALTH[endpoint.state], endpoint.state + left);
      const perSecond = history.rate(past => past.endpoint.get(key)?.requests, WINDOW_SECONDS);
      const all = sum(upstream.endpoints, each => history.rate(past => past.endpoint.get(`${upstream.name} ${each.name}`)?.requests, WINDOW_SECONDS));
      const part = all ? perSecond / all : 0;
      fill.style.width = `${part * 100}%`;
      say(told, all ? share(part) : "–");
      const { open, waiting } = endpoint.connections;
      const texts = [rate(perSecond), count(endpoint.active), count(endpoint.failures), time(endpoint.latency), `${count(open)}${waiting ? `, ${count(waiting)} wait` : ""}`];
      texts.forEach((text, index) => say(cells[index], text));
      const isFailing = history.rate(past => past.endpoint.get(key)?.failures, WINDOW_SECONDS) > 0;
      mark(cells[2], "class", isFailing ? "figure bad-text" : "figure");
    },
  };
}

const SERVICE = { serving: "good", differs: "warn", missing: "bad", quarantined: "bad" };

function guestRow(history) {
  const name = html("span"), hooks = html("small"), remark = html("small", { class: "remark" }), state = html("span");
  const version = html("span", { class: "mono" }), release = html("small");
  const stateCell = cell("State"), versionCell = cell("Version");
  stateCell.append(state);
  versionCell.append(version, release);
  const cells = ["Calls/s", "CPU", "Per call", "Memory", "Failures"].map(figure);
  return {
    element: html("tr", {}, html("th", { scope: "row" }, name, hooks, remark), stateCell, versionCell, ...cells),
    update(guest) {
      say(name, guest.name);
      say(hooks, [guest.language, guest.hooks.filter(hook => hook !== "configure").join(", "),
        guest.grants.length ? `may use ${guest.grants.join(", ")}` : ""].filter(Boolean).join(" · "));
      say(remark, guest.last_error ? `Last error: ${guest.last_error}` : "");
      remark.hidden = !guest.last_error;
      pill(state, SERVICE[guest.state] ?? "", guest.state);
      say(version, (guest.version === null ? "" : `v${guest.version} `) + (guest.sha256.slice(0, 12) || "–"));
      mark(version, "title", guest.sha256);
      say(release, guest.canary ? `canary ${guest.canary.sha256.slice(0, 8)} gets ${guest.canary.weight} %`
        : guest.rolled_back ? `${guest.rolled_back.slice(0, 8)} was rolled back` : "");
      const of = read => past => past.guest.get(guest.name) && read(past.guest.get(guest.name));
      const calls = history.rate(of(past => past.calls), WINDOW_SECONDS);
      const cpu = history.rate(of(past => past.resources.cpu_seconds), WINDOW_SECONDS);
      const texts = [rate(calls), share(cpu), calls ? time(cpu / calls) : "–", size(guest.resources.memory_bytes), count(guest.failures)];
      texts.forEach((text, index) => say(cells[index], text));
      mark(cells[3], "title", `${guest.resources.instances} instances`);
      mark(cells[4], "class", history.rate(of(past => past.failures), WINDOW_SECONDS) ? "figure bad-text" : "figure");
    },
  };
}

function limitRow(history) {
  const name = html("span"), route = html("small"), keys = html("div", { class: "keys mono" });
  const allows = cell("Allows", "wide"), most = cell("Refused most", "wide");
  most.append(keys);
  const cells = ["Refused/s", "Refused", "Allowed"].map(figure);
  return {
    element: html("tr", {}, html("th", { scope: "row" }, name, route), allows, ...cells, most),
    update(limit) {
      say(name, limit.name);
      say(route, `on ${limit.route}`);
      say(allows, `${count(limit.requests)} in ${span(limit.window)} for each ${limit.key.join(" and ")}${limit.shadow ? ", counted only" : ""}`);
      const over = limit.refused + limit.shadowed;
      const perSecond = history.rate(past => {
        const before = past.limit.get(`${limit.route} ${limit.name}`);
        return before && before.refused + before.shadowed;
      }, WINDOW_SECONDS);
      [rate(perSecond), count(over), count(limit.allowed)].forEach((text, index) => say(cells[index], text));
      mark(cells[0], "class", perSecond ? "figure bad-text" : "figure");
      const shown = limit.keys.slice(0, 4);
      if (!shown.length) say(keys, "–");
      else keys.replaceChildren(...shown.map(key => html("span", {}, `${key.digest.slice(0, 8)} × ${count(key.refused)}`)));
    },
  };
}
