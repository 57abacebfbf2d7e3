"""How tests read refusals and pages."""

from html.parser import HTMLParser

from django.core.exceptions import ValidationError


def codes_in(refusal):
    """Return the codes of a ValidationError by field; under "" what is about no field."""
    errors = refusal.error_dict if hasattr(refusal, "error_dict") else {"": refusal.error_list}
    return {name: [error.code for error in at_field] for name, at_field in errors.items()}


def codes_of(record):
    """Return the codes by field with which a record is refused, {} if it is not."""
    try:
        record.full_clean()
    except ValidationError as refusal:
        return codes_in(refusal)
    return {}


def codes_at(response, field):
    """Return the codes at a field of the page's form, be it the portal's or the admin's."""
    form = response.context["adminform"].form if "adminform" in response.context else response.context["form"]
    return [error.code for error in form.errors.as_data().get(field, [])]


def elements(response):
    """Return every element of a page as `(tag, attributes)`."""
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Parser().feed(response.content.decode())
    return found


def seen(patient):
    """Return what a form of this patient carries about when it was shown."""
    return {"seen_at": type(patient).objects.get(pk=patient.pk).updated_at.isoformat()}


def close(response):
    """Close the file that an answer sends; `response.close()` would end the connection, and the test's transaction."""
    for closer in response._resource_closers:
        closer()
