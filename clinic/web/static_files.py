"""Static files as production serves them: `collectstatic` writes them, and `is_current` says whether it has to."""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import brotli
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.finders import get_finders
from django.core.files.base import ContentFile
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

# The default, 11, takes twelve times as long for files that are a tenth smaller.
BROTLI_QUALITY = 9
SOURCES = "sources.txt"


class CollectedFilesConfig(StaticFilesConfig):
    """Django's app without the large files of libraries that no page of the portal uses."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "*.map",
        "django_htmx/ext/*",
        "django_htmx/htmax-*",
        "django_htmx/htmx-4*",
        "ninja/redoc*",
    ]


class HashedFileCompressor(Compressor):
    """Compresses a file once: its name has the hash of its content."""

    compress_brotli = staticmethod(partial(brotli.compress, quality=BROTLI_QUALITY))

    def compress(self, path: str) -> list[str]:
        # The last file that is written for each path.
        return [] if Path(f"{path}.gz").exists() else super().compress(path)

    def write_data(self, path: str, data: bytes, suffix: str, stat_result: os.stat_result) -> str:
        """Write the file in one step: half a file would never be replaced."""
        partial_name = super().write_data(path, data, f"{suffix}.part", stat_result)
        return str(Path(partial_name).rename(path + suffix))


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Hashed files, with imports rewritten in the portal's own modules only: bundles may have text like imports."""

    keep_only_hashed_files = True
    # Source maps are not collected, so their names are not looked up.
    patterns = tuple(
        (files, tuple(each for each in found if "sourceMappingURL" not in str(each)))
        for files, found in CompressedManifestStaticFilesStorage.patterns
    )
    support_js_module_import_aggregation = True
    # Private to Django, to leave out vendored scripts; test_static_files.py fails if Django renames it.
    _js_module_import_aggregation_patterns = (
        "js/*",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],
    )

    def create_compressor(self, **kwargs: Any) -> Compressor:
        return HashedFileCompressor(**kwargs)

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Hash and compress the files, and then store from which sources they were made."""
        yield from super().post_process(paths, dry_run=dry_run, **options)
        if not dry_run:
            self.delete(SOURCES)
            self._save(SOURCES, ContentFile(_digest(paths).encode()))

    def is_current(self) -> bool:
        """Return whether all files are there, made from the present sources."""
        if not self.exists(SOURCES) or Path(self.path(SOURCES)).read_text() != _digest(_sources()):
            return False
        return all(self.exists(name) for name in self.hashed_files.values())


def _sources() -> dict[str, Any]:
    """Return storage and path of every file to collect, as `collectstatic` finds them."""
    found: dict[str, Any] = {}
    for finder in get_finders():
        for path, storage in finder.list(CollectedFilesConfig.ignore_patterns):
            found.setdefault(os.path.join(getattr(storage, "prefix", None) or "", path), (storage, path))  # noqa: PTH118 -- names of files in a storage, as Django joins them
    return found


def _digest(paths: dict[str, Any]) -> str:
    """Return a hash of the names and contents of these files, and of this module: it decides what becomes of them."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name, (storage, path) in sorted(paths.items(), key=lambda item: item[0]):
        with storage.open(path) as source:
            content = source.read()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()
