"""Where a request comes from, whatever it says of itself."""

import pytest
from django.test import RequestFactory

from clinic.core.client_address import client_address, is_among


def asked(forwarded=None, *, remote="192.0.2.7"):
    sent = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return RequestFactory().get("/", headers=sent, REMOTE_ADDR=remote)


@pytest.mark.parametrize("forwarded", [None, "", "10.0.0.1", "10.0.0.1, 10.0.0.2", "127.0.0.1", "::1", "nonsense"])
def test_without_a_proxy_nobody_chooses_the_own_address(settings, forwarded):
    settings.BEHIND_PROXY = False

    assert client_address(asked(forwarded)) == "192.0.2.7"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("198.51.100.4", "198.51.100.4"),
        (" 198.51.100.4 ", "198.51.100.4"),
        ("127.0.0.1, 198.51.100.4", "198.51.100.4"),
        ("127.0.0.1,10.0.0.1,198.51.100.4", "198.51.100.4"),
        ("', DROP TABLE, 198.51.100.4", "198.51.100.4"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0:0:0:0:0:7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:198.51.100.4", "198.51.100.4"),
    ],
)
def test_behind_a_proxy_the_last_address_counts_which_the_proxy_has_added(settings, forwarded, address):
    settings.BEHIND_PROXY = True

    assert client_address(asked(forwarded, remote="10.0.0.9")) == address


@pytest.mark.parametrize(
    "forwarded",
    [
        None,
        "",
        ",",
        "198.51.100.4,",
        "unknown",
        "198.51.100.4:1234",
        "[2001:db8::7]:1234",
        "198.51.100",
        "198.51.100.4\t198.51.100.5",
        "0198.51.100.4",
        "1" * 5000,
    ],
)
def test_behind_a_proxy_that_says_nothing_usable_it_is_the_proxys_own(settings, forwarded):
    settings.BEHIND_PROXY = True

    assert client_address(asked(forwarded, remote="10.0.0.9")) == "10.0.0.9"


@pytest.mark.parametrize("is_behind", [False, True])
@pytest.mark.parametrize("header", ["X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"])
def test_no_other_header_says_an_address(settings, is_behind, header):
    settings.BEHIND_PROXY = is_behind
    request = RequestFactory().get("/", headers={header: "127.0.0.1"}, REMOTE_ADDR="192.0.2.7")

    assert client_address(request) == "192.0.2.7"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("", None),
        ("/run/portal.sock", None),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
@pytest.mark.parametrize("is_behind", [False, True])
def test_address_of_the_connection_is_written_one_way(settings, is_behind, remote, address):
    settings.BEHIND_PROXY = is_behind

    assert client_address(asked(remote=remote)) == address


@pytest.mark.parametrize(
    ("address", "is_inside"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("10.20.0.0", True),
        ("10.20.255.255", True),
        ("10.21.0.0", False),
        ("::1", True),
        ("::2", False),
        (None, False),
    ],
)
def test_address_among_networks(address, is_inside):
    assert is_among(address, ["127.0.0.1/32", "10.20.0.0/16", "::1/128"]) is is_inside
