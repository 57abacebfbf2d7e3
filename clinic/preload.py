"""Loads what Django loads during the first requests, so that these are as quick as later ones."""

import gc
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import get_default_password_validators
from django.db import connections
from django.forms.renderers import get_default_renderer
from django.template import engines
from django.urls import get_resolver

from clinic.api import api
from clinic.ops.health import migrations_on_disk
from clinic.ops.network_cache import load_package


def load_pages() -> None:
    """Load all URLs with their views, templates of pages and form fields, the API's schema, and the cache's package.

    Also the names of all migrations, for /readyz.

    Nothing here uses the database. The connections are closed anyway: gunicorn forks its workers from this process, and
    they must not share one.
    """
    get_resolver().reverse_dict  # noqa: B018 -- the property loads all URLs
    renderer: Any = get_default_renderer()
    for engine, files in (
        (engines["django"], "**/*.html"),
        (engines["jinja"], "**/*.jinja"),
        (renderer.engine, "django/forms/**/*.html"),
    ):
        for folder in map(Path, engine.template_dirs):
            for file in folder.glob(files):
                engine.get_template(file.relative_to(folder).as_posix())
    api.get_openapi_schema()
    migrations_on_disk()
    for cache in settings.CACHES.values():
        load_package(cache)
    get_default_password_validators()  # lists of common passwords, 14 MB in each worker if they are loaded later
    connections.close_all()
    # The garbage collector would write to every object, and so copy the memory that the workers share.
    gc.collect()
    gc.freeze()
