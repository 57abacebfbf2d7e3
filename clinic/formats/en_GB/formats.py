"""Times as a clinic writes them: 24 hours, and no seconds."""

TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j N Y H:i"
SHORT_DATETIME_FORMAT = "d/m/Y H:i"
TIME_INPUT_FORMATS = ["%H:%M", "%H:%M:%S"]
