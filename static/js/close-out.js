// The close-out page: the focus goes on to the next visit with each outcome, be it by key (portal.js) or by click.
// What is pressed while an answer is under way waits its turn, since the one form of the page knows only one button.
"use strict";

const waiting = []; // [id of the visit, key of the button], in order of pressing
let isSending = false; // an answer is under way
let isPressing = false; // the click that sends
let focusId = "";

const visits = () => [...document.querySelectorAll("#close-out .open-visit")];
const unsent = () => visits().filter((visit) => !visit.classList.contains("is-sent"));

// Of the lines one is in the order of tabbing, beside all buttons and links.
function rove(visit) {
  for (const each of visits()) each.tabIndex = each === visit ? 0 : -1;
  focusId = visit ? visit.id : "";
}

function focusOn(visit) {
  const target = visit ?? document.querySelector("#close-out h1");
  rove(visit);
  target?.focus();
}

function settle(visit, key) {
  if (visit.classList.contains("is-sent")) return;
  const rest = unsent();
  const place = rest.indexOf(visit);
  visit.classList.add("is-sent");
  waiting.push([visit.id, key]);
  focusOn(rest[place + 1] ?? rest[place - 1]);
  queueMicrotask(sendNext); // a button cannot be clicked by script while the click of a script is on it
}

function sendNext() {
  while (!isSending && waiting.length) {
    const [id, key] = waiting.shift();
    const button = document.getElementById(id)?.querySelector(`[data-own-key="${key}"]`);
    if (!button) continue;
    isSending = isPressing = true;
    button.click();
    isPressing = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#close-out [data-own-key]");
  if (!button || isPressing) return;
  event.preventDefault();
  event.stopPropagation();
  settle(button.closest(".open-visit"), button.dataset.ownKey);
}, true);

document.addEventListener("keydown", (event) => {
  const visit = event.target.closest?.("#close-out .open-visit");
  if (!visit || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const all = visits();
  focusOn(all[all.indexOf(visit) + step] ?? visit);
  event.preventDefault();
});

document.addEventListener("focusin", (event) => {
  const visit = event.target.closest?.("#close-out .open-visit");
  if (visit) rove(visit);
});

// The list has come anew: mark what still waits, and put the focus where it was.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "close-out") return;
  for (const [id] of waiting) document.getElementById(id)?.classList.add("is-sent");
  focusOn(document.getElementById(focusId) ?? unsent()[0]);
});

// Not earlier: only now does htmx know the new buttons.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id !== "close-out") return;
  isSending = false;
  sendNext();
});

document.addEventListener("htmx:sendError", (event) => {
  if (event.detail.elt.id !== "act") return;
  isSending = false;
  waiting.length = 0;
  for (const visit of visits()) visit.classList.remove("is-sent");
  const message = document.createElement("p");
  message.className = "message error";
  message.setAttribute("role", "alert");
  message.textContent = "That did not reach the portal. Look at the visits again and repeat it.";
  document.getElementById("messages").replaceChildren(message);
});

if (document.activeElement === document.body && !location.hash) focusOn(visits()[0]);
