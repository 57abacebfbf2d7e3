"""Forms of closing days and of the public holidays among them."""

from typing import Any, ClassVar, cast

from django import forms

from clinic.html.crispy import bare_helper
from clinic.html.widgets import DateInput, make_small
from doctors.closures.public_holidays import FIRST_YEAR, LAST_YEAR, PublicHoliday, countries, public_holidays, regions
from doctors.forms import AvailabilityForm
from doctors.models import Closure


class ClosureForm(AvailabilityForm):
    class Meta:
        model = Closure
        fields = ["date", "name"]
        widgets: ClassVar[dict[str, Any]] = {"date": DateInput()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = bare_helper()


class HolidaysForm(forms.Form):
    """The country, region and year whose public holidays are listed."""

    country = forms.ChoiceField(choices=[])
    region = forms.ChoiceField(choices=[], required=False)
    year = forms.IntegerField(min_value=FIRST_YEAR, max_value=LAST_YEAR)

    def __init__(self, data: Any, *, usual_year: int) -> None:
        """Make the form; drop a region that is not in the country chosen."""
        country = data.get("country", "")
        choices = regions(country)
        region = data.get("region", "")
        values = {
            "country": country,
            "region": region if region in dict(choices) else "",
            "year": data.get("year") or usual_year,
        }
        super().__init__(values if country else None, initial=values)
        make_small(self)
        cast(forms.ChoiceField, self.fields["country"]).choices = [("", "Choose a country"), *countries()]
        cast(forms.ChoiceField, self.fields["region"]).choices = [("", "Whole country"), *choices]

    def found(self) -> list[PublicHoliday]:
        """Return the public holidays; none if the form is not valid."""
        if not self.is_valid():
            return []
        sent = self.cleaned_data
        return public_holidays(sent["country"], sent["region"], sent["year"])
