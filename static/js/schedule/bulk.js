// The buttons for all ticked appointments, and the Undo of what they did: the answer replaces the list in place.

import { enqueue } from "../status-buttons.js";
import { forgetSent, markSent, untick } from "./ticks.js";

const form = document.getElementById("bulk");
const act = document.getElementById("act");
const answers = document.getElementById("answers");
let isSending = false;
let isAnswered = false;

async function post(url, values) {
  isSending = true;
  isAnswered = false;
  form?.setAttribute("aria-busy", "true");
  await enqueue(() => htmx.ajax("POST", url, { source: answers, target: "#day", swap: "outerHTML", values }));
  form?.removeAttribute("aria-busy");
  isSending = false;
  forgetSent();
}

// `form.reset()` would also untick what has been ticked meanwhile.
function clearReason() {
  for (const field of form.querySelectorAll("fieldset input")) {
    if (field.type === "radio") field.checked = false;
    else field.value = "";
  }
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isSending) return;
  markSent();
  await post(form.getAttribute("action"), new FormData(form, event.submitter)); // `form.action` would be its buttons
  if (!isAnswered) return;
  form.querySelector("details")?.removeAttribute("open");
  if (!document.querySelector("#messages .error")) clearReason(); // otherwise it may be sent again
});

act.addEventListener("submit", (event) => {
  const row = event.submitter.closest("#day-list tr");
  if (row) untick(row); // the user has just changed it
  if (event.submitter.name !== "undo") return;
  event.preventDefault();
  if (!isSending) post(event.submitter.formAction, new FormData(act, event.submitter));
});

// After an action, its buttons are hidden with the focus on one of them.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "day" || !isSending) return;
  isAnswered = true;
  if (!form?.contains(document.activeElement)) return;
  (document.querySelector("#day-list .tick :checked") ?? document.querySelector("#day-list .open[tabindex='0']"))?.focus();
});

// Escape closes the reasons of a cancellation.
form?.addEventListener("keydown", (event) => {
  const open = event.target.closest("details[open]");
  if (event.key !== "Escape" || !open) return;
  open.removeAttribute("open");
  open.querySelector("summary").focus();
  event.preventDefault();
});
