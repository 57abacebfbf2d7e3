// The close-out page: each outcome, by key or by click, moves the focus to the next appointment. Sending the outcomes is
// the work of status-buttons.js.

let focusId = "";
const sent = new Set(); // element ids of appointments whose outcome is being sent

const rows = () => [...document.querySelectorAll("#close-out .open-appointment")];
const unsent = () => rows().filter((row) => !sent.has(row.id));

// Only one of the rows can be reached with Tab, besides all buttons and links.
function makeTabStop(row) {
  for (const each of rows()) each.tabIndex = each === row ? 0 : -1;
  focusId = row ? row.id : "";
}

function focusOn(row) {
  makeTabStop(row);
  (row ?? document.querySelector("#close-out h1"))?.focus();
}

function markSent() {
  for (const row of rows()) row.classList.toggle("is-sent", sent.has(row.id));
}

document.getElementById("act").addEventListener("submit", (event) => {
  const row = event.submitter.closest(".open-appointment");
  if (!row) return;
  if (sent.has(row.id)) {
    event.preventDefault();
    event.stopImmediatePropagation(); // one outcome for each appointment
    return;
  }
  const rest = unsent();
  const place = rest.indexOf(row);
  sent.add(row.id);
  markSent();
  focusOn(rest[place + 1] ?? rest[place - 1]);
}, true);

document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.("#close-out .open-appointment");
  if (!row || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const all = rows();
  focusOn(all[all.indexOf(row) + step] ?? row);
  event.preventDefault();
});

document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("#close-out .open-appointment");
  if (row) makeTabStop(row);
});

// If the user has moved the focus elsewhere meanwhile, for example to the search box, leave it there.
let isElsewhere = false;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "close-out") return;
  const focused = document.activeElement;
  isElsewhere = focused !== document.body && !focused.closest("#close-out, #messages");
});

// The list has been replaced. Appointments still in it although sent were refused, or are waiting to be sent.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "close-out") return;
  const answered = event.detail.requestConfig.path.split("/").at(-3); // …/appointments/7/no-show/
  sent.delete(`appointment-${answered}`);
  markSent();
  const next = document.getElementById(focusId) ?? unsent()[0];
  if (isElsewhere) makeTabStop(next);
  else focusOn(next);
});

document.addEventListener("act:failed", () => {
  sent.clear();
  markSent();
});

if (document.activeElement === document.body && !location.hash) focusOn(rows()[0]);
