// What makes the portal quicker by hand; every page works without it.
"use strict";

// A filter or date picked by mouse or finger shows at once. By keyboard it waits for Enter or the button: a date being
// typed, and a list walked through with the arrows, change with every key.
for (const form of document.querySelectorAll("form[data-submit-on-pick]")) {
  let picked = false;
  form.addEventListener("pointerdown", () => { picked = true; });
  form.addEventListener("keydown", () => { picked = false; });
  form.addEventListener("change", () => { if (picked) form.requestSubmit(); });
}

// Lengths to click beside the number.
for (const lengths of document.querySelectorAll(".lengths")) {
  lengths.hidden = false;
  lengths.addEventListener("click", (event) => {
    const minutes = event.target.dataset.minutes;
    if (!minutes) return;
    const field = document.getElementById("id_duration_minutes");
    field.value = minutes;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// Ctrl+Enter sends the form one is in.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.querySelector("[data-default]")?.click();
  }
});
