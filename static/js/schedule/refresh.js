// Shows what others change: checks every few seconds whether the schedule has a new version. These requests do not keep
// the session alive, because they do not mean that the user is active.

import { enqueue, isSending } from "../status-buttons.js";
import { isDragging } from "./dragging.js";
import { schedule } from "./page.js";

const POLL_SECONDS = 10;
const MAX_FAILURES = 2;
const BACKGROUND = { "X-Background": "1" };
let isChecking = false;
let failures = 0;

async function refresh() {
  const shown = schedule();
  if (document.hidden || isChecking || isSending() || isDragging()) return;
  isChecking = true;
  try {
    const answer = await fetch(shown.dataset.versionUrl, {
      headers: { ...BACKGROUND, "If-None-Match": `"${shown.dataset.version}"` },
      cache: "no-store",
      redirect: "manual",
    });
    if (answer.type === "opaqueredirect") document.dispatchEvent(new Event("session:ask"));
    failures = answer.status >= 500 ? failures + 1 : 0;
    if (answer.status === 200 && shown === schedule() && !isSending()) {
      await enqueue(() => htmx.ajax("GET", shown.dataset.url, { target: "#day", swap: "outerHTML", headers: BACKGROUND }));
    }
  } catch {
    failures += 1;
  } finally {
    isChecking = false;
    document.getElementById("not-live").hidden = failures < MAX_FAILURES;
  }
}

setInterval(refresh, POLL_SECONDS * 1000);
document.addEventListener("visibilitychange", refresh);
