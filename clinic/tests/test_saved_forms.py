"""A half-filled form at the end of a session: saved for its user, shown after login, never processed."""

import datetime as dt
import threading
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import clear_script_prefix, resolve, reverse, set_script_prefix

from appointments.displaced.finder import open_schedule_change
from appointments.models import Appointment
from appointments.tests.factories import AppointmentFactory
from clinic.accounts.roles import DOCTOR, MANAGER, RECEPTIONIST
from clinic.models import SavedForm, Session, User
from clinic.sessions.saved_forms import MAX_OF_USER, SavedFormQuerySet
from clinic.tests.factories import UserFactory
from clinic.tests.kit import Cases, fresh
from clinic.web import page_access
from clinic.web.saved_forms import NEVER_SAVED
from doctors.models import Closure, Leave, Timetable
from doctors.tests.factories import ClosureFactory, DoctorFactory, LeaveFactory, TimetableFactory
from patients.models import Patient
from patients.privacy.anonymise import anonymise
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.usefixtures("db", "now")

FORM = "application/x-www-form-urlencoded"
PASSWORD = "demo-clinic-2026"
EDIT = "/patients/{pk}/edit/"
KEEP = "/accounts/kept-form/"
MINUTE = 60
BOOK = "/appointments/book/"
KEY = "11111111-2222-4333-8444-555555555555"


def send(client, url, data, **headers):
    """Send a form as a browser does."""
    return client.post(url, urlencode(data, doseq=True), content_type=FORM, headers=headers)


def sign_in(client, user, **data):
    return client.post("/accounts/login/", {"username": user.username, "password": PASSWORD} | data)


def end(now):
    now.shift(15 * MINUTE)


def stored_forms():
    return list(SavedForm.objects.values_list("user__username", "path"))


@pytest.fixture
def edited(at_desk, receptionist, patient, now):
    """A patient form that was sent too late."""
    url = EDIT.format(pk=patient.pk)
    form = at_desk.get(url).context["form"]
    typed = {name: form[name].value() or "" for name in form.fields} | {"first_name": "Corrected"}
    end(now)
    send(at_desk, url, typed)
    return url


# By sending it too late


def test_login_says_what_became_of_a_form_that_was_sent(at_desk, patient, now):
    url = EDIT.format(pk=patient.pk)
    without_session = send(Client(), url, {"first_name": "Corrected"})
    end(now)
    kept, lost = send(at_desk, url, {"first_name": "Corrected"}), send(at_desk, "/patients/", {"query": "Ana"})

    for response, said in [
        (without_session, "nothing you sent"),
        (kept, "Log in within an hour"),
        (lost, "nothing you"),
    ]:
        assert said in Client().get(response["Location"]).content.decode()
    assert fresh(patient).first_name != "Corrected"


def test_login_says_nothing_of_forms_after_a_logout_or_a_page(client):
    for response in (client.post("/accounts/logout/"), client.post(KEEP), client.get("/patients/")):
        page = client.get(response["Location"]).content.decode()

        assert "saved" not in page


def test_form_sent_late_returns_to_its_page_after_login(at_desk, patient, now):
    url = EDIT.format(pk=patient.pk)
    end(now)

    response = send(at_desk, url, {"first_name": "Corrected"})

    assert response["Location"] == f"/accounts/login/?next={url}&sent=kept"
    assert stored_forms() == [("reception", url)]


def test_oversized_form_sent_too_late_is_refused_unread(at_desk, patient, now):
    end(now)

    response = send(at_desk, EDIT.format(pk=patient.pk), {"first_name": "x" * 1_000_001})

    assert response.status_code == 413
    assert stored_forms() == []


def test_form_sent_late_by_htmx_is_saved(at_desk, now):
    end(now)

    response = send(at_desk, BOOK, {"reason": "Sore knee"}, **{"HX-Request": "true"})

    assert response["HX-Redirect"] == f"/accounts/login/?next={BOOK}&sent=kept"
    assert stored_forms() == [("reception", BOOK)]


def test_saved_form_is_shown_after_login_and_not_processed(at_desk, edited, receptionist, patient):
    sign_in(at_desk, receptionist)

    response = at_desk.get(edited)

    assert response.context["form"]["first_name"].value() == "Corrected"
    assert [message.level_tag for message in response.context["messages"]] == ["warning"]
    patient.refresh_from_db()
    assert patient.first_name != "Corrected"


def test_restored_form_can_be_sent(at_desk, edited, receptionist, patient):
    sign_in(at_desk, receptionist)
    form = at_desk.get(edited).context["form"]

    send(at_desk, edited, {name: form[name].value() or "" for name in form.fields})

    patient.refresh_from_db()
    assert patient.first_name == "Corrected"


def test_form_is_shown_once(at_desk, edited, receptionist):
    sign_in(at_desk, receptionist)
    at_desk.get(edited)

    assert not at_desk.get(edited).context["form"].is_bound
    assert stored_forms() == []


def test_other_pages_do_not_use_up_the_form(at_desk, edited, receptionist):
    sign_in(at_desk, receptionist)
    at_desk.get("/patients/new/")
    at_desk.head(edited)

    assert len(stored_forms()) == 1


def test_another_user_logging_in_does_not_see_the_form(at_desk, edited, receptionist):
    other = UserFactory(role=RECEPTIONIST)
    sign_in(at_desk, other)

    response = at_desk.get(edited)

    assert "Corrected" not in response.content.decode()
    assert stored_forms() == [("reception", edited)]


def test_own_form_is_restored_in_another_browser(edited, receptionist):
    client = Client()
    sign_in(client, receptionist)

    assert client.get(edited).context["form"]["first_name"].value() == "Corrected"


def test_saved_form_of_another_user_is_never_shown(at_desk, edited):
    sign_in(at_desk, UserFactory(role=RECEPTIONIST, username="other"))
    session = at_desk.session
    session["kept_forms"] = [edited]
    session.save()

    assert not at_desk.get(edited).context["form"].is_bound
    assert len(stored_forms()) == 1


@pytest.mark.parametrize(("minutes", "is_there"), [(59, True), (60, False)])
def test_form_lasts_an_hour(at_desk, edited, receptionist, now, minutes, is_there):
    now.shift(minutes * MINUTE)

    sign_in(at_desk, receptionist)

    assert at_desk.get(edited).context["form"].is_bound is is_there
    assert stored_forms() == []


def test_form_expired_after_login_is_not_shown(at_desk, edited, receptionist, now):
    now.shift(55 * MINUTE)
    sign_in(at_desk, receptionist)
    now.shift(5 * MINUTE)

    assert not at_desk.get(edited).context["form"].is_bound


@pytest.mark.both_databases
def test_expired_forms_are_deleted_at_any_login(client, edited, manager, now):
    now.shift(60 * MINUTE)

    sign_in(Client(), manager)

    assert stored_forms() == []


@pytest.mark.both_databases
def test_form_sent_again_replaces_the_first(at_desk, edited, receptionist):
    send(at_desk, edited, {"first_name": "Second"})
    sign_in(at_desk, receptionist)

    assert at_desk.get(edited).context["form"]["first_name"].value() == "Second"


def test_form_is_saved_when_the_session_limit_is_reached(at_desk, receptionist, now):
    Session.objects.update(expire_date=dt.datetime(2026, 11, 24, 9, 10, tzinfo=dt.UTC))
    now.shift(10 * MINUTE)

    send(at_desk, BOOK, {"reason": "Sore knee"})

    assert stored_forms() == [("reception", BOOK)]


def test_form_is_saved_despite_later_background_requests(at_desk, now):
    end(now)
    at_desk.get("/schedule/2026-11-24/version/")
    at_desk.get("/accounts/sessions/left/")

    send(at_desk, BOOK, {"reason": "Sore knee"})

    assert stored_forms() == [("reception", BOOK)]


def test_form_sent_an_hour_after_the_end_is_not_saved(at_desk, manager, now):
    end(now)
    now.shift(60 * MINUTE)
    sign_in(Client(), manager)

    response = send(at_desk, BOOK, {"reason": "Sore knee"})

    assert response["Location"] == "/accounts/login/?next=/&sent=lost"
    assert stored_forms() == []


# Forms that are not saved


def test_form_is_not_saved_after_logout(at_desk):
    key = at_desk.cookies[settings.SESSION_COOKIE_NAME].value
    at_desk.post("/accounts/logout/")
    at_desk.cookies[settings.SESSION_COOKIE_NAME] = key

    send(at_desk, BOOK, {"reason": "Sore knee"})

    assert stored_forms() == []


def test_form_of_a_session_ended_by_its_user_is_not_saved(at_desk):
    Session.objects.all().delete()

    send(at_desk, BOOK, {"reason": "Sore knee"})

    assert stored_forms() == []


def test_form_without_csrf_token_is_not_saved(receptionist, now):
    client = Client(enforce_csrf_checks=True)
    client.force_login(receptionist)
    end(now)

    response = send(client, BOOK, {"reason": "Sore knee"})

    assert response.status_code == 403
    assert stored_forms() == []


def test_other_pages_save_nothing(client, administrator, now):
    table = [
        "/accounts/password_change/",
        "/admin/clinic/user/add/",
        "/patients/",
        "/patients/import/",
        "/api/doctors",
        "/appointments/7/arrive/",
        "/nowhere/",
    ]
    with Cases(client=client, now=now) as case:
        for url in table:
            with case(url):
                client.force_login(administrator)
                end(now)

                send(client, url, {"new_password1": "secret-secret-1", "query": "Maria"})
                send(
                    client, f"{KEEP}?{urlencode({'path': url})}", {"new_password1": "secret-secret-1", "query": "Maria"}
                )

                assert stored_forms() == []


def test_tokens_and_passwords_are_left_out(at_desk, now):
    end(now)

    send(at_desk, BOOK, {"reason": "Knee", "csrfmiddlewaretoken": "token", "password": "secret", "old_password": "x"})

    assert SavedForm.objects.get().data == "reason=Knee"


@pytest.mark.parametrize(("length", "is_saved"), [(100_000 - len("notes="), True), (100_000, False)])
def test_too_long_form_is_not_saved(at_desk, now, length, is_saved):
    end(now)

    response = send(at_desk, BOOK, {"notes": "n" * length})

    assert response.status_code == 302
    assert bool(stored_forms()) is is_saved


def test_forms_with_files_are_not_saved(at_desk, now):
    end(now)

    at_desk.post(BOOK, {"reason": "Sore knee"})  # multipart

    assert stored_forms() == []


def test_empty_form_is_not_saved(at_desk, now):
    end(now)

    send(at_desk, BOOK, {})

    assert stored_forms() == []


def test_form_without_permission_is_not_saved(client, now):
    table = [
        (DOCTOR, BOOK),
        (DOCTOR, "/patients/7/edit/"),
        (MANAGER, "/patients/new/"),
        (RECEPTIONIST, "/doctors/7/hours/"),
        (RECEPTIONIST, "/admin/patients/patient/add/"),
        (MANAGER, "/admin/doctors/doctor/add/"),
        (None, BOOK),
    ]
    with Cases(client=client, now=now) as case:
        for role, url in table:
            with case(role, url):
                client.force_login(UserFactory(role=role) if role else UserFactory())
                before = send(client, f"{KEEP}?{urlencode({'path': url})}", {"reason": "Knee"})
                end(now)

                late = send(client, url, {"reason": "Knee"})
                after = send(client, f"{KEEP}?{urlencode({'path': url})}", {"reason": "Knee"})

                assert (before.status_code, late["Location"], after.status_code) == (
                    204,
                    "/accounts/login/?next=/&sent=lost",
                    204,
                )
                assert stored_forms() == []


def test_form_of_a_deactivated_user_is_not_saved(at_desk, receptionist, now):
    end(now)
    at_desk.get(BOOK)
    User.objects.filter(pk=receptionist.pk).update(is_active=False)

    assert send(at_desk, f"{KEEP}?path={BOOK}", {"reason": "Knee"}).status_code == 204
    assert stored_forms() == []


# How many


def keep_many(user, count, now, *, first=0):
    for number in range(first, first + count):
        now.shift(1)
        SavedForm.objects.store(user_id=user.pk, path=EDIT.format(pk=number), data="first_name=Corrected")


def saved_numbers():
    return [int(path.split("/")[2]) for path in SavedForm.objects.order_by("created_at").values_list("path", flat=True)]


@pytest.mark.both_databases
def test_latest_ten_forms_of_a_user_are_saved(at_desk, now):
    for number in range(12):
        now.shift(1)
        assert send(at_desk, f"{KEEP}?path={EDIT.format(pk=number)}", {"first_name": "Corrected"}).status_code == 201

    assert saved_numbers() == list(range(2, 12))


@pytest.mark.both_databases
def test_form_saved_again_counts_as_new(receptionist, now):
    keep_many(receptionist, MAX_OF_USER, now)
    keep_many(receptionist, 1, now)
    keep_many(receptionist, 1, now, first=MAX_OF_USER)

    assert saved_numbers() == [*range(2, MAX_OF_USER), 0, MAX_OF_USER]


@pytest.mark.both_databases
def test_forms_of_other_users_do_not_count(receptionist, manager, now):
    keep_many(manager, MAX_OF_USER, now)
    keep_many(receptionist, MAX_OF_USER + 1, now)

    assert SavedForm.objects.filter(user=manager).count() == SavedForm.objects.filter(user=receptionist).count() == 10


@pytest.mark.both_databases
@pytest.mark.parametrize(("count", "more"), [(0, 1), (MAX_OF_USER, 2)])
def test_counting_them_makes_a_query_and_deleting_another(receptionist, now, count, more):
    keep_many(receptionist, count, now)
    with CaptureQueriesContext(connection) as alone:
        SavedForm.objects.update_or_create(user=receptionist, path="/patients/98/edit/", defaults={"data": "a=b"})
    SavedForm.objects.filter(path="/patients/98/edit/").delete()

    with CaptureQueriesContext(connection) as queries:
        SavedForm.objects.store(user_id=receptionist.pk, path="/patients/99/edit/", data="a=b")

    assert len(queries) - len(alone) == more


@pytest.mark.both_databases
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one write after the other anyway")
@pytest.mark.django_db(transaction=True)
def test_two_tabs_saving_forms_simultaneously_leave_ten(receptionist, now, monkeypatch):
    keep_many(receptionist, MAX_OF_USER, now)
    now.shift(1)
    both_are_in, failed = threading.Barrier(2), []
    write = SavedFormQuerySet.update_or_create

    def write_and_wait(*args, **kwargs):
        write(*args, **kwargs)
        both_are_in.wait(timeout=10)

    def keep_one(number):
        try:
            SavedForm.objects.store(user_id=receptionist.pk, path=EDIT.format(pk=number), data="first_name=Corrected")
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    monkeypatch.setattr(SavedFormQuerySet, "update_or_create", write_and_wait)
    tabs = [threading.Thread(target=keep_one, args=[number]) for number in (100, 200)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()

    assert failed == []
    assert sorted(saved_numbers()) == [*range(2, MAX_OF_USER), 100, 200]


# By the page itself, when its time is up


def test_page_saves_its_form_after_the_session_ended(at_desk, receptionist, now):
    end(now)

    response = send(at_desk, f"{KEEP}?path={BOOK}", {"reason": "Sore knee"})

    assert response.status_code == 201
    sign_in(at_desk, receptionist)
    assert at_desk.get(BOOK).context["form"]["reason"].value() == "Sore knee"


def test_page_saves_its_form_just_before_the_end(at_desk, now):
    response = send(at_desk, f"{KEEP}?path={BOOK}", {"reason": "Sore knee"})

    assert response.status_code == 201
    assert at_desk.get(BOOK).context["form"]["reason"].value() == "Sore knee"


def test_saving_a_form_does_not_postpone_the_end(at_desk, now):
    now.shift(14 * MINUTE)
    send(at_desk, f"{KEEP}?path={BOOK}", {"reason": "Sore knee"})
    now.shift(MINUTE)

    assert at_desk.get(BOOK).status_code == 302


def test_anonymous_user_saves_nothing(client):
    response = send(client, f"{KEEP}?path={BOOK}", {"reason": "Sore knee"})

    assert response["Location"].startswith("/accounts/login/")
    assert stored_forms() == []


def test_unknown_page_saves_nothing(at_desk):
    with Cases(client=at_desk) as case:
        for path in ["", "//elsewhere.example/", "/patients/" + "7" * 300 + "/edit/", "\x00"]:
            with case(path):
                response = send(at_desk, f"{KEEP}?{urlencode({'path': path})}", {"reason": "Sore knee"})

                assert response.status_code == 204
                assert stored_forms() == []


@pytest.fixture
def prefix():
    """The WSGI variables of a server that serves the portal below a prefix."""
    set_script_prefix("/portal/")
    yield
    clear_script_prefix()


def test_form_is_saved_below_a_prefix(at_desk, receptionist, now, prefix):
    below = {"content_type": FORM, "SCRIPT_NAME": "/portal"}
    end(now)
    at_desk.post(BOOK, "reason=Sore+knee", **below)
    at_desk.post(f"{KEEP}?path=/portal/patients/new/", "first_name=Nuno", **below)

    assert stored_forms() == [("reception", "/portal/appointments/book/"), ("reception", "/portal/patients/new/")]


# What it costs


@pytest.mark.both_databases
def test_ordinary_page_makes_no_more_queries_for_it(at_desk, django_assert_num_queries):
    with django_assert_num_queries(1):  # session, user and roles
        at_desk.get("/patients/new/")


def test_page_of_another_form_makes_no_more_queries_while_one_waits(
    at_desk, edited, receptionist, django_assert_num_queries
):
    sign_in(at_desk, receptionist)

    with django_assert_num_queries(1):
        at_desk.get("/patients/new/")


# Each page

TYPED = {
    "appointments:appointment_book": {"reason": "Sore knee", "notes": "Ground floor", "booking_key": KEY},
    "appointments:appointment_detail": {"reason": "Sore knee", "notes": "Ground floor"},
    "appointments:appointment_patient": {"exchange_reason": "Same name"},
    "appointments:appointment_move": {"move_reason": "Patient asked", "time": "15:00"},
    "appointments:appointment_cancel": {"cancelled_by": "clinic", "cancel_reason": "Sore knee"},
    "appointments:schedule_change_detail": {"cancel_reason": "Sore knee"},
    "doctors:doctor_away": {"until_time": "17:00", "reason": "Skiing"},
    "doctors:leave_add": {"first_day": "2026-12-01", "reason": "Skiing"},
    "doctors:leave_edit": {"first_day": "2026-12-01", "reason": "Skiing"},
    "doctors:hours_add": {"monday": "8-12", "tuesday": "9-11"},
    "doctors:hours_edit": {"monday": "8-12", "tuesday": "9-11"},
    "doctors:closure_add": {"date": "2026-12-30", "name": "Carnival"},
    "doctors:closure_edit": {"name": "Carnival"},
    "doctors:closure_holidays": {"country": "PT", "year": "2031"},
    "patients:patient_register": {"first_name": "Typed", "last_name": "Before", "email": "typed@example.org"},
    "patients:patient_edit": {"first_name": "Typed", "last_name": "Before", "phone_number": "912"},
}
# Buttons, each of which would do something at once.
BUTTONS = {"walk_in": "1", "quick": "patient:Feels better", "delete": "1", "cancel": "all", "move": "all:same"}


@pytest.fixture
def addresses():
    doctor = DoctorFactory()
    appointment = AppointmentFactory(doctor=doctor)
    change = open_schedule_change([appointment], cause="Leave", by=None)
    return {
        "appointments:appointment_book": BOOK,
        "appointments:appointment_detail": appointment.get_absolute_url(),
        "appointments:appointment_patient": f"/appointments/{appointment.pk}/patient/",
        "appointments:appointment_move": f"/appointments/{appointment.pk}/move/",
        "appointments:appointment_cancel": f"/appointments/{appointment.pk}/cancel/",
        "appointments:schedule_change_detail": change.get_absolute_url(),
        "doctors:doctor_away": f"/doctors/{doctor.pk}/away/",
        "doctors:leave_add": f"/doctors/{doctor.pk}/leave/",
        "doctors:leave_edit": f"/doctors/leave/{LeaveFactory(doctor=doctor).pk}/",
        "doctors:hours_add": f"/doctors/{doctor.pk}/hours/",
        "doctors:hours_edit": f"/doctors/hours/{TimetableFactory(doctor=DoctorFactory()).pk}/",
        "doctors:closure_add": "/doctors/closures/new/",
        "doctors:closure_edit": f"/doctors/closures/{ClosureFactory().pk}/",
        "doctors:closure_holidays": "/doctors/closures/holidays/",
        "patients:patient_register": "/patients/new/",
        "patients:patient_edit": EDIT.format(pk=PatientFactory().pk),
    }


def form_on(response):
    return response.context["form"] if "form" in response.context else response.context["cancel_form"]


def whole_form(client, url, typed):
    """Return the page's complete form data, valid except for being late."""
    form = form_on(client.get(url))
    return {name: form[name].value() or "" for name in form.fields} | typed


def state():
    models = (Appointment, Patient, Closure, Leave, Timetable)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_every_page_with_a_form_is_covered():
    """A new page either restores saved forms and is added to TYPED, or is listed as saving none."""
    forms = {name for name, methods in page_access.PAGES.items() if {"GET", "POST"} <= methods.keys()}
    of_no_app = {name for name in forms if ":" not in name or name.startswith("api:")}

    assert forms - of_no_app - NEVER_SAVED == set(TYPED)


def test_page_shows_saved_form_without_processing_it(client, administrator, addresses, now):
    with Cases(client=client, now=now) as case:
        for name in TYPED:
            with case(name):
                url, typed = addresses[name], TYPED[name]
                assert resolve(url).view_name == name
                client.force_login(administrator)
                before, whole = state(), whole_form(client, url, typed)
                end(now)
                assert send(client, url, whole)["Location"] == f"/accounts/login/?next={url}&sent=kept"
                sign_in(client, administrator)

                response = client.get(url)

                assert response.status_code == 200
                form = form_on(response)
                assert {field: str(form[field].value()) for field in typed} == typed
                assert state() == before


def test_button_pressed_too_late_does_nothing(client, administrator, addresses, now):
    client.force_login(administrator)
    before = state()
    forms = {name: whole_form(client, addresses[name], typed) for name, typed in TYPED.items()}
    with Cases(client=client, now=now) as case:
        for name, whole in forms.items():
            for button, value in BUTTONS.items():
                with case(name, button):
                    end(now)
                    send(client, addresses[name], whole | {button: value})
                    sign_in(client, administrator)

                    response = client.get(addresses[name])

                    assert response.status_code == 200
                    assert state() == before


# The admin

TYPED_IN_ADMIN = {
    "patients_patient_add": {"first_name": "Typed", "last_name": "Before", "email": "typed@example.org"},
    "patients_patient_change": {"first_name": "Typed", "last_name": "Before", "phone_number": "912"},
    "doctors_doctor_add": {"full_name": "Dr Typed", "specialization": "Cardiology"},
    "doctors_doctor_change": {"full_name": "Dr Typed", "usual_minutes": "45"},
    "doctors_timetable_add": {"monday": "8-12", "valid_from": "2026-12-01"},
    "doctors_timetable_change": {"monday": "8-9", "valid_from": "2026-12-01"},
    "doctors_leave_add": {"reason": "Skiing"},
    "doctors_leave_change": {"reason": "Skiing"},
    "doctors_closure_add": {"date": "2026-12-30", "name": "Carnival"},
    "doctors_closure_change": {"name": "Carnival"},
    "appointments_appointment_add": {"reason": "Sore knee", "notes": "Ground floor"},
    "appointments_appointment_change": {"reason": "Sore knee", "notes": "Ground floor"},
    "appointments_emergencygrant_add": {"reason": "Flood"},
}


@pytest.fixture
def record_of():
    """A function that returns a record of a model that an admin form could change."""
    doctor = DoctorFactory()
    appointment = AppointmentFactory(doctor=doctor, start_time=dt.datetime(2026, 12, 7, 10, 0, tzinfo=dt.UTC))
    records = {
        "patient": appointment.patient,
        "doctor": doctor,
        "timetable": TimetableFactory(doctor=doctor),
        "leave": LeaveFactory(doctor=DoctorFactory()),
        "closure": ClosureFactory(),
        "appointment": appointment,
    }
    return records.get


def admin_address(name, record_of):
    _app, model, form = name.split("_")
    return reverse(f"admin:{name}", args=[record_of(model).pk] if form == "change" else [])


def test_every_admin_form_is_covered():
    forms = {
        f"{model._meta.app_label}_{model._meta.model_name}_{form}"
        for model in admin.site._registry
        for form in ("add", "change")
    }
    secret = {name for name in forms if name.startswith("clinic_")}
    read_only = {"appointments_emergencygrant_change"}

    assert forms - secret - read_only == set(TYPED_IN_ADMIN)


def test_admin_shows_saved_form_without_processing_it(client, administrator, record_of, now):
    with Cases(client=client, now=now) as case:
        for name in TYPED_IN_ADMIN:
            with case(name):
                url, typed = admin_address(name, record_of), TYPED_IN_ADMIN[name]
                client.force_login(administrator)
                before = state()
                end(now)
                assert (
                    send(client, url, typed | {"_save": "Save"})["Location"] == f"/accounts/login/?next={url}&sent=kept"
                )
                sign_in(client, administrator)

                response = client.get(url)

                form = response.context["adminform"].form
                assert {field: form[field].value() for field in typed} == typed
                assert not response.context["errors"]
                assert "has not been saved" in response.content.decode()
                assert state() == before
                assert stored_forms() == []


def test_restored_admin_form_can_be_sent(client, administrator, patient, now):
    url = reverse("admin:patients_patient_change", args=[patient.pk])
    client.force_login(administrator)
    form = client.get(url).context["adminform"].form
    typed = {name: form[name].value() or "" for name in form.fields} | {"first_name": "Corrected"}
    end(now)
    send(client, url, typed)
    sign_in(client, administrator)
    form = client.get(url).context["adminform"].form

    send(client, url, {name: form[name].value() or "" for name in form.fields})

    patient.refresh_from_db()
    assert patient.first_name == "Corrected"


def test_admin_forms_of_users_and_tokens_are_not_saved(client, administrator, now):
    with Cases(client=client, now=now) as case:
        for page in ["clinic_user_add", "clinic_user_change", "clinic_apitoken_add"]:
            with case(page):
                url = reverse(f"admin:{page}", args=[administrator.pk] if page.endswith("change") else [])
                client.force_login(administrator)
                end(now)

                send(client, url, {"username": "typed", "name": "Typed"})

                assert stored_forms() == []


@pytest.mark.parametrize(("url", "is_shown"), [("/admin/patients/patient/add/", True), ("/admin/clinic/user/", False)])
def test_page_shows_whether_its_form_is_saved(client, administrator, url, is_shown):
    client.force_login(administrator)

    assert ("saved for your next login" in client.get(url).content.decode()) is is_shown


# A patient is anonymised


@pytest.mark.both_databases
def test_only_doctor_and_availability_forms_survive_anonymising(administrator, patient, addresses):
    of_admin = [reverse(f"admin:{name}", args=[1] if name.endswith("_change") else []) for name in TYPED_IN_ADMIN]
    urls = [*addresses.values(), *of_admin]
    SavedForm.objects.bulk_create(SavedForm(user=administrator, path=url, data="notes=Told") for url in urls)

    anonymise(patient, by=administrator)

    assert {resolve(path).view_name for _user, path in stored_forms()} == {
        "doctors:doctor_away",
        "doctors:leave_add",
        "doctors:leave_edit",
        "doctors:hours_add",
        "doctors:hours_edit",
        "doctors:closure_add",
        "doctors:closure_edit",
        "doctors:closure_holidays",
        *(f"admin:{name}" for name in TYPED_IN_ADMIN if name.startswith("doctors_")),
    }


# The booking page


@pytest.fixture
def appointment(receptionist):
    """The complete data of the booking form."""
    return {
        "patient": str(PatientFactory(first_name="Maria", last_name="Santos").pk),
        "doctor": str(DoctorFactory().pk),
        "date": "2026-11-25",
        "time": "10:00",
        "which": "",
        "duration_minutes": "30",
        "reason": "Sore knee",
        "notes": "Ground floor",
        "booking_key": KEY,
        "next": "",
    }


def booking_page_after_the_login(client, data, now):
    end(now)
    send(client, BOOK, data)
    sign_in(client, User.objects.get(username="reception"))
    return client.get(BOOK)


def test_booking_page_restores_patient_doctor_and_time(at_desk, appointment, now):
    response = booking_page_after_the_login(at_desk, appointment, now)

    form = response.context["form"]
    assert {name: str(form[name].value()) for name in appointment} == appointment
    assert response.context["picked"].first_name == "Maria"
    assert not form.is_bound
    assert not Appointment.objects.exists()


def test_restored_booking_form_books_once(at_desk, appointment, now):
    response = booking_page_after_the_login(at_desk, appointment, now)
    again = {name: response.context["form"][name].value() or "" for name in appointment}

    for _press in range(2):
        send(at_desk, BOOK, again)

    assert Appointment.objects.get().reason == "Sore knee"


def test_booking_page_restores_a_time_picked_too_late(at_desk, appointment, now):
    picked = {"at": f"doctor={appointment['doctor']}&date=2026-11-26&time=11:30"}

    response = booking_page_after_the_login(at_desk, appointment | picked, now)

    assert str(response.context["form"]["time"].value()) == "11:30:00"
    assert not Appointment.objects.exists()


def test_booking_page_restores_the_new_patient(at_desk, appointment, now):
    new = {"patient": "", "registers": "1", "new-first_name": "Nuno", "new-last_name": "Costa"}

    response = booking_page_after_the_login(at_desk, appointment | new, now)

    assert response.context["patient_form"]["first_name"].value() == "Nuno"
    assert not Patient.objects.filter(first_name="Nuno").exists()


def test_booking_page_continues_the_patient_search(at_desk, appointment, now):
    PatientFactory(first_name="Mario", last_name="Santos")

    response = booking_page_after_the_login(at_desk, appointment | {"patient": "", "patient_query": "santos"}, now)

    assert {patient.first_name for patient in response.context["matches"]} == {"Maria", "Mario"}


def test_registration_from_the_search_starts_with_the_search_text(at_desk, receptionist, now):
    end(now)
    send(at_desk, "/patients/new/", {"query": "Nuno Costa"})
    sign_in(at_desk, receptionist)

    form = at_desk.get("/patients/new/").context["form"]

    assert (form["first_name"].value(), form["last_name"].value()) == ("Nuno", "Costa")


def test_saved_form_does_not_overwrite_a_record_changed_meanwhile(at_desk, edited, receptionist, patient, now):
    now.shift(1)
    patient.phone_number = "+351 912 000 111"
    patient.save()
    sign_in(at_desk, receptionist)

    form = at_desk.get(edited).context["form"]

    assert [error.code for error in form.errors.as_data()["__all__"]] == ["stale"]
