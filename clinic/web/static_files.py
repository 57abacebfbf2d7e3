from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Hashed files, with imports rewritten in the portal's own modules only: bundles may have text like imports."""

    support_js_module_import_aggregation = True
    # Private to Django, to leave out vendored scripts; test_static_files.py fails if Django renames it.
    _js_module_import_aggregation_patterns = (
        "js/*",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],
    )
