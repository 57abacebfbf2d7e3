"""Static files in production: compressed, and under names that change with their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Rewrites the imports between the portal's own JavaScript modules to the hashed names.

    Scripts of libraries are left as they are: bundles may hold text that only looks like an import.
    """

    support_js_module_import_aggregation = True
    _js_module_import_aggregation_patterns = (
        "js/*",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],
    )
