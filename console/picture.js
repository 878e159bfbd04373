// The picture of a load balancer and what stands behind it: users, the load balancer, and in each zone the instances, which
// come and go while one looks.

import { keep, make, setAttribute, setText, text, tone } from "./page.js";
import { number } from "./charts.js";

const BOXES_MAX = 60;

/** `update({balancer, rate, zones: [{name, instances: [{id, state, said, cpu, press}]}]})`. */
export function picture() {
  const rate = make("span", { class: "rate" });
  const name = make("strong");
  const state = make("span");
  const zones = make("ul", { class: "lanes" });
  const element = make(
    "div",
    { class: "picture" },
    make("div", { class: "stop" }, make("strong", {}, "Users"), rate),
    make("div", { class: "way", "aria-hidden": "true" }),
    make("div", { class: "stop" }, name, state),
    make("div", { class: "way", "aria-hidden": "true" }),
    zones,
  );
  element.update = (seen) => {
    setText(rate, seen.rate === null ? "no requests counted yet" : `${number(seen.rate)} requests a second`);
    setAttribute(element, "data-flows", seen.rate > 0 ? "" : null);
    setText(name, text(seen.balancer.name));
    setText(state, text(seen.balancer.state));
    setAttribute(state, "data-tone", tone(seen.balancer.state ?? ""));
    keep(zones, seen.zones, (zone) => zone.name, lane, (part, zone) => part.update(zone));
  };
  return element;
}

function lane() {
  const [name, boxes, more] = [make("strong"), make("ul", { class: "boxes" }), make("span", { class: "quiet" })];
  const element = make("li", {}, name, boxes, more);
  element.update = (zone) => {
    setText(name, zone.name);
    const shown = zone.instances.slice(0, BOXES_MAX);
    const rest = zone.instances.length - shown.length;
    setText(more, rest > 0 ? `and ${rest} more` : zone.instances.length === 0 ? "no instance" : "");
    keep(boxes, shown, (instance) => instance.id, box, (part, instance) => part.update(instance));
  };
  return element;
}

function box() {
  const [id, word, use] = [make("button", { type: "button" }), make("span"), make("span", { class: "quiet" })];
  const meter = make("meter", { min: "0", max: "100", "aria-hidden": "true" });
  const element = make("li", {}, id, word, meter, use);
  id.addEventListener("click", () => element.press?.());
  element.update = (instance) => {
    element.press = instance.press;
    setText(id, instance.id);
    setAttribute(id, "title", "Show its console output");
    const said = instance.said ?? { text: instance.state, tone: tone(instance.state ?? "") };
    setText(word, text(said.text));
    setAttribute(word, "data-tone", said.tone ?? null);
    setAttribute(word, "title", said.title ?? null);
    setAttribute(element, "data-state", said.tone ?? "none");
    const known = instance.cpu !== undefined && instance.cpu !== null;
    meter.hidden = !known;
    setAttribute(meter, "value", known ? String(Math.min(100, instance.cpu)) : null);
    setText(use, known ? `${number(instance.cpu)} % CPU` : "");
  };
  return element;
}
