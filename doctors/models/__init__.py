from doctors.models.availability_record import AvailabilityRecord
from doctors.models.doctor import Doctor
from doctors.models.leave import Closure, Leave
from doctors.models.timetable import Timetable, Weekday, WorkingHours

__all__ = ["AvailabilityRecord", "Closure", "Doctor", "Leave", "Timetable", "Weekday", "WorkingHours"]
