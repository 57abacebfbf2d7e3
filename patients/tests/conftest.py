"""Fixtures of the patients' tests."""

import copy

import pytest
import time_machine
from django.db import transaction

from patients.tests.a_patients_life import NOW, Life


@pytest.fixture(scope="module")
def lived(django_db_setup, django_db_blocker):
    """A patient's life, stored once for a module. All its tests ask for it, so that all start with the same rows."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Life()
        transaction.set_rollback(True)


@pytest.fixture
def life(lived, db):
    """The life at `NOW`, in objects of the test's own."""
    with time_machine.travel(NOW, tick=False):
        yield copy.deepcopy(lived)


@pytest.fixture
def frozen():
    """Freeze the clock at `NOW`, for tests without the life."""
    with time_machine.travel(NOW, tick=False):
        yield
