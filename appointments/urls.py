"""Addresses of the schedule and of appointments."""

from django.urls import path

from appointments.availability import views as free_views
from appointments.booking import views as booking_views
from appointments.bulk import views as bulk_views
from appointments.calendar_feed import views as calendar_views
from appointments.close_out import views as close_out_views
from appointments.detail import move_views, status_views, views
from appointments.displaced import views as displaced_views
from appointments.export import views as export_views
from appointments.schedule import day_views, print_views, week_views
from appointments.waiting_room import views as waiting_views

app_name = "appointments"
urlpatterns = [
    path("", day_views.schedule_today, name="schedule_today"),
    path("schedule/", day_views.schedule_today, name="schedule_now"),
    path("schedule/<date:day>/", day_views.schedule_day, name="schedule_day"),
    path("schedule/next/print/", print_views.schedule_print_next, name="schedule_print_next"),
    path("schedule/<date:day>/print/", print_views.schedule_print, name="schedule_print"),
    path("schedule/pack/", print_views.schedule_pack, name="schedule_pack"),
    path("waiting/", waiting_views.waiting_room, name="waiting_room"),
    path("doctors/<int:pk>/week/", week_views.doctor_week_now, name="doctor_week_now"),
    path("doctors/<int:pk>/week/<date:day>/", week_views.doctor_week, name="doctor_week"),
    path("doctors/<int:pk>/calendar/", calendar_views.calendar_feed_edit, name="calendar_feed_edit"),
    path("calendar/<str:token>.ics", calendar_views.calendar_feed, name="calendar_feed"),
    path("appointments/book/", booking_views.appointment_book, name="appointment_book"),
    path("appointments/export/", export_views.appointment_export, name="appointment_export"),
    path("appointments/free/", free_views.free_times, name="free_times"),
    path("appointments/bulk/", bulk_views.appointment_bulk, name="appointment_bulk"),
    path("appointments/close-out/", close_out_views.close_out, name="close_out"),
    path("appointments/impacts/", displaced_views.schedule_change_list, name="schedule_change_list"),
    path("appointments/impacts/<int:pk>/", displaced_views.schedule_change_detail, name="schedule_change_detail"),
    path("appointments/impacts/<int:pk>/print/", displaced_views.schedule_change_print, name="schedule_change_print"),
    path("appointments/<int:pk>/", views.appointment_detail, name="appointment_detail"),
    path("appointments/<int:pk>/calendar.ics", calendar_views.appointment_calendar, name="appointment_calendar"),
    path("appointments/<int:pk>/move/", move_views.appointment_move, name="appointment_move"),
    path("appointments/<int:pk>/patient/", views.appointment_patient, name="appointment_patient"),
    path("appointments/<int:pk>/length/<int:minutes>/", views.appointment_length, name="appointment_length"),
    path("appointments/<int:pk>/cancel/", move_views.appointment_cancel, name="appointment_cancel"),
    path("appointments/<int:pk>/arrive/", status_views.appointment_arrive, name="appointment_arrive"),
    path("appointments/<int:pk>/start/", status_views.appointment_start, name="appointment_start"),
    path("appointments/<int:pk>/complete/", status_views.appointment_complete, name="appointment_complete"),
    path("appointments/<int:pk>/no-show/", status_views.appointment_no_show, name="appointment_no_show"),
    path("appointments/<int:pk>/left/", status_views.appointment_left, name="appointment_left"),
    path("appointments/<int:pk>/attended/", status_views.appointment_attended, name="appointment_attended"),
    path("appointments/<int:pk>/undo/", status_views.appointment_undo, name="appointment_undo"),
    path("appointments/<int:pk>/undo-booking/", status_views.booking_undo, name="booking_undo"),
]
