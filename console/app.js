// The console: asks the region for its state once a second while the page is seen, and shows it. It changes only what
// has changed, so that scrolling, selections and the focus stay. Every text reaches the page as text.
// It never changes anything in the region.

import { chart } from "./charts.js";
import { block, byId, byName, facts, keep, link, list, make, section, setAttribute, setText, show, since, state, table, text, tone } from "./page.js";
import { picture } from "./picture.js";

const REFRESH_MS = 1000;
const PATIENCE_MS = 5000;
const CONSOLE_CHARS_MAX = 256 * 1024;
const PIPS_MAX = 50;

/** What `charts` last answered. */
let drawn = null;

const none = { points: [], thresholds: [] };
const line = (name, series, more = {}) => ({ name, ...(series ?? none), ...more });

// ---- Zones and their instances --------------------------------------------------------------------------------------

/** What target groups and Auto Scaling groups say about each instance. */
function healths(status) {
  const said = new Map();
  const say = (id, word, reason, where) => said.set(id, [...(said.get(id) ?? []), { word, reason, where }]);
  for (const balancer of list(status.load_balancers)) {
    for (const group of list(balancer.target_groups)) {
      list(group.targets).forEach((target) => say(target.id, target.state, target.reason, group.name));
    }
  }
  for (const group of list(status.groups)) {
    list(group.instances)
      .filter((instance) => !said.has(instance.id) || !/^healthy$/i.test(instance.health ?? ""))
      .forEach((instance) => say(instance.id, instance.health?.toLowerCase(), null, group.name));
  }
  return said;
}

function health(said) {
  if (!said?.length) return null;
  const rank = { bad: 0, wait: 1, none: 2, good: 3 };
  const worst = [...said].sort((a, b) => rank[tone(a.word ?? "")] - rank[tone(b.word ?? "")])[0];
  const title = said.map(({ word, reason, where }) => `${text(where)}: ${text(word)}${reason ? ` (${reason})` : ""}`).join("\n");
  return { ...state(worst.word), title };
}

function zoneBlock() {
  const [about, empty] = [facts(), make("p", { class: "empty" }, "No instance is here.")];
  const instances = table(
    "Instances",
    [
      ["Instance", (i) => ({ text: i.id, press: () => openConsole(i.id), title: "Show its console output" })],
      ["State", (i) => state(i.state)], ["Health", (i) => i.said], ["Type", (i) => i.type],
      ["Address", (i) => i.address, "mono"], ["Up", (i) => (i.state === "running" ? since(i.launch_time) : null)],
    ],
    (i) => i.id,
  );
  const element = block(about, empty, instances);
  element.update = (zone) => {
    const running = zone.instances.filter((i) => i.state === "running").length;
    element.title_is(zone.name, `${running} running`);
    about.update(zone.fronts.map(({ name, front }) => [`${name} listens at`, front]));
    instances.update(zone.instances);
    empty.hidden = zone.instances.length > 0;
  };
  return element;
}

/** Instances with what is said of them, and which of them are coming to or leaving a group. */
const seen = { instances: [], moving: new Set() };

function look(status) {
  const said = healths(status);
  const order = byName((i) => i.id);
  const members = list(status.groups).flatMap((group) => list(group.instances));
  const lifecycle = new Map(members.map((member) => [member.id, member.lifecycle_state]));
  seen.moving = new Set(members.filter((member) => member.lifecycle_state !== "InService").map((member) => member.id));
  seen.instances = [...list(status.instances)].sort(order).map((instance) => {
    const coming = seen.moving.has(instance.id) ? state(lifecycle.get(instance.id)) : null;
    return { ...instance, said: health(said.get(instance.id)) ?? coming };
  });
}

function showZones(status) {
  const zones = new Map();
  const zone = (name) => {
    const key = text(name, "no zone");
    zones.set(key, zones.get(key) ?? { name: key, instances: [], fronts: [] });
    return zones.get(key);
  };
  for (const balancer of list(status.load_balancers)) {
    list(balancer.zones).forEach((node) => zone(node.zone).fronts.push({ name: balancer.name, front: node.front }));
  }
  // Those that are gone come last.
  const order = byName((i) => `${i.state === "terminated" ? 1 : 0} ${i.id}`);
  [...seen.instances].sort(order).forEach((instance) => zone(instance.zone).instances.push(instance));
  const sorted = [...zones.values()].sort(byName((z) => z.name));
  section("zones", sorted, (z) => z.name, zoneBlock, (element, z) => element.update(z));
}

// ---- Load balancers -------------------------------------------------------------------------------------------------

function balancerBlock() {
  const [about, view] = [facts(), picture()];
  const [requests, latency] = [chart("Requests a second", "/s"), chart("Latency", "ms")];
  const listeners = table(
    "Listeners",
    [
      ["Port", (l) => l.port], ["Protocol", (l) => l.protocol], ["Does", (l) => l.action],
      ["Address", (l) => link(l.url)],
    ],
    (l) => l.port,
  );
  const groups = make("div");
  const element = block(view, make("div", { class: "charts" }, requests, latency), about, listeners, groups);
  element.update = (balancer) => {
    const series = drawn?.load_balancers[balancer.name] ?? {};
    view.update({ balancer, rate: series.requests?.points.at(-1)?.[1] ?? null, zones: lanes(balancer) });
    if (drawn) {
      requests.update(drawn, [
        line("Requests", series.requests), line("5xx of targets", series.target_errors), line("5xx of the load balancer", series.own_errors),
      ]);
      latency.update(drawn, [line("p99", series.p99), line("p50", series.p50)]);
    }
    element.title_is(text(balancer.name), state(balancer.state, balancer.reason));
    const fronts = list(balancer.zones).map((node) => [`In ${node.zone}`, node.front]);
    about.update([["Address", link(balancer.url) ?? "It has no listener."], ["Name", balancer.dns_name], ...fronts]);
    listeners.update(list(balancer.listeners));
    keep(groups, list(balancer.target_groups), (g) => g.name, targetGroup, (part, g) => part.update(list(g.targets)));
  };
  return element;
}

/** Its zones, with the instances that are its targets and those that are on their way to be. */
function lanes(balancer) {
  const targets = new Set(list(balancer.target_groups).flatMap((group) => list(group.targets)).map((target) => target.id));
  const zones = new Map(list(balancer.zones).map((node) => [node.zone, { name: node.zone, instances: [] }]));
  for (const instance of seen.instances) {
    if (instance.state === "terminated" || !(targets.has(instance.id) || seen.moving.has(instance.id))) continue;
    zones.get(instance.zone)?.instances.push({ ...instance, cpu: drawn?.cpu[instance.id], press: () => openConsole(instance.id) });
  }
  return [...zones.values()].sort(byName((zone) => zone.name));
}

function targetGroup(group) {
  const empty = make("p", { class: "empty" }, `Target group ${text(group.name)} has no target.`);
  const targets = table(
    `Target group ${text(group.name)}`,
    [
      ["Target", (t) => t.id, "mono"], ["Port", (t) => t.port], ["Zone", (t) => t.zone],
      ["Health", (t) => state(t.state, t.reason)],
    ],
    (t) => `${t.id}:${t.port}`,
  );
  const element = make("div", {}, empty, targets);
  element.update = (items) => {
    empty.hidden = items.length > 0;
    targets.update([...items].sort(byName((t) => t.id)));
  };
  return element;
}

// ---- Auto Scaling groups --------------------------------------------------------------------------------------------

function groupBlock() {
  const [about, pips] = [make("p"), make("div", { class: "pips", "aria-hidden": "true" })];
  const [cpu, capacity] = [chart("Processor use", "%"), chart("Capacity", "instances")];
  const instances = table(
    "Instances",
    [
      ["Instance", (i) => i.id, "mono"], ["Zone", (i) => i.zone], ["Lifecycle", (i) => state(i.lifecycle_state)],
      ["Health", (i) => state(i.health)],
    ],
    (i) => i.id,
  );
  const [feed, empty] = [make("ol", { class: "feed", tabindex: "0", "aria-label": "Activities" }), make("p", { class: "empty" }, "Nothing has happened.")];
  const element = block(about, pips, make("div", { class: "charts" }, cpu, capacity), instances, make("h4", {}, "Activities"), empty, feed);
  element.update = (group) => {
    const members = [...list(group.instances)].sort(byName((i) => i.id));
    const serving = members.filter((i) => i.lifecycle_state === "InService").length;
    element.title_is(text(group.name), { text: `${serving} of ${group.desired} in service`, tone: serving === group.desired ? "good" : "wait" });
    setText(about, `At least ${group.min}, wanted ${group.desired}, at most ${group.max}.`);
    if (drawn) {
      const series = drawn.groups[group.name] ?? {};
      cpu.update(drawn, [line("Average", series.cpu)]);
      capacity.update(drawn, [line("In service", series.in_service, { stepped: true }), line("Wanted", series.desired, { stepped: true })]);
    }
    showPips(pips, group, serving, members.length - serving);
    instances.update(members);
    const activities = list(group.activities);
    [feed.hidden, empty.hidden] = [activities.length === 0, activities.length > 0];
    showFeed(feed, activities, (a) => `${a.time} ${a.description}`, (a) => ({
      time: a.time,
      what: a.description,
      state: state(a.status),
      cause: a.cause,
    }));
  };
  return element;
}

function showPips(pips, group, serving, moving) {
  const count = Math.min(PIPS_MAX, Math.max(group.max, serving + moving));
  const kind = (at) => (at < serving ? "serving" : at < serving + moving ? "moving" : at < group.desired ? "wanted" : "room");
  keep(pips, Array.from({ length: count }, (_, at) => at), (at) => at, () => make("span"), (pip, at) => setAttribute(pip, "data-pip", kind(at)));
}

/** Newest first. */
function showFeed(feed, items, keyOf, say) {
  const create = () => make("li", {}, make("span"), " ", make("span"), " ", make("span"), make("div", { class: "cause" }));
  keep(feed, items, keyOf, create, (row, item) => {
    const said = say(item);
    const [time, what, state, cause] = row.children;
    show(time, since(said.time, " ago") ?? said.time);
    show(what, said.what);
    show(state, said.state);
    setText(cause, text(said.cause, ""));
    cause.hidden = !said.cause;
  });
}

// ---- Stacks ---------------------------------------------------------------------------------------------------------

function stackBlock() {
  const [outputs, count] = [facts(), make("summary")];
  const resources = table(
    "Resources",
    [
      ["Name", (r) => r.logical_id], ["Type", (r) => r.type], ["Id", (r) => r.physical_id, "mono"],
      ["Status", (r) => state(r.status, r.reason)],
    ],
    (r) => r.logical_id,
  );
  const feed = make("ol", { class: "feed", tabindex: "0", "aria-label": "Events" });
  const element = block(outputs, make("details", {}, count, resources), make("details", {}, make("summary", {}, "Events"), feed));
  element.update = (stack) => {
    element.title_is(text(stack.name), state(stack.status, stack.reason));
    outputs.update(list(stack.outputs).map((output) => [output.key, link(output.value)]));
    const all = list(stack.resources);
    const ready = all.filter((r) => /^(CREATE|UPDATE|IMPORT)_COMPLETE$/.test(r.status ?? "")).length;
    setText(count, `Resources: ${ready} of ${all.length} ready`);
    resources.update(all);
    showFeed(feed, list(stack.events), (e) => `${e.time} ${e.logical_id} ${e.status}`, (e) => ({
      time: e.time,
      what: `${text(e.logical_id)} (${text(e.type)})`,
      state: state(e.status),
      cause: e.reason,
    }));
  };
  return element;
}

// ---- Alarms ---------------------------------------------------------------------------------------------------------

const alarms = table(
  "Alarms",
  [["Alarm", (a) => a.name], ["State", (a) => state(a.state)], ["Since", (a) => since(a.since)], ["Why", (a) => a.reason]],
  (a) => a.name,
);

function showAlarms() {
  const all = list(drawn?.alarms);
  section("alarms", all.length ? [all] : [], () => "all", () => alarms, (element, items) => element.update(items));
}

// ---- The whole page -------------------------------------------------------------------------------------------------

/** Targets that are instances do not say their zone; the instances do. */
function placeTargets(status) {
  const zones = new Map(list(status.instances).map((instance) => [instance.id, instance.zone]));
  const groups = list(status.load_balancers).flatMap((balancer) => list(balancer.target_groups));
  groups.flatMap((group) => list(group.targets)).forEach((target) => (target.zone ??= zones.get(target.id)));
}

function render(status) {
  placeTargets(status);
  setText(byId("region"), text(status.region, ""));
  setText(byId("endpoint"), text(status.endpoint, ""));
  document.title = `Allod ${text(status.region, "")}`;
  look(status);
  showZones(status);
  showAlarms();
  section("balancers", list(status.load_balancers), (b) => b.dns_name ?? b.name, balancerBlock, (element, b) => element.update(b));
  section("groups", list(status.groups), (g) => g.name, groupBlock, (element, g) => element.update(g));
  section("stacks", list(status.stacks), (s) => s.id ?? s.name, stackBlock, (element, s) => element.update(s));
  byId("main").hidden = false;
}

// ---- Asking ---------------------------------------------------------------------------------------------------------

/** A failure that the region itself has told. */
class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, read) {
  const answer = await fetch(path, { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.ok) return read(answer);
  const body = await answer.text();
  let message = body.trim();
  try {
    message = JSON.parse(body).message ?? message;
  } catch {
    // It is no JSON: the text is the message.
  }
  throw new Refused(answer.status, message);
}

let lastAnswer = null;
let asking = false;

function contact(words, kind) {
  setText(byId("contact"), words);
  setAttribute(byId("contact"), "data-tone", kind);
}

function notice(words) {
  // Said once, not once a second.
  setText(byId("notice"), words);
  byId("notice").hidden = words === "";
  setAttribute(byId("main"), "data-old", words === "" ? null : "");
}

function explain(error) {
  const seen = lastAnswer ? ` What you see is from ${lastAnswer.toLocaleTimeString()}.` : "";
  if (error instanceof Refused && [400, 401, 403].includes(error.status)) {
    contact("Not let in", "bad");
    notice(`This browser was not let in yet. Open the console's address that "allod status" prints. (${error.message})`);
  } else if (error instanceof Refused) {
    contact("The region reports an error", "bad");
    notice(`The region answers ${error.status}: ${error.message}.${seen}`);
  } else if (error instanceof SyntaxError || error.fromPage) {
    contact("Not understood", "bad");
    notice(`The region's answer is not understood: ${error.message}.${seen}`);
  } else {
    contact("Unreachable", "bad");
    notice(`The region does not answer. Instances and load balancers go on without it; "allod serve" or "make up" starts it again.${seen}`);
  }
}

async function refresh() {
  if (asking || document.visibilityState !== "visible") return;
  asking = true;
  try {
    const [status, charts] = await Promise.all([
      ask("status", (answer) => answer.json()),
      ask(`charts?span=${byId("span").value}`, (answer) => answer.json()),
    ]);
    drawn = charts;
    try {
      render(status);
    } catch (error) {
      error.fromPage = true;
      throw error;
    }
    lastAnswer = new Date();
    contact("Live", "good");
    const failing = Object.entries(status.failing ?? {});
    notice(failing.map(([process, why]) => `"allod ${process}" does not start: ${why}. "allod logs ${process}" tells more.`).join(" "));
  } catch (error) {
    explain(error);
  } finally {
    asking = false;
  }
}

// ---- An instance's console ------------------------------------------------------------------------------------------

let consoleOf = null;

function openConsole(id) {
  consoleOf = id;
  setText(byId("console-title"), `Console of ${id}`);
  setText(byId("console-note"), "Asking");
  setText(byId("console-text"), "");
  byId("console").showModal();
  refreshConsole();
}

/** Without what a terminal would act on. */
function printable(output) {
  return output.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\r\n?/g, "\n").replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
}

async function refreshConsole() {
  const id = consoleOf;
  if (id === null || document.visibilityState !== "visible") return;
  try {
    const output = await ask(`console-output/${encodeURIComponent(id)}`, (answer) => answer.text());
    if (id !== consoleOf) return;
    const shown = byId("console-text");
    const atEnd = shown.scrollHeight - shown.scrollTop - shown.clientHeight < 24;
    setText(shown, printable(output).slice(-CONSOLE_CHARS_MAX));
    setText(byId("console-note"), output === "" ? "It has written nothing yet." : "");
    if (atEnd) shown.scrollTop = shown.scrollHeight;
  } catch (error) {
    if (id === consoleOf) {
      const [told, absent] = [error instanceof Refused, "This region does not show consoles in a browser."];
      const why = told ? (error.status === 404 ? absent : error.message) : "The region does not answer.";
      setText(byId("console-note"), `${why} In a terminal: allod console-output ${id}`);
    }
  }
}

byId("console").addEventListener("close", () => {
  consoleOf = null;
});
document.addEventListener("visibilitychange", refresh);
byId("span").addEventListener("change", refresh);
setInterval(refresh, REFRESH_MS);
setInterval(refreshConsole, 2 * REFRESH_MS);
refresh();
