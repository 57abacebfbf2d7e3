from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Compressed and hashed static files, with imports between the portal's own modules rewritten.

    Scripts of libraries are left as they are: bundles may contain text that only looks like an import.
    """

    support_js_module_import_aggregation = True
    # Private to Django, to leave out vendored scripts; test_static_files.py fails if it changes.
    _js_module_import_aggregation_patterns = (
        "js/*",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],
    )
