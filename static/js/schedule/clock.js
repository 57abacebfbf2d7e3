// The clock of the schedule: moves the line at the present time, and updates how long patients have waited or are late.

const MINUTE = 60000;
const TICKING = ".now-line, [data-since], [data-waiting]";

const shownAt = new WeakMap(); // since when an element shows the time that the portal gave it

// For a part of the schedule that is new on the page.
export function markShown(part) {
  for (const each of [part, ...part.querySelectorAll(TICKING)]) shownAt.set(each, Date.now());
}

// Milliseconds since such a part, or an element of it that ticks, has been on the page.
export const ageOf = (each) => Date.now() - shownAt.get(each);
const minutesOf = (each) => Math.floor(ageOf(each) / MINUTE);

// A wait becomes a long one as the minutes pass. The words and when they begin come from the portal: waiting_time.py.
function showWaiting() {
  const all = [...document.querySelectorAll("[data-waiting]")];
  if (!all.length) return;
  const steps = document.querySelector("[data-waiting-steps]").dataset.waitingSteps.split(";").map((step) => step.split(","));
  for (const waiting of all) {
    const minutes = Number(waiting.dataset.waiting) + minutesOf(waiting);
    if (minutes < 0) continue; // the patient came early, and waits from the appointed time
    const [, words, mark] = steps.findLast(([least]) => Number(least) <= minutes);
    waiting.textContent = `${words} ${minutes} min`;
    waiting.className = mark ? `since ${mark}` : "since";
  }
}

function moveClock() {
  for (const line of document.querySelectorAll(".now-line")) {
    const minutes = minutesOf(line);
    line.style.setProperty("--at", Number(line.dataset.minute) + minutes);
    const label = line.querySelector("span");
    if (!label) continue;
    const [hour, minute] = label.dataset.time.split(":").map((part) => parseInt(part, 10)); // "01:30 WET" on some days
    const clock = hour * 60 + minute + minutes;
    label.textContent = [Math.floor(clock / 60) % 24, clock % 60].map((part) => String(part).padStart(2, "0")).join(":");
  }
  showWaiting();
  for (const since of document.querySelectorAll("[data-since]")) {
    since.textContent = since.textContent.replace(/\d+/, Number(since.dataset.since) + minutesOf(since));
  }
}

setInterval(moveClock, MINUTE / 4);
