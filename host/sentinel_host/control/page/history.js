// The states of the last minute: figures are differences of what the gateway has counted.

const KEPT = 61;
const WINDOW = 10;

export class History {
  constructor() {
    this.states = [];
  }

  add(state) {
    const at = Date.parse(state.time) / 1000;
    const last = this.states.at(-1);
    // Counts that went backwards are those of another gateway.
    if (last && total(state) < total(last)) this.states = [];
    const by = name => new Map(state[name].map(each => [each.name, each]));
    this.states.push({
      ...state, at,
      route: by("routes"), guest: by("guests"),
      endpoint: new Map(state.upstreams.flatMap(each => each.endpoints.map(one => [`${each.name} ${one.name}`, one]))),
      limit: new Map(state.limits.map(each => [`${each.route} ${each.name}`, each])),
    });
    if (this.states.length > KEPT) this.states.shift();
  }

  get now() {
    return this.states.at(-1);
  }

  /** What `figure(of a state)` grew by each second, of the last second or of so many before. */
  rate(figure, seconds = 1) {
    const now = this.now, before = this.states.at(-1 - Math.min(seconds, this.states.length - 1));
    if (!before || before === now) return 0;
    const grown = (figure(now) ?? 0) - (figure(before) ?? 0);
    return Math.max(0, grown) / Math.max(0.1, now.at - before.at);
  }

  /** The rate at each second of the last minute, oldest first. */
  rates(figure) {
    return this.states.slice(1).map((state, index) => {
      const before = this.states[index];
      return Math.max(0, (figure(state) ?? 0) - (figure(before) ?? 0)) / Math.max(0.1, state.at - before.at);
    });
  }

  /** Quantiles of a route's latency in the last seconds, or null where there was no request. */
  latency(name) {
    const now = this.now.route.get(name).latency;
    const before = this.states.at(-1 - Math.min(WINDOW, this.states.length - 1)).route.get(name)?.latency;
    const counts = now.counts.map((value, index) => value - (before === now ? 0 : before?.counts[index] ?? 0));
    return quantiles(now.bounds, counts);
  }

  /** The same of all routes together. */
  overall() {
    const first = this.states.at(-1 - Math.min(WINDOW, this.states.length - 1));
    const sums = [];
    let bounds = [];
    for (const route of this.now.routes) {
      const before = first === this.now ? null : first.route.get(route.name)?.latency;
      if (route.latency.counts.length) bounds = route.latency.bounds;
      route.latency.counts.forEach((value, index) => sums[index] = (sums[index] ?? 0) + value - (before?.counts[index] ?? 0));
    }
    return quantiles(bounds, sums);
  }
}

export const WINDOW_SECONDS = WINDOW;

const total = state => state.routes.reduce((sum, route) => sum + route.requests, 0);

function quantiles(bounds, counts) {
  const all = counts.reduce((sum, value) => sum + value, 0);
  if (!all) return null;
  const at = share => {
    let reached = 0;
    for (let index = 0; index < counts.length; index++) {
      if (counts[index] && reached + counts[index] >= share * all) {
        const lower = index ? bounds[index - 1] : 0, upper = bounds[index] ?? bounds.at(-1);
        return lower + (upper - lower) * (share * all - reached) / counts[index];
      }
      reached += counts[index];
    }
    return bounds.at(-1);
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
