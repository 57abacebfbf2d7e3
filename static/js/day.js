// The day view, and the week of a doctor: the clock runs on, arrows lead through it, what others change shows by itself, and a visit can be dragged.
"use strict";

const POLL_SECONDS = 10;
const MINUTE = 60000;

let shownAt = Date.now();
const day = () => document.getElementById("day");
const grid = () => document.getElementById("day-grid");

// The clock

function moveClock() {
  const minutes = Math.floor((Date.now() - shownAt) / MINUTE);
  for (const line of document.querySelectorAll(".now-line")) {
    line.style.setProperty("--at", Number(line.dataset.minute) + minutes);
    const label = line.querySelector("span");
    if (!label) continue;
    const [hour, minute] = label.dataset.time.split(":").map((part) => parseInt(part, 10)); // "01:30 WET" on some days
    const clock = hour * 60 + minute + minutes;
    label.textContent = [Math.floor(clock / 60) % 24, clock % 60].map((part) => String(part).padStart(2, "0")).join(":");
  }
  for (const since of document.querySelectorAll("[data-since]")) {
    since.textContent = since.textContent.replace(/\d+/, Number(since.dataset.since) + minutes);
  }
}

// Arrows. What can be stood on: in the grid visits, free times and what says why there are none; in the list its lines.
// One of them is in the order of tabbing, with its buttons.

const lanes = () => [...document.querySelectorAll("#day-grid .column .lane")];
const stopsIn = (lane) => [...lane.querySelectorAll(":scope > .free, :scope > .away, .open[href]")]
  .map((stop) => ({ stop, place: (stop.closest(".block") ?? stop).offsetTop }))
  .sort((one, other) => one.place - other.place);
const lines = () => [...document.querySelectorAll("#day-list .open[href]")];
const allStops = () => (grid() ? [...grid().querySelectorAll(".free, .away, .open[href]")] : lines());

function rove(current) {
  for (const stop of allStops()) {
    stop.tabIndex = stop === current ? 0 : -1;
    for (const button of stop.closest("[data-keys]")?.querySelectorAll(".do button") ?? []) {
      button.tabIndex = stop.tabIndex;
    }
  }
}

function standOn(stop) {
  if (!stop) return;
  rove(stop);
  stop.focus();
  // Columns' heads and the hours cover what merely scrolls into view.
  stop.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// The first free time that is still to come; else where the day begins.
function firstStop() {
  return grid()?.querySelector(".free") ?? grid()?.querySelector(".open[href]") ?? allStops()[0];
}

function nextInGrid(current, key) {
  const all = lanes();
  const lane = current.closest(".lane");
  const stops = stopsIn(lane);
  const at = stops.findIndex(({ stop }) => stop === current);
  if (key === "ArrowUp" || key === "ArrowDown") return stops[at + (key === "ArrowDown" ? 1 : -1)]?.stop;
  const step = key === "ArrowRight" ? 1 : -1;
  for (let place = all.indexOf(lane) + step; all[place]; place += step) {
    const beside = stopsIn(all[place]);
    if (!beside.length) continue;
    const distance = ({ place: top }) => Math.abs(top - stops[at].place);
    return beside.reduce((best, each) => (distance(each) < distance(best) ? each : best)).stop;
  }
  return undefined;
}

function nextInList(current, key) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[key] ?? 0;
  return lines()[lines().indexOf(current) + step];
}

document.addEventListener("keydown", (event) => {
  if (!event.key.startsWith("Arrow") || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
  const inDay = event.target.closest("#day .free, #day .away, #day [data-keys]");
  if (!inDay && event.target !== document.body) return;
  const current = inDay?.matches("[data-keys]") ? inDay.querySelector(".open") : inDay;
  event.preventDefault();
  if (!current) standOn(firstStop());
  else standOn(grid() ? nextInGrid(current, event.key) : nextInList(current, event.key));
});

document.addEventListener("focusin", (event) => {
  const stop = event.target.closest("#day .free, #day .away, #day .open[href]");
  if (stop) rove(stop);
});

// Move and cancel have pages of their own; on a visit their keys lead there.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || keysAreOff()) return;
  const visit = event.target.closest("#day [data-keys][data-version]");
  if (!visit || event.repeat || event.defaultPrevented) return;
  if (event.key === "c") location.assign(`${visit.querySelector(".open").href}cancel/`);
  if (event.key === "m") {
    // A week leads to the day: a visit is moved in the day view.
    const address = new URL(visit.closest("[data-day-url]")?.dataset.dayUrl ?? location.href, location.href);
    address.searchParams.set("move", visit.id.slice(1));
    address.searchParams.delete("layout");
    address.hash = "";
    location.assign(address);
  }
});

// What stays as it was when the day is shown anew: the scrolled place, and what has the focus, or what followed it.

let kept = null;

function nameOfStop(stop) {
  return stop.closest("[data-keys]")?.id ?? stop.dataset.take ?? stop.value;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "day") return;
  const focused = document.activeElement?.closest("#day .free, #day [data-keys]");
  const stops = allStops();
  const names = stops.map(nameOfStop);
  const name = focused && nameOfStop(focused);
  const button = document.activeElement.dataset.ownKey ?? "";
  kept = { name, button, place: names.indexOf(name), top: grid()?.scrollTop, left: grid()?.scrollLeft };
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "day" || !kept) return;
  shownAt = Date.now();
  dragged = null; // what was dragged has gone
  if (grid()) {
    grid().scrollTop = kept.top;
    grid().scrollLeft = kept.left;
  }
  const stops = allStops();
  const again = kept.name && (stops.find((stop) => nameOfStop(stop) === kept.name) ?? stops[kept.place] ?? stops.at(-1));
  rove(again || firstStop());
  const button = again && nameOfStop(again) === kept.name
    ? again.closest("[data-keys]")?.querySelector(`[data-own-key="${kept.button}"]`) : null;
  if (again) (button ?? again).focus({ preventScroll: true });
  if (again && nameOfStop(again) !== kept.name) ledTo = nameOfStop(again);
  kept = null;
});

// What others change. Asking keeps no session alive: it says that nobody need be there.

const MOST_FAILED = 2;
const BACKGROUND = { "X-Background": "1" };
let isAsking = false;
let failed = 0;

async function ask() {
  const shown = day();
  if (document.hidden || isAsking || pressed.length || isDragging()) return;
  isAsking = true;
  try {
    const answer = await fetch(shown.dataset.versionUrl, {
      headers: { ...BACKGROUND, "If-None-Match": `"${shown.dataset.version}"` },
      cache: "no-store",
      redirect: "manual",
    });
    if (answer.type === "opaqueredirect") document.dispatchEvent(new Event("session:ask"));
    failed = answer.status >= 500 ? failed + 1 : 0;
    if (answer.status === 200 && shown === day() && !pressed.length) {
      await inTurn(() => htmx.ajax("GET", shown.dataset.url, { target: "#day", swap: "outerHTML", headers: BACKGROUND }));
    }
  } catch {
    failed += 1;
  } finally {
    isAsking = false;
    document.getElementById("not-live").hidden = failed < MOST_FAILED;
  }
}

setInterval(ask, POLL_SECONDS * 1000);
document.addEventListener("visibilitychange", ask);

// Dragging a visit onto a free time moves it there, as the buttons of moving do.

let dragged = null;
const isDragging = () => dragged !== null;
const targetOf = (event) => (dragged ? event.target.closest?.("a.free") : null);

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".block[data-version]") ?? null;
  if (dragged) event.dataTransfer.effectAllowed = "move";
});
document.addEventListener("dragend", () => { dragged = null; });
document.addEventListener("dragover", (event) => { if (targetOf(event)) event.preventDefault(); });
document.addEventListener("dragenter", (event) => { targetOf(event)?.classList.add("is-target"); });
document.addEventListener("dragleave", (event) => { targetOf(event)?.classList.remove("is-target"); });
document.addEventListener("drop", (event) => {
  const target = targetOf(event);
  if (!target) return;
  event.preventDefault();
  const form = document.getElementById("act").cloneNode(true);
  form.id = "";
  form.action = `${dragged.querySelector(".open").href}move/`;
  for (const [name, value] of [["at", target.dataset.take], ["version", dragged.dataset.version]]) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
});

// Begin at the visit that the address names, else where the day stands. Only the grid scrolls: messages stay in view.
function begin() {
  const named = document.getElementById(location.hash.slice(1));
  const place = named?.closest(".lane") ? named : grid()?.querySelector(".now-line");
  const column = (named ?? grid()?.querySelector("[aria-current=date]"))?.closest(".column");
  if (grid() && place) {
    grid().scrollTop = Math.max(0, place.offsetTop - grid().clientHeight / 3);
  }
  if (grid() && column) grid().scrollLeft = column.offsetLeft - grid().clientWidth / 2;
  if (named?.matches("[data-keys]")) named.querySelector(".open[href]")?.focus({ preventScroll: true });
  if (grid()) scrollTo(0, 0);
}

rove(firstStop());
begin();
addEventListener("load", begin); // the browser has gone to what the address names by then
setInterval(moveClock, MINUTE / 4);
