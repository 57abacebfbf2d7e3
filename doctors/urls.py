"""Addresses of doctors."""

from django.urls import path

from doctors import import_views, views

app_name = "doctors"
urlpatterns = [
    path("", views.doctor_list, name="doctor_list"),
    path("import/", import_views.doctor_import, name="doctor_import"),
    path("import/<int:pk>/", import_views.doctor_import_preview, name="doctor_import_preview"),
    path("<int:pk>/", views.doctor_detail, name="doctor_detail"),
]
