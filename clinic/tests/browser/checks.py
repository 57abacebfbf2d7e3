"""Checks for every page: no browser errors, no accessibility violations, no horizontal scrolling."""

from urllib.parse import urlsplit

WCAG_2_2_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

# Chromium says so of every answer from 400 up; `Complaints.on_response` says of which it matters.
BAD_STATUS = "Failed to load resource: the server responded with a status of"
# The policy is for all browsers; Chromium on Linux lacks these two features, and says so on every page.
ELSEWHERE = {
    f"Error with Permissions-Policy header: Unrecognized feature: '{name}'." for name in ("bluetooth", "web-share")
}

TOO_WIDE = """() => {
  const seen = document.scrollingElement;
  if (seen.scrollWidth <= seen.clientWidth) return [];
  const beyond = [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > seen.clientWidth + 0.5)
    .map((element) => element.outerHTML.split(">")[0] + ">");
  return [`${seen.scrollWidth} pixels in ${seen.clientWidth}`, ...beyond.slice(0, 10)];
}"""


class Complaints(list):
    """Browser reports: errors and warnings, policy violations, requests to other hosts, and failed responses.

    Chromium reports what the content security policy forbids as an error on the console. A page may answer 4xx, since
    that is how it refuses; a server error, and a file or part of a page that cannot be had, is a complaint.
    """

    def listen(self, context, home):
        """Listen to all pages of a browser context; `home` is the portal's own address."""
        self.home = urlsplit(home).netloc
        context.on("console", self.on_console)
        context.on("weberror", lambda error: self.append(f"uncaught: {error.error}"))
        context.on("request", self.on_request)
        context.on("requestfailed", self.on_request_failed)
        context.on("response", self.on_response)

    def on_console(self, message):
        is_meant = message.text.startswith(BAD_STATUS) or message.text in ELSEWHERE
        if message.type in {"error", "warning"} and not is_meant:
            self.append(f"{message.type} on {urlsplit(message.page.url).path if message.page else '?'}: {message.text}")

    def on_request(self, request):
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.netloc != self.home:
            self.append(f"request to another host: {request.url}")

    def on_request_failed(self, request):
        # A page that is left breaks off what it was still asking for.
        if request.failure != "net::ERR_ABORTED":
            self.append(f"{request.method} {request.url}: {request.failure}")

    def on_response(self, response):
        is_page = response.request.is_navigation_request()
        if response.status >= 500 or (response.status >= 400 and not is_page):
            self.append(f"{response.request.method} {response.url}: {response.status}")


def assert_accessible(page):
    """Assert that axe finds nothing on the page as it is now: WCAG 2.2, A and AA."""
    # The package is only installed for browser tests, but this module is imported at collection.
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_load_state()  # text appears before styles
    options = {"runOnly": {"type": "tag", "values": WCAG_2_2_AA}, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    assert not violations, f"axe on “{page.title()}” ({page.url}):\n" + "\n".join(map(_violation_text, violations))


def _violation_text(violation):
    nodes = (f"    {' '.join(map(str, node['target']))}: {_why(node)}" for node in violation["nodes"])
    return f"  {violation['id']}: {violation['help']}\n" + "\n".join(nodes)


def _why(node):
    return "; ".join(check["message"] for check in node["any"] + node["all"] + node["none"])


def assert_no_sideways_scroll(page):
    """Assert that the page is no wider than its viewport."""
    page.wait_for_load_state()
    too_wide = page.evaluate(TOO_WIDE)
    assert not too_wide, f"“{page.title()}” ({page.url}) scrolls sideways:\n" + "\n".join(too_wide)
