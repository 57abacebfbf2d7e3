// Pages to print: the Print button, and the print dialog opened at once when the address asks for it (`?now=1`).

const button = document.querySelector("[data-print]");

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());

  const address = new URL(window.location);
  if (address.searchParams.has("now")) {
    // Only once: without the parameter, reloading the page or coming back to it does not print again.
    address.searchParams.delete("now");
    history.replaceState(null, "", address);
    window.addEventListener("load", () => window.print());
  }
}
