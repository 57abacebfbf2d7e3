// The clock of the schedule: moves the line at the present time, and updates how long patients have waited or are late.

const MINUTE = 60000;

let shownAt = Date.now();

// For when the schedule is replaced by one with the present time.
export function restartClock() {
  shownAt = Date.now();
}

function moveClock() {
  const minutes = Math.floor((Date.now() - shownAt) / MINUTE);
  for (const line of document.querySelectorAll(".now-line")) {
    line.style.setProperty("--at", Number(line.dataset.minute) + minutes);
    const label = line.querySelector("span");
    if (!label) continue;
    const [hour, minute] = label.dataset.time.split(":").map((part) => parseInt(part, 10)); // "01:30 WET" on some days
    const clock = hour * 60 + minute + minutes;
    label.textContent = [Math.floor(clock / 60) % 24, clock % 60].map((part) => String(part).padStart(2, "0")).join(":");
  }
  for (const since of document.querySelectorAll("[data-since]")) {
    since.textContent = since.textContent.replace(/\d+/, Number(since.dataset.since) + minutes);
  }
}

setInterval(moveClock, MINUTE / 4);
