// The close-out page by keyboard: one key a visit, and the focus goes on to the next. What is pressed while an answer
// is under way waits its turn, since the one form of the page remembers only one button.
"use strict";

const waiting = []; // [id of the visit, key of the button], in order of pressing
let isSending = false;
let focusId = "";

const visits = () => [...document.querySelectorAll("#close-out .open-visit")];
const unsent = () => visits().filter((visit) => !visit.classList.contains("is-sent"));
const buttonOf = (visit, key) => visit?.querySelector(`[data-own-key="${key}"]`);

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
  sendNext();
}

function sendNext() {
  while (!isSending && waiting.length) {
    const [id, key] = waiting.shift();
    const button = buttonOf(document.getElementById(id), key);
    if (!button) continue;
    isSending = true;
    button.click();
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#close-out [data-own-key]");
  const isOurs = isSending && !event.isTrusted; // sendNext presses it
  if (!button || isOurs) return;
  event.preventDefault();
  event.stopPropagation();
  settle(button.closest(".open-visit"), button.dataset.ownKey);
}, true);

document.addEventListener("keydown", (event) => {
  const visit = event.target.closest?.("#close-out .open-visit");
  if (!visit || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    const all = visits();
    focusOn(all[all.indexOf(visit) + step] ?? visit);
  } else if (buttonOf(visit, event.key.toLowerCase())) {
    if (!event.repeat) settle(visit, event.key.toLowerCase());
  } else {
    return;
  }
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

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt?.id !== "act" || event.detail.successful) return;
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
