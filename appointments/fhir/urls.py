"""URLs of the FHIR façade, without a slash at the end as in FHIR."""

from django.urls import path, re_path

from appointments.fhir import views

app_name = "fhir"
urlpatterns = [
    path("metadata", views.metadata, name="metadata"),
    path("Patient", views.patient_search, name="patient_search"),
    path("Patient/_search", views.patient_search, name="patient_search_form"),
    path("Patient/<str:key>", views.patient_read, name="patient_read"),
    path("Practitioner", views.practitioner_search, name="practitioner_search"),
    path("Practitioner/_search", views.practitioner_search, name="practitioner_search_form"),
    path("Practitioner/<str:key>", views.practitioner_read, name="practitioner_read"),
    path("Schedule", views.schedule_search, name="schedule_search"),
    path("Schedule/_search", views.schedule_search, name="schedule_search_form"),
    path("Schedule/<str:key>", views.schedule_read, name="schedule_read"),
    path("Slot", views.slot_search, name="slot_search"),
    path("Slot/_search", views.slot_search, name="slot_search_form"),
    path("Slot/<str:key>", views.slot_read, name="slot_read"),
    path("Appointment", views.appointment_search, name="appointment_search"),
    path("Appointment/_search", views.appointment_search, name="appointment_search_form"),
    path("Appointment/<str:key>", views.appointment_read, name="appointment_read"),
    re_path("", views.unknown, name="unknown"),
]
