// Names of free times and buttons for screen readers, which say whose they are. They are not in the page itself, because
// hundreds of them would double its size.

export function nameStops(part) {
  for (const free of part.querySelectorAll(".free")) {
    const verb = free.matches("a") ? "Book" : "Move to";
    free.setAttribute("aria-label", `${verb} ${free.textContent}, ${free.closest(".column").getAttribute("aria-label")}`);
  }
  for (const button of part.querySelectorAll(".step, .block-buttons button")) {
    const appointment = button.closest("[data-keys]");
    const [time, who, status] = ["b, .time", ".who", "em, .chip"].map((each) => appointment.querySelector(each).textContent);
    const verb = button.matches(".undo") ? `Undo ${status.toLowerCase()}` : button.textContent;
    const name = `${verb}: ${time.split("–")[0]} ${who.trim()}`;
    button.setAttribute("aria-label", name);
    if (button.matches(".step")) button.title = name; // it is an icon
  }
}
