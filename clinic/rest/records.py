from typing import Any, TypeVar

from django.db import models
from django.http import HttpResponse
from django.urls import reverse
from ninja import Schema, Status

from clinic.db.transactions import retrying
from clinic.rest.etags import CREATED, with_etag

M = TypeVar("M", bound=models.Model)


@retrying
def create(model: type[M], fields: dict[str, Any]) -> M:
    record = model(**fields)
    record.full_clean()
    record.save()
    return record


def created(response: HttpResponse, record: Schema, *, pk: int, url_name: str) -> Any:
    response["Location"] = reverse(url_name, args=[pk])
    return Status(CREATED, with_etag(response, record))
