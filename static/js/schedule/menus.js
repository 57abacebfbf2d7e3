// The menus of the toolbar, which open without scripts, close as menus do: on Escape, and on a click elsewhere.

const opened = () => document.querySelector(".toolbar details[open]");

document.addEventListener("click", (event) => {
  const menu = opened();
  if (menu && !menu.contains(event.target)) menu.open = false;
});

// Before other keys of the page: Escape closes the menu and leaves nothing else.
document.addEventListener("keydown", (event) => {
  const menu = opened();
  if (event.key !== "Escape" || !menu) return;
  event.preventDefault();
  menu.open = false;
  menu.querySelector("summary").focus();
}, { capture: true });
