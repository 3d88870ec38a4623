// The page: what the server says becomes text, lists and colours, and what people do, commands.

import { Chart } from "./chart.js";
import { Link } from "./link.js";
import { PictureView, color } from "./picture.js";

const STALE_MS = 1000;
const find = (id) => document.getElementById(id);
const state = { hello: null, newest: null, asked: null, saidTimer: 0, session: 0 };

const chart = new Chart(find("chart"), find("legend"));
const view = new PictureView(find("canvas"), find("stage"), { chosen, isFresh: () => age() !== null && age() <= STALE_MS });
const link = new Link({ hello, state: newState, picture, change });

function hello(message) {
  state.hello = message;
  state.session += 1;
  chart.begin(message.bins);
  find("name").textContent = document.title = message.name;
  document.body.classList.toggle("viewing", !message.control);
  for (const id of ["reset", "enable", "target"]) find(id).disabled = !message.control;
  tellView();
}

async function picture(message) {
  message.session = state.session;
  message.came = performance.now();
  try {
    await view.show(message);
    find("canvas").dataset.age = link.now() === null ? "" : link.now() - Number(message.stamp) / 1e6;
  } finally {
    link.send({ type: "seen", n: message.n });
  }
}

function newState(message) {
  state.newest = message;
  chart.add(message.bins);
  showTargets(find("targets"), message.targets);
  find("events").replaceChildren(...[...message.events].reverse().map((event) => {
    const item = document.createElement("li");
    const when = Math.max(0, (message.now - event.at) / 1000);
    item.append(quiet(when < 60 ? `${when.toFixed(0)} s ago` : `${(when / 60).toFixed(0)} min ago`), ` ${event.text}`);
    return item;
  }));
  find("diagnostics").replaceChildren(...message.diagnostics.flatMap(({ task, level, text }) => {
    const term = document.createElement("dt");
    const says = document.createElement("dd");
    term.textContent = task;
    says.textContent = text;
    says.className = ["", "warn", "bad"][Math.min(level, 2)];
    return [term, says];
  }));
  const { last } = message;
  find("last").textContent = last
    ? `${last.who} selected last: '${last.target || "target"}', ${((message.now - last.at) / 1000).toFixed(0)} s ago.` : "";
  const enable = find("enable");
  enable.textContent = message.enabled ? "Tracker is on" : "Tracker is off";
  enable.setAttribute("aria-pressed", message.enabled);
  const { control, you } = state.hello ?? {};
  find("you").textContent = you ? `You are ${find("who").value.trim() || you}.` : "";
  const point = message.abilities.includes("point") ? " Or tap it." : "";
  find("hint").textContent = control === false ? "You may watch, but not select."
    : `Drag a box around what is to be followed.${point} With keys: Enter on the picture, arrows, Shift and arrows, Enter${point && " (or Space: its middle)"}.`;
}

// Lines stay while their target does, so that a button that is being pressed is not exchanged.
function showTargets(element, targets) {
  const lines = new Map([...element.children].map((line) => [line.dataset.id, line]));
  const wanted = targets.map((target) => {
    const line = lines.get(target.id) ?? targetLine(target.id);
    const [name, meter, percent, button] = line.querySelectorAll(".state, meter, .quiet, button");
    name.textContent = target.state;
    name.className = target.state === "TRACKING" ? "state good" : "state bad";
    meter.value = target.score;
    percent.textContent = `${Math.round(100 * target.score)} %`;
    button.disabled = !state.hello?.control;
    return line;
  });
  for (const line of lines.values()) if (!wanted.includes(line)) line.remove();
  wanted.forEach((line, index) => {
    if (element.children[index] !== line) element.insertBefore(line, element.children[index] ?? null);
  });
}

function targetLine(id) {
  const line = document.createElement("li");
  line.dataset.id = id;
  const mark = document.createElement("i");
  mark.style.background = color(id);
  const name = document.createElement("span");
  name.className = "state";
  const meter = document.createElement("meter");
  meter.setAttribute("aria-label", "confidence");
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "Remove";
  remove.setAttribute("aria-label", `Remove ${id || "target"}`);
  remove.onclick = () => tell(link.ask({ kind: "remove", target: id }));
  const label = document.createElement("b");
  label.textContent = label.title = id || "target";
  line.append(mark, label, name, meter, quiet(""), remove);
  return line;
}

function quiet(text) {
  const element = document.createElement("span");
  element.className = "quiet";
  element.textContent = text;
  return element;
}

// Of the picture that is shown, ms; never less than the time since it came. Null without one.
function age() {
  const shown = view.picture;
  if (!shown) return null;
  const now = link.now();
  const byStamp = now === null ? 0 : now - Number(shown.stamp) / 1e6;
  return Math.max(byStamp, performance.now() - shown.came);
}

function chosen(choice) {
  if (!state.hello?.control) return say("You may watch, but not select.", false);
  if (!link.isUp) return say("Not sent: there is no connection.", false);
  const command = {
    kind: choice.kind, numbers: choice.numbers, stamp: choice.stamp, target: find("target").value.trim(), sure: true,
  };
  if (choice.fresh) return tell(link.ask(command));
  state.asked = command;
  find("question").textContent = `The picture is ${seconds(age())} old: what you chose may be elsewhere by now.`;
  find("confirm").hidden = false;
  find("yes").focus();
}

function answered(isSure) {
  const command = state.asked;
  state.asked = null;
  find("confirm").hidden = true;
  find("canvas").focus();
  if (isSure && command) tell(link.ask(command));
}

async function tell(answer) {
  const { ok, text } = await answer;
  say(text, ok);
}

function say(text, ok) {
  const said = find("said");
  said.textContent = text;
  said.className = ok ? "said good" : "said bad";
  clearTimeout(state.saidTimer);
  state.saidTimer = setTimeout(() => (said.textContent = ""), 8000);
}

function change(isUp) {
  if (isUp) tellView();
  else answered(false);
  refresh();
}

function tellView() {
  const width = find("canvas").clientWidth * devicePixelRatio || 640;
  link.send({ type: "view", width: Math.min(width, 1e5), who: find("who").value.trim() });
}

const seconds = (ms) => ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 1000).toFixed(0)} s`;

// What goes on by itself: ages, and whether the connection is there.
function refresh() {
  const badge = find("link");
  badge.textContent = link.isUp ? "connected" : "not connected";
  badge.className = link.isUp ? "badge good" : "badge bad";
  const ms = age();
  const isStale = ms !== null && ms > STALE_MS;
  find("canvas").classList.toggle("stale", isStale);
  document.body.classList.toggle("old", isStale || !link.isUp); // what else is shown is old too
  const overlay = find("overlay");
  overlay.hidden = !isStale;
  if (isStale) {
    const age = seconds(ms);
    overlay.textContent = view.drag ? `held while you draw, ${age} old` : `not live: ${age} old`;
  }
  const label = find("age");
  const spread = link.uncertainty === null ? "" : ` ± ${Math.max(1, link.uncertainty).toFixed(0)} ms`;
  label.textContent = ms === null ? "no picture"
    : isStale ? `${seconds(ms)} old` : `${Math.round(ms)} ms${spread} old`;
  label.className = isStale ? "badge bad" : "badge";
  const words = link.isUp ? [...state.newest?.words ?? []]
    : [{ level: 2, text: "The connection to the page's server is lost: trying again. Nothing that you do now is sent." }];
  if (ms !== null && link.now() !== null && link.now() - Number(view.picture.stamp) / 1e6 < -500) {
    words.push({ level: 1, text: "The camera's clock is ahead of this server's: ages are counted from the arrival." });
  }
  const text = JSON.stringify(words);
  if (find("words").dataset.text !== text) {
    find("words").dataset.text = text;
    find("words").replaceChildren(...words.map(({ level, text }) => {
      const item = document.createElement("li");
      item.className = level > 1 ? "bad" : "warn";
      item.textContent = text;
      return item;
    }));
  }
}

find("yes").onclick = () => answered(true);
find("no").onclick = () => answered(false);
find("reset").onclick = () => tell(link.ask({ kind: "reset" }));
find("enable").onclick = () => tell(link.ask({ kind: "enable", on: !state.newest?.enabled }));
find("who").value = localStorage.getItem("litetrack who") ?? "";
find("who").onchange = () => {
  localStorage.setItem("litetrack who", find("who").value.trim());
  tellView();
};
new ResizeObserver(tellView).observe(find("stage"));
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 100);
setInterval(() => chart.draw(), 500);
