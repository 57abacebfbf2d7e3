// What makes the portal quicker by hand; every page works without it.
"use strict";

// A filter or date picked by mouse or finger shows at once. By keyboard it waits for Enter or the button: a date being
// typed, and a list walked through with the arrows, change with every key.
for (const form of document.querySelectorAll("form[data-submit-on-pick]")) {
  let picked = false;
  form.addEventListener("pointerdown", () => { picked = true; });
  form.addEventListener("keydown", () => { picked = false; });
  form.addEventListener("change", () => { if (picked) form.requestSubmit(); });
}

// Lengths to click beside the number.
function showLengths() {
  for (const lengths of document.querySelectorAll(".lengths")) lengths.hidden = false;
}

document.addEventListener("click", (event) => {
  const minutes = event.target.dataset.minutes;
  if (!minutes) return;
  const field = document.getElementById("id_duration_minutes");
  field.value = minutes;
  field.dispatchEvent(new Event("change", { bubbles: true }));
});

// The keyboard goes on where something is missing: at the first field that was refused, or the first empty one of a form
// that has just been opened (`data-begin`).
function beginTyping() {
  if (document.querySelector("main [autofocus]")) return;
  const refused = document.querySelector("main .is-invalid, main [aria-invalid=true]");
  const empty = [...document.querySelectorAll("main [data-begin] input:not([type=hidden])")].find((field) => !field.value);
  (refused ?? empty)?.focus();
}

// A page as it has come, or come anew in answer to its form.
function beginPage() {
  showLengths();
  beginTyping();
}

beginPage();
document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target.id === "main") beginPage(); });

// A form that is being answered takes nothing, so its box of patients asks nothing either.
document.addEventListener("htmx:beforeRequest", (event) => { if (event.detail.elt.disabled) event.preventDefault(); });

// Keys. `data-key` names the key of a button, link or field of the page; `data-own-key` that of one inside the line or
// block (`data-keys`) that has the focus, which comes first.

const VISIT_KEYS = ["a", "s", "d", "n"];
const keysDialog = document.getElementById("keys");
const singleKeys = document.getElementById("single-keys");

// A page without the list of keys, such as one to print, has no way to turn them off, and few. While a form is being
// answered its fields take nothing, and what is typed meanwhile must not lead away from it.
function keysAreOff() {
  return keysDialog?.open || singleKeys?.checked === false || document.querySelector("form.htmx-request") !== null;
}

function isTyping(element) {
  return element.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
}

// On a button of a form that is being filled in, a stray letter must not lead away from it.
function isFillingIn(element) {
  return isTyping(element) || element.closest("main form[method=post]");
}

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
  const own = visit?.querySelector(`[data-own-key="${named}"]`);
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

// Ctrl+Enter sends the form one is in; Escape leaves what has a way out.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.querySelector("[data-default]")?.click();
  }
  if (event.key === "Escape" && !event.defaultPrevented && !keysDialog?.open && !isTyping(event.target)) {
    document.querySelector("[data-escape]")?.click();
  }
});

// Down and up lead through the patients found, from the box they were typed into.
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const box = document.getElementById("patient-query");
  if (!step || !box || !(event.target === box || event.target.closest(".matches"))) return;
  const stops = [box, ...document.querySelectorAll(".matches button")];
  event.preventDefault();
  stops[stops.indexOf(event.target) + step]?.focus();
});

// Buttons that change a visit. Where the page says what an answer replaces (#answers), they are sent one after the
// other, each as it was when it was pressed; the same one twice is sent once. The form itself is left out of it: htmx
// would send each to the address of the button that was pressed last.

const act = document.getElementById("act");
const answers = document.getElementById("answers");
const pressed = []; // { url, version }, in order of pressing
let isSending = false;

function say(text) {
  const message = document.createElement("p");
  message.className = "message error";
  message.setAttribute("role", "alert");
  message.textContent = text;
  document.getElementById("messages").replaceChildren(message);
}

async function sendPressed() {
  if (isSending) return;
  isSending = true;
  const target = answers.getAttribute("hx-select");
  while (pressed.length) {
    const { url, version } = pressed[0];
    const values = { ...Object.fromEntries(new FormData(act)), version };
    await htmx.ajax("POST", url, { source: answers, target, swap: "outerHTML", values }).catch(() => {});
    pressed.shift();
  }
  isSending = false;
}

act?.addEventListener("submit", (event) => {
  if (!answers) return; // a whole page is the answer: the browser sends it
  event.preventDefault();
  const { formAction: url, value: version } = event.submitter;
  if (pressed.some((each) => each.url === url && each.version === version)) return;
  pressed.push({ url, version });
  sendPressed();
});

for (const failure of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(failure, (event) => {
    if (event.detail.elt !== answers) return;
    pressed.length = 0;
    say("That was not carried out. Look at the visits again and repeat it.");
    document.dispatchEvent(new Event("act:failed"));
  });
}
