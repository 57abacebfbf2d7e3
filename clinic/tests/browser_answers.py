"""`python -m clinic.tests.browser_answers`: exit 0 if the browser tests can run, else say why not and exit 1."""

import importlib.util
import os
import shutil
import sys

# The headless shell comes first: without windows to draw, it needs a quarter less time.
USUAL_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PACKAGES = ("axe_playwright_python", "pytest_playwright")


def chromium():
    """Return the path of the browser that `CHROMIUM` names, or else of the first usual one; None if it is not there."""
    named = os.environ.get("CHROMIUM")
    return next(filter(None, map(shutil.which, [named] if named else USUAL_NAMES)), None)


def why_not():
    """Return why the browser tests cannot run, or None if they can."""
    if not all(map(importlib.util.find_spec, PACKAGES)):
        return "their packages are not installed (make browser)"
    if chromium() is None:
        return f"no {os.environ.get('CHROMIUM', 'Chromium')} on the PATH (CHROMIUM=… names it)"
    return None


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(reason)
    sys.exit(bool(reason))
