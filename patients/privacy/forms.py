from django import forms


class AnonymiseForm(forms.Form):
    checked = forms.BooleanField(label="I have checked that nothing has to be kept by law")
