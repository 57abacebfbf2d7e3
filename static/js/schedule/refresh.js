// Shows what others change: every few seconds asks for what is no longer as this page shows it. These requests do not keep
// the session alive, because they do not mean that the user is active.

import { enqueue, isSending } from "../status-buttons.js";
import { ageOf } from "./clock.js";
import { isDragging } from "./dragging.js";
import { grid, schedule } from "./page.js";
import { replaceParts } from "./parts.js";
import { isResizing } from "./resizing.js";

const POLL_SECONDS = 10;
const JITTER = 0.2; // so that screens opened at the same time do not ask at the same time
const MAX_FAILURES = 2;
const MAX_HEADER = 7000; // characters; without this header, the answer is the whole schedule
let isChecking = false;
let failures = 0;
let pause = 0; // seconds for which the portal has asked to be left alone

// While the user is at something that the answer would take away.
const isBusy = () => isSending() || isDragging() || isResizing();

function headers(shown) {
  const asking = { "X-Background": "1" };
  const redrawIn = Number(shown.dataset.redrawSeconds ?? Infinity) * 1000;
  if (ageOf(shown) >= redrawIn) return asking; // free times have passed: all columns have changed
  asking["If-None-Match"] = shown.dataset.etag;
  const columns = [...document.querySelectorAll("#day-grid > .column[data-version]")];
  const versions = columns.map((column) => `${column.id.slice("doctor-".length)}:${column.dataset.version}`);
  const known = [grid()?.dataset.shown, ...versions].join();
  const away = document.getElementById("away")?.dataset.columns ?? "";
  if (columns.length && known.length + away.length <= MAX_HEADER) {
    asking["X-Shown-Columns"] = known;
    if (away) asking["X-Away-Columns"] = away;
  }
  return asking;
}

async function refresh() {
  const shown = schedule();
  if (document.hidden || isChecking || isBusy()) return;
  isChecking = true;
  try {
    const answer = await fetch(shown.dataset.url, { headers: headers(shown), cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect") document.dispatchEvent(new Event("session:ask"));
    failures = answer.status >= 500 ? failures + 1 : 0;
    pause = Number(answer.headers.get("Retry-After")) || 0; // a date, which others than the portal may send, is none
    const redirect = answer.headers.get("HX-Redirect"); // what this page is for is no longer possible
    if (redirect) {
      location.assign(redirect);
    } else if (answer.status === 200) {
      const html = await answer.text();
      await enqueue(() => {
        if (shown === schedule() && !isBusy()) replaceParts(html);
      });
    }
  } catch {
    failures += 1;
  } finally {
    isChecking = false;
    document.getElementById("not-live").hidden = failures < MAX_FAILURES;
  }
}

function wait() {
  const seconds = Math.max(POLL_SECONDS * (1 + JITTER * (2 * Math.random() - 1)), pause);
  setTimeout(() => refresh().finally(wait), seconds * 1000);
}

wait();
document.addEventListener("visibilitychange", refresh);
document.addEventListener("schedule:ask", refresh); // something was changed here, beside the schedule
