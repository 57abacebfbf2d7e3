"""Static files as production serves them: scripts that import each other by the hashed names."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.finders import get_finder, get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.template import engines

from clinic.tests.settings import BASE_DIR

SCRIPTS = BASE_DIR / "static" / "js"
IMPORT = re.compile(r'(?:^|\b)(?:import|from) ?"([^"]+)";', re.MULTILINE)


@pytest.fixture
def collected(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "clinic.web.static_files.StaticFilesStorage"}}
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]  # libraries take long
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_modules_import_each_other_by_their_hashed_names(collected):
    imports = []
    for script in SCRIPTS.rglob("*.js"):
        name = script.relative_to(SCRIPTS.parent).as_posix()
        hashed = collected / staticfiles_storage.stored_name(name)
        assert hashed.name != script.name
        imports += [(hashed.parent / path).resolve() for path in IMPORT.findall(hashed.read_text())]

    assert len(imports) == sum(len(IMPORT.findall(script.read_text())) for script in SCRIPTS.rglob("*.js")) > 0
    unhashed = [path.name for path in imports if not re.search(r"\.[0-9a-f]{12}\.js$", path.name)]
    assert unhashed == []
    assert [path for path in imports if not path.exists()] == []


def test_files_are_current_until_a_source_changes(collected, settings, tmp_path_factory):
    more = tmp_path_factory.mktemp("more")
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, more]
    get_finder.cache_clear()
    call_command("collectstatic", interactive=False, verbosity=0)
    assert staticfiles_storage.is_current()

    (more / "new.css").write_text("p {}")
    assert not staticfiles_storage.is_current()

    call_command("collectstatic", interactive=False, verbosity=0)
    assert staticfiles_storage.is_current()
    (more / "new.css").write_text("a {}")
    assert not staticfiles_storage.is_current()
    get_finder.cache_clear()


def test_files_are_not_current_when_one_is_missing(collected):
    (collected / staticfiles_storage.stored_name("css/portal.css")).unlink()

    assert not staticfiles_storage.is_current()


def test_files_that_no_page_uses_are_not_collected():
    ignored = apps.get_app_config("staticfiles").ignore_patterns
    found = {name for finder in get_finders() for name, _ in finder.list(ignored)}

    assert "django_htmx/htmx-2.min.js" in found
    assert "ninja/swagger-ui-bundle.js" in found
    assert not {name for name in found if name.endswith(".map") or "redoc" in name}


def test_every_file_that_a_template_names_is_collected():
    ignored = apps.get_app_config("staticfiles").ignore_patterns
    found = {name for finder in get_finders() for name, _ in finder.list(ignored)}
    templates = [path for engine in engines.all() for folder in engine.template_dirs for path in folder.rglob("*.html")]
    named = {name for path in templates for name in re.findall(r"{% static ['\"]([^'\"]+)['\"]", path.read_text())}

    assert "css/portal.css" in named
    missing = {name for name in named - found if finders.find(name)}
    assert {name for name in missing if "redoc" not in name} == set()


def test_unchanged_file_is_not_compressed_again(collected):
    compressed = next(collected.rglob("portal.*.css.gz"))
    compressed.write_bytes(b"as before")

    call_command("collectstatic", interactive=False, verbosity=0)

    assert compressed.read_bytes() == b"as before"


def test_files_are_stored_by_their_hashed_names_only(collected):
    assert list(collected.rglob("portal.css*")) == []
    assert len(list(collected.rglob("portal.*.css"))) == 1
    assert list(collected.rglob("*.part")) == []


def test_every_script_is_a_module_of_a_page_or_imported():
    templates = "".join(path.read_text() for path in (BASE_DIR / "templates").rglob("*.html"))
    on_pages = {
        SCRIPTS.parent / name for name in re.findall(r"<script type=\"module\" src=\"{% static '([^']+)'", templates)
    }
    imported = {
        Path(script.parent, path).resolve()
        for script in SCRIPTS.rglob("*.js")
        for path in IMPORT.findall(script.read_text())
    }

    assert on_pages | imported == set(SCRIPTS.rglob("*.js"))
