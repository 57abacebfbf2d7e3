// The schedule of a day, and the week of a doctor.

import "./acts.js";
import "./bulk.js";
import "./clock.js";
import "./dragging.js";
import "./keys.js";
import "./panel.js";
import "./menus.js";
import "./parts.js";
import "./refresh.js";
import "./resizing.js";
import { grid } from "./page.js";
import { firstStop, makeTabStop, moveTo } from "./stops.js";

const LOW_WINDOW = matchMedia("(min-width: 36.01rem) and (max-height: 37.49rem)"); // as in schedule/grid.css

// Start at the appointment that the address names, or else at the present time. Only the grid scrolls, so that messages
// stay in view; but in a low window the top bar scrolls away, to leave room for the schedule.
function begin() {
  const named = document.getElementById(location.hash.slice(1));
  const place = named?.closest(".lane") ? named : grid()?.querySelector(".now-line");
  const column = (named ?? grid()?.querySelector("[aria-current=date]"))?.closest(".column");
  if (grid() && place) {
    grid().scrollTop = Math.max(0, place.offsetTop - grid().clientHeight / 3);
  }
  if (grid() && column) grid().scrollLeft = column.offsetLeft - grid().clientWidth / 2;
  if (named?.matches("[data-keys]")) named.querySelector(".open[href]")?.focus({ preventScroll: true });
  const hasMessage = document.querySelector("#messages > *");
  if (grid()) scrollTo(0, LOW_WINDOW.matches && !hasMessage ? document.querySelector(".toolbar").offsetTop : 0);
}

document.querySelector("#counts [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
makeTabStop(firstStop());
begin();
addEventListener("load", begin); // by then the browser has scrolled to what the address names

document.getElementById("skip-to-schedule").addEventListener("click", (event) => {
  event.preventDefault();
  moveTo(firstStop());
});
