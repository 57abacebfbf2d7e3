// The session: warn before it ends, report that the user is active, and leave the page once it has ended. The portal says
// how long it lasts, because another tab may have been in use meanwhile.

const WARN_SECONDS = 60;
const REPORT_SECONDS = 120; // between two reports that the user is active
const CHECK_SECONDS = 5; // between two checks while the session is about to end
const TAB_SECONDS = 1; // between two checks however fast the user switches tabs
const SECOND = 1000;

const dialog = document.getElementById("session");
const { leftUrl, stayUrl, keepUrl, loginUrl, user } = dialog.dataset;
const here = location.pathname + location.search;

let endsAt = Date.now() + dialog.dataset.seconds * SECOND;
let canStay = true;
let reportedAt = Date.now(); // the portal has just served this page to the user
let activeAt = 0; // when the user last typed or clicked; 0 once that is reported
let checkedAt = 0;
let isChecking = false;
let isOver = false;
let editedForm = null; // the form the user has typed into

const secondsLeft = () => Math.ceil((endsAt - Date.now()) / SECOND);
const since = (instant) => (Date.now() - instant) / SECOND;
const token = () => dialog.querySelector("[name=csrfmiddlewaretoken]").value;

async function check(url, options = {}) {
  isChecking = true;
  checkedAt = Date.now();
  try {
    const answer = await fetch(url, {
      headers: { "X-Background": "1" },
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(10 * SECOND),
      ...options,
    });
    if (answer.type === "opaqueredirect") await leave();
    else if (answer.ok) update(await answer.json());
  } catch {
    // Not answered: tick() checks again.
  } finally {
    isChecking = false;
  }
  if (!isOver) show();
}

function update(answer) {
  if (String(answer.user) !== user) {
    // Another user has signed in: what is shown and typed here is not theirs.
    sessionStorage.clear();
    location.replace(here);
  }
  endsAt = Date.now() + answer.seconds * SECOND;
  canStay = answer.can_stay;
}

function stay() {
  const ago = activeAt ? Math.round(since(activeAt)) : 0;
  activeAt = 0;
  reportedAt = Date.now();
  return check(stayUrl, { method: "POST", body: new URLSearchParams({ csrfmiddlewaretoken: token(), ago }) });
}

// The dialog's states: "stay" or "last" before the end, "away" while the portal does not answer, and "over".
function showDialog(state) {
  for (const part of dialog.querySelectorAll("[data-when]")) part.hidden = !part.dataset.when.split(" ").includes(state);
  dialog.classList.toggle("is-cover", state === "away" || state === "over");
  if (!dialog.open) dialog.showModal();
}

function show() {
  const left = secondsLeft();
  if (left > WARN_SECONDS) dialog.close();
  else if (left <= 0) showDialog("away");
  else showDialog(canStay ? "stay" : "last");
  for (const count of dialog.querySelectorAll("[data-count]")) count.textContent = Math.max(0, left);
}

function tick() {
  if (isOver) return;
  const isDue = secondsLeft() <= WARN_SECONDS;
  if (!isChecking && activeAt && (isDue || since(reportedAt) >= REPORT_SECONDS)) stay();
  else if (!isChecking && isDue && since(checkedAt) >= CHECK_SECONDS) check(leftUrl);
  if (dialog.open || secondsLeft() <= 0) show();
}

// The end

async function leave() {
  if (isOver) return;
  isOver = true;
  sessionStorage.clear(); // notes saved between pages: forms.js
  showDialog("over");
  document.dispatchEvent(new Event("session:over"));
  const next = await saveForm();
  location.replace(`${loginUrl}?next=${encodeURIComponent(next)}`);
}

// Save the text of the page's form for the same user's next login. Returns the page to open after that login.
async function saveForm() {
  const form = editedForm?.isConnected ? editedForm : editedForm && document.querySelector("main form[method=post]");
  if (!form) return here;
  const body = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string"));
  for (const secret of form.querySelectorAll("[type=password]")) body.delete(secret.name);
  const path = new URL(form.getAttribute("action") ?? "", location.href).pathname;
  try {
    const signal = AbortSignal.timeout(5 * SECOND);
    const answer = await fetch(`${keepUrl}?path=${encodeURIComponent(path)}`, { method: "POST", body, redirect: "manual", signal });
    return answer.status === 201 ? path : here;
  } catch {
    return here;
  }
}

// The user's activity

for (const sign of ["keydown", "pointerdown", "input"]) {
  document.addEventListener(sign, (event) => {
    if (!event.isTrusted || dialog.open) return;
    activeAt = Date.now();
    if (since(reportedAt) >= REPORT_SECONDS && !isChecking) stay();
  }, { capture: true, passive: true });
}
document.addEventListener("input", ({ target }) => {
  if (target.form?.matches("main form[method=post]")) editedForm = target.form;
});
// A form replaced after its user picked a patient or a time has something to lose, too.
document.addEventListener("htmx:afterSettle", ({ detail: { target } }) => {
  if (target.id === "main") editedForm = document.querySelector("main form[method=post]");
});

dialog.querySelector("[data-stay]").addEventListener("click", stay);
dialog.addEventListener("cancel", (event) => {
  event.preventDefault(); // Escape
  if (!isOver && canStay) stay();
});

document.addEventListener("session:ask", () => check(leftUrl));
document.addEventListener("visibilitychange", () => {
  tick();
  const isVisible = document.visibilityState === "visible" && !isOver;
  if (isVisible && !isChecking && since(checkedAt) >= TAB_SECONDS) check(leftUrl);
});
// Another tab has opened the login page: login.js.
if ("BroadcastChannel" in window) new BroadcastChannel("session").onmessage = () => { if (!isOver) check(leftUrl); };
addEventListener("pageshow", (event) => { if (event.persisted) check(leftUrl); });
setInterval(tick, SECOND);
