// The search box of the top bar: matching patients are listed under it, and the arrow keys move through them.

import { REQUEST_FAILURES } from "./messages.js";

const MIN_CHARACTERS = 3;
const HINT = "Type three characters, or press Enter to search.";
// Scripts in which one character may be a whole name.
const NAME_IN_ONE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const NAME_CHARACTERS = /[\p{L}\p{M}\p{N}]/gu;

// Whether the text is searched for while it is typed. Enter searches for any text: Ng and Li are names, too.
function isEnough(text) {
  return NAME_IN_ONE.test(text) || (text.normalize("NFC").match(NAME_CHARACTERS) ?? []).length >= MIN_CHARACTERS;
}

const isTyping = (request) => request.triggeringEvent?.type !== "ask";

// Instead of a search for text that is too short: how to search for it.
function showHint(event, box, list) {
  event.preventDefault();
  const hint = document.createElement("p");
  hint.textContent = box.value.trim() && HINT;
  if (list.textContent !== hint.textContent) list.replaceChildren(...(hint.textContent ? [hint] : []));
}

function listMatchesUnder(form) {
  const box = form.elements.query;
  const found = form.querySelector(".found");
  let requested = null; // the text that the request under way searches for
  let listed = null; // the text whose matches are listed
  let opensResult = false; // Enter was pressed, and its answer has not come yet
  let isDismissed = false; // Escape was pressed, and nothing typed since

  const rows = () => [...found.querySelectorAll(".found-row:has(a, button)")];
  const search = () => htmx.trigger(box, "ask");

  function show() {
    found.hidden = !found.childElementCount || !form.contains(document.activeElement);
  }

  function dismiss() {
    found.replaceChildren();
    found.hidden = isDismissed = true;
    listed = null;
  }

  // Enter opens the only match; with several matches or none it goes to the patients page.
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
      if (box.value.trim()) search();
    } else if (!down && at === 0) box.focus();
    else all[at + (down ? 1 : -1)]?.querySelector("a, button").focus();
  }

  form.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowDown") step(event, true);
    else if (event.key === "ArrowUp") step(event, false);
    else if (event.key === "Escape" && !found.hidden) {
      event.preventDefault(); // when no list is shown, the browser empties the box
      dismiss();
      box.focus();
    }
  });

  // Enter right after typing waits for the search for the whole text, and does not open an earlier match.
  form.addEventListener("submit", (event) => {
    if (!box.value.trim()) return;
    event.preventDefault();
    isDismissed = false;
    if (listed === box.value) {
      open();
    } else {
      opensResult = true;
      if (requested !== box.value) search();
    }
  });

  box.addEventListener("input", () => { isDismissed = opensResult = false; });
  form.addEventListener("htmx:confirm", (event) => {
    if (event.target !== box || !isTyping(event.detail) || isEnough(box.value)) return;
    showHint(event, box, found);
    document.getElementById("found-says").textContent = found.textContent;
    requested = listed = null;
    show();
  });
  form.addEventListener("htmx:beforeRequest", () => { requested = box.value; });
  found.addEventListener("htmx:beforeSwap", () => {
    if (found.contains(document.activeElement)) box.focus(); // the focused link is about to be replaced
  });
  found.addEventListener("htmx:afterSwap", () => {
    listed = requested;
    requested = null;
    if (opensResult && listed === box.value) open();
    else if (isDismissed) dismiss();
    else show();
  });
  for (const failure of REQUEST_FAILURES) {
    form.addEventListener(failure, () => {
      requested = null;
      if (opensResult) form.submit();
    });
  }

  form.addEventListener("focusin", show);
  form.addEventListener("focusout", (event) => {
    // Some browsers do not focus a link on click; relatedTarget is then null.
    if (event.relatedTarget && !form.contains(event.relatedTarget)) found.hidden = true;
  });
  document.addEventListener("pointerdown", (event) => {
    if (!form.contains(event.target)) found.hidden = true;
  });
}

for (const form of document.querySelectorAll("form.find")) listMatchesUnder(form);

// The search box of the booking form, which htmx replaces.
document.addEventListener("htmx:confirm", (event) => {
  const box = event.target;
  if (box.id === "patient-query" && isTyping(event.detail) && !isEnough(box.value)) {
    showHint(event, box, document.getElementById("patient-matches"));
  }
});

// The answer to a longer text, which comes when the box has only one or two letters left.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { elt: box, ...request } = event.detail.requestConfig;
  if (box.matches(".find [name=query], #patient-query") && isTyping(request) && !isEnough(box.value)) {
    event.detail.shouldSwap = false;
  }
});

// Search for what was typed into the booking form's search box before this script ran.
document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  const box = elt.querySelector?.("#patient-query");
  if (box && box.value !== box.defaultValue) htmx.trigger(box, "ask");
});
