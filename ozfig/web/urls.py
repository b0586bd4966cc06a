"""One spelling for each address, and the site that an address belongs to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
TRACKING = re.compile(r"^(utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|_ga|phpsessid|jsessionid)$", re.IGNORECASE)
# "#/guide" and "#!/guide" are pages of their own; "#!" and "#/" alone are placeholders
CLIENT_ROUTE = re.compile(r"^!?/[^?]*[^?/]|^![^/?]+")
NOT_PAGES = re.compile(
    r"\.(pdf|docx?|xlsx?|pptx?|od[tsp]|zip|t?gz|bz2|xz|7z|rar|exe|dmg|iso|jpe?g|png|gif|svg|webp|avif|ico|bmp|tiff?"
    r"|mp[34]|m4[av]|wav|ogg|web[mp]|mov|avi|css|m?js|json|xml|rss|atom|txt|csv|tsv|ya?ml|md|woff2?|ttf|eot|map|ipynb)$",
    re.IGNORECASE,
)


def clean(address: str, base: str = "") -> str:
    """An absolute http(s) address in one spelling, or "" when it is none.

    Fragments go, except client-side routes such as `#/guide`; so do tracking parameters, default ports and
    upper case in the host.
    """
    try:
        parts = urlsplit(urljoin(base, address.strip()))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    if parts.scheme not in DEFAULT_PORTS or not host:
        return ""
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path = quote(parts.path or "/", safe="%/:@!$&'()*+,;=~-._")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = parts.query
    if any(TRACKING.match(name) for name, _ in pairs):
        query = urlencode([(name, value) for name, value in pairs if not TRACKING.match(name)])
    route = CLIENT_ROUTE.match(parts.fragment)
    return urlunsplit((parts.scheme, netloc, path, query, route[0] if route else ""))


def is_loopback(host: str) -> bool:
    """Whether a host's name or number stands for this machine."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_public(number: str) -> bool:
    """Whether an IP address is one of the open internet: not loopback, private, link-local or reserved."""
    address = ipaddress.ip_address(number.split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_global)


def visible(url: str) -> str:
    """The address that a document carries: a loopback host's port is left out, since it changes from run to run."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not is_loopback(host):
        return url
    return urlunsplit(parts._replace(netloc=f"[{host}]" if ":" in host else host))


@dataclass(frozen=True)
class Site:
    """What is crawled: one host, from one folder of it downwards. `www.` and the scheme make no difference."""

    scheme: str
    netloc: str
    folder: str

    @classmethod
    def of(cls, asked: str, answered: str) -> Site:
        """The site of a start address and of the address that it redirected to."""
        parts, path = urlsplit(answered), urlsplit(asked).path
        if parts.path == f"{path}/":
            path = parts.path
        return cls(parts.scheme, parts.netloc, path[: path.rfind("/") + 1] or "/")

    def to_row(self) -> dict[str, Any]:
        """The JSON object of this value."""
        return asdict(self)

    def own(self, address: str, base: str = "") -> str:
        """A link as an address of this site, or "" when it leads elsewhere or to something that is no page."""
        url = clean(address, base)
        parts = urlsplit(url)
        if not url or not self._is_same_host(parts.netloc) or NOT_PAGES.search(parts.path):
            return ""
        if not parts.path.startswith(self.folder):
            return ""
        return urlunsplit(parts._replace(scheme=self.scheme, netloc=self.netloc))

    def listed(self, address: str) -> str:
        """An address from a sitemap or a canonical link as one of this site, or "".

        A copy of a site on this machine names its public host there: the path is what counts.
        """
        parts = urlsplit(clean(address))
        if parts.netloc and is_loopback(urlsplit(f"//{self.netloc}").hostname or ""):
            address = urlunsplit(parts._replace(scheme=self.scheme, netloc=self.netloc))
        return self.own(address)

    def _is_same_host(self, netloc: str) -> bool:
        return netloc.removeprefix("www.") == self.netloc.removeprefix("www.")
