// Forms: shortcuts for people who fill them in all day. Every form works without this script.

import { REQUEST_FAILURES, showError } from "./messages.js";

// A filter or date picked with the mouse or a finger applies at once. With the keyboard it waits for Enter or the button:
// a date being typed, and a list moved through with the arrow keys, change with every key.
for (const form of document.querySelectorAll("form[data-submit-on-pick]")) {
  let picked = false;
  form.addEventListener("pointerdown", () => { picked = true; });
  form.addEventListener("keydown", () => { picked = false; });
  form.addEventListener("change", (event) => {
    // Choosing a specialization clears the doctor, who may be of another one.
    const { clears } = event.target.dataset;
    if (clears) form.elements[clears].value = "";
    if (picked && !event.target.matches("[type=checkbox]")) form.requestSubmit();
  });
}

// A button pressed twice sends its form once, because only the first answer shows such things as recovery codes. After
// a while the form may be sent again, in case the portal did not answer.
{
  const AGAIN_AFTER = 5000;
  const sent = new WeakMap(); // form -> the button, and when

  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    const last = sent.get(form);
    if (last?.submitter === submitter && event.timeStamp - last.at < AGAIN_AFTER) event.preventDefault();
    else sent.set(form, { submitter, at: event.timeStamp });
  });
}

// Buttons for common lengths, next to the number field.
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

// Text typed while the form is being sent survives its answer, and so does the focus of the field it is typed into.

let sentState = null; // the values of the form and the focused element when it was sent
let isTypingOn = false;
const isField = (element) => element.name && element.matches("input:not([type=hidden], [type=radio]), select, textarea");
const fieldsOf = (form) => [...form.elements].filter(isField);

document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
  if (elt.id !== "slot-form") return;
  sentState = { values: new Map(fieldsOf(elt).map((field) => [field.name, field.value])), focused: document.activeElement };
});

document.addEventListener("htmx:beforeSwap", ({ detail: { requestConfig: { elt }, shouldSwap } }) => {
  if (elt.id !== "slot-form" || !shouldSwap) return;
  const changed = fieldsOf(elt).filter((field) => field.value !== sentState.values.get(field.name));
  const focused = document.activeElement;
  const keepsFocus = fieldsOf(elt).includes(focused) && (focused !== sentState.focused || changed.includes(focused));
  document.addEventListener("htmx:afterSwap", () => carryOver(changed, keepsFocus ? focused.name : ""), { once: true });
});

function carryOver(changed, focusedName) {
  const fields = document.getElementById("slot-form")?.elements;
  for (const { name, value } of changed) if (fields?.[name]) fields[name].value = value;
  isTypingOn = Boolean(fields?.[focusedName]);
  if (!isTypingOn) return;
  for (const each of document.querySelectorAll("main [autofocus]")) each.removeAttribute("autofocus");
  fields[focusedName].focus();
}

// A note typed into a field with `data-saved-as`, such as why an appointment is moved, is saved in this tab while its user
// goes from page to page. The first page without such a field deletes it.
function restoreNotes() {
  const fields = [...document.querySelectorAll("[data-saved-as]")];
  const names = fields.map((field) => field.dataset.savedAs);
  for (const name of Object.keys(sessionStorage)) if (!names.includes(name)) sessionStorage.removeItem(name);
  for (const field of fields) {
    field.value ||= sessionStorage.getItem(field.dataset.savedAs) ?? "";
    storeNote(field); // it may have been typed before this script ran
  }
}

function storeNote(field) {
  if (field.dataset.savedAs) sessionStorage.setItem(field.dataset.savedAs, field.value);
}

document.addEventListener("input", ({ target }) => storeNote(target));

// Focus where something is missing: the first field with an error, or the first empty field of a form that has just been
// opened (`data-begin`).
function focusFirstGap() {
  if (isTypingOn || document.querySelector("main [autofocus]")) return;
  const refused = document.querySelector("main .is-invalid, main [aria-invalid=true]");
  const empty = [...document.querySelectorAll("main [data-begin] input:not([type=hidden])")].find((field) => !field.value);
  const alert = document.querySelector("main form .alert");
  if (alert) alert.tabIndex = -1;
  (refused ?? empty ?? alert)?.focus();
}

// For a new page, and for one that an answer to its form has replaced.
function preparePage() {
  showLengths();
  restoreNotes();
  focusFirstGap();
}

preparePage();
document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target.id === "main") preparePage(); });

// Ctrl+Enter sends the form that has the focus.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.querySelector("[data-default]")?.click();
  }
});

// The down and up arrows move through the matching patients, starting from the search box.
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const box = document.getElementById("patient-query");
  if (!step || !box || !(event.target === box || event.target.closest(".matches"))) return;
  const stops = [box, ...document.querySelectorAll(".matches button")];
  event.preventDefault();
  stops[stops.indexOf(event.target) + step]?.focus();
});

// A form that could not be sent keeps its text. When it is sent again, the portal recognises it by its key or version.

const NOT_ANSWERED = "The portal did not respond. What you typed is still here: send it again, nothing is done twice.";
const NOT_ALLOWED = "The portal refused this. You may have logged in again in another window: reload the page.";

for (const failure of REQUEST_FAILURES) {
  document.addEventListener(failure, ({ detail: { elt, xhr } }) => {
    if (elt.closest("main")) showError(xhr.status === 403 ? NOT_ALLOWED : NOT_ANSWERED);
  });
}
