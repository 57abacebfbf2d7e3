from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:  # the stubs' fields are generic, Django's are not
    DateTimeField = models.DateTimeField[Any, Any]
    EmailField = models.EmailField[Any, Any]
    PositiveBigIntegerField = models.PositiveBigIntegerField[Any, Any]
else:
    from django.db.models import DateTimeField, EmailField, PositiveBigIntegerField


class NormalizedEmailField(EmailField):
    """An e-mail stored trimmed and in lower case, so that SQLite and MariaDB agree on what is equal."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.strip().lower() if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalise the attribute, so that the instance shows what the database stores."""
        value = self.to_python(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value


class ClaimCounterField(PositiveBigIntegerField):
    """A counter that only `UPDATE … SET n = n + 1` changes: saving a record leaves the column as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"default": 0, "editable": False} | kwargs))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return super().pre_save(model_instance, add) if add else models.F(self.attname)


class SaveCounterField(PositiveBigIntegerField):
    """A counter that saving a record raises, as an UPDATE may. The instance keeps the value that was read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"default": 0, "editable": False} | kwargs))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return super().pre_save(model_instance, add) if add else models.F(self.attname) + 1


class DerivedDateTimeField(DateTimeField):
    """An instant that begins as the value of another field, declared before it, and that only an UPDATE changes.

    Saving a record that was read earlier leaves the column as it is.
    """

    def __init__(self, *args: Any, begins_as: str, **kwargs: Any) -> None:
        self.begins_as = begins_as
        super().__init__(*args, **({"blank": True, "editable": False} | kwargs))

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"begins_as": self.begins_as}

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if not add:
            return models.F(self.attname)
        value = getattr(model_instance, self.begins_as)
        setattr(model_instance, self.attname, value)
        return value
