import ipaddress
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest

IPV6_SITE = 64  # bits of an address that a subscriber cannot choose
UNKNOWN_ADDRESS = "::"  # behind a Unix socket there is none


def client_address(request: HttpRequest) -> str | None:
    """Return the client's address or None. Behind a proxy, the last of `X-Forwarded-For`: clients can forge others."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.BEHIND_PROXY else ""
    return _address(forwarded.rpartition(",")[2]) or _address(request.META.get("REMOTE_ADDR", ""))


def subscriber_address(request: HttpRequest) -> str:
    """Return the address by which attempts are counted: the client's; for IPv6 the network of one subscriber."""
    return subscriber_of(client_address(request) or UNKNOWN_ADDRESS)


def subscriber_of(text: str) -> str:
    """Return a valid address, or the network of one subscriber for IPv6. Raises ValueError for anything else."""
    address = ipaddress.ip_address(text)
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), IPV6_SITE), strict=False).network_address)
    return str(address)


def is_unencrypted(request: HttpRequest) -> bool:
    """Return whether a request came without TLS. Not redirected, because its secrets are exposed already."""
    return settings.USE_HTTPS and not request.is_secure()


def is_among(address: str | None, networks: Iterable[str]) -> bool:
    """Return whether an address lies in one of the networks, written like `10.0.0.0/8`."""
    if address is None:
        return False
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in networks)


def _address(text: str) -> str | None:
    """Return an address in the form the database stores, without a zone; None for anything else."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
