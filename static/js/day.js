// The day view: keep the now-line in step with the clock, and begin where the day stands.
"use strict";

const nowLines = document.querySelectorAll(".now-line");
const shownAt = Date.now();

function moveNowLines() {
  const minutes = Math.floor((Date.now() - shownAt) / 60000);
  for (const line of nowLines) {
    line.style.setProperty("--at", Number(line.dataset.minute) + minutes);
    const label = line.querySelector("span");
    if (!label) continue;
    const [hour, minute] = label.dataset.time.split(":").map(Number);
    const clock = hour * 60 + minute + minutes;
    label.textContent = [Math.floor(clock / 60) % 24, clock % 60].map((part) => String(part).padStart(2, "0")).join(":");
  }
}

if (nowLines.length) {
  const grid = document.querySelector(".day-grid");
  grid.scrollTop = Math.max(0, nowLines[0].offsetTop - grid.clientHeight / 3);
  setInterval(moveNowLines, 15000);
}
