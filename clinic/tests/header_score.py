"""The score of a response by the rules of the Mozilla HTTP Observatory (version 5, as run by MDN).

It begins with 100; each of ten tests takes away or adds. What is added counts only if what was taken away leaves 90.
The names of the results are the Observatory's. Redirection, which it judges by the site's plain HTTP, is judged by the
plain HTTP of the same address.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie

BEST_WITHOUT_EXTRAS = 90
SIX_MONTHS = 15_552_000  # seconds; thirty days a month
BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
INLINE = {"'unsafe-inline'", "data:"}
PASSIVE = ("img-src", "media-src")
HASHED = ("'sha256-", "'sha384-", "'sha512-", "'nonce-")

MODIFIERS = {
    "csp-implemented-with-no-unsafe-default-src-none": 10,
    "csp-implemented-with-no-unsafe": 5,
    "csp-implemented-with-unsafe-inline-in-style-src-only": 0,
    "csp-implemented-with-insecure-scheme-in-passive-content-only": -10,
    "csp-implemented-with-unsafe-eval": -10,
    "csp-implemented-with-unsafe-inline": -20,
    "csp-implemented-with-insecure-scheme": -20,
    "csp-header-invalid": -25,
    "csp-not-implemented": -25,
    "cookies-secure-with-httponly-sessions-and-samesite": 5,
    "cookies-secure-with-httponly-sessions": 0,
    "cookies-not-found": 0,
    "cookies-without-secure-flag-but-protected-by-hsts": -5,
    "cookies-session-without-secure-flag-but-protected-by-hsts": -10,
    "cookies-without-secure-flag": -20,
    "cookies-samesite-flag-invalid": -20,
    "cookies-anticsrf-without-samesite-flag": -20,
    "cookies-session-without-httponly-flag": -30,
    "cookies-session-without-secure-flag": -40,
    "cross-origin-resource-sharing-not-implemented": 0,
    "cross-origin-resource-sharing-implemented-with-public-access": 0,
    "cross-origin-resource-sharing-implemented-with-restricted-access": 0,
    "cross-origin-resource-sharing-implemented-with-universal-access": -50,
    "redirection-to-https": 0,
    "redirection-not-needed-no-http": 0,
    "redirection-off-host-from-http": -5,
    "redirection-not-to-https": -20,
    "redirection-missing": -20,
    "referrer-policy-private": 5,
    "referrer-policy-not-implemented": 0,
    "referrer-policy-unsafe": -5,
    "referrer-policy-header-invalid": -5,
    "hsts-implemented-max-age-at-least-six-months": 0,
    "hsts-implemented-max-age-less-than-six-months": -10,
    "hsts-not-implemented": -20,
    "hsts-header-invalid": -20,
    "sri-not-implemented-response-not-html": 0,
    "sri-not-implemented-but-no-scripts-loaded": 0,
    "sri-not-implemented-but-all-scripts-loaded-from-secure-origin": 0,
    "sri-implemented-and-external-scripts-loaded-securely": 5,
    "sri-implemented-and-all-scripts-loaded-securely": 5,
    "sri-not-implemented-but-external-scripts-loaded-securely": -5,
    "sri-implemented-but-external-scripts-not-loaded-securely": -20,
    "sri-not-implemented-and-external-scripts-not-loaded-securely": -50,
    "x-content-type-options-nosniff": 0,
    "x-content-type-options-not-implemented": -5,
    "x-content-type-options-header-invalid": -5,
    "x-frame-options-implemented-via-csp": 5,
    "x-frame-options-sameorigin-or-deny": 0,
    "x-frame-options-allow-from-origin": 0,
    "x-frame-options-not-implemented": -20,
    "x-frame-options-header-invalid": -20,
    "cross-origin-resource-policy-implemented-with-same-origin": 10,
    "cross-origin-resource-policy-implemented-with-same-site": 10,
    "cross-origin-resource-policy-implemented-with-cross-origin": 0,
    "cross-origin-resource-policy-not-implemented": 0,
    "cross-origin-resource-policy-header-invalid": -5,
}


@dataclass
class Answer:
    """An answer by HTTPS to a request that came from another origin; `plain_location` is where plain HTTP leads."""

    headers: dict[str, str]  # by their names in lower case
    text: str = ""
    cookies: SimpleCookie = field(default_factory=SimpleCookie)
    host: str = "testserver"
    plain_location: str = ""
    is_https_only: bool = False  # plain HTTP is refused for any URL
    asked_from: str = "https://elsewhere.example"


def score(answer):
    changes = [MODIFIERS[result] for result in results(answer)]
    without_extras = 100 + sum(change for change in changes if change < 0)
    return max(0, 100 + sum(changes) if without_extras >= BEST_WITHOUT_EXTRAS else without_extras)


def results(answer):
    """Return the results of the ten tests."""
    return [test(answer) for test in TESTS]


def policy_of(answer):
    """Return the content security policy by directive; of one that comes twice the first counts."""
    policy = {}
    for part in answer.headers.get("content-security-policy", "").lower().split(";"):
        name, *sources = part.split() or [""]
        if name:
            policy.setdefault(name, set(sources or ["'none'"]))
    return policy


def content_security_policy(answer):
    policy = policy_of(answer)
    if not policy:
        return "csp-not-implemented"
    everything = policy.get("default-src", {"*"})
    scripts, styles = (_effective(policy.get(name, everything)) for name in ("script-src", "style-src"))
    objects = policy.get("object-src", everything)
    active = set().union(
        scripts, *(sources for name, sources in policy.items() if name not in (*PASSIVE, "script-src"))
    )
    passive = set().union(*(policy.get(name, everything) for name in PASSIVE))
    if "'strict-dynamic'" in scripts and not _is_hashed(scripts):
        return "csp-header-invalid"
    if scripts & (BROAD | INLINE) or objects & BROAD:
        return "csp-implemented-with-unsafe-inline"
    if any(source.startswith(("http:", "ftp:")) for source in active):
        return "csp-implemented-with-insecure-scheme"
    if "'unsafe-eval'" in scripts | styles:
        return "csp-implemented-with-unsafe-eval"
    if any(source.startswith(("http:", "ftp:")) for source in passive):
        return "csp-implemented-with-insecure-scheme-in-passive-content-only"
    if styles & (BROAD | INLINE):
        return "csp-implemented-with-unsafe-inline-in-style-src-only"
    is_closed = policy.get("default-src") == {"'none'"}
    return "csp-implemented-with-no-unsafe" + ("-default-src-none" if is_closed else "")


def _is_hashed(sources):
    return any(source.startswith(HASHED) for source in sources)


def _effective(sources):
    return sources - {"'unsafe-inline'"} if _is_hashed(sources) else sources


def cookies(answer):
    if not answer.cookies:
        return "cookies-not-found"
    is_protected = strict_transport_security(answer) == "hsts-implemented-max-age-at-least-six-months"
    faults = [fault for cookie in answer.cookies.values() for fault in _cookie_faults(cookie, is_protected)]
    if faults:
        return min(faults, key=MODIFIERS.__getitem__)
    every = all(cookie["samesite"] for cookie in answer.cookies.values())
    return "cookies-secure-with-httponly-sessions" + ("-and-samesite" if every else "")


def _cookie_faults(cookie, is_protected):
    name, beside = cookie.key.lower(), "-but-protected-by-hsts" if is_protected else ""
    is_session = "sess" in name or "login" in name
    same_site = str(cookie["samesite"]).lower()
    if same_site not in {"", "lax", "strict", "none"} or (same_site == "none" and not cookie["secure"]):
        yield "cookies-samesite-flag-invalid"
    if "csrf" in name and not same_site:
        yield "cookies-anticsrf-without-samesite-flag"
    if not cookie["secure"]:
        yield f"cookies-{'session-' if is_session else ''}without-secure-flag{beside}"
    if is_session and not cookie["httponly"]:
        yield "cookies-session-without-httponly-flag"


def cross_origin_resource_sharing(answer):
    allowed = answer.headers.get("access-control-allow-origin")
    with_cookies = answer.headers.get("access-control-allow-credentials", "").strip().lower() == "true"
    found = "cross-origin-resource-sharing-"
    if not allowed:
        return found + "not-implemented"
    if allowed == "*":
        return found + "implemented-with-public-access"
    is_for_all = allowed == answer.asked_from and with_cookies
    return found + f"implemented-with-{'universal' if is_for_all else 'restricted'}-access"


def redirection(answer):
    if answer.is_https_only:
        return "redirection-not-needed-no-http"
    if not answer.plain_location:
        return "redirection-missing"
    scheme, _, rest = answer.plain_location.partition("://")
    if scheme != "https":
        return "redirection-not-to-https"
    is_here = rest.partition("/")[0] == answer.host
    return "redirection-to-https" if is_here else "redirection-off-host-from-http"


def referrer_policy(answer):
    private = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
    unsafe = {"origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"}
    if "referrer-policy" not in answer.headers:
        return "referrer-policy-not-implemented"
    known = [each.strip().lower() for each in answer.headers["referrer-policy"].split(",")]
    known = [each for each in known if each in private | unsafe]
    if not known:
        return "referrer-policy-header-invalid"
    return "referrer-policy-private" if known[-1] in private else "referrer-policy-unsafe"


def strict_transport_security(answer):
    header = answer.headers.get("strict-transport-security")
    if header is None:
        return "hsts-not-implemented"
    age = re.search(r"(?:^|;)\s*max-age=(\d+)", header, re.IGNORECASE)
    if "," in header or age is None:
        return "hsts-header-invalid"
    length = "at-least" if int(age[1]) >= SIX_MONTHS else "less-than"
    return f"hsts-implemented-max-age-{length}-six-months"


def subresource_integrity(answer):
    if not answer.headers.get("content-type", "text/html").startswith(("text/html", "application/xhtml+xml")):
        return "sri-not-implemented-response-not-html"
    scripts = _scripts_in(answer.text)
    if not scripts:
        return "sri-not-implemented-but-no-scripts-loaded"
    loaded = [script for script in scripts if script.get("src")]
    foreign = [script for script in loaded if _is_foreign(script["src"], answer.host)]
    faults = [fault for fault in map(_script_fault, foreign) if fault]
    if faults:
        return min(faults, key=MODIFIERS.__getitem__)
    if foreign:
        return "sri-implemented-and-external-scripts-loaded-securely"
    if any("integrity" in script for script in loaded):
        return "sri-implemented-and-all-scripts-loaded-securely"
    return "sri-not-implemented-but-all-scripts-loaded-from-secure-origin"


def _scripts_in(text):
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag == "script":
                found.append(dict(attrs))

    Parser().feed(text)
    return found


def _is_foreign(source, host):
    return source.startswith("//") or (
        source.startswith(("http://", "https://")) and source.split("/")[2].lower() != host
    )


def _script_fault(script):
    is_secure, has_integrity = script["src"].startswith("https://"), "integrity" in script
    if has_integrity:
        return "" if is_secure else "sri-implemented-but-external-scripts-not-loaded-securely"
    if is_secure:
        return "sri-not-implemented-but-external-scripts-loaded-securely"
    return "sri-not-implemented-and-external-scripts-not-loaded-securely"


def x_content_type_options(answer):
    header = answer.headers.get("x-content-type-options")
    if header is None:
        return "x-content-type-options-not-implemented"
    return f"x-content-type-options-{'nosniff' if header.strip().lower() == 'nosniff' else 'header-invalid'}"


def x_frame_options(answer):
    header = answer.headers.get("x-frame-options", "").strip().lower()
    if "frame-ancestors" in policy_of(answer):
        return "x-frame-options-implemented-via-csp"
    if not header:
        return "x-frame-options-not-implemented"
    if header in {"deny", "sameorigin"}:
        return "x-frame-options-sameorigin-or-deny"
    return f"x-frame-options-{'allow-from-origin' if header.startswith('allow-from') else 'header-invalid'}"


def cross_origin_resource_policy(answer):
    header = answer.headers.get("cross-origin-resource-policy", "").strip().lower()
    if not header:
        return "cross-origin-resource-policy-not-implemented"
    if header in {"same-site", "same-origin", "cross-origin"}:
        return f"cross-origin-resource-policy-implemented-with-{header}"
    return "cross-origin-resource-policy-header-invalid"


TESTS = (
    content_security_policy,
    cookies,
    cross_origin_resource_sharing,
    redirection,
    referrer_policy,
    strict_transport_security,
    subresource_integrity,
    x_content_type_options,
    x_frame_options,
    cross_origin_resource_policy,
)
