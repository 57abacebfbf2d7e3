// Sheets to print: the button, and the print dialog by itself for who came by "Print" (`?now=1`).
"use strict";

const button = document.querySelector("[data-print]");

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());

  const address = new URL(window.location);
  if (address.searchParams.has("now")) {
    // Once: reloading the page, or coming back to it, finds the address without the wish.
    address.searchParams.delete("now");
    history.replaceState(null, "", address);
    window.addEventListener("load", () => window.print());
  }
}
