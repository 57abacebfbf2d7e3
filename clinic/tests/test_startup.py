"""Startup: `.env`, `make run`, `make serve`, and messages about invalid settings."""

import itertools
import os
import re
import secrets
import socket
import stat
import subprocess
import sys
from pathlib import Path

from clinic.ops import first_run
from clinic.tests.kit import Cases

ROOT = Path(__file__).resolve().parents[2]
KEY = secrets.token_urlsafe(64)
GUNICORN = [Path(sys.executable).with_name("gunicorn"), "clinic.wsgi", "--bind=127.0.0.1:0", "--no-control-socket"]
DEBUG_IS_ON = "DEBUG is on, which is for development only. Set DEBUG=off in .env, or start with: DEBUG=off make serve"


def run(*command, **settings):
    """Run a command in the project folder with only these settings; None removes a default one."""
    usual = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "SECRET_KEY": KEY, "DEBUG": "off"}
    environment = {name: value for name, value in (usual | settings).items() if value is not None}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def settings_read(package, *names, **settings):
    """Return these settings, as text, of a process with exactly this environment."""
    values = ", ".join(f"settings.{name}" for name in names)
    done = run(sys.executable, "-c", f"from {package} import settings; print({values})", **settings)
    assert done.stderr == ""
    return done.stdout.split()


def test_unreadable_setting_is_named_in_one_line():
    table = {
        "SECRET_KEY": ("", "SECRET_KEY is not set."),
        "SECRET_KEY_FALLBACKS": ("pass-word", "at least 50 random characters"),
        "DEBUG": ("yess", "on or off"),
        "ALLOWED_HOSTS": ("https://clinic.example.org", "host names such as clinic.example.org"),
        "HOST": ("127.0.0.1:8000", "an IP address or host name of this machine"),
        "SLOW_MS": ("-1", "a whole number from 0 to 600000"),
        "USE_HTTPS": ("onn", "on or off"),
        "SESSION_IDLE_MINUTES": ("abc", "a whole number from 1 to 1440"),
        "API_CALLS_A_MINUTE": ("-1", "a whole number from 0 to 1000000"),
        "PATIENT_RETENTION_YEARS": ("151", "a whole number from 1 to 150"),
        "CLINIC_TIME_ZONE": ("Mars/Base", "the name of a time zone, such as Europe/Lisbon"),
        "READY_FROM": ("10.0.0.0/8,xyz", "networks such as 10.20.0.0/16"),
        "CSRF_TRUSTED_ORIGINS": ("clinic.example.org", "origins such as https://clinic.example.org"),
        "DATABASE_URL": ("postgres://portal:pass-word@localhost/clinic", "mysql://user:password@host:3306/name"),
        "CACHE_URL": ("nonsense", "a cache URL such as"),
        "PORT": ("http", "a whole number from 0 to 65535"),
        "WEB_CONCURRENCY": ("0", "a whole number from 1 to 64"),
        "WEB_THREADS": ("many", "a whole number from 1 to 64"),
        "CLIENT_TIMEOUT": ("0", "a whole number from 1 to 600"),
        "EMAIL_URL": ("smtp://portal:pass-word@localhost:port", "an e-mail URL such as"),
        "ENV_FILE": ("/no/such/file", "the path of a file that exists"),
    }
    for name, (value, expected) in table.items():
        done = run(sys.executable, "manage.py", "check", **{name: value})

        assert (done.returncode, done.stderr.count("\n")) == (1, 1), (name, done.stderr)
        assert done.stderr.startswith(name), done.stderr
        assert expected in done.stderr
        assert "pass-word" not in done.stderr


def test_every_way_to_start_refuses_a_setting_in_one_line():
    wrong = [
        ("SECRET_KEY", "pass-word", "is too weak"),
        ("DATABASE_URL", "", "cannot be read"),
        ("DATABASE_URL", "mysql://portal:p@ss/pass-word@db.example.org/clinic", "cannot be read"),
    ]
    manage = [[sys.executable, "manage.py", *words] for words in (["migrate"], ["runserver"], ["check", "--deploy"])]
    commands = [*manage, [sys.executable, "-m", "clinic.ops.serving"], GUNICORN]
    with Cases() as case:
        for command, (name, value, fault) in zip(commands, itertools.cycle(wrong)):
            with case(name, value, *map(str, command)):
                done = run(*command, **{name: value})

                assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
                assert done.stderr.startswith(f"{name} {fault}. Expected: ")
                assert "pass-word" not in done.stderr


def test_empty_setting_counts_as_not_set():
    names = ("DEBUG", "SESSION_IDLE_MINUTES", "CLINIC_TIME_ZONE", "READY_FROM", "CACHE_URL", "EMAIL_URL")

    read = settings_read("clinic", "DEBUG", "SESSION_IDLE_MINUTES", **dict.fromkeys(names, ""))

    assert read == ["False", "15"]


def test_weak_key_of_another_settings_module_is_refused(tmp_path):
    (tmp_path / "weak.py").write_text("from clinic.settings import *\nSECRET_KEY = 'pass-word'\n")
    environment = {"DJANGO_SETTINGS_MODULE": "weak", "PYTHONPATH": str(tmp_path), "DATABASE_URL": "sqlite://:memory:"}

    check, served = run(sys.executable, "manage.py", "check", "--deploy", **environment), run(*GUNICORN, **environment)

    assert check.returncode == 1
    assert "(clinic.E004) SECRET_KEY is too weak. Expected: " in check.stderr
    assert served.returncode == 1
    assert served.stderr.startswith("SECRET_KEY is too weak. Expected: ")
    assert served.stderr.count("\n") == 1
    assert "pass-word" not in check.stderr + served.stderr


def test_gunicorn_refuses_a_missing_folder_for_sqlite(tmp_path):
    done = run(*GUNICORN, DATABASE_URL=f"sqlite:///{tmp_path}/none/clinic.sqlite3")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("DATABASE_URL names a SQLite file that cannot be written. Expected: ")


def test_commands_name_a_database_error_by_its_code_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/none/clinic.sqlite3"

    line, full = (
        run(sys.executable, "manage.py", "migrate", *more, DATABASE_URL=url) for more in ([], ["--traceback"])
    )

    assert (line.returncode, line.stderr) == (
        1,
        "The database does not answer or reports an error (SQLITE_CANTOPEN). --traceback says more.\n",
    )
    assert "Traceback" in full.stderr


def test_gunicorn_refuses_debug_in_one_line():
    done = run(*GUNICORN, DEBUG="on")

    assert (done.returncode, done.stderr) == (1, f"{DEBUG_IS_ON}\n")


def test_gunicorn_names_an_unreadable_setting_in_one_line():
    done = run(*GUNICORN, SESSION_IDLE_MINUTES="abc")

    assert done.returncode == 1
    assert done.stderr == "SESSION_IDLE_MINUTES cannot be read. Expected: a whole number from 1 to 1440.\n"


def test_gunicorn_with_another_configuration_refuses_debug(tmp_path):
    (tmp_path / "other.py").touch()

    done = run(*GUNICORN, f"--config={tmp_path / 'other.py'}", DEBUG="on")

    assert done.returncode != 0
    assert DEBUG_IS_ON in done.stderr.splitlines()
    assert "Traceback" not in done.stderr


def test_gunicorn_names_missing_static_files_and_the_command(tmp_path):
    (tmp_path / "uncollected.py").write_text(
        f"from clinic.settings import *\nSTATIC_ROOT = {str(tmp_path / 'none')!r}\n"
    )

    done = run(*GUNICORN, DJANGO_SETTINGS_MODULE="uncollected", PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr == "The static files are missing or older than their sources. Collect them: make static\n"


def test_static_files_are_collected_once(tmp_path):
    lines = [
        "from clinic.settings import *",
        f"STATIC_ROOT = {str(tmp_path / 'collected')!r}",
        "STATICFILES_FINDERS = ['django.contrib.staticfiles.finders.FileSystemFinder']",  # libraries take long
    ]
    (tmp_path / "collecting.py").write_text("\n".join(lines))
    command = (sys.executable, "-m", "clinic.ops.serving")
    environment = {"DJANGO_SETTINGS_MODULE": "collecting", "PYTHONPATH": f"{tmp_path}:{ROOT}"}

    first, second = run(*command, **environment), run(*command, **environment)

    assert (first.returncode, first.stdout, first.stderr) == (0, "Collecting static files …\n", "")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert list((tmp_path / "collected" / "css").glob("portal.*.css"))


def test_other_servers_load_the_portal_with_debug_on():
    done = run(sys.executable, "-c", "import clinic.wsgi", DEBUG="on", DATABASE_URL="sqlite://:memory:")

    assert (done.returncode, done.stderr) == (0, "")


def test_first_run_writes_settings_that_only_the_owner_can_read(tmp_path):
    file = tmp_path / ".env"

    assert first_run.write_env(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    debug, key = settings_read("clinic", "DEBUG", "SECRET_KEY", ENV_FILE=str(file), DEBUG=None, SECRET_KEY=None)
    assert debug == "True"
    assert len(key) == 86


def test_first_run_never_changes_existing_settings(tmp_path):
    file = tmp_path / ".env"
    file.write_text("DEBUG=off\n")

    assert not first_run.write_env(file)

    assert file.read_text() == "DEBUG=off\n"


def test_make_run_says_which_port_to_choose_when_one_is_in_use():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        # Uses the tests' environment: nothing is installed for this.
        done = run("make", "--old-file=.venv/base", "run", f"python={sys.executable}", f"PORT={port}")

    wanted = port + 1 if port < 65_535 else 8001
    assert done.stderr.splitlines()[0] == f"Port {port} is in use. Choose another: make run PORT={wanted}"
    assert done.stdout == ""


def test_only_a_free_port_of_this_machine_is_accepted():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert first_run.why_not("127.0.0.1", str(port)) is None
    assert first_run.why_not("127.0.0.1", "http").startswith("PORT=http is not a port.")
    assert first_run.why_not("192.0.2.1", str(port)).startswith("HOST=192.0.2.1 is not an address of this machine.")


def test_developers_settings_do_not_affect_tests(tmp_path):
    file = tmp_path / ".env"
    file.write_text("DEBUG=on\nDATABASE_URL=mysql://root@db.example.org/clinic\nSESSION_IDLE_MINUTES=3\n")

    engine = "DATABASES['default']['ENGINE']"
    read = settings_read("clinic.tests", "DEBUG", engine, "SESSION_IDLE_MINUTES", ENV_FILE=str(file), DEBUG="on")

    assert read == ["False", "django.db.backends.sqlite3", "15"]


def test_make_help_lists_every_target():
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()

    listed = [line.split()[0] for line in run("make", "help").stdout.splitlines()]

    assert sorted(listed) == sorted(targets)
