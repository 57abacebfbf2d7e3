// The panel beside the schedule: a click or Enter on an appointment opens it there, with its own address, so that Back,
// Reload and a bookmark work. Without this script the same link opens the appointment's page.

import { shortcutsAreOff } from "../shortcuts.js";
import { schedule } from "./page.js";

const ID = "appointment-panel";
const NARROW = matchMedia("(max-width: 48rem)"); // the panel lies over the schedule: see panel.css

const panel = () => document.getElementById(ID);
const openId = () => panel().dataset.appointment ?? "";
const blockOf = (id) => document.getElementById(`v${id}`);
const detailsForm = () => panel().querySelector("#details");
const isTyped = (field) => field.name && field.value !== field.defaultValue;
const isDirty = () => [...(detailsForm()?.elements ?? [])].some(isTyped);
const mayLeave = () => !isDirty() || confirm("Leave what you typed here without saving it?");

// Undefined for an appointment with which the user can do nothing.
const versionOf = (block) => block?.dataset.version ?? block?.querySelector("[name=version]")?.value;

let opener = null; // what had the focus before
let before = null; // what is typed in the panel, and its focus, while it is replaced
let pressed = ""; // the key of the button in the panel that was clicked last: it may lose the focus before the answer

function addressWith(id) {
  const address = new URL(location.href);
  address.hash = "";
  if (id) address.searchParams.set("open", id);
  else address.searchParams.delete("open");
  return address.pathname + address.search;
}

// Buttons lead back to the page as it is now.
function setReturnAddress() {
  document.querySelector("#act [name=next]").value = addressWith(openId());
}

function mark() {
  for (const link of document.querySelectorAll("#day .open[aria-current]")) link.removeAttribute("aria-current");
  const block = blockOf(openId());
  block?.querySelector(".open").setAttribute("aria-current", "true");
  const isCovered = NARROW.matches && !panel().hidden;
  for (const each of document.querySelectorAll(".topbar, .skip, .toolbar, .moving, #day, #bulk")) each.inert = isCovered;
}

async function load(id, { isQuiet = false } = {}) {
  const values = { next: addressWith(id) };
  const headers = isQuiet ? { "X-Background": "1" } : {};
  await htmx.ajax("GET", `${blockOf(id)?.querySelector(".open").href ?? `/appointments/${id}/`}`, {
    source: panel(), target: panel(), swap: "outerHTML", select: `#${ID}`, values, headers,
  });
}

function placeFocus(field) {
  if (field) document.getElementById(field)?.select();
  else document.getElementById("appointment-name")?.focus({ preventScroll: true });
}

async function open(id, { field = "", push = true } = {}) {
  if (openId() !== id && !mayLeave()) return;
  opener = blockOf(id)?.querySelector(".open") ?? opener;
  if (openId() !== id) {
    await load(id);
    if (openId() !== id) return; // the request failed, and the page says so
  }
  if (push) history.pushState({}, "", addressWith(id));
  setReturnAddress();
  mark();
  scrollIntoColumn(id);
  placeFocus(field);
}

// The panel makes the grid narrower: the column of its appointment must stay in view.
function scrollIntoColumn(id) {
  blockOf(id)?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function close({ push = true } = {}) {
  if (!mayLeave()) return;
  const id = openId();
  const empty = document.createElement("aside");
  empty.id = ID;
  empty.hidden = true;
  empty.setAttribute("aria-label", "Appointment");
  panel().replaceWith(empty);
  if (push) history.pushState({}, "", addressWith(""));
  setReturnAddress();
  mark();
  (blockOf(id)?.querySelector(".open") ?? opener)?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("#day .open[href]");
  const isClosing = event.target.closest("[data-close]");
  if (link) open(link.closest("[data-keys]").id.slice(1));
  if (isClosing) close();
  if (link || isClosing) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || shortcutsAreOff()) return;
  const isTyping = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && openId() && isTyping?.closest(`#${ID}`)) {
    placeFocus("");
    event.preventDefault();
    return;
  }
  if (isTyping) return;
  const focused = event.target.closest("#day [data-keys]")?.id.slice(1);
  if (event.key === "e" && (focused || openId())) open(focused ?? openId(), { field: "details_reason" });
  else if ("jk".includes(event.key) && openId()) step(event.key === "j" ? 1 : -1);
  else return;
  event.preventDefault();
});

// The next or previous appointment of the same diary, or of the list.
function step(by) {
  const current = blockOf(openId());
  const all = [...(current?.closest(".lane, table")?.querySelectorAll("[data-keys]:has(.open[href])") ?? [])];
  const next = all[all.indexOf(current) + by];
  if (next) open(next.id.slice(1));
}

addEventListener("popstate", () => {
  const asked = new URL(location.href).searchParams.get("open") ?? "";
  const isStaying = () => { if (openId() !== asked) history.pushState({}, "", addressWith(openId())); };
  if (asked) open(asked, { push: false }).then(isStaying);
  else if (openId()) { close({ push: false }); isStaying(); }
});

addEventListener("beforeunload", (event) => { if (isDirty()) event.preventDefault(); });
NARROW.addEventListener("change", mark);

// The answer to a button or form brings the panel anew. What is being typed there stays, and so does the focus.

function isOurs(event) {
  return event.detail.target?.id === ID;
}

function beforeReplacing(event) {
  if (!isOurs(event)) return;
  const { activeElement } = document;
  const hasFocus = panel().contains(activeElement);
  const isSaving = event.detail.requestConfig?.elt?.id === "details"; // its answer has what was typed
  before = {
    id: openId(),
    form: isSaving ? null : detailsForm(),
    focus: hasFocus
      ? { key: activeElement.dataset.ownKey, id: activeElement.id, caret: activeElement.selectionStart ?? null }
      : null,
  };
}

// Text that is being typed goes on in the new form. If a colleague has changed the same field, the old digest stays, so that
// the portal shows both.
function carryOver(typed) {
  const fresh = detailsForm();
  if (!typed || !fresh) return;
  for (const field of [...typed.elements].filter(isTyped)) {
    const other = fresh.elements[field.name];
    if (other.defaultValue !== field.defaultValue) fresh.elements.seen_details.value = typed.elements.seen_details.value;
    other.value = field.value;
  }
}

function restoreFocus({ focus }) {
  const refused = panel().querySelector("[data-refusal], [aria-invalid=true]");
  const isLost = document.activeElement === document.body;
  if (refused) refused.focus();
  else if ((focus && !panel().contains(document.activeElement)) || (pressed && isLost)) {
    const key = focus?.key || pressed;
    const same = (key && panel().querySelector(`[data-own-key="${key}"]`)) || (focus?.id && document.getElementById(focus.id));
    (same || document.getElementById("appointment-name"))?.focus({ preventScroll: true });
    if (same && (focus?.caret ?? null) !== null) same.setSelectionRange(focus.caret, focus.caret);
  }
  pressed = "";
}

function afterReplacing() {
  if (before?.id === openId()) carryOver(before.form);
  mark();
  setReturnAddress();
  if (before) restoreFocus(before);
  before = null;
}

document.addEventListener("click", ({ target }) => {
  pressed = target.closest(`#${ID} button`) ? (target.closest("button").dataset.ownKey ?? "save") : "";
});

document.addEventListener("htmx:oobBeforeSwap", beforeReplacing);
document.addEventListener("htmx:beforeSwap", beforeReplacing);
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === ID) afterReplacing();
  else if (event.target === schedule()) mark();
});

// What was saved in the panel shows in the schedule at once.
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt.id === "details" && event.detail.successful) document.dispatchEvent(new Event("schedule:ask"));
});

// A colleague may have changed the appointment that is open.
document.addEventListener("schedule:replaced", () => {
  const version = versionOf(blockOf(openId()));
  if (version && version !== panel().dataset.version) load(openId(), { isQuiet: true });
  else mark();
});

mark();
