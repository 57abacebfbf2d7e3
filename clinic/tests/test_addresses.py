"""The client address of a request, and forged headers."""

from django.test import RequestFactory

from clinic.core.client_address import client_address, is_among


def request_from(remote="192.0.2.7", **headers):
    """Return a request of this connection; a header given as None is not sent."""
    sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    return RequestFactory().get("/", headers=sent, REMOTE_ADDR=remote)


def test_without_a_proxy_clients_cannot_choose_their_address(settings):
    settings.BEHIND_PROXY = False
    claims = [None, "", "10.0.0.1", "10.0.0.1, 10.0.0.2", "127.0.0.1", "::1", "nonsense"]

    found = {claim: client_address(request_from(X_Forwarded_For=claim)) for claim in claims}

    assert found == dict.fromkeys(claims, "192.0.2.7")


def test_behind_a_proxy_the_last_address_counts(settings):
    settings.BEHIND_PROXY = True
    expected = {
        "198.51.100.4": "198.51.100.4",
        " 198.51.100.4 ": "198.51.100.4",
        "127.0.0.1, 198.51.100.4": "198.51.100.4",
        "127.0.0.1,10.0.0.1,198.51.100.4": "198.51.100.4",
        "', DROP TABLE, 198.51.100.4": "198.51.100.4",
        "2001:db8::7": "2001:db8::7",
        "2001:DB8:0:0:0:0:0:7": "2001:db8::7",
        "fe80::1%eth0": "fe80::1",
        "::ffff:198.51.100.4": "198.51.100.4",
    }

    assert {claim: client_address(request_from("10.0.0.9", X_Forwarded_For=claim)) for claim in expected} == expected


def test_behind_a_proxy_without_a_valid_header_its_address_counts(settings):
    settings.BEHIND_PROXY = True
    claims = [
        *(None, "", ",", "198.51.100.4,", "unknown", "198.51.100", "0198.51.100.4", "1" * 5000),
        *("198.51.100.4:1234", "[2001:db8::7]:1234", "198.51.100.4\t198.51.100.5"),
    ]

    found = {claim: client_address(request_from("10.0.0.9", X_Forwarded_For=claim)) for claim in claims}

    assert found == dict.fromkeys(claims, "10.0.0.9")


def test_other_headers_do_not_set_the_address(settings):
    found = {}
    for is_behind in (False, True):
        settings.BEHIND_PROXY = is_behind
        for header in ("X_Real_IP", "Forwarded", "X_Client_IP", "CF_Connecting_IP", "True_Client_IP"):
            request = request_from(**{header: "127.0.0.1"})

            found[is_behind, header] = client_address(request)

    assert found == dict.fromkeys(found, "192.0.2.7")


def test_address_of_the_connection_is_normalised(settings):
    expected = {
        "": None,
        "/run/portal.sock": None,
        "::1": "::1",
        "fe80::1%eth0": "fe80::1",
        "::ffff:192.0.2.7": "192.0.2.7",
    }
    for is_behind in (False, True):
        settings.BEHIND_PROXY = is_behind

        assert {remote: client_address(request_from(remote)) for remote in expected} == expected


def test_address_among_networks():
    expected = {
        "127.0.0.1": True,
        "127.0.0.2": False,
        "10.20.0.0": True,
        "10.20.255.255": True,
        "10.21.0.0": False,
        "::1": True,
        "::2": False,
        None: False,
    }
    networks = ["127.0.0.1/32", "10.20.0.0/16", "::1/128"]

    assert [address for address, inside in expected.items() if is_among(address, networks) is not inside] == []
