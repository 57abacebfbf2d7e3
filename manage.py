#!/usr/bin/env python
"""Run Django's commands for the Patient Encounter System."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from clinic.core.database_errors import database_code

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(" ".join(str(error).split()))  # one line, whatever Django's own messages have
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database does not answer or reports an error ({database_code(error)}). --traceback says more.")
