"""Settings that would go unnoticed although they are wrong: refused with one line that does not repeat the value."""

import os
import secrets

import pytest
from django.core.exceptions import ImproperlyConfigured

from clinic.ops import environment as env
from clinic.tests.kit import Cases

NAME = "SETTING"
SECRET = "Quillfeather"
STRONG = secrets.token_urlsafe(64)


@pytest.fixture
def refusal(monkeypatch):
    """Return a function that reads a setting with this value: None if it can be read, else the refusal."""

    def read(reader, value, *args, **kwargs):
        monkeypatch.setenv(NAME, value)
        try:
            reader(NAME, *args, **kwargs)
        except ImproperlyConfigured as error:
            return str(error)
        return None

    return read


def assert_one_line(text):
    assert text is not None
    assert text.startswith(f"{NAME} ")
    assert "Expected: " in text
    assert "\n" not in text
    assert SECRET not in text


# The file


def test_file_is_read_line_by_line(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text(f"\n  \n# {NAME}=0\n  # note\nexport {NAME}='a b'\n{NAME}_2=x=y\n")
    for name in (NAME, f"{NAME}_2"):
        monkeypatch.setenv(name, "")  # to have it removed after the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("ENV_FILE", "")

    env.read_file(tmp_path / ".env")

    assert (os.environ[NAME], os.environ[f"{NAME}_2"]) == ("a b", "x=y")


def test_file_with_a_line_that_is_no_setting_is_refused(monkeypatch, tmp_path, capfd):
    file, at = tmp_path / "other", "ENV_FILE cannot be read. Expected: lines such as NAME=value, unlike line 2."
    monkeypatch.setenv("ENV_FILE", str(file))
    for line in (f"SECRET_KEY {SECRET}", f"SECRET_KEY = {SECRET}", f"SECRET_KEY: {SECRET}", f" SECRET_KEY={SECRET}"):
        file.write_text(f"# first\n{line}\n")

        with pytest.raises(ImproperlyConfigured, match=at):
            env.read_file(tmp_path / ".env")

    assert SECRET not in "".join(capfd.readouterr())


def test_file_that_cannot_be_read_is_refused(monkeypatch, tmp_path):
    (tmp_path / "binary").write_bytes(b"X=\xff")
    (tmp_path / ".env").mkdir()
    for file, name in ((".env", ".env"), ("binary", "ENV_FILE"), ("none", "ENV_FILE")):
        monkeypatch.setenv("ENV_FILE", str(tmp_path / file))

        with pytest.raises(ImproperlyConfigured, match=f"{name} cannot be read. Expected: the path of a file"):
            env.read_file(tmp_path / ".env")


# The secret key

WEAK = {
    "short": "x7" * 24,
    "just too short": secrets.token_urlsafe(64)[:49],
    "one character": "x" * 64,
    "one word": "password" * 8,
    "words": f"{SECRET}-" * 8,
    "sequence": "0123456789" * 6,
    "Django's": "django-insecure-" + STRONG,
    "the development key": "only-for-development-" + "x" * 50,
    "the former checks": "only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
    "the former benchmarks": "only-for-the-benchmark-only-for-the-benchmark-only-for-it",
    "the former tests": "only-for-tests-" + "t" * 50,
}
GENERATED = {
    "as documented": secrets.token_urlsafe(64),
    "hexadecimal": secrets.token_hex(32),
    "decimal": str(secrets.randbelow(10**60) + 10**60),
    "just long enough": secrets.token_urlsafe(64)[:50],
}


def test_weak_key_is_refused_in_production_only(refusal):
    with Cases() as case:
        for name, key in WEAK.items():
            with case(name):
                assert_one_line(refusal(env.secret_key, key, development_key=None))
                assert_one_line(refusal(env.former_keys, f"{STRONG},{key}", is_development=False))
                assert refusal(env.secret_key, key, development_key="any") is None
                assert refusal(env.former_keys, key, is_development=True) is None


def test_generated_key_is_accepted(refusal):
    with Cases() as case:
        for name, key in GENERATED.items():
            with case(name):
                assert refusal(env.secret_key, key, development_key=None) is None
                assert refusal(env.former_keys, f"{key}, {key}", is_development=False) is None


def test_empty_key_is_refused_in_development_too(refusal):
    for value in ("", "  "):
        for development_key in (None, "any"):
            assert_one_line(refusal(env.secret_key, value, development_key=development_key))


# Hosts, origins and networks

HOSTS = [
    "clinic.example.org",
    ".example.org",
    "*",
    "127.0.0.1",
    "[::1]",
    "localhost",
    "a.example, b.example",
    "a.example,",
    "Clinic.example",
    "",
]
NO_HOSTS = [
    "https://clinic.example.org",
    "clinic.example.org:8000",
    "clinic.example.org/",
    "clinic.example.org/day",
    "a.example b.example",
    "*.example.org",
    "clinic_1.example.org",
    "clinic.example.org.",
    "clínica.example",
    "-.example",
    "::1",
    "[::1]:8000",
    "[127.0.0.1]",
    "a.example,http://b.example",
    f"{SECRET}@clinic.example.org",
]
ORIGINS = [
    "https://clinic.example.org",
    "http://localhost:8000",
    "https://clinic.example.org:8443,https://[::1]:8443",
    "",
]
NO_ORIGINS = [
    "clinic.example.org",
    "https://clinic.example.org/",
    "https://clinic.example.org/day",
    "https://clinic.example.org?x",
    "https://clinic.example.org:443",
    "http://clinic.example.org:80",
    "https://clinic.example.org:port",
    "https://clinic.example.org:",
    "https://Clinic.example.org",
    "https://*",
    "https://*.example.org",
    "https://.example.org",
    "https://",
    "https://[::1",
    "ftp://clinic.example.org",
    "null",
    "https://a.example https://b.example",
    f"https://{SECRET.lower()}@clinic.example.org",
]
NETWORKS = ["10.20.0.0/16", "127.0.0.1/32,::1/128", "127.0.0.1", "0.0.0.0/0", ""]
NO_NETWORKS = ["10.20.1.5/16", "10.20.0.0/33", "10.20.0.0-10.20.255.255", "10.20.*", "localhost", "::1/129", "10.20.0"]
OWN_HOSTS = ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost", "front-desk.example.org", "x86_64-linux-gnu", ""]
NO_OWN_HOSTS = ["http://127.0.0.1", "127.0.0.1:8000", "[::1]", "a b", "unix:/run/portal.sock"]


def test_hosts_origins_and_networks_are_read_or_refused(refusal):
    table = [
        (env.served_hosts, (["localhost"],), HOSTS, NO_HOSTS),
        (env.origins, (), ORIGINS, NO_ORIGINS),
        (env.networks, ([],), NETWORKS, NO_NETWORKS),
        (env.own_host, ("127.0.0.1",), OWN_HOSTS, NO_OWN_HOSTS),
    ]
    with Cases() as case:
        for reader, default, good, bad in table:
            for value in good:
                with case(reader.__name__, value):
                    assert refusal(reader, value, *default) is None
            for value in bad:
                with case(reader.__name__, value):
                    assert_one_line(refusal(reader, value, *default))


# Numbers and switches


def test_number_is_whole_and_within_its_limits(refusal):
    with Cases() as case:
        for value in ["0", "1", "600", ""]:
            with case(value):
                assert refusal(env.number, value, 5, minimum=0, maximum=600) is None
        for value in ["-1", "601", "1.5", "1e2", "1_0", "٣", "ten", "0x1", "15 minutes", "9" * 5000, " "]:
            with case(value[:20]):
                assert_one_line(refusal(env.number, value, 5, minimum=0, maximum=600))


def test_switch_is_on_or_off(refusal):
    with Cases() as case:
        for value in ["on", "OFF", "yes", "no", "true", "False", "1", "0", ""]:
            with case(value):
                assert refusal(env.switch, value, default=False) is None
        for value in ["yess", "maybe", "2", "y", " ", "None"]:
            with case(value):
                assert_one_line(refusal(env.switch, value, default=False))


# URLs

DATABASES = [
    "sqlite:////srv/clinic/clinic.sqlite3",
    "sqlite:///clinic.sqlite3",
    "sqlite:////srv/the clinic@home/clinic%2B1.sqlite3",
    "sqlite://:memory:",
    "mysql://portal:secret@db.example.org:3306/clinic",
    "mysql://portal:p%40ss%2Fw%23rd%25@db.example.org/clinic",
    "mysql://portal:a:b+c!$&'()*,;=-._~@db.example.org/clinic",
    "mysql://root@127.0.0.1:3306/clinic",
    "mysql://root:@127.0.0.1/clinic",
    "mysql://portal:secret@[2001:db8::1]:3306/clinic",
    "mysql://portal:secret@db.example.org/clinic?ssl_mode=VERIFY_IDENTITY&ssl_ca=/etc/clinic/ca.pem",
]
NO_DATABASES = [
    "",
    " ",
    "nonsense",
    "sqlite://",
    "sqlite:///",
    "sqlite://clinic.sqlite3",
    "sqlite:////srv/clinic#1.sqlite3",
    "sqlite:////srv/a+b.sqlite3",
    "postgres://portal:secret@db.example.org/clinic",
    "mysql://",
    "mysql://db.example.org",
    "mysql://portal:secret@db.example.org/",
    "mysql://portal:secret@db.example.org:port/clinic",
    "mysql://portal:secret@db.example.org:99999/clinic",
    "mysql://portal:secret@db.example.org/clinic/more",
    f"mysql://portal:p@ss{SECRET}@db.example.org/clinic",
    f"mysql://portal:p@ss/{SECRET}@db.example.org/clinic",
    f"mysql://portal:p/{SECRET}@db.example.org/clinic",
    f"mysql://portal:p?{SECRET}@db.example.org/clinic",
    f"mysql://portal:p#{SECRET}@db.example.org/clinic",
    f"mysql://portal:p%{SECRET}@db.example.org/clinic",
    f"mysql://portal:p[{SECRET}@db.example.org/clinic",
    f"mysql://portal:p {SECRET}@db.example.org/clinic",
]
CACHES = [
    "locmemcache://",
    "redis://127.0.0.1:6379/0",
    "rediss://:p%40ss@10.0.0.5:6379/0?socket_timeout=0.5",
    "redis://10.0.0.5:6379,10.0.0.6:6379/0",
    "memcache:///run/memcached.sock",
    "",
]
NO_CACHES = [
    "nonsense",
    f"redis://:p@ss{SECRET}@10.0.0.5:6379/0",
    f"redis://:p/{SECRET}@10.0.0.5:6379/0",
    f"redis://:12/{SECRET}@10.0.0.5:6379/0",  # with what looks like a port
    f"redis://:12?{SECRET}@10.0.0.5:6379/0",
    f"redis://:p#{SECRET}@10.0.0.5:6379/0",
    f"redis://:p%{SECRET}@10.0.0.5:6379/0",
    "redis://10.0.0.5:port/0",
]
EMAILS = ["consolemail://", "smtp+tls://portal%40example.org:secret@mail.example.org:587", ""]
NO_EMAILS = ["nonsense", f"smtp://portal:p/{SECRET}@mail.example.org:25", "smtp://portal:secret@mail.example.org:port"]


def test_urls_are_read_in_one_way_only_or_refused(refusal):
    table = [
        (env.database, "sqlite:////srv/clinic.sqlite3", DATABASES, NO_DATABASES),
        (env.cache, "locmemcache://", CACHES, NO_CACHES),
        (env.email, "consolemail://", EMAILS, NO_EMAILS),
    ]
    with Cases() as case:
        for reader, default, good, bad in table:
            for value in good:
                with case(reader.__name__, value):
                    assert refusal(reader, value, default) is None
            for value in bad:
                with case(reader.__name__, value):
                    assert_one_line(refusal(reader, value, default))


def test_escaped_password_reaches_the_database(monkeypatch):
    monkeypatch.setenv(NAME, "mysql://portal:p%40ss%2Fw%23rd%25@db.example.org/clinic")

    assert env.database(NAME, "")["PASSWORD"] == "p@ss/w#rd%"
