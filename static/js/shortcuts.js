// Single-key shortcuts. `data-key` names the key of a button, link or field of the page; `data-own-key` the key of one
// inside the row or block (`data-keys`) that has the focus, which comes first.

const APPOINTMENT_KEYS = ["a", "s", "d", "n", "l"];
const keysDialog = document.getElementById("keys");
const singleKeys = document.getElementById("single-keys");

const isDialogOpen = () => document.querySelector("dialog[open]") !== null;

// Pages without the list of keys, such as pages to print, have few keys and no way to turn them off. While a form is
// being sent, with the focus on a disabled button, a letter must not leave the page.
export function shortcutsAreOff() {
  return isDialogOpen() || singleKeys?.checked === false || document.querySelector("form.htmx-request") !== null;
}

function isTyping(element) {
  return element.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
}

// On a button of a form that is being filled in, a stray letter must not leave the page.
function isFillingIn(element) {
  return isTyping(element) || element.closest("main form[method=post]");
}

// The id of the appointment that got the focus because the one acted on has left the list. Until the focus moves on,
// undo is about the one that left.
let standInId = "";

export function setStandIn(id) {
  standInId = id;
}

document.addEventListener("focusin", (event) => {
  if (event.target.closest("[data-keys]")?.id !== standInId) standInId = "";
});

function nameOf(event) {
  if (event.key.startsWith("Arrow")) return event.shiftKey ? `Shift+${event.key}` : "";
  return event.key.length === 1 ? event.key.toLowerCase() : "";
}

function firstShown(selector) {
  return [...document.querySelectorAll(selector)].find((element) => element.checkVisibility());
}

// The message is about what was done last, which is not always the status: a walk-in has arrived, but was booked, too.
function undoOfMessageAbout(appointment) {
  const id = appointment.dataset.appointment ?? appointment.id.slice(1); // of the panel, or of a block or row
  return firstShown(`#messages [data-key="u"][formaction*="/${id}/"]`);
}

// One that has left the page cannot have the focus any more: then the key is about it.
function isMessageAboutAnother(appointment) {
  if (appointment.id === standInId) return false;
  const action = firstShown("#messages [data-key=u]")?.getAttribute("formaction") ?? "";
  const [, id] = action.match(/\/appointments\/(\d+)\//) ?? [];
  return document.querySelector(`#v${id}, #appointment-${id}`) !== null;
}

function elementFor(key, focused) {
  const named = CSS.escape(key);
  const appointment = focused.closest("[data-keys]");
  const said = key === "u" && appointment ? undoOfMessageAbout(appointment) : null;
  if (said) return said;
  const own = key === "u" && appointment?.id === standInId ? null : appointment?.querySelector(`[data-own-key="${named}"]`);
  if (own || (appointment && APPOINTMENT_KEYS.includes(key))) return own;
  if (key === "u" && appointment && isMessageAboutAnother(appointment)) return null;
  return firstShown(`main [data-key="${named}"]`)
    ?? firstShown(`[data-key="${named}"]`);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (shortcutsAreOff() || isFillingIn(event.target)) return;
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

// Escape follows the link that leaves the page's task, such as Back. The last one is that of the panel, which lies on top.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !isDialogOpen() && !isTyping(event.target)) {
    [...document.querySelectorAll("[data-escape]")].at(-1)?.click();
  }
});
