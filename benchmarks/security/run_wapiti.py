"""Scans the portal with wapiti, logged in as each role and anonymously: `python -m benchmarks.security.run_wapiti`.

Makes an environment of its own for wapiti beside this file. Ends with 1 if wapiti finds a vulnerability, or the
portal logs an error of its own.
"""

import argparse
import json
import re
import subprocess
import sys
import venv
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

from benchmarks.security.portal import PEOPLE, Portal, portal

HERE = Path(__file__).parent
VENV = HERE / ".venv"
QUICK = ("cookieflags", "csp", "csrf", "http_headers")
# Those that need no external server, as `ssrf` does.
THOROUGH = ("sql", "xss", "file", "exec", "redirect", "crlf", "permanentxss", "upload", "htaccess")
CRAWL = 0.2  # of the time
# URLs that would end the scanner's session, or change who may log in.
LEFT_ALONE = (
    "/accounts/logout/*",
    "/accounts/sessions/*/end/*",
    "/accounts/sessions/end-others/*",
    "/accounts/password_change/*",
    "/admin/logout/*",
    "/admin/password_change/*",
    "/admin/clinic/user/*",
    "/static/*",  # static files have no parameters
)
STARTS = (
    "/accounts/login/", "/accounts/", "/appointments/book/", "/appointments/free/", "/patients/", "/patients/1/",
    "/doctors/", "/audit/", "/admin/", "/api/docs",
)  # fmt: skip
# Django accepts any form token that equals the cookie, so those of the forms stay valid.
TOKEN = "s" * 32


def main() -> int:
    """Scan, and print the findings by role."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4, help="the most that the scan of a role may take")
    parser.add_argument("--as", dest="roles", nargs="*", default=["nobody", *PEOPLE])
    options = parser.parse_args()
    wapiti = installed()
    print(subprocess.run([wapiti, "--version"], capture_output=True, text=True).stdout.strip().splitlines()[-1])
    found = 0
    for role in options.roles:
        with portal() as serving:
            report, output = scan(wapiti, serving, role, seconds=options.minutes * 60)
            found += report_findings(role, report, output, serving)
    return int(found > 0)


def installed() -> Path:
    """Return the path of wapiti, after installing it if necessary."""
    if not (VENV / "bin" / "wapiti").exists():
        venv.create(VENV, with_pip=True)
        subprocess.run([VENV / "bin" / "pip", "install", "--quiet", "wapiti3"], check=True)
    return VENV / "bin" / "wapiti"


def scan(wapiti: Path, serving: Portal, role: str, *, seconds: float) -> tuple[dict[str, Any], str]:
    """Return wapiti's report and output. The modules share the time left after the crawl."""
    report, store = serving.log.with_name("report.json"), serving.log.with_name("wapiti")
    command = [wapiti, "-u", f"{serving.url}/", "--scope", "folder", "-m", ",".join((*QUICK, *THOROUGH)), "-v", "1"]
    command += ["-f", "json", "-o", report, "--store-session", store, "--store-config", store, "--no-bugreport"]
    command += ["--max-scan-time", str(seconds * CRAWL), "--max-attack-time"]
    command += [str(seconds * (1 - CRAWL) / len(THOROUGH)), "--tasks", "4", "-t", "20", "-d", "6"]
    command += ["--max-links-per-page", "40", "--max-files-per-dir", "20", "-C", _cookies(serving, role)]
    command += ["--skip", "csrfmiddlewaretoken"]
    command += [word for path in LEFT_ALONE for word in ("-x", serving.url + path)]
    command += [word for path in STARTS for word in ("-s", serving.url + path)]
    done = subprocess.run(command, stdout=PIPE, stderr=STDOUT, text=True, timeout=seconds * 3)
    if done.returncode:
        raise SystemExit(f"wapiti ended with {done.returncode}: {done.stdout[-3000:]}")
    return json.loads(report.read_text()), done.stdout


def _cookies(serving: Portal, role: str) -> str:
    signed_in = f"; {serving.session}={serving.people[role]['cookie']}" if role in serving.people else ""
    return f"{serving.csrf}={TOKEN}{signed_in}"


# The scan uses plain HTTP, without secure cookies and HSTS.
# clinic/tests/test_headers.py looks at production's.
OF_PLAIN_HTTP = ("Secure Flag cookie", "HTTP Strict Transport Security")


def report_findings(role: str, report: dict[str, Any], output: str, serving: Portal) -> int:
    """Print a report, and return the number of vulnerabilities and server errors."""
    count = 0
    cut = re.findall(r"Max attack time was reached for module (\w+)", output)
    print(f"\n{role}: {report['infos']['crawled_pages_nbr']} pages crawled; cut short: {', '.join(cut) or 'none'}")
    print(f"  {serving.summary()}")
    for kind in ("vulnerabilities", "anomalies"):
        for name, findings in report[kind].items():
            for finding in findings:
                is_of_http = name.startswith(OF_PLAIN_HTTP)
                mark = " (of plain HTTP)" if is_of_http else ""
                print(f"  {kind}{mark}: {name}: {finding['method']} {finding['path']}: {finding['info']}", flush=True)
                count += not is_of_http
    errors = serving.errors()
    for line in errors:
        print(f"  server: {line}")
    print(f"  {count} found, {len(errors)} errors of the portal")
    return count + len(errors)


if __name__ == "__main__":
    sys.exit(main())
