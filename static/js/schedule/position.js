// Replacing parts of the schedule keeps the scroll position and the focus. If the focused stop is gone, the next one is
// focused; also if an action of the user has moved it to another group of the list.

import { setStandIn } from "../shortcuts.js";
import { stopDragging } from "./dragging.js";
import { grid, slotOf } from "./page.js";
import { allStops, firstStop, makeTabStop } from "./stops.js";

let before = null; // the position before the schedule is replaced

function nameOfStop(stop) {
  return stop.closest("[data-keys]")?.id ?? (stop.matches("a") ? slotOf(stop) : stop.value);
}

const groupOf = (stop) => stop.closest("tbody")?.id;

// `actedId` is the id of the appointment that the user has acted on.
export function rememberPosition(actedId = "") {
  const focused = document.activeElement?.closest("#day .free, #day [data-keys]");
  const stops = allStops();
  const names = stops.map(nameOfStop);
  const name = focused && nameOfStop(focused);
  const button = document.activeElement.dataset.ownKey ?? "";
  const { id } = document.activeElement; // of a link in the head of a column
  const place = names.indexOf(name);
  const group = name === actedId ? groupOf(stops[place]) : undefined;
  const others = group ? [...names.slice(place + 1), ...names.slice(0, place).reverse()] : [];
  before = { name, group, others, button, id, place, top: grid()?.scrollTop, left: grid()?.scrollLeft };
}

function nextStop(stops) {
  const byName = new Map(stops.map((stop) => [nameOfStop(stop), stop]));
  const same = byName.get(before.name);
  if (same && (!before.group || groupOf(same) === before.group)) return same;
  return byName.get(before.others.find((name) => byName.has(name))) ?? same ?? stops[before.place] ?? stops.at(-1);
}

export function restorePosition() {
  stopDragging();
  if (grid()) {
    grid().scrollTop = before.top;
    grid().scrollLeft = before.left;
  }
  const stops = allStops();
  const next = before.name && nextStop(stops);
  makeTabStop(next || firstStop());
  const button = next && nameOfStop(next) === before.name
    ? next.closest("[data-keys]")?.querySelector(`[data-own-key="${before.button}"]`) : null;
  if (next) next.focus({ preventScroll: true });
  else if (before.id && document.activeElement.id !== before.id) document.getElementById(before.id)?.focus({ preventScroll: true });
  if (button) button.focus({ preventScroll: true }); // only now that its block has the focus is it shown
  if (next && nameOfStop(next) !== before.name) setStandIn(nameOfStop(next));
  before = null;
}
