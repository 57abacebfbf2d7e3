// The schedule of a day, and the week of a doctor.

import "./acts.js";
import "./clock.js";
import "./dragging.js";
import "./keys.js";
import "./parts.js";
import "./refresh.js";
import { grid } from "./page.js";
import { firstStop, makeTabStop } from "./stops.js";

// Start at the appointment that the address names, or else at the present time. Only the grid scrolls, so that messages
// stay in view.
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

makeTabStop(firstStop());
begin();
addEventListener("load", begin); // by then the browser has scrolled to what the address names
