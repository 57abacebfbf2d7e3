// The page of waiting patients: counts their minutes, and asks every few seconds whether somebody has come or been seen.
// These requests do not keep the session alive, because they do not mean that the user is active.

import { markShown } from "./schedule/clock.js";
import { setStandIn } from "./shortcuts.js";
import { enqueue, isSending } from "./status-buttons.js";

const POLL_SECONDS = 10;
const JITTER = 0.2; // so that screens opened at the same time do not ask at the same time
const MAX_FAILURES = 2;
let failures = 0;
let pause = 0; // seconds for which the portal has asked to be left alone
let focused = null; // the row with the focus before the list is replaced

const room = () => document.getElementById("waiting");
const rows = () => [...room().querySelectorAll("[data-keys]")];

function rememberFocus() {
  const { activeElement } = document;
  const row = activeElement.closest("#waiting [data-keys]");
  focused = row && { id: row.id, key: activeElement.dataset.ownKey ?? "", place: rows().indexOf(row) };
}

// The patient in focus may have left the list; then the next one is in focus, and undo is about the one that left.
function restoreFocus() {
  markShown(room());
  if (!focused) return;
  const same = document.getElementById(focused.id);
  const row = same ?? rows()[focused.place] ?? rows().at(-1);
  const button = same?.querySelector(`[data-own-key="${focused.key}"]`);
  (button ?? row?.querySelector(".open, button") ?? room().querySelector("h1")).focus({ preventScroll: true });
  if (row && !same) setStandIn(row.id);
}

function replaceRoom(html) {
  rememberFocus();
  room().replaceWith(new DOMParser().parseFromString(html, "text/html").getElementById("waiting"));
  restoreFocus();
}

async function refresh() {
  if (document.hidden || isSending()) return;
  const shown = room();
  const headers = { "X-Background": "1", "If-None-Match": shown.dataset.etag };
  try {
    const answer = await fetch(location.pathname, { headers, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect") document.dispatchEvent(new Event("session:ask"));
    failures = answer.status >= 500 ? failures + 1 : 0;
    pause = Number(answer.headers.get("Retry-After")) || 0;
    if (answer.status === 200) {
      const html = await answer.text();
      await enqueue(() => { if (shown === room() && !isSending()) replaceRoom(html); });
    }
  } catch {
    failures += 1;
  }
  document.getElementById("not-live").hidden = failures < MAX_FAILURES;
}

function wait() {
  const seconds = Math.max(POLL_SECONDS * (1 + JITTER * (2 * Math.random() - 1)), pause);
  setTimeout(() => refresh().finally(wait), seconds * 1000);
}

document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target.id === "waiting") rememberFocus(); });
document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "waiting") restoreFocus(); });
document.addEventListener("visibilitychange", refresh);
markShown(room());
wait();
