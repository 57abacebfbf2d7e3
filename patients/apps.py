"""The patients app."""

from django.apps import AppConfig


class PatientsConfig(AppConfig):
    """People registered with the clinic."""

    name = "patients"
