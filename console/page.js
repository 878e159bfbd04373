// The page's building blocks: elements that keep their place when what they show changes, and words for what the region
// says. Every text reaches the page as text.

export const byId = (id) => document.getElementById(id);
export const list = (value) => (Array.isArray(value) ? value : []);
export const text = (value, none = "–") => (value === null || value === undefined || value === "" ? none : String(value));

// ---- The page's building blocks -------------------------------------------------------------------------------------

/** A new element with attributes and children; strings become text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
}

export function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

export function setAttribute(element, name, value) {
  if (value === null) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

/** Makes `parent` hold one child per item, in order; children stay with their item's key. */
export function keep(parent, items, keyOf, create, update) {
  const known = (parent.kept ??= new Map());
  const seen = new Set();
  let before = null;
  for (const item of items) {
    let key = String(keyOf(item));
    while (seen.has(key)) key += "'";
    seen.add(key);
    const child = known.get(key) ?? create(item);
    known.set(key, child);
    const next = before ? before.nextSibling : parent.firstChild;
    if (next !== child) parent.insertBefore(child, next);
    update(child, item);
    before = child;
  }
  for (const [key, child] of known) {
    if (!seen.has(key)) {
      child.remove();
      known.delete(key);
    }
  }
}

/** A cell shows a text, or `{text, tone, time, href, press}`. */
export function show(cell, value) {
  const wanted = value !== null && typeof value === "object" ? value : { text: value };
  const kind = wanted.href ? "a" : wanted.press ? "button" : wanted.time ? "time" : "span";
  let inner = cell.firstElementChild;
  if (inner?.localName !== kind) {
    inner = make(kind, kind === "button" ? { type: "button" } : {});
    inner.addEventListener("click", () => inner.press?.());
    cell.replaceChildren(inner);
  }
  inner.press = wanted.press;
  setText(inner, text(wanted.text));
  setAttribute(inner, "data-tone", wanted.tone ?? null);
  setAttribute(inner, "title", wanted.title ?? null);
  if (kind === "a") setAttribute(inner, "href", wanted.href);
  if (kind === "time") setAttribute(inner, "datetime", wanted.time);
}

/** A table whose rows stay with their keys. Columns: `[heading, value of the item, class]`. */
export function table(caption, columns, keyOf) {
  const head = make("tr", {}, ...columns.map(([heading]) => make("th", { scope: "col" }, heading)));
  const body = make("tbody");
  const element = make("div", { class: "wide" }, make("table", {}, make("caption", {}, caption), make("thead", {}, head), body));
  element.update = (items) => {
    element.hidden = items.length === 0;
    keep(
      body,
      items,
      keyOf,
      () => make("tr", {}, ...columns.map(([, , kind]) => make("td", kind ? { class: kind } : {}))),
      (row, item) => columns.forEach(([, value], at) => show(row.children[at], value(item))),
    );
  };
  return element;
}

/** A list of facts: `[name, value]`; those without a value are left out. */
export function facts() {
  const element = make("dl");
  element.update = (pairs) =>
    keep(
      element,
      pairs.filter(([, value]) => value !== null && value !== undefined && value !== ""),
      ([name]) => name,
      ([name]) => make("div", {}, make("dt", {}, name), make("dd")),
      (row, [, value]) => show(row.lastChild, value),
    );
  return element;
}

/** A block with a title and a state beside it. */
export function block(...parts) {
  const [name, state] = [make("h3"), make("span")];
  const element = make("article", {}, make("div", { class: "title" }, name, state), ...parts);
  element.title_is = (title, value) => {
    setText(name, title);
    show(state, value);
  };
  return element;
}

/** Fills a section, and tells when there is nothing. */
export function section(id, items, keyOf, create, update) {
  byId(`${id}-empty`).hidden = items.length > 0;
  keep(byId(id), items, keyOf, create, update);
}

// ---- Words ----------------------------------------------------------------------------------------------------------

const GOOD = /^(ok|running|healthy|inservice|active|successful|.*_complete)$/i;
const BAD = /^(alarm|unhealthy|failed|cancelled|.*_failed|.*rollback.*|active_impaired)$/i;
const QUIET = /^(stopped|terminated|unused|unavailable|delete_complete|detached)$/i;

export function tone(word) {
  return QUIET.test(word) ? "none" : BAD.test(word) ? "bad" : GOOD.test(word) ? "good" : "wait";
}

export function state(word, reason) {
  return word ? { text: reason ? `${word}: ${reason}` : word, tone: tone(word) } : null;
}

export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return `${minutes} min ${seconds % 60} s`;
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function since(iso, ago = "") {
  const then = Date.parse(iso ?? "");
  return Number.isNaN(then) ? null : { text: duration(Date.now() - then) + ago, time: iso, title: new Date(then).toLocaleString() };
}

/** A link where the text is an address of the web; any other text stays a text. */
export function link(value) {
  return /^https?:\/\//i.test(value ?? "") ? { text: value, href: value } : value;
}

export const byName = (of) => (a, b) => text(of(a), "").localeCompare(text(of(b), ""), "en", { numeric: true });
