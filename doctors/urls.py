from django.urls import path

from doctors import absence_views, availability_views, import_views, views
from doctors.closures import views as closure_views

app_name = "doctors"
urlpatterns = [
    path("", views.doctor_list, name="doctor_list"),
    path("import/", import_views.doctor_import, name="doctor_import"),
    path("import/<int:pk>/", import_views.doctor_import_preview, name="doctor_import_preview"),
    path("<int:pk>/", views.doctor_detail, name="doctor_detail"),
    path("<int:pk>/away/", absence_views.doctor_away, name="doctor_away"),
    path("leave/<int:pk>/undo/", absence_views.away_undo, name="away_undo"),
    path("<int:pk>/leave/", availability_views.leave_add, name="leave_add"),
    path("leave/<int:pk>/", availability_views.leave_edit, name="leave_edit"),
    path("<int:pk>/hours/", availability_views.hours_add, name="hours_add"),
    path("hours/<int:pk>/", availability_views.hours_edit, name="hours_edit"),
    path("closures/", closure_views.closure_list, name="closure_list"),
    path("closures/new/", closure_views.closure_add, name="closure_add"),
    path("closures/holidays/", closure_views.closure_holidays, name="closure_holidays"),
    path("closures/<int:pk>/", closure_views.closure_edit, name="closure_edit"),
]
