"""The `tel:` address of a phone number as people write it."""

from clinic.core.phone_numbers import tel_url


def test_tel_url_has_only_what_can_be_dialled(subtests):
    cases = [
        ("+33 6 39 98 85 84", "tel:+33639988584"),
        ("(+351) 200 000 953", "tel:+351200000953"),
        ("030/23125-498", "tel:03023125498"),
        ("020 7946 0117 ext. 12", "tel:02079460117"),
        ("00351 900 000 705", "tel:00351900000705"),
        ("900–000–568", "tel:900000568"),
        ("", ""),
        ("none", ""),
        ("+", ""),
        ('912"><script>', "tel:912"),
    ]
    for number, expected in cases:
        with subtests.test(number=number):
            assert tel_url(number) == expected
