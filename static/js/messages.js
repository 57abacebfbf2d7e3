// Error messages of the page, and the htmx events of a request that got no usable answer.

export const REQUEST_FAILURES = ["htmx:sendError", "htmx:responseError", "htmx:timeout"];

export function showError(text) {
  const message = document.createElement("p");
  message.className = "message error";
  message.setAttribute("role", "alert");
  message.textContent = text;
  document.getElementById("messages").replaceChildren(message);
  message.scrollIntoView({ block: "nearest" });
}
