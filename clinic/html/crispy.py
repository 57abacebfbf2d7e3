from crispy_forms.helper import FormHelper


def bare_helper() -> FormHelper:
    """Return a helper that renders the fields only; the page has the form's tag, token and buttons."""
    helper = FormHelper()
    helper.form_tag = False
    helper.disable_csrf = True
    return helper
