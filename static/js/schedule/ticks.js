// The ticks of the list. They survive when the list is replaced, with the version of the appointment that was shown when
// it was ticked: what has changed since is refused, and its row says so.

const ticks = () => [...document.querySelectorAll("#day-list [name=appointment]")];
const checked = () => ticks().filter((tick) => tick.checked);
const rowOf = (tick) => tick.closest("tr");
const refusalOf = (tick) => document.getElementById(`refused-${rowOf(tick).id.slice(1)}`);

let remembered = []; // of the rows ticked before the list is replaced
const sent = new Set(); // ids of rows of which the answer decides whether they stay ticked

export function rememberTicks() {
  remembered = checked().filter((tick) => !sent.has(rowOf(tick).id))
    .map((tick) => ({ id: rowOf(tick).id, value: tick.value, refusal: refusalOf(tick) }));
}

export function restoreTicks() {
  for (const { id, value, refusal } of remembered) {
    const row = document.getElementById(id);
    const tick = row?.querySelector("[name=appointment]");
    if (!tick) continue;
    Object.assign(tick, { checked: true, value });
    if (refusal && !refusalOf(tick)) row.after(refusal);
  }
  remembered = [];
  showCount();
}

// Before the ticked appointments are sent: the answer shows which of them were refused.
export function markSent() {
  for (const tick of checked()) sent.add(rowOf(tick).id);
}

export const forgetSent = () => sent.clear();

export function untick(row) {
  for (const tick of row.querySelectorAll("[name=appointment]")) tick.checked = false;
  showCount();
}

// Of a group, or of all groups.
const boxesOf = (all) => [...all.closest(all.id === "tick-all" ? "table" : "tbody").querySelectorAll("[name=appointment]")];

function showCount() {
  const count = document.querySelector(".bulk-count");
  const number = checked().length;
  if (count) count.textContent = `${number} ticked`;
  for (const all of document.querySelectorAll("#tick-all, .tick-group")) {
    const boxes = boxesOf(all);
    all.hidden = !boxes.length;
    if (all.id === "tick-all") all.parentElement.hidden = all.hidden;
    all.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    all.indeterminate = !all.checked && boxes.some((box) => box.checked);
  }
}

// Shift and a click tick all rows from the last one clicked.
let last = "";
document.addEventListener("click", ({ target, shiftKey }) => {
  if (!target.matches("#day-list [name=appointment]")) return;
  const all = ticks();
  const ends = [all.findIndex((tick) => rowOf(tick).id === last), all.indexOf(target)].sort((one, other) => one - other);
  if (shiftKey && ends[0] >= 0) for (const tick of all.slice(ends[0], ends[1] + 1)) tick.checked = target.checked;
  last = rowOf(target).id;
  showCount();
});

document.addEventListener("change", ({ target }) => {
  if (target.matches("#tick-all, .tick-group")) for (const box of boxesOf(target)) box.checked = target.checked;
  if (target.closest("#day-list .tick")) showCount();
});

const untickAll = document.querySelector("#bulk [data-untick]");
if (untickAll) untickAll.hidden = false;
untickAll?.addEventListener("click", () => {
  for (const tick of checked()) tick.checked = false;
  showCount();
});

showCount();
