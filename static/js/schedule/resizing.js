// Makes an appointment shorter or longer: by dragging its lower edge, or with the keys + and - in steps of five minutes.
// What is shown meanwhile is a preview; the portal checks the new length, and its answer replaces the schedule.

import { shortcutsAreOff } from "../shortcuts.js";
import { press } from "../status-buttons.js";
import { grid } from "./page.js";

const STEP = 5;
const [SHORTEST, LONGEST] = [15, 180]; // minutes; the portal has the rule, this only keeps the preview sensible
const EDGE = 7; // pixels above the lower edge
const SEND_AFTER = 700; // milliseconds after the last key

let resized = null; // { block, from, minutes, startY, perPixel, timer }

export const isResizing = () => resized !== null;

const blockAt = (target) => target.closest?.("#day-grid .block[data-version]");

function minutesOf(block) {
  const styles = getComputedStyle(block);
  return Number(styles.getPropertyValue("--for-h")) * 60 + Number(styles.getPropertyValue("--for-m"));
}

function begin(block) {
  if (resized?.block === block) return;
  cancel();
  const minutes = minutesOf(block);
  resized = { block, from: minutes, minutes };
}

function preview(minutes) {
  const { block } = resized;
  resized.minutes = Math.min(LONGEST, Math.max(SHORTEST, minutes));
  block.style.setProperty("--for-h", "0");
  block.style.setProperty("--for-m", String(resized.minutes));
  block.dataset.resizing = `${resized.minutes} min`;
}

function cancel() {
  if (!resized) return;
  const { block, timer } = resized;
  clearTimeout(timer);
  block.style.removeProperty("--for-h");
  block.style.removeProperty("--for-m");
  delete block.dataset.resizing;
  resized = null;
}

function send() {
  const { block, from, minutes } = resized;
  if (minutes === from) cancel();
  else {
    resized = null; // the preview stays until the answer
    press(`${block.querySelector(".open").href}length/${minutes}/`, block.dataset.version);
  }
}

// With the mouse

const isOnEdge = (block, event) => block.getBoundingClientRect().bottom - event.clientY <= EDGE;

document.addEventListener("pointerdown", (event) => {
  const block = event.button === 0 && event.pointerType === "mouse" && blockAt(event.target);
  if (!block || event.target.closest("button") || !isOnEdge(block, event)) return;
  event.preventDefault();
  begin(block);
  Object.assign(resized, { startY: event.clientY, perPixel: minutesOf(block) / block.offsetHeight });
  block.setPointerCapture(event.pointerId);
});

document.addEventListener("pointermove", (event) => {
  if (resized?.startY === undefined) return;
  const moved = (event.clientY - resized.startY) * resized.perPixel;
  preview(Math.round((resized.from + moved) / STEP) * STEP);
});

document.addEventListener("pointerup", () => {
  if (resized?.startY !== undefined) send();
});
document.addEventListener("pointercancel", cancel);

// Neither is the block dragged, nor its panel opened, where its edge is.
let wasOnEdge = false;
document.addEventListener("mousedown", (event) => {
  const block = blockAt(event.target);
  wasOnEdge = Boolean(block && !event.target.closest("button") && isOnEdge(block, event));
}, true);
for (const kind of ["dragstart", "click"]) {
  document.addEventListener(kind, (event) => {
    if (!wasOnEdge || event.detail === 0 && kind === "click") return; // a click by the keyboard
    event.preventDefault();
    event.stopPropagation();
  }, true);
}

// With the keyboard

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape" && resized) {
    cancel();
    event.preventDefault();
    return;
  }
  const by = { "+": STEP, "=": STEP, "-": -STEP }[event.key];
  const block = by && !shortcutsAreOff() && blockAt(event.target);
  if (!block || !grid()) return;
  event.preventDefault();
  begin(block);
  preview(resized.minutes + by);
  clearTimeout(resized.timer);
  resized.timer = setTimeout(send, SEND_AFTER);
}, true);
