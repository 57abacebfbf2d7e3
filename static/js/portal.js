// What makes the portal quicker by hand; every page works without it.
"use strict";

// A changed filter or date shows at once; the button that does it without script is no longer needed.
for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
  form.querySelector("[data-without-script]").hidden = true;
}

// Lengths to click beside the number.
for (const lengths of document.querySelectorAll(".lengths")) {
  lengths.hidden = false;
  lengths.addEventListener("click", (event) => {
    const minutes = event.target.dataset.minutes;
    if (minutes) document.getElementById("id_duration_minutes").value = minutes;
  });
}

// Ctrl+Enter sends the form one is in.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.querySelector("[data-default]")?.click();
  }
});
