"""Checks for every response of the crawl. Each returns the problem of a call, or an empty text."""

import re
from urllib.parse import urlsplit

from clinic.models import Event
from clinic.tests.crawl import (
    ADMINISTRATOR,
    ANONYMOUS,
    DOCTOR,
    EVERYBODY,
    MANAGER,
    NO_ROLE,
    NO_ROLES,
    RECEPTIONIST,
    TABLE,
    words_of,
)
from clinic.tests.header_score import Answer, results, score

# Access by role

# Answers to a doctor for another doctor's record, on pages open to doctors. On other pages all are served.
FOREIGN_TO_A_DOCTOR = {
    "appointments:appointment_detail": "404",
    "appointments:appointment_calendar": "404",
    "appointments:appointment_arrive": "404",
    "appointments:appointment_no_show": "404",
    "appointments:appointment_left": "404",
    "appointments:appointment_start": "404",
    "appointments:appointment_complete": "404",
    "appointments:appointment_attended": "404",
    "appointments:appointment_undo": "404",
    "appointments:calendar_feed_edit": "403",
    "patients:patient_detail": "404",
    "api:patient": "404",
    "api:appointment": "404",
    "api:appointment_arrive": "404",
    "api:appointment_no_show": "404",
    "api:appointment_left": "404",
    "api:appointment_start": "404",
    "api:appointment_complete": "404",
    "fhir:patient_read": "404",
    "fhir:appointment_read": "404",
}
# Answers for a record that does not exist, to permitted users; 404 otherwise.
UNKNOWN = {
    "admin:view_on_site": "404",
    **dict.fromkeys(
        [name for name in TABLE if re.fullmatch(r"admin:\w+_(change|delete|history)", name)], "to the index"
    ),
    "admin:auth_user_password_change": "404",
    "api:appointment_cancel": "served",  # 422: missing fields are reported first
}
# For everyone else, they do not exist. The "own" records are the doctor's.
ONLY_OWN = {"session_end"}


def expected(row, role, method):
    """Return what a page may answer: exactly one answer, except for anonymous users with unsupported methods.

    A page for everybody says to everybody which methods it knows.
    """
    if role in row.get(method, NO_ROLES):
        return {"served"}
    if EVERYBODY in row.values():
        return {"405"}
    if role == ANONYMOUS:
        return {"to the login"}
    if method in row:
        return {"403"}
    uses_the_page = any(role in roles for roles in row.values())
    return {"405"} if uses_the_page else {"403", "405"}


def expected_of(call):
    """Return the permitted answers: from the table for the page, from above for the record."""
    meant = expected(call.row, call.role, call.method)
    if meant != {"served"}:
        return meant
    if call.name == "readyz":  # answers only to probes
        return {"404"}
    if call.whose == "unknown":
        return {UNKNOWN.get(call.name, "404")}
    if call.name in ONLY_OWN:
        return {"served" if (call.whose, call.role) == ("own", DOCTOR) else "404"}
    if call.whose == "foreign" and call.role == DOCTOR:
        return {FOREIGN_TO_A_DOCTOR.get(call.name, "served")}
    return meant


def outcome(call):
    """Return what was answered; where no record is named, 404 counts as served: of a draft, or of no page at all."""
    response = call.response
    location = response.headers.get("Location", "")
    if response.status_code == 401 and response["WWW-Authenticate"] == "Bearer":
        return "to the login"
    if response.status_code == 302 and location.startswith("/accounts/login/?next="):
        return "to the login"
    if call.whose and response.status_code == 302 and location == "/admin/":
        return "to the index"
    expected_statuses = {400, 403, 404, 405} if call.whose or call.name == "readyz" else {403, 405}
    return str(response.status_code) if response.status_code in expected_statuses else "served"


def is_refused(call):
    return bool(call.name) and "served" not in expected_of(call)


def served_only_to_its_roles(call):
    if call.response.status_code >= 500:
        return str(call.response.status_code)
    if not call.name or call.by_htmx:
        return None
    meant, got = expected_of(call), outcome(call)
    return None if got in meant else f"{got}, not {' or '.join(sorted(meant))}"


def refusal_names_the_methods(call):
    if call.response.status_code != 405:
        return None
    named = set(call.response["Allow"].replace(" ", "").split(","))
    meant = {*call.row, "HEAD"} if "GET" in call.row and not call.is_api else {*call.row}
    if call.address.startswith("/admin/"):  # all is open by GET and POST
        return None if named <= {"GET", "HEAD", "POST", "OPTIONS"} else f"allows {sorted(named)}"
    return None if named == meant else f"allows {sorted(named)}, not {sorted(meant)}"


# A refusal changes nothing, contains no names and is recorded

# Any call may record refusals and the use of a token or session. Unknown feeds are recorded, then counted.
# Any API call also deletes stored responses older than a day.
NOTED = {
    ("INSERT", "clinic_auditentry"),
    ("INSERT", "clinic_trycount"),
    ("UPDATE", "clinic_trycount"),
    ("UPDATE", "clinic_session"),
    ("UPDATE", "clinic_apitoken"),
    ("DELETE", "clinic_keptanswer"),
}


def refusal_changes_nothing(call):
    if not is_refused(call):
        return None
    changed = [
        (verb, table, columns)
        for verb, table, columns in call.writes
        if (verb, table) not in NOTED or (table == "clinic_apitoken" and set(columns) != {"last_used_at"})
    ]
    if any(event == Event.WRITE for event, _actor in call.entries):
        changed.append("an entry of a change")
    return f"changed {changed}" if changed else None


def refusal_is_in_the_trail(call):
    """For signed-in users: every 403, and 404 if the URL contains the id of a record. Unknown feeds at most once."""
    refused = [actor for event, actor in call.entries if event == Event.REFUSAL]
    if call.name == BY_KEY:  # strangers' requests are recorded, too, but not one by one
        return None if len(refused) <= 1 else f"noted {call.entries}"
    status = call.response.status_code
    names_a_record = call.whose and re.search(r"/\d+[/.]|/\d+$", call.address)
    if call.role == ANONYMOUS or status in {401, 405}:
        return f"noted {call.entries}" if refused else None
    if status == 403 or (status == 404 and names_a_record):
        return None if len(refused) == 1 and refused[0] else f"noted {call.entries}"
    return None


# Words

OWN, FOREIGN = words_of("own"), words_of("foreign")
OWN_LEAVE, FOREIGN_LEAVE = words_of("own", ("leave",)), words_of("foreign", ("leave",))
ALL_WORDS = OWN | FOREIGN | OWN_LEAVE | FOREIGN_LEAVE
SEEN = {
    ANONYMOUS: set(),
    NO_ROLE: set(),
    MANAGER: set(),
    RECEPTIONIST: OWN | FOREIGN,
    DOCTOR: OWN | OWN_LEAVE,
    ADMINISTRATOR: ALL_WORDS,
}


def words_in(call):
    """Return the words of the patients, their appointments and the doctors' leave in the response."""
    text = call.text.replace(" ", "").lower()
    return {word for word in ALL_WORDS if word in text}


def contains_only_permitted_data(call):
    words = words_in(call) - (set() if is_refused(call) else SEEN[call.role])
    return f"revealed {sorted(words)}" if words else None


# Where it leads


def redirects_outside(location):
    """Return whether a browser that follows this URL leaves the portal; browsers ignore tabs and line breaks."""
    seen = "".join(char for char in location if char not in "\t\r\n").strip().replace("\\", "/")
    parts = urlsplit(seen)
    return (
        parts.scheme not in {"", "http", "https"}
        or parts.netloc not in {"", "testserver"}
        or seen.startswith("//")
        or any(char in location for char in "\r\n")
    )


def redirects_to_no_other_host(call):
    for header in ("Location", "HX-Redirect"):
        location = call.response.headers.get(header, "")
        if redirects_outside(location):
            return f"leads to {location}"
    return None


# Headers

ALWAYS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
}
# The score is 100 without these, too, because of what other headers add; nor does it mind what all sites may read.
NOTHING_FROM = {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}
# The feed is requested by its secret URL, and contains initials.
OWN_CACHING = {"appointments:calendar_feed"}


def answer_of(response, plain):
    """Return an answer as the score judges it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    text = "" if response.streaming else response.content.decode("utf-8", "replace")
    is_https_only = plain.status_code in {403, 404}
    return Answer(
        headers, text, response.cookies, plain_location=plain.headers.get("Location", ""), is_https_only=is_https_only
    )


def header_faults(response, plain, *, own_caching=False):
    """Return the missing or wrong headers of a response."""
    answer = answer_of(response, plain)
    wrong = {
        header: answer.headers.get(header) for header, value in ALWAYS.items() if answer.headers.get(header) != value
    }
    if score(answer) < 100:
        wrong["score"] = results(answer)
    policy = {directive.strip() for directive in answer.headers.get("content-security-policy", "").split(";")}
    if missing := NOTHING_FROM - policy:
        wrong["policy"] = missing
    if answer.headers.get("referrer-policy") not in {"same-origin", "no-referrer"}:
        wrong["referrer"] = answer.headers.get("referrer-policy")
    if shared := [header for header in answer.headers if header.startswith("access-control-")]:
        wrong["shared"] = shared
    if "camera=()" not in answer.headers.get("permissions-policy", ""):
        wrong["permissions"] = answer.headers.get("permissions-policy")
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/") and "charset=utf-8" not in kind.lower().replace(chr(34), ""):
        wrong["charset"] = kind
    if "no-store" not in answer.headers.get("cache-control", "") and not own_caching:
        wrong["cache"] = answer.headers.get("cache-control")
    return wrong


def has_all_headers(call):
    if call.plain is None:
        return None
    return header_faults(call.response, call.plain, own_caching=call.name in OWN_CACHING) or None


# Forms

FORM = re.compile(r"<form\b[^>]*\bmethod=.?post\b.*?</form>", re.DOTALL | re.IGNORECASE)


def forms_have_a_csrf_token(call):
    without = [form[:100] for form in FORM.findall(call.text) if 'name="csrfmiddlewaretoken"' not in form]
    return f"no token in {without}" if without else None


# Anonymous users

LOGINS = {"registration/login.html", "accounts/login_late.html"}
# A calendar program has no login: its secret URL is enough.
BY_KEY = "appointments:calendar_feed"


def kind_of(response):
    """Classify a response to an anonymous user: a login, 401, 404, or unexpected."""
    if response.status_code == 200 and LOGINS & {each.name for each in response.templates}:
        return "a login"
    if response.status_code == 401 and response["WWW-Authenticate"] == "Bearer":
        return "a login"
    location = response.headers.get("Location", "")
    if response.status_code == 302 and (
        location.startswith("/accounts/login/?next=") or location == "/accounts/login/"
    ):
        return "a login"
    return str(response.status_code)


def anonymous_user_learns_nothing(call):
    """A login, 401 or 404; 405 for unsupported methods."""
    if call.role != ANONYMOUS or call.name in {"livez", BY_KEY} or call.by_htmx:
        return None
    heard = kind_of(call.response)
    allowed = {"a login", "404"} if call.method == "GET" else {"a login", "404", "405"}
    return None if heard in allowed else heard


def tells_apart(call, hidden):
    """Return whether the answer for a record that the role may not see differs from that for no record.

    `hidden` has the answers so far by page and method, for others' records and for those that do not exist.
    """
    if call.whose not in {"foreign", "unknown"} or expected_of(call) != {"404"}:
        return None
    csrf = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')
    answer = call.response.status_code, call.response.headers.get("Content-Type"), csrf.sub(b"", call.response.content)
    other = hidden.setdefault((call.name, call.method), answer)
    return None if answer == other else "differs for a record that does not exist"


CHECKS = (
    served_only_to_its_roles,
    refusal_names_the_methods,
    refusal_changes_nothing,
    refusal_is_in_the_trail,
    contains_only_permitted_data,
    redirects_to_no_other_host,
    has_all_headers,
    forms_have_a_csrf_token,
    anonymous_user_learns_nothing,
)
