// Error messages of the page, and the htmx events of a request that got no usable answer.

export const REQUEST_FAILURES = ["htmx:sendError", "htmx:responseError", "htmx:timeout"];

export function showError(text) {
  const message = document.createElement("p");
  message.className = "message error";
  message.setAttribute("role", "alert");
  message.textContent = text;
  const close = Object.assign(document.createElement("button"), { type: "button", className: "toast-close" });
  close.setAttribute("aria-label", "Close this message");
  message.append(close);
  document.getElementById("messages").replaceChildren(message);
}

document.addEventListener("click", ({ target }) => {
  if (target.matches(".toast-close")) target.closest(".message").remove();
});
