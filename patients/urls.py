from django.urls import path

from patients import transfer_views, views
from patients.privacy import views as privacy_views

app_name = "patients"
urlpatterns = [
    path("", views.patient_search, name="patient_search"),
    path("new/", views.patient_register, name="patient_register"),
    path("import/", transfer_views.patient_import, name="patient_import"),
    path("import/<int:pk>/", transfer_views.patient_import_preview, name="patient_import_preview"),
    path("export/", transfer_views.patient_export, name="patient_export"),
    path("<int:pk>/", views.patient_detail, name="patient_detail"),
    path("<int:pk>/edit/", views.patient_edit, name="patient_edit"),
    path("<int:pk>/data/", privacy_views.patient_data, name="patient_data"),
    path("<int:pk>/anonymise/", privacy_views.patient_anonymise, name="patient_anonymise"),
    path("retention/", privacy_views.patient_retention, name="patient_retention"),
]
