from django import forms


class AnonymiseForm(forms.Form):
    checked = forms.BooleanField(label="I have checked that the law does not require us to keep this data")
