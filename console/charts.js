// Charts: lines over time with the thresholds of alarms, drawn as SVG. What a line shows last stands beside it in words, so
// that nothing is told by colour or shape alone.

import { keep, make, setAttribute, setText } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [480, 150];
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 8, 8, 20];
const TICKS = 3;

export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
}

/** 1, 2 or 5 times a power of ten, at least as large as the value. */
function round(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value * 0.9999);
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

/** Where the last point of the newest period is; a line ends where its data does. */
function path(points, x, y, gapMs, stepped) {
  let [out, before] = ["", null];
  for (const [at, value] of points) {
    const joined = before !== null && at - before[0] <= gapMs;
    if (joined && stepped) out += `H${x(at).toFixed(1)}`;
    out += `${joined ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    // A point by itself is a short stroke.
    if (!joined) out += "h0.1";
    before = [at, value];
  }
  return out;
}

/**
 * A chart with a title. `update({from, until, period_s}, lines)`: each line has `name`, `points` ([ms, value]), `thresholds`
 * ([{alarm, value, state}]), and may be `stepped`; the first is the main one.
 */
export function chart(title, unit) {
  const grid = draw("g", { class: "grid" });
  const lines = draw("g");
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title }, grid, lines);
  const legend = make("ul", { class: "legend" });
  const empty = make("p", { class: "empty" }, "No data in this time.");
  const element = make("figure", {}, make("figcaption", {}, title), picture, empty, legend);
  element.update = (window, all) => {
    const shown = all.filter((line) => line.points?.length);
    empty.hidden = shown.length > 0;
    picture.toggleAttribute("hidden", shown.length === 0);
    const thresholds = all.flatMap((line) => line.thresholds ?? []);
    const most = Math.max(0, ...shown.flatMap((line) => line.points.map(([, value]) => value)));
    const near = thresholds.filter(({ value }) => value <= Math.max(most * 4, 1)).map(({ value }) => value * 1.1);
    const top = round(Math.max(most, ...near, 0));
    const x = (at) => LEFT + ((at - window.from) / (window.until - window.from)) * (WIDTH - LEFT - RIGHT);
    const y = (value) => TOP + (1 - Math.min(value, top) / top) * (HEIGHT - TOP - BOTTOM);
    drawGrid(grid, window, top, x, y, thresholds.filter(({ value }) => value <= top));
    keep(lines, shown, (line) => line.name, () => draw("path"), (line, item) => {
      setAttribute(line, "d", path(item.points, x, y, window.period_s * 2500, item.stepped));
      setAttribute(line, "class", `line line-${all.indexOf(item)}`);
    });
    describe(legend, all, thresholds, unit);
  };
  return element;
}

function drawGrid(grid, window, top, x, y, thresholds) {
  const rules = Array.from({ length: TICKS }, (_, at) => ({ kind: "rule", value: (top * at) / (TICKS - 1) }));
  const times = [window.from, (window.from + window.until) / 2, window.until];
  const marks = thresholds.map((threshold) => ({ kind: "threshold", ...threshold }));
  keep(grid, [...rules, ...marks, ...times.map((at) => ({ kind: "time", at }))], (item) => `${item.kind} ${item.alarm ?? ""}`, create, (part, item) => {
    const [line, label] = part.children;
    if (item.kind === "time") {
      setText(label, clock(item.at));
      Object.entries({ x: x(item.at), y: HEIGHT - 5, "text-anchor": item.at === window.from ? "start" : item.at === window.until ? "end" : "middle" })
        .forEach(([name, value]) => setAttribute(label, name, String(value)));
      return;
    }
    const at = y(item.value).toFixed(1);
    Object.entries({ x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }).forEach(([name, value]) => setAttribute(line, name, String(value)));
    setAttribute(part, "class", item.kind);
    if (item.kind === "rule") {
      setText(label, number(item.value));
      Object.entries({ x: LEFT - 6, y: Number(at) + 4, "text-anchor": "end" }).forEach(([name, value]) => setAttribute(label, name, String(value)));
    }
  });
}

const create = () => draw("g", {}, draw("line"), draw("text"));

/** What each line shows last, and how the alarms stand. */
function describe(legend, all, thresholds, unit) {
  const words = { OK: "OK", ALARM: "in alarm", INSUFFICIENT_DATA: "too little data" };
  const items = [
    ...all.map((line, at) => ({ key: line.name, mark: `line-${at}`, words: `${line.name} ${number(line.points?.at(-1)?.[1])} ${unit}`.trim() })),
    ...thresholds.map(({ alarm, value, state }) => ({
      key: `alarm ${alarm}`,
      mark: "threshold",
      words: `Alarm at ${number(value)} ${unit}: ${words[state] ?? state}`,
      title: alarm,
    })),
  ];
  keep(legend, items, (item) => item.key, () => make("li", {}, make("i", { "aria-hidden": "true" }), make("span")), (part, item) => {
    setAttribute(part.firstChild, "class", item.mark);
    setText(part.lastChild, item.words);
    setAttribute(part, "title", item.title ?? null);
  });
}
