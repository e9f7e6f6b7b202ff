// Making and updating elements. What is shown comes from clients and guests: it becomes text, never
// markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** An HTML element. */
export const html = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);

/** An SVG element. */
export const svg = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children);

export const byId = id => document.getElementById(id);

/** Set a text if it is another: a screen reader hears no change where there is none. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Have `parent` show one child for each item, in order. `make(item)` returns
 * `{element, update(item)}`. Children are kept by their key, so that focus and what is open stay.
 */
export function keep(parent, known, items, key, make) {
  const used = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    used.add(name);
    let child = known.get(name);
    if (!child) known.set(name, child = make(item));
    child.update?.(item);
    if (child.element === place) place = place.nextElementSibling;
    else parent.insertBefore(child.element, place);
  }
  for (const [name, child] of known) {
    if (!used.has(name)) {
      child.element.remove();
      known.delete(name);
    }
  }
}

/** A pill: `kind` is good, warn, bad or nothing. */
export function pill(element, kind, text) {
  mark(element, "class", `pill ${kind}`.trim());
  say(element, text);
}

export const count = value => new Intl.NumberFormat("en").format(value);

export function rate(value) {
  if (!value) return "0";
  return value >= 100 ? count(Math.round(value)) : value >= 10 ? value.toFixed(0) : value.toFixed(1);
}

export function time(seconds) {
  if (!seconds) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toPrecision(3).replace(/\.0+$/, "")} ms`;
  return `${seconds.toFixed(2)} s`;
}

/** A configured duration. */
export function span(seconds) {
  for (const [unit, length] of [["h", 3600], ["min", 60]]) {
    if (seconds >= length && seconds % length === 0) return `${seconds / length} ${unit}`;
  }
  return seconds < 1 ? `${seconds * 1000} ms` : `${seconds} s`;
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

export const share = part => `${(part * 100).toFixed(part && part < 0.1 ? 1 : 0)} %`;
