// The session: warns before it ends, tells the portal that somebody is here, and leaves the page once it has ended.
// How long it lasts is the portal's to say: another tab may have been in use meanwhile.
"use strict";

{
  const WARN_SECONDS = 60;
  const TELL_SECONDS = 120; // at most so often
  const ASK_SECONDS = 5; // while it is about to end
  const LOOK_SECONDS = 1; // at most so often, however fast somebody leafs through tabs
  const SECOND = 1000;

  const dialog = document.getElementById("session");
  const { leftUrl, stayUrl, keepUrl, loginUrl, user } = dialog.dataset;
  const here = location.pathname + location.search;

  let endsAt = Date.now() + dialog.dataset.seconds * SECOND;
  let canStay = true;
  let toldAt = Date.now(); // the portal has just seen somebody open this page
  let hereAt = 0; // when somebody typed or clicked, as long as that is not told
  let askedAt = 0;
  let isAsking = false;
  let isOver = false;
  let typedInto = null; // the form somebody has typed into

  const secondsLeft = () => Math.ceil((endsAt - Date.now()) / SECOND);
  const since = (instant) => (Date.now() - instant) / SECOND;
  const token = () => dialog.querySelector("[name=csrfmiddlewaretoken]").value;

  async function ask(url, options = {}) {
    isAsking = true;
    askedAt = Date.now();
    try {
      const answer = await fetch(url, {
        headers: { "X-Background": "1" },
        cache: "no-store",
        redirect: "manual",
        signal: AbortSignal.timeout(10 * SECOND),
        ...options,
      });
      if (answer.type === "opaqueredirect") await leave();
      else if (answer.ok) take(await answer.json());
    } catch {
      // Not answered: it is asked again.
    } finally {
      isAsking = false;
    }
    if (!isOver) show();
  }

  function take(said) {
    if (String(said.user) !== user) { // somebody else has signed in; neither what is shown here nor what was typed is theirs
      sessionStorage.clear();
      location.replace(here);
    }
    endsAt = Date.now() + said.seconds * SECOND;
    canStay = said.can_stay;
  }

  function stay() {
    const ago = hereAt ? Math.round(since(hereAt)) : 0;
    hereAt = 0;
    toldAt = Date.now();
    return ask(stayUrl, { method: "POST", body: new URLSearchParams({ csrfmiddlewaretoken: token(), ago }) });
  }

  // What the dialog says: "stay" or "last" before the end; "away" while the portal does not answer; "over".
  function say(what) {
    for (const part of dialog.querySelectorAll("[data-when]")) part.hidden = !part.dataset.when.split(" ").includes(what);
    dialog.classList.toggle("is-cover", what === "away" || what === "over");
    if (!dialog.open) dialog.showModal();
  }

  function show() {
    const left = secondsLeft();
    if (left > WARN_SECONDS) dialog.close();
    else if (left <= 0) say("away");
    else say(canStay ? "stay" : "last");
    for (const count of dialog.querySelectorAll("[data-count]")) count.textContent = Math.max(0, left);
  }

  function tick() {
    if (isOver) return;
    const isDue = secondsLeft() <= WARN_SECONDS;
    if (!isAsking && hereAt && (isDue || since(toldAt) >= TELL_SECONDS)) stay();
    else if (!isAsking && isDue && since(askedAt) >= ASK_SECONDS) ask(leftUrl);
    if (dialog.open || secondsLeft() <= 0) show();
  }

  // The end

  async function leave() {
    if (isOver) return;
    isOver = true;
    sessionStorage.clear(); // what was typed on the way: forms.js
    say("over");
    document.dispatchEvent(new Event("session:over"));
    const next = await keep();
    location.replace(`${loginUrl}?next=${encodeURIComponent(next)}`);
  }

  // Keep what was typed into the page's form, for the same person's next login; return the page to go on with then.
  async function keep() {
    const form = typedInto?.isConnected ? typedInto : typedInto && document.querySelector("main form[method=post]");
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

  // Somebody is here

  for (const sign of ["keydown", "pointerdown", "input"]) {
    document.addEventListener(sign, (event) => {
      if (!event.isTrusted || dialog.open) return;
      hereAt = Date.now();
      if (since(toldAt) >= TELL_SECONDS && !isAsking) stay();
    }, { capture: true, passive: true });
  }
  document.addEventListener("input", ({ target }) => {
    if (target.form?.matches("main form[method=post]")) typedInto = target.form;
  });
  // A form that comes anew with a patient or a time that was picked has something to lose, too.
  document.addEventListener("htmx:afterSettle", ({ detail: { target } }) => {
    if (target.id === "main") typedInto = document.querySelector("main form[method=post]");
  });

  dialog.querySelector("[data-stay]").addEventListener("click", stay);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault(); // Escape
    if (!isOver && canStay) stay();
  });

  document.addEventListener("session:ask", () => ask(leftUrl));
  document.addEventListener("visibilitychange", () => {
    tick();
    const isLookedAt = document.visibilityState === "visible" && !isOver;
    if (isLookedAt && !isAsking && since(askedAt) >= LOOK_SECONDS) ask(leftUrl);
  });
  // Another tab has come to the login: login.js.
  if ("BroadcastChannel" in window) new BroadcastChannel("session").onmessage = () => { if (!isOver) ask(leftUrl); };
  addEventListener("pageshow", (event) => { if (event.persisted) ask(leftUrl); });
  setInterval(tick, SECOND);
}
