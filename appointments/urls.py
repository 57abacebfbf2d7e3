"""Addresses of the schedule and of appointments."""

from django.urls import path

from appointments import schedule_views, views

app_name = "appointments"
urlpatterns = [
    path("", schedule_views.schedule_today, name="schedule_today"),
    path("schedule/", schedule_views.schedule_today, name="schedule_now"),
    path("schedule/<date:day>/", schedule_views.schedule_day, name="schedule_day"),
    path("appointments/book/", views.appointment_book, name="appointment_book"),
    path("appointments/<int:pk>/", views.appointment_detail, name="appointment_detail"),
    path("appointments/<int:pk>/move/", views.appointment_move, name="appointment_move"),
    path("appointments/<int:pk>/cancel/", views.appointment_cancel, name="appointment_cancel"),
    path("appointments/<int:pk>/arrive/", views.appointment_arrive, name="appointment_arrive"),
    path("appointments/<int:pk>/start/", views.appointment_start, name="appointment_start"),
    path("appointments/<int:pk>/complete/", views.appointment_complete, name="appointment_complete"),
    path("appointments/<int:pk>/no-show/", views.appointment_no_show, name="appointment_no_show"),
    path("appointments/<int:pk>/undo/", views.appointment_undo, name="appointment_undo"),
]
