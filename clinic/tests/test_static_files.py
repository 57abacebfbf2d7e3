"""Static files as production serves them: scripts that import each other by the hashed names."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

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
