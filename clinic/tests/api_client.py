"""An API client for tests."""

import json

from django.test import Client

from clinic.models import ApiToken


def token_of(user, **fields):
    """Return the text of a new token of the user."""
    token = ApiToken(user=user, name="test", **fields)
    text = token.make_text()
    token.save()
    return text


class ApiClient:
    """Calls the API with a token of the user, or with none; headers are given as `If_Match='"…"'`."""

    def __init__(self, user=None, *, token=""):
        self.token = token_of(user) if user else token
        self.client = Client(raise_request_exception=False)

    def call(self, method, path, body=None, *, raw=None, content_type="application/json", **headers):
        """Return the response; `body` is sent as JSON, `raw` unchanged."""
        sent = raw if raw is not None else "" if body is None else json.dumps(body)
        known = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            known.setdefault("Authorization", f"Bearer {self.token}")
        return self.client.generic(method, f"/api{path}", sent, content_type=content_type, headers=known)

    def get(self, path, **headers):
        return self.call("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self.call("POST", path, body, **headers)

    def patch(self, path, body=None, **headers):
        return self.call("PATCH", path, body, **headers)


def error_codes(response):
    """Return the field and code of each error."""
    body = response.json()
    assert response["Content-Type"].startswith("application/json")
    assert set(body) >= {"detail", "errors"}
    assert body["detail"]
    return [(error["field"], error["code"]) for error in body["errors"]]
