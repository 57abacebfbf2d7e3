// Single keys. `data-key` names the key of a button, link or field of the page; `data-own-key` that of one inside the
// line or block (`data-keys`) that has the focus, which comes first.
"use strict";

const VISIT_KEYS = ["a", "s", "d", "n"];
const keysDialog = document.getElementById("keys");
const singleKeys = document.getElementById("single-keys");

const isDialogOpen = () => document.querySelector("dialog[open]") !== null;

// A page without the list of keys, such as one to print, has no way to turn them off, and few. While a form is under
// way, with the focus on a button that takes nothing, a letter must not lead away from it.
function keysAreOff() {
  return isDialogOpen() || singleKeys?.checked === false || document.querySelector("form.htmx-request") !== null;
}

function isTyping(element) {
  return element.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
}

// On a button of a form that is being filled in, a stray letter must not lead away from it.
function isFillingIn(element) {
  return isTyping(element) || element.closest("main form[method=post]");
}

// The id of the visit to which the page has led the focus, because the one acted on has left the list, until one goes
// elsewhere. Undo is then about the one that has left.
let ledTo = "";
document.addEventListener("focusin", (event) => {
  if (event.target.closest("[data-keys]")?.id !== ledTo) ledTo = "";
});

function nameOf(event) {
  if (event.key.startsWith("Arrow")) return event.shiftKey ? `Shift+${event.key}` : "";
  return event.key.length === 1 ? event.key.toLowerCase() : "";
}

function firstShown(selector) {
  return [...document.querySelectorAll(selector)].find((element) => element.checkVisibility());
}

function elementFor(key, focused) {
  const named = CSS.escape(key);
  const visit = focused.closest("[data-keys]");
  const own = key === "u" && visit?.id === ledTo ? null : visit?.querySelector(`[data-own-key="${named}"]`);
  if (own || (visit && VISIT_KEYS.includes(key))) return own;
  return firstShown(`main [data-key="${named}"]`)
    ?? firstShown(`[data-key="${named}"]`);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (keysAreOff() || isFillingIn(event.target)) return;
  const key = nameOf(event);
  const element = key && elementFor(key, event.target);
  if (!element) return;
  event.preventDefault();
  if (isTyping(element)) element.select();
  else element.click();
});

if (keysDialog) {
  const button = document.getElementById("keys-button");
  button.hidden = false;
  button.addEventListener("click", () => keysDialog.showModal());
  singleKeys.checked = localStorage.getItem("single-keys") !== "off";
  singleKeys.addEventListener("change", () => {
    localStorage.setItem("single-keys", singleKeys.checked ? "on" : "off");
  });
}

// Escape leaves what has a way out.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !isDialogOpen() && !isTyping(event.target)) {
    document.querySelector("[data-escape]")?.click();
  }
});
