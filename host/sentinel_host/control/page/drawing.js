// The picture: routes with their guests at the left, upstreams and endpoints at the right.

import { byId, mark, rate, say, svg } from "./elements.js";

const ROW = 62, HEIGHT = 40, ENDPOINT = 50, GAP = 18, BEND = 82;
const WIDE = { route: 146, guest: 146, upstream: 132, endpoint: 186 };

// Nobody can follow more lines.
const MOST = 20;

/** The routes that are drawn, in the order of the configuration. */
function busiest(routes) {
  if (routes.length <= MOST) return routes;
  const chosen = new Set([...routes].sort((one, other) => other.requests - one.requests).slice(0, MOST));
  return routes.filter(route => chosen.has(route));
}

export class Picture {
  constructor(parent) {
    this.parent = parent;
    this.shape = "";
    this.edges = [];
    this.nodes = [];
  }

  /** Draw anew where the routes are others, and update rates and states. */
  show(history) {
    const { upstreams, guests } = history.now;
    const routes = busiest(history.now.routes);
    const left = history.now.routes.length - routes.length;
    say(byId("flow-told"), left ? `Where requests go, now; ${left} routes with fewer requests are not drawn` : "Where requests go, now");
    const shape = JSON.stringify([
      routes.map(route => [route.name, route.path, route.guests, route.upstreams, route.kind, route.goes_to]),
      upstreams.map(upstream => [upstream.name, upstream.endpoints.map(endpoint => endpoint.name)]),
    ]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.draw(routes, upstreams);
    }
    const states = new Map(guests.map(guest => [guest.name, guest]));
    for (const update of this.nodes) update(history, states);
    for (const { path, figure, ill } of this.edges) {
      const value = history.rate(figure, 2), isIll = ill?.(history) ?? false;
      mark(path, "class", `edge${value ? " busy" : ""}${isIll ? " ill" : ""}`);
      path.style.strokeWidth = `${1.5 + Math.min(7, Math.log2(1 + value) * 0.8)}px`;
    }
    mark(this.drawn, "aria-label", told(history, routes));
  }

  draw(routes, upstreams) {
    this.edges = [];
    this.nodes = [];
    const most = Math.max(0, ...routes.map(route => route.guests.length));
    const x = { guest: WIDE.route + 56, upstream: 0, endpoint: 0 };
    x.upstream = x.guest + most * (WIDE.guest + GAP) + 64;
    // A picture of few guests fills the card as well.
    x.upstream += Math.max(0, 1150 - (x.upstream + WIDE.upstream + 78 + WIDE.endpoint));
    x.endpoint = x.upstream + WIDE.upstream + 78;
    const width = x.endpoint + WIDE.endpoint;
    const ends = targets(routes, upstreams);
    const rows = ends.reduce((sum, each) => sum + Math.max(1, each.endpoints.length), 0);
    const left = routes.length * ROW, right = rows * ENDPOINT + (ends.length - 1) * GAP;
    const height = Math.max(left, right) + 12;
    const lines = svg("g"), nodes = svg("g");
    this.drawn = svg("svg", { class: "picture", viewBox: `0 0 ${width} ${height}`, role: "img" }, lines, nodes);
    this.drawn.style.maxWidth = `${Math.max(width, 760) * 1.15}px`;
    const places = this.right(ends, x, (height - right) / 2, lines, nodes);
    routes.forEach((route, index) => {
      const y = (height - left) / 2 + index * ROW + ROW / 2;
      this.route(route, y, x, places, lines, nodes);
    });
    this.parent.replaceChildren(this.drawn);
  }

  /** Upstreams with their endpoints, and routes' own responses; returns where each is, by its
   * key. */
  right(ends, x, top, lines, nodes) {
    const places = new Map();
    let y = top;
    for (const upstream of ends) {
      const rows = Math.max(1, upstream.endpoints.length);
      const middle = y + rows * ENDPOINT / 2;
      places.set(upstream.key, middle);
      nodes.append(this.node("upstream", x.upstream, middle, WIDE.upstream, upstream.name, upstream.policy));
      upstream.endpoints.forEach((endpoint, index) => {
        const at = y + index * ENDPOINT + ENDPOINT / 2, key = `${upstream.name} ${endpoint.name}`;
        const node = this.node("endpoint", x.endpoint, at, WIDE.endpoint, short(endpoint.name), endpoint.state);
        const dot = svg("circle", { class: "state", cx: x.endpoint + WIDE.endpoint - 17, cy: at, r: 4.5 });
        node.append(dot);
        nodes.append(node);
        const sub = node.querySelector(".sub");
        this.nodes.push(history => {
          const now = history.now.endpoint.get(key);
          const state = now?.state ?? "unknown";
          const isIll = ["ejected", "down"].includes(state);
          mark(node, "class", `endpoint${isIll ? " ill" : ""}`);
          mark(dot, "class", `state ${isIll ? "bad" : state === "serving" ? "" : "warn"}`.trim());
          const perSecond = history.rate(past => past.endpoint.get(key)?.requests, 2);
          say(sub, state === "serving" ? `${rate(perSecond)}/s` : state);
        });
        this.edge(lines, x.upstream + WIDE.upstream, middle, x.endpoint, at, {
          figure: state => state.endpoint.get(key)?.requests,
          ill: history => ["ejected", "down"].includes(history.now.endpoint.get(key)?.state),
        });
      });
      y += rows * ENDPOINT + GAP;
    }
    return places;
  }

  route(route, y, x, places, lines, nodes) {
    const requests = state => state.route.get(route.name)?.requests;
    const told = route.hosts.length ? `${route.hosts[0]}${route.path}` : route.path;
    const sub = route.name === route.path ? route.methods.join(" ") || "any method" : told;
    nodes.append(this.node("route", 0, y, WIDE.route, route.name, sub));
    const label = svg("text", { class: "sub", x: WIDE.route + 8, y: y - 9 });
    lines.append(label);
    this.nodes.push(history => {
      const perSecond = history.rate(requests, 2);
      say(label, perSecond ? `${rate(perSecond)}/s` : "");
    });
    let from = WIDE.route;
    route.guests.forEach((name, index) => {
      const at = x.guest + index * (WIDE.guest + GAP);
      this.edge(lines, from, y, at, y, { figure: requests });
      const node = this.node("guest", at, y, WIDE.guest, name, "");
      const line = node.querySelector(".sub");
      this.nodes.push((history, guests) => {
        const guest = guests.get(name), isIll = guest && ["missing", "quarantined"].includes(guest.state);
        mark(node, "class", `guest${isIll ? " ill" : ""}`);
        say(line, guest?.canary ? `canary ${guest.canary.weight} %` : isIll ? guest.state : guest?.sha256.slice(0, 8) ?? "");
      });
      nodes.append(node);
      from = at + WIDE.guest;
    });
    const names = Object.keys(route.upstreams);
    if (!names.length) {
      this.edge(lines, from, y, x.upstream, places.get(own(route)), { figure: requests });
    }
    const total = Object.values(route.upstreams).reduce((sum, weight) => sum + weight, 0) || 1;
    for (const name of names) {
      const part = route.upstreams[name] / total;
      const figure = state => (requests(state) ?? 0) * part;
      this.edge(lines, from, y, x.upstream, places.get(`upstream ${name}`) ?? y, { figure });
    }
  }

  edge(lines, x1, y1, x2, y2, { figure, ill }) {
    // It stays in its row as long as it can, so that it passes behind no guest of another.
    const start = Math.max(x1, x2 - BEND), bend = (x2 - start) / 2;
    const path = svg("path", { class: "edge", d: `M${x1} ${y1} H${start} C${start + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
    lines.append(path);
    this.edges.push({ path, figure, ill });
  }

  node(kind, x, y, width, name, sub) {
    const most = Math.floor((width - 24) / 7.2);
    return svg("g", { class: kind },
      svg("title", {}, name),
      svg("rect", { class: "node", x: x + 0.5, y: y - HEIGHT / 2 + 0.5, width: width - 1, height: HEIGHT - 1, rx: 10 }),
      svg("text", { class: "name", x: x + 12, y: y - 2 }, cut(name, most)),
      svg("text", { class: "sub", x: x + 12, y: y + 13 }, cut(sub, most + 2)));
  }
}

const own = route => `own ${route.name}`;

/** What stands at the right, in the order of the routes that lead there, so that few lines
 * cross. */
function targets(routes, upstreams) {
  const found = new Map();
  const known = new Map(upstreams.map(each => [each.name, each]));
  const add = name => {
    const upstream = known.get(name);
    if (upstream) found.set(`upstream ${name}`, { ...upstream, key: `upstream ${name}` });
  };
  for (const route of routes) {
    const names = Object.keys(route.upstreams);
    names.forEach(add);
    if (!names.length) {
      const status = route.goes_to.match(/\d{3}/)?.[0] ?? "";
      found.set(own(route), { key: own(route), name: route.kind === "redirect" ? "redirect" : "own response", policy: status, endpoints: [] });
    }
  }
  // Those that only guests choose.
  if (routes.length < MOST) upstreams.forEach(upstream => add(upstream.name));
  return [...found.values()];
}

const short = url => url.replace(/^https?:\/\//, "");
const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

/** The picture in words. */
function told(history, routes) {
  return routes.map(route => {
    const perSecond = rate(history.rate(state => state.route.get(route.name)?.requests, 2));
    const guests = route.guests.length ? `, through ${route.guests.join(", ")}` : "";
    return `Route ${route.name}: ${perSecond} requests a second${guests}, to ${route.goes_to}.`;
  }).join(" ");
}
