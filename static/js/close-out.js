// The close-out page: the focus goes on to the next visit with each outcome, be it by key or by click. What is sent,
// and in which order, is act.js's.
"use strict";

let focusId = "";
const sent = new Set(); // ids of visits whose outcome is on its way

const visits = () => [...document.querySelectorAll("#close-out .open-visit")];
const unsent = () => visits().filter((visit) => !sent.has(visit.id));

// Of the lines one is in the order of tabbing, beside all buttons and links.
function rove(visit) {
  for (const each of visits()) each.tabIndex = each === visit ? 0 : -1;
  focusId = visit ? visit.id : "";
}

function focusOn(visit) {
  rove(visit);
  (visit ?? document.querySelector("#close-out h1"))?.focus();
}

function markSent() {
  for (const visit of visits()) visit.classList.toggle("is-sent", sent.has(visit.id));
}

document.getElementById("act").addEventListener("submit", (event) => {
  const visit = event.submitter.closest(".open-visit");
  if (!visit) return;
  if (sent.has(visit.id)) {
    event.preventDefault();
    event.stopImmediatePropagation(); // one outcome is enough
    return;
  }
  const rest = unsent();
  const place = rest.indexOf(visit);
  sent.add(visit.id);
  markSent();
  focusOn(rest[place + 1] ?? rest[place - 1]);
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

// Who has gone elsewhere meanwhile, to the search, say, is left there.
let isElsewhere = false;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "close-out") return;
  const focused = document.activeElement;
  isElsewhere = focused !== document.body && !focused.closest("#close-out, #messages");
});

// The list has come anew. What it still holds of those sent was refused, or waits its turn.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "close-out") return;
  const answered = event.detail.requestConfig.path.split("/").at(-3); // …/appointments/7/no-show/
  sent.delete(`visit-${answered}`);
  markSent();
  const next = document.getElementById(focusId) ?? unsent()[0];
  if (isElsewhere) rove(next);
  else focusOn(next);
});

document.addEventListener("act:failed", () => {
  sent.clear();
  markSent();
});

if (document.activeElement === document.body && !location.hash) focusOn(visits()[0]);
