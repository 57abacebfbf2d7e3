"""Settings read from the environment in production."""

import json
import os
import secrets
import subprocess
import sys

from django.conf import global_settings
from django.contrib.auth.hashers import get_hasher
from django.test import Client

KEY = secrets.token_urlsafe(64)
MIN_ITERATIONS = 600_000  # of PBKDF2 with SHA-256


def production(names, **environment):
    """Return these settings of a process with exactly this environment."""
    script = f"import json, clinic.settings as s; print(json.dumps({{n: getattr(s, n, None) for n in {names!r}}}))"
    env = {"PATH": os.environ["PATH"], "SECRET_KEY": KEY, "DEBUG": "off", "DATABASE_URL": "sqlite://:memory:"}
    done = subprocess.run([sys.executable, "-c", script], env=env | environment, capture_output=True, text=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_earlier_keys_default_to_none():
    assert production(["SECRET_KEY_FALLBACKS"]) == {"SECRET_KEY_FALLBACKS": []}


def test_earlier_keys_are_read():
    former = [secrets.token_urlsafe(64), secrets.token_urlsafe(64)]

    read = production(["SECRET_KEY", "SECRET_KEY_FALLBACKS"], SECRET_KEY_FALLBACKS=", ".join(former))

    assert read == {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": former}


def test_session_survives_a_key_rotation(settings, receptionist):
    for fallbacks, status in (([], 302), (["another"], 302), (["another", "old"], 200)):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "old", []
        client = Client()
        client.force_login(receptionist)

        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", fallbacks

        assert client.get("/doctors/").status_code == status, fallbacks


def test_tls_of_the_database_is_read_from_its_url():
    options_of = {
        "": {},
        "?ssl_mode=VERIFY_IDENTITY": {"ssl_mode": "VERIFY_IDENTITY"},
        "?ssl_mode=VERIFY_IDENTITY&ssl_ca=/etc/clinic/ca.pem": {
            "ssl_mode": "VERIFY_IDENTITY",
            "ssl": {"ca": "/etc/clinic/ca.pem"},
        },
    }
    for query, options in options_of.items():
        url = f"mysql://portal:secret@db.example.org:3306/clinic{query}"

        read = production(["DATABASES"], DATABASE_URL=url)["DATABASES"]["default"]["OPTIONS"]

        assert {name: value for name, value in read.items() if name.startswith("ssl")} == options, query


def test_production_redirects_to_https_with_hsts():
    names = ["USE_HTTPS", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS"]

    assert production(names) == dict(zip(names, (True, True, 31_536_000, True), strict=True))


def test_old_password_hash_is_renewed_at_the_login(settings, client, receptionist):
    assert receptionist.password.startswith("md5$")
    settings.PASSWORD_HASHERS = [*global_settings.PASSWORD_HASHERS, "django.contrib.auth.hashers.MD5PasswordHasher"]

    client.post("/accounts/login/", {"username": "reception", "password": "demo-clinic-2026"})

    receptionist.refresh_from_db()
    assert receptionist.password.startswith("pbkdf2_sha256$")
    assert receptionist.check_password("demo-clinic-2026")


def test_passwords_are_stored_with_a_slow_hash(settings):
    assert production(["PASSWORD_HASHERS"]) == {"PASSWORD_HASHERS": None}  # Django's own
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS

    hasher = get_hasher()

    assert (hasher.algorithm, hasher.digest().name) == ("pbkdf2_sha256", "sha256")
    assert hasher.iterations >= MIN_ITERATIONS
