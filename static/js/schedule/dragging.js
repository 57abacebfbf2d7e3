// Dragging an appointment onto a free time moves it there, as the Move button does.

import { slotOf } from "./page.js";

let dragged = null;

export const isDragging = () => dragged !== null;

// For when the schedule is replaced, and the dragged element with it.
export function stopDragging() {
  dragged = null;
}

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
  for (const [name, value] of [["at", slotOf(target)], ["version", dragged.dataset.version]]) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
});
