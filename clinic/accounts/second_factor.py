"""The second factor: codes of an authenticator app, and ten recovery codes in case the phone is lost."""

import base64
import io
import time
from typing import Any

import qrcode
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils.translation import gettext as _
from django_otp import verify_token
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key
from qrcode.image.svg import SvgPathImage

from clinic.accounts.models import User
from clinic.accounts.recovery_codes import CODE_COUNT, RecoveryCode
from clinic.audit.actor import acting
from clinic.audit.models import AuditEntry, Event
from clinic.db.transactions import retrying

CODE_DIGITS = 6
SET_UP_LASTS_SECONDS = 30 * 60
_SALT = "second factor to be set up"


def device_of(user: User) -> TOTPDevice | None:
    """Return the user's app device, if a second factor is set up. One query."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).order_by("-pk").first()


def is_required_of(user: User) -> bool:
    return settings.REQUIRE_SECOND_FACTOR and user.has_perm("clinic.use_admin")


def accepts(user: User, text: str) -> bool:
    """Return whether the text is a valid code of the app or a recovery code. Each works once."""
    if is_code_of_app(text):
        device, digits = device_of(user), "".join(text.split())
        return device is not None and retrying(verify_token)(user, device.persistent_id, digits) is not None
    return _use_recovery_code(user, text)


def is_code_of_app(text: str) -> bool:
    """Return whether the text looks like an app code; if not, it is checked as a recovery code."""
    digits = "".join(text.split())
    return len(digits) == CODE_DIGITS and digits.isascii() and digits.isdecimal()


@retrying
def _use_recovery_code(user: User, text: str) -> bool:
    with transaction.atomic(), acting(user):
        is_valid = RecoveryCode.objects.use(user, text)
        if is_valid:
            AuditEntry.objects.record(Event.CREDENTIAL, user, what="recovery_code_used")
    return is_valid


# Setting up. Until a code has proved that the app has the secret, only the form carries it, signed.


def new_device(user: User) -> TOTPDevice:
    return TOTPDevice(user=user, key=default_key(), name="app", tolerance=1)


def as_signed(device: TOTPDevice) -> str:
    return signing.dumps({"user": device.user_id, "key": device.key}, salt=_SALT)


def from_signed(user: User, text: str) -> TOTPDevice | None:
    """Return the device from the form; None if its secret is another user's, too old, or not signed by the portal."""
    try:
        carried = signing.loads(text, salt=_SALT, max_age=SET_UP_LASTS_SECONDS)
    except signing.BadSignature:
        return None
    if carried["user"] != user.pk:
        return None
    return TOTPDevice(user=user, key=carried["key"], name="app", tolerance=1)


def knows_secret(device: TOTPDevice, code: str) -> bool:
    """Return whether the code proves that the app has the secret; the code cannot be used again."""
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdecimal()):
        return False
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time()
    if not totp.verify(int(digits), device.tolerance):
        return False
    device.last_t = totp.t()
    return True


@retrying
def set_up(device: TOTPDevice) -> list[str]:
    """Replace the user's devices by this one, and return new recovery codes."""
    user = device.user
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        replaced, _by_model = TOTPDevice.objects.filter(user=user).delete()
        device.pk = None
        device.save(force_insert=True)
        _record(user, "second_factor_replaced" if replaced else "second_factor_added")
        return RecoveryCode.objects.renew(user)


@retrying
def renew_codes(user: User) -> list[str]:
    with transaction.atomic():
        _record(user, "recovery_codes_renewed")
        return RecoveryCode.objects.renew(user)


@retrying
def remove(user: User) -> bool:
    """Remove the second factor and its recovery codes; return whether there was one."""
    with transaction.atomic():
        removed, _by_model = TOTPDevice.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        if removed:
            _record(user, "second_factor_removed")
    return bool(removed)


def _record(user: User, what: str) -> None:
    AuditEntry.objects.record(Event.CREDENTIAL, user, what=what)


# For display


def qr_image(device: TOTPDevice) -> str:
    image: Any = qrcode.make(device.config_url, image_factory=SvgPathImage, box_size=12)
    file = io.BytesIO()
    image.save(file)
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def secret_text(device: TOTPDevice) -> str:
    text = base64.b32encode(device.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def wrong_app_code_text() -> str:
    return _("This code is wrong or has already been used. Wait for the next one.")


def wrong_code_text(text: str) -> str:
    """Return the error for a wrong code, which differs for app and recovery codes."""
    if is_code_of_app(text):
        return wrong_app_code_text()
    return _("This is neither a six-digit code from the app nor an unused recovery code.")


def recovery_code_used_text(user: User) -> str:
    """Return the warning after a recovery code was used. One query."""
    left = RecoveryCode.objects.unused().filter(user=user).count()
    return _(
        "You used a recovery code: %(left)s of %(all)s are left. "
        "In “Your account” you can set up another phone or create new codes."
    ) % {"left": left, "all": CODE_COUNT}
