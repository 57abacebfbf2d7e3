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
let sent = null; // the block whose new length is on its way

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
  clearTimeout(resized.timer);
  clear(resized.block);
  resized = null;
}

function clear(block) {
  block.removeAttribute("style");
  delete block.dataset.resizing;
}

function send() {
  const { block, from, minutes } = resized;
  if (minutes === from) cancel();
  else {
    sent = block; // the preview stays until the answer
    resized = null;
    press(`${block.querySelector(".open").href}length/${minutes}/`, block.dataset.version);
  }
}

// htmx copies attributes to the element that replaces this one, and the security policy forbids to set a style that way.
for (const answered of ["htmx:beforeSwap", "act:failed"]) {
  document.addEventListener(answered, () => {
    if (sent) clear(sent);
    sent = null;
  });
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

// A press that moved nothing opens the appointment, as anywhere else on it.
document.addEventListener("pointerup", () => {
  if (resized?.startY === undefined) return;
  const { block, from, minutes } = resized;
  send();
  if (minutes === from) block.querySelector(".open").click();
});
document.addEventListener("pointercancel", cancel);

// The browser neither drags the block nor opens it where its edge is.
let wasOnEdge = false;
document.addEventListener("pointerdown", (event) => {
  const block = event.pointerType === "mouse" && blockAt(event.target);
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
  if (sent) return; // the version that this block was shown with is about to change
  begin(block);
  preview(resized.minutes + by);
  clearTimeout(resized.timer);
  resized.timer = setTimeout(send, SEND_AFTER);
}, true);
