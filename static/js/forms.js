// Forms: quicker by hand. Every page works without it.
"use strict";

// A filter or date picked by mouse or finger shows at once. By keyboard it waits for Enter or the button: a date being
// typed, and a list walked through with the arrows, change with every key.
for (const form of document.querySelectorAll("form[data-submit-on-pick]")) {
  let picked = false;
  form.addEventListener("pointerdown", () => { picked = true; });
  form.addEventListener("keydown", () => { picked = false; });
  form.addEventListener("change", (event) => {
    // A choice among many takes back the one of a single one, which it would not go with.
    const { clears } = event.target.dataset;
    if (clears) form.elements[clears].value = "";
    if (picked && !event.target.matches("[type=checkbox]")) form.requestSubmit();
  });
}

// A button pressed twice sends its form once: what only the first answer shows, such as recovery codes, is not missed.
// After a while it may be sent again, should the portal not have answered.
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

// What is typed while the form is under way outlives its answer, and so does the focus of who types.

let underWay = null; // what the form said, and where the focus was, when it left
let typesOn = false;
const isField = (element) => element.name && element.matches("input:not([type=hidden], [type=radio]), select, textarea");
const fieldsOf = (form) => [...form.elements].filter(isField);

document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
  if (elt.id !== "slot-form") return;
  underWay = { said: new Map(fieldsOf(elt).map((field) => [field.name, field.value])), focused: document.activeElement };
});

document.addEventListener("htmx:beforeSwap", ({ detail: { requestConfig: { elt }, shouldSwap } }) => {
  if (elt.id !== "slot-form" || !shouldSwap) return;
  const changed = fieldsOf(elt).filter((field) => field.value !== underWay.said.get(field.name));
  const focused = document.activeElement;
  const goesOn = fieldsOf(elt).includes(focused) && (focused !== underWay.focused || changed.includes(focused));
  document.addEventListener("htmx:afterSwap", () => carryOver(changed, goesOn ? focused.name : ""), { once: true });
});

function carryOver(changed, focusedName) {
  const fields = document.getElementById("slot-form")?.elements;
  for (const { name, value } of changed) if (fields?.[name]) fields[name].value = value;
  typesOn = Boolean(fields?.[focusedName]);
  if (!typesOn) return;
  for (const each of document.querySelectorAll("main [autofocus]")) each.removeAttribute("autofocus");
  fields[focusedName].focus();
}

// What is typed on the way, such as why a visit is moved, stays with its matter from page to page, in this tab. It is
// forgotten on the first page that is about something else.
function keepOnTheWay() {
  const fields = [...document.querySelectorAll("[data-kept-as]")];
  const names = fields.map((field) => field.dataset.keptAs);
  for (const name of Object.keys(sessionStorage)) if (!names.includes(name)) sessionStorage.removeItem(name);
  for (const field of fields) {
    field.value ||= sessionStorage.getItem(field.dataset.keptAs) ?? "";
    keep(field); // it may have been typed before this script ran
  }
}

function keep(field) {
  if (field.dataset.keptAs) sessionStorage.setItem(field.dataset.keptAs, field.value);
}

document.addEventListener("input", ({ target }) => keep(target));

// The keyboard goes on where something is missing: at the first field that was refused, or the first empty one of a form
// that has just been opened (`data-begin`).
function beginTyping() {
  if (typesOn || document.querySelector("main [autofocus]")) return;
  const refused = document.querySelector("main .is-invalid, main [aria-invalid=true]");
  const empty = [...document.querySelectorAll("main [data-begin] input:not([type=hidden])")].find((field) => !field.value);
  const alert = document.querySelector("main form .alert");
  if (alert) alert.tabIndex = -1;
  (refused ?? empty ?? alert)?.focus();
}

// A page as it has come, or come anew in answer to its form.
function beginPage() {
  showLengths();
  keepOnTheWay();
  beginTyping();
}

beginPage();
document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target.id === "main") beginPage(); });

// Ctrl+Enter sends the form one is in.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.querySelector("[data-default]")?.click();
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

// What could not be sent, or was not answered, stays as it was typed. Sent again it is known by its key or its version.

const NOT_ANSWERED = "The portal did not answer. What you typed is still here: send it again, nothing is done twice.";
const NOT_ALLOWED = "The portal refused that. Perhaps you have signed in anew in another window: reload the page.";

function say(text) {
  const message = document.createElement("p");
  message.className = "message error";
  message.setAttribute("role", "alert");
  message.textContent = text;
  document.getElementById("messages").replaceChildren(message);
  message.scrollIntoView({ block: "nearest" });
}

const FAILURES = ["htmx:sendError", "htmx:responseError", "htmx:timeout"];
for (const failure of FAILURES) {
  document.addEventListener(failure, ({ detail: { elt, xhr } }) => {
    if (elt.closest("main")) say(xhr.status === 403 ? NOT_ALLOWED : NOT_ANSWERED);
  });
}
