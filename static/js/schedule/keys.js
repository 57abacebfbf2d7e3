// The keys c and m on an appointment open its pages to cancel and to move it.

import { shortcutsAreOff } from "../shortcuts.js";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || shortcutsAreOff()) return;
  const appointment = event.target.closest("#day [data-keys][data-version]");
  if (!appointment || event.repeat || event.defaultPrevented) return;
  if (event.key === "c") location.assign(`${appointment.querySelector(".open").href}cancel/`);
  if (event.key === "m") {
    // Appointments are moved in the day view, so a week goes there.
    const address = new URL(appointment.closest("[data-day-url]")?.dataset.dayUrl ?? location.href, location.href);
    address.searchParams.set("move", appointment.id.slice(1));
    address.searchParams.delete("layout");
    address.hash = "";
    location.assign(address);
  }
});
