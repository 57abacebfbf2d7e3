"""Addresses of patients."""

from django.urls import path

from patients import transfer_views, views

app_name = "patients"
urlpatterns = [
    path("", views.patient_search, name="patient_search"),
    path("new/", views.patient_register, name="patient_register"),
    path("import/", transfer_views.patient_import, name="patient_import"),
    path("import/<int:pk>/", transfer_views.patient_import_preview, name="patient_import_preview"),
    path("export/", transfer_views.patient_export, name="patient_export"),
    path("<int:pk>/", views.patient_detail, name="patient_detail"),
    path("<int:pk>/edit/", views.patient_edit, name="patient_edit"),
]
