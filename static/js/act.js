// Buttons that change a visit. Where the page says what an answer replaces (#answers), they are sent one after the
// other, each as it was when it was pressed; the same one twice is sent once. The form itself is left out of it: htmx
// would send each to the address of the button that was pressed last.
"use strict";

const act = document.getElementById("act");
const answers = document.getElementById("answers");
const pressed = []; // { url, version }, in order of pressing, until they are answered
let refusals = []; // messages, since nothing was under way: the answer to a later press must not wipe them out

// One request at a time for what others replace as well: an answer for a place that has gone would be lost.
let lastAnswer = Promise.resolve();

function inTurn(send) {
  lastAnswer = lastAnswer.then(send).catch(() => {});
  return lastAnswer;
}

async function send(press) {
  if (!pressed.includes(press)) return; // one before it was not answered
  const target = answers.getAttribute("hx-select");
  const values = { ...Object.fromEntries(new FormData(act)), version: press.version };
  await htmx.ajax("POST", press.url, { source: answers, target, swap: "outerHTML", values }).catch(() => {});
  keepRefusals();
  pressed.shift();
  if (!pressed.length) refusals = [];
}

function keepRefusals() {
  const messages = document.getElementById("messages");
  refusals.push(...messages.querySelectorAll(".error"));
  messages.prepend(...refusals);
}

act.addEventListener("submit", (event) => {
  const { formAction: url, name, value: version } = event.submitter;
  if (!answers || name !== "version") return; // a whole page is the answer: the browser sends it
  event.preventDefault();
  if (pressed.some((each) => each.url === url && each.version === version)) return;
  const press = { url, version };
  pressed.push(press);
  inTurn(() => send(press));
});

// Who leaves the page before all is sent is asked first, unless the portal itself leads away, to the login.
addEventListener("beforeunload", (event) => { if (pressed.length) event.preventDefault(); });
document.addEventListener("htmx:beforeOnLoad", ({ detail: { xhr } }) => {
  if (xhr.getResponseHeader("HX-Redirect")) pressed.length = 0;
});

document.addEventListener("session:over", () => { pressed.length = 0; });

// The second half of a double click would meet what has slid under the mouse meanwhile: another visit, or a free time.
document.addEventListener("click", (event) => {
  if (event.detail < 2 || !event.target.closest("#day, #close-out")) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

for (const failure of FAILURES) {
  document.addEventListener(failure, ({ detail: { elt } }) => {
    if (elt !== answers) return;
    pressed.length = 0;
    say("The portal did not answer, so that was perhaps not carried out. Press it again: nothing is done twice.");
    document.dispatchEvent(new Event("act:failed"));
  });
}
