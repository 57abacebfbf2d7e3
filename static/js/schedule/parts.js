// Replaces parts of the schedule by new ones with the same ids, or the schedule as a whole.

import { markShown } from "./clock.js";
import { nameStops } from "./names.js";
import { schedule } from "./page.js";
import { rememberPosition, restorePosition } from "./position.js";
import { rememberTicks, restoreTicks } from "./ticks.js";

// For a part of the schedule that is new on the page.
function begin(part) {
  markShown(part);
  nameStops(part);
}

export function replaceParts(html) {
  const { body } = new DOMParser().parseFromString(html, "text/html"); // in which no script runs
  const { etag } = body.querySelector("[data-etag]").dataset; // not of the header: proxies that compress change that
  rememberPosition();
  rememberTicks();
  for (const part of Array.from(body.children)) {
    document.getElementById(part.id)?.replaceWith(part);
    begin(part);
  }
  schedule().dataset.etag = etag;
  restoreTicks();
  restorePosition();
  document.dispatchEvent(new Event("schedule:replaced"));
}

// The answer to a button replaces the schedule by htmx.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "day") return;
  rememberPosition(`v${event.detail.requestConfig.path.split("/").at(-3)}`); // …/appointments/7/arrive/
  rememberTicks();
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "day") return; // it is sent for each element that the answer replaces
  begin(schedule());
  restoreTicks();
  restorePosition();
});

begin(schedule());
