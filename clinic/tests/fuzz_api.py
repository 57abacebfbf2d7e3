"""Fuzzes the running API and compares each response with the schema.

`python -m clinic.tests.fuzz_api [examples]` serves a clinic with demo data from a database of its own (a file, or what
FUZZ_DATABASE_URL names, which must be empty) and ends with schemathesis' own verdict.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
USUAL_EXAMPLES = 200
# Refusals that no schema can describe: a past time, a registered e-mail, a doctor on leave.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412", "422"]
"""


def main() -> int:
    """Serve, fuzz, and return what schemathesis returned."""
    examples = sys.argv[1] if len(sys.argv) > 1 else str(USUAL_EXAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = os.environ | {
            "ENV_FILE": os.devnull,
            "DEBUG": "off",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "USE_HTTPS": "off",
            "API_CALLS_A_MINUTE": "0",
            "DATABASE_URL": os.environ.get("FUZZ_DATABASE_URL", f"sqlite:///{folder}/clinic.sqlite3"),
        }
        token = prepare(environment)
        subprocess.run([PYTHON, "-m", "clinic.ops.serving"], cwd=ROOT, env=environment, check=True)
        log = (Path(folder) / "server.log").open("w+")
        server = subprocess.Popen(
            [Path(PYTHON).with_name("gunicorn"), "clinic.wsgi", "--log-level=warning"],
            cwd=ROOT,
            env=environment | {"PORT": str(port)},
            stderr=log,
        )
        try:
            url = f"http://127.0.0.1:{port}/api/openapi.json"
            wait_for(f"http://127.0.0.1:{port}/livez")
            config = Path(folder) / "schemathesis.toml"
            config.write_text(CONFIG)
            command = [Path(PYTHON).with_name("schemathesis"), f"--config-file={config}", "run", url, "--checks=all"]
            options = [f"--max-examples={examples}", "--generation-deterministic", "--warnings=off"]
            code = subprocess.run([*command, *options, "-H", f"Authorization: Bearer {token}"], cwd=folder).returncode
            if code:
                log.seek(0)
                sys.stderr.write(log.read()[-20_000:])  # the server's log of a 500
            return code
        finally:
            server.terminate()
            server.wait()
            log.close()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def prepare(environment: dict[str, str]) -> str:
    """Fill the database, and return a token with all permissions."""
    environment = environment | {"DEBUG": "on"}  # demo data is for trying out only
    for command in (["migrate", "--verbosity=0"], ["load_demo", "--if-empty"], ["create_api_token", "admin"]):
        done = subprocess.run([PYTHON, "manage.py", *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        done.check_returncode()
    return done.stdout.decode().splitlines()[-1]


def wait_for(url: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise SystemExit(f"{url} does not answer")


if __name__ == "__main__":
    sys.exit(main())
