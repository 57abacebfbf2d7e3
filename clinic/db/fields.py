"""Model fields of the portal."""

from typing import Any

from django.db import models


class NormalizedEmailField(models.EmailField):
    """An e-mail held trimmed and lower-cased on every way in, so that SQLite and MariaDB agree on what is equal."""

    def to_python(self, value: Any) -> Any:
        """Return the normalised address."""
        value = super().to_python(value)
        return value.strip().lower() if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        """Return the normalised address, for lookups too."""
        return self.to_python(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalise the attribute, so that the instance shows what the database holds."""
        value = self.to_python(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value


class ClaimCounterField(models.PositiveBigIntegerField):
    """A counter that only `UPDATE … SET n = n + 1` moves: saving a record read earlier leaves it as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"default": 0, "editable": False} | kwargs))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the starting value for a new row, and for an old one the column itself."""
        return super().pre_save(model_instance, add) if add else models.F(self.attname)
