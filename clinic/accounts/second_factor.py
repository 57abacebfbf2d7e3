"""The second factor: codes of an app on the telephone, and ten recovery codes for when it is lost."""

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
from clinic.accounts.recovery_codes import HOW_MANY, RecoveryCode
from clinic.audit.actor import acting
from clinic.audit.models import AuditEntry, Event
from clinic.db.transactions import retrying

CODE_DIGITS = 6
SET_UP_LASTS_SECONDS = 30 * 60
_SALT = "second factor to be set up"


def device_of(user: User) -> TOTPDevice | None:
    """Return the app's secret of the user, if a second factor is set up. One query."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).order_by("-pk").first()


def is_required_of(user: User) -> bool:
    """Return whether the user must have a second factor: who administers, and superusers."""
    return settings.REQUIRE_SECOND_FACTOR and user.has_perm("clinic.use_admin")


def accepts(user: User, text: str) -> bool:
    """Return whether the text is a code of the user's app or a recovery code. Either works once."""
    if is_code_of_app(text):
        device, digits = device_of(user), "".join(text.split())
        return device is not None and retrying(verify_token)(user, device.persistent_id, digits) is not None
    return _use_recovery_code(user, text)


def is_code_of_app(text: str) -> bool:
    """Return whether the text is written as a code of the app is; if not, it is taken for a recovery code."""
    digits = "".join(text.split())
    return len(digits) == CODE_DIGITS and digits.isascii() and digits.isdecimal()


@retrying
def _use_recovery_code(user: User, text: str) -> bool:
    with transaction.atomic(), acting(user):
        is_one = RecoveryCode.objects.use(user, text)
        if is_one:
            AuditEntry.objects.record(Event.CREDENTIAL, user, what="recovery_code_used")
    return is_one


# Setting up. Until a code has shown that the app has the secret, it is kept in the form alone, signed.


def new_device(user: User) -> TOTPDevice:
    """Return a new secret for the user's app, not saved."""
    return TOTPDevice(user=user, key=default_key(), name="app", tolerance=1)


def as_signed(device: TOTPDevice) -> str:
    """Return the secret as the form carries it."""
    return signing.dumps({"user": device.user_id, "key": device.key}, salt=_SALT)


def from_signed(user: User, text: str) -> TOTPDevice | None:
    """Return the secret that the form has carried; None if it is another user's, too old, or none of ours."""
    try:
        carried = signing.loads(text, salt=_SALT, max_age=SET_UP_LASTS_SECONDS)
    except signing.BadSignature:
        return None
    if carried["user"] != user.pk:
        return None
    return TOTPDevice(user=user, key=carried["key"], name="app", tolerance=1)


def knows_secret(device: TOTPDevice, code: str) -> bool:
    """Return whether the code shows that the app has the secret; that code then serves for nothing else."""
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
    """Make the secret the user's only one, and return new recovery codes."""
    user = device.user
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        replaced, _by_model = TOTPDevice.objects.filter(user=user).delete()
        device.pk = None
        device.save(force_insert=True)
        _note(user, "second_factor_replaced" if replaced else "second_factor_added")
        return RecoveryCode.objects.renew(user)


@retrying
def renew_codes(user: User) -> list[str]:
    """Return new recovery codes in place of the old ones."""
    with transaction.atomic():
        _note(user, "recovery_codes_renewed")
        return RecoveryCode.objects.renew(user)


@retrying
def remove(user: User) -> bool:
    """Take the second factor and its recovery codes away; return whether there was one."""
    with transaction.atomic():
        removed, _by_model = TOTPDevice.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        if removed:
            _note(user, "second_factor_removed")
    return bool(removed)


def _note(user: User, what: str) -> None:
    AuditEntry.objects.record(Event.CREDENTIAL, user, what=what)


# To be seen


def qr_image(device: TOTPDevice) -> str:
    """Return the secret as an image that the app reads, as a `data:` address."""
    image: Any = qrcode.make(device.config_url, image_factory=SvgPathImage, box_size=12)
    file = io.BytesIO()
    image.save(file)
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def secret_text(device: TOTPDevice) -> str:
    """Return the secret as people type it, in groups of four."""
    text = base64.b32encode(device.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def wrong_app_code_text() -> str:
    """Return what is said of a code of the app that is wrong or has been used."""
    return _("That code is not right, or has been used already. Wait for the next one.")


def wrong_code_text(text: str) -> str:
    """Return what is said of a text that is no code: after a recovery code there is no next one to wait for."""
    if is_code_of_app(text):
        return wrong_app_code_text()
    return _("That is neither the six digits of the app nor a recovery code that is still unused.")


def recovery_code_used_text(user: User) -> str:
    """Return what is said to who has used a recovery code. One query."""
    left = RecoveryCode.objects.unused().filter(user=user).count()
    return _(
        "That was a recovery code: %(left)s of %(all)s are left. "
        "In “Your account” you can set up another telephone, or make new codes."
    ) % {"left": left, "all": HOW_MANY}
