// The actions on an appointment in the grid that have a key but no button. When it gets the focus, it gets hidden buttons
// for them, which the keys press: hundreds of them in the page itself would double its size.

const KEYS = { arrive: "a", start: "s", complete: "d", attended: "d", "no-show": "n", left: "l", undo: "u" };

function buttonFor(act, appointment) {
  const { version, actsVersion } = appointment.dataset;
  const button = document.createElement("button");
  button.hidden = true;
  button.setAttribute("form", "act");
  button.setAttribute("formaction", `${appointment.querySelector(".open").getAttribute("href")}${act}/`);
  button.dataset.ownKey = KEYS[act];
  return Object.assign(button, { name: "version", value: version ?? actsVersion });
}

document.addEventListener("focusin", (event) => {
  const appointment = event.target.closest("#day-grid [data-acts]");
  if (!appointment) return;
  appointment.append(...appointment.dataset.acts.split(" ").map((act) => buttonFor(act, appointment)));
  delete appointment.dataset.acts;
});
