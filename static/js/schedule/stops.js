// Arrow keys in the schedule. They move between stops: in the grid appointments, free times and unavailable times, in the
// list its rows. Only one stop, with its buttons, can be reached with Tab.

import { grid } from "./page.js";

const OWN_STOPS = ".step, .block-buttons button, .tick input, .tel"; // what can be reached with Tab inside the current stop

const lanes = () => [...document.querySelectorAll("#day-grid .column .lane")];
const stopsIn = (lane) => [...lane.querySelectorAll(":scope > .free, :scope > .unavailable, .open[href]")]
  .map((stop) => ({ stop, place: (stop.closest(".block") ?? stop).offsetTop }))
  .sort((one, other) => one.place - other.place);
const rows = () => [...document.querySelectorAll("#day-list .open[href]")];
export const allStops = () => (grid() ? [...grid().querySelectorAll(".free, .unavailable, .open[href]")] : rows());

export function makeTabStop(current) {
  for (const stop of allStops()) {
    stop.tabIndex = stop === current ? 0 : -1;
    for (const button of stop.closest("[data-keys]")?.querySelectorAll(OWN_STOPS) ?? []) {
      button.tabIndex = stop.tabIndex;
    }
  }
}

export function moveTo(stop) {
  if (!stop) return;
  makeTabStop(stop);
  stop.focus();
  // focus() alone may leave the stop under the column heads or the hours.
  stop.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// The first free time still to come, or else the first stop of the day.
export function firstStop() {
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
  return rows()[rows().indexOf(current) + step];
}

document.addEventListener("keydown", (event) => {
  if (!event.key.startsWith("Arrow") || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
  const focused = event.target.closest("#day .free, #day .unavailable, #day [data-keys]");
  if (!focused && event.target !== document.body) return;
  const current = focused?.matches("[data-keys]") ? focused.querySelector(".open") : focused;
  event.preventDefault();
  if (!current) moveTo(firstStop());
  else moveTo(grid() ? nextInGrid(current, event.key) : nextInList(current, event.key));
});

document.addEventListener("focusin", (event) => {
  const stop = event.target.closest("#day .free, #day .unavailable, #day .open[href]");
  if (stop) makeTabStop(stop);
});
