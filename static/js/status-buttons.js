// Buttons that change an appointment's status. Where the page says what an answer replaces (#answers), they are sent one
// after the other, each as it was when it was pressed; pressing the same button twice sends it once. htmx does not send
// the form itself: it would post every press to the address of the button that was pressed last.

import { REQUEST_FAILURES, showError } from "./messages.js";

const form = document.getElementById("act");
const answers = document.getElementById("answers");
const pending = []; // { url, version } in the order of pressing, until they are answered
let refusals = []; // error messages since the queue was last empty: the answer to a later press must not remove them

// One request at a time, also for other parts of the page: an answer for an element that is gone would be lost.
let lastRequest = Promise.resolve();

export function enqueue(request) {
  lastRequest = lastRequest.then(request).catch(() => {});
  return lastRequest;
}

export const isSending = () => pending.length > 0;

async function send(pressed) {
  if (!pending.includes(pressed)) return; // an earlier press failed, which cleared the queue
  const target = answers.getAttribute("hx-select");
  const values = { ...Object.fromEntries(new FormData(form)), version: pressed.version };
  await htmx.ajax("POST", pressed.url, { source: answers, target, swap: "outerHTML", values }).catch(() => {});
  keepRefusals();
  pending.shift();
  if (!pending.length) refusals = [];
}

function keepRefusals() {
  const messages = document.getElementById("messages");
  refusals.push(...messages.querySelectorAll(".error"));
  messages.prepend(...refusals);
}

form.addEventListener("submit", (event) => {
  const { formAction: url, name, value: version } = event.submitter;
  if (!answers || name !== "version") return; // the answer is a whole page: the browser sends the form
  event.preventDefault();
  press(url, version);
});

// Send what a button would: the version of an appointment to the address of an action.
export function press(url, version) {
  if (pending.some((each) => each.url === url && each.version === version)) return;
  const pressed = { url, version };
  pending.push(pressed);
  enqueue(() => send(pressed));
}

// Ask before the user leaves the page with unsent presses, unless the portal itself redirects to the login.
addEventListener("beforeunload", (event) => { if (pending.length) event.preventDefault(); });
document.addEventListener("htmx:beforeOnLoad", ({ detail: { xhr } }) => {
  if (xhr.getResponseHeader("HX-Redirect")) pending.length = 0;
});

document.addEventListener("session:over", () => { pending.length = 0; });

// The second click of a double click would go to whatever has moved under the mouse: another appointment, or a free time.
document.addEventListener("click", (event) => {
  const isWhereItMatters = event.target.closest("#day, #close-out, #waiting, #appointment-panel :is(a, button)");
  if (event.detail < 2 || !isWhereItMatters) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

for (const failure of REQUEST_FAILURES) {
  document.addEventListener(failure, ({ detail: { elt } }) => {
    if (elt !== answers) return;
    pending.length = 0;
    showError("The portal did not respond, so this may not have been done. Press the button again: nothing is done twice.");
    document.dispatchEvent(new Event("act:failed"));
  });
}
