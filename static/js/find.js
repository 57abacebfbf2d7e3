// The box of the top bar: whom one is typing about hangs under it, as a list of links to walk through with the arrows.
"use strict";

function hangFoundUnder(form) {
  const box = form.elements.query;
  const found = form.querySelector(".found");
  let asked = null; // what was typed when the last request left
  let answered = null; // what was typed when what hangs there was asked for
  let isEntered = false; // Enter was pressed, and the answer to it is under way
  let isDismissed = false; // Escape was pressed, and nothing typed since

  const rows = () => [...found.querySelectorAll(".found-row:has(a, button)")];
  const ask = () => htmx.trigger(box, "ask");

  function show() {
    found.hidden = !found.childElementCount || !form.contains(document.activeElement);
  }

  function dismiss() {
    found.replaceChildren();
    found.hidden = isDismissed = true;
    answered = null;
  }

  // Enter opens the only patient there is; several, or nobody, are shown on the page of patients.
  function open() {
    const only = found.querySelectorAll("li");
    if (only.length === 1) location.assign(only[0].querySelector("a").href);
    else form.submit();
  }

  function step(event, down) {
    const all = rows();
    const at = all.findIndex((row) => row.contains(document.activeElement));
    if (at < 0 && !down) return;
    event.preventDefault();
    if (at < 0 && !all.length) {
      isDismissed = false;
      if (box.value.trim()) ask();
    } else if (!down && at === 0) box.focus();
    else all[at + (down ? 1 : -1)]?.querySelector("a, button").focus();
  }

  form.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowDown") step(event, true);
    else if (event.key === "ArrowUp") step(event, false);
    else if (event.key === "Escape" && !found.hidden) {
      event.preventDefault(); // with nothing hanging there, the browser empties the box
      dismiss();
      box.focus();
    }
  });

  // Whoever types and presses Enter at once is taken where the finished search leads, not where the unfinished one did.
  form.addEventListener("submit", (event) => {
    if (!box.value.trim()) return;
    event.preventDefault();
    isDismissed = false;
    if (answered === box.value) {
      open();
    } else {
      isEntered = true;
      if (asked !== box.value) ask();
    }
  });

  box.addEventListener("input", () => { isDismissed = isEntered = false; });
  form.addEventListener("htmx:beforeRequest", () => { asked = box.value; });
  found.addEventListener("htmx:beforeSwap", () => {
    if (found.contains(document.activeElement)) box.focus(); // the link one is on goes away
  });
  found.addEventListener("htmx:afterSwap", () => {
    answered = asked;
    asked = null;
    if (isEntered && answered === box.value) open();
    else if (isDismissed) dismiss();
    else show();
  });
  for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    form.addEventListener(failure, () => {
      asked = null;
      if (isEntered) form.submit();
    });
  }

  form.addEventListener("focusin", show);
  form.addEventListener("focusout", (event) => {
    // Some browsers focus no link that is clicked, and say then that nothing is next.
    if (event.relatedTarget && !form.contains(event.relatedTarget)) found.hidden = true;
  });
  document.addEventListener("pointerdown", (event) => {
    if (!form.contains(event.target)) found.hidden = true;
  });
}

for (const form of document.querySelectorAll("form.find")) hangFoundUnder(form);

// What was typed into the booking form's box before anything listened.
document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  const box = elt.querySelector?.("#patient-query");
  if (box && box.value !== box.defaultValue) htmx.trigger(box, "ask");
});
