"""The doctors app."""

from django.apps import AppConfig


class DoctorsConfig(AppConfig):
    """People who see patients, each with one diary."""

    name = "doctors"
