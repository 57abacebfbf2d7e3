"""The command lines in the documentation work as documented."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from clinic.tests.api_client import token_of
from doctors.tests.factories import DoctorFactory
from patients.tests.factories import PatientFactory

DOCS = Path(__file__).resolve().parents[2] / "docs"
SET_UP = re.compile(r"^(PORTAL|TOKEN)=.*\n", re.MULTILINE)
# A call with a documented response: only its code is printed.
CALL = re.compile(r"^((?:call|curl) .*?) +# (\d{3})$", re.MULTILINE)


def commands_in(name):
    """Return the shell lines of a document as a script that prints codes, and the codes that it should print."""
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    script = SET_UP.sub("", "".join(blocks))
    return CALL.sub(r"\1 --output /dev/null --write-out '%{http_code}\\n'", script), CALL.findall(script)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["api.md", "fhir.md"])
def test_calls_answer_as_documented(live_server, administrator, name):
    DoctorFactory(pk=1)
    for pk in (1, 2):
        PatientFactory(pk=pk)
    script, calls = commands_in(name)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=os.environ | {"PORTAL": live_server.url, "TOKEN": token_of(administrator)},
        capture_output=True,
        text=True,
    )

    assert done.stderr == ""
    assert list(zip([call for call, _code in calls], done.stdout.split(), strict=True)) == calls
