"""Tries every search, filter and sort parameter with sqlmap: `python -m benchmarks.security.run_sqlmap`.

Needs Debian's `sqlmap`. Ends with 1 if one can be injected into, or the portal logs an error of its own.
"""

import argparse
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.security.portal import Portal, portal

OPTIONS = (
    "--batch", "--flush-session", "--level=2", "--risk=2", "--technique=BEUST", "--dbms=SQLite", "--threads=2",
    "--retries=0", "--timeout=20", "--time-sec=3", "--ignore-code=*", "--disable-coloring", "--text-only",
)  # fmt: skip
# Django accepts any form token that equals the cookie.
TOKEN = "s" * 32


@dataclass(frozen=True)
class Target:
    """A URL with parameters to try: `data` is sent as a form, `json` as JSON to the API."""

    who: str
    address: str
    data: str = ""
    json: str = ""
    tried: str = ""  # names of the parameters; all


_FILTERS = "doctor=1&specialization=Cardiology&layout=list&tab=all"
TARGETS = (
    Target("reception", "/patients/", data="query=santos", tried="query"),
    Target("reception", "/appointments/book/", data="find=1&patient_query=santos", tried="patient_query"),
    Target("reception", f"/schedule/2026-11-25/?{_FILTERS}"),
    Target("reception", "/schedule/?date=2026-11-25&move=1"),
    Target("reception", "/schedule/next/print/?doctor=1&specialization=Cardiology&from=2026-11-25&now=1"),
    Target("reception", "/appointments/free/?who=1&part_of_day=&weekday=&date=2026-11-26&minutes=30&patient=1"),
    Target("reception", "/patients/1/?page=1"),
    Target("doctor", "/doctors/1/week/?doctor=1&date=2026-11-24"),
    Target("admin", "/doctors/closures/holidays/?country=PT&region=11&year=2027"),
    Target("manager", "/appointments/export/?first=2026-11-24&last=2026-11-25&doctor=1&as=csv"),
    Target("admin", "/patients/export/?as=csv"),
    Target("admin", "/patients/1/data/?as=json"),
    Target("admin", "/patients/retention/?after=1"),
    Target("admin", "/audit/?user=1&event=read&first=2026-11-01&last=2026-11-25&patient=1&before=9999"),
    Target("admin", "/audit/", data="query=santos", tried="query"),
    Target("admin", "/admin/patients/patient/?q=santos&o=1.2&created_at__gte=2026-01-01&p=1"),
    Target("admin", "/admin/appointments/appointment/?q=x&o=-1&status__exact=booked&doctor__specialization=Cardiology"),
    Target("admin", "/admin/doctors/doctor/?q=okafor&o=1&is_active__exact=1&specialization=Cardiology"),
    Target("admin", "/admin/clinic/user/?q=admin&o=1&groups__id__exact=1&is_active__exact=1"),
    Target("admin", "/admin/clinic/apitoken/?q=scanner&o=1&user__id__exact=1"),
    Target("admin", "/admin/autocomplete/?app_label=clinic&model_name=apitoken&field_name=user&term=ad&page=1"),
    Target("reception", "/api/patients/search", json='{"q": "santos*"}'),
    Target("reception", "/api/appointments?date=2026-11-25&doctor_id=1&limit=5&cursor="),
    Target("reception", "/api/doctors?specialization=Cardiology&is_active=true&limit=5&cursor="),
    Target("reception", "/api/doctors/1/free?from=2026-11-24&days=1&minutes=30"),
    Target("reception", "/api/fhir/Patient/_search", data="family=santos&given=a&birthdate=1990-01-01"),
    Target("reception", "/api/fhir/Appointment?date=2026-11-25&patient=1&practitioner=1&status=booked&_sort=date"),
    Target("reception", "/api/fhir/Practitioner?active=true&_id=1&_count=5"),
    Target("reception", "/api/fhir/Slot?schedule=1&start=2026-11-25&status=free"),
)


def main() -> int:
    """Try all targets, and print the injectable ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3, help="the most that one target may take")
    parser.add_argument("--at-once", type=int, default=3)
    options = parser.parse_args()
    print("sqlmap", subprocess.run(["sqlmap", "--version"], capture_output=True, text=True).stdout.split()[0])
    with portal() as serving, ThreadPoolExecutor(options.at_once) as pool:
        outcomes = pool.map(lambda target: tried(serving, target, seconds=options.minutes * 60), TARGETS)
        found = sum(map(report, TARGETS, outcomes))
        errors = serving.errors()
        print(f"\n{serving.summary()}")
    for line in errors:
        print(f"server: {line}")
    print(f"\n{len(TARGETS)} targets, {found} can be injected into, {len(errors)} errors of the portal")
    return int(bool(found or errors))


def tried(serving: Portal, target: Target, *, seconds: float) -> tuple[str, float]:
    """Return sqlmap's output, so far if the time is over, and its duration."""
    output = serving.log.with_name(f"sqlmap-{TARGETS.index(target)}.txt")
    command = ["sqlmap", "-u", serving.url + target.address, *OPTIONS, f"--output-dir={output.with_suffix('')}"]
    command += _sent(serving, target) + (["-p", target.tried] if target.tried else [])
    started = time.monotonic()
    with output.open("w") as file:
        try:
            subprocess.run(command, stdout=file, stderr=file, timeout=seconds)
        except subprocess.TimeoutExpired:
            file.write("\nTIME IS OVER\n")
    return output.read_text(errors="replace"), time.monotonic() - started


def _sent(serving: Portal, target: Target) -> list[str]:
    """Return sqlmap's options for the login and the data of the target."""
    person = serving.people[target.who]
    bearer = f"--headers=Authorization: Bearer {person['token']}"
    if target.json:
        return [f"{bearer}\nContent-Type: application/json", f"--data={target.json}"]
    if target.address.startswith("/api/"):
        return [bearer, *([f"--data={target.data}"] if target.data else [])]
    data = [f"--data={target.data}&csrfmiddlewaretoken={TOKEN}"] if target.data else []
    return [f"--cookie={serving.session}={person['cookie']}; {serving.csrf}={TOKEN}", "--skip=cookie", *data]


def report(target: Target, outcome: tuple[str, float]) -> bool:
    """Print sqlmap's findings for a target, and return whether it is injectable."""
    output, seconds = outcome
    is_open = "identified the following injection point" in output
    is_over = "TIME IS OVER" in output
    tested = len(set(re.findall(r"testing for SQL injection on .*?parameter '([^']+)'", output)))
    state = "CAN BE INJECTED INTO" if is_open else "time was over before the end" if is_over else "nothing"
    print(f"{target.who:10} {target.address[:70]:70} {tested:2} parameters, {seconds:4.0f} s: {state}", flush=True)
    if is_open or not tested:
        print(output[-3000:])
    return is_open


if __name__ == "__main__":
    sys.exit(main())
