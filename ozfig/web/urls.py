"""One spelling for each address, and the site that an address belongs to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
TRACKING = re.compile(r"^(utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|_ga|phpsessid|jsessionid)$", re.IGNORECASE)
HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f]*:[0-9a-f:.%]+")
SESSION = re.compile(r";jsessionid=[^/]*", re.IGNORECASE)
ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
SAFE = re.compile(r"[A-Za-z0-9/._~=&+-]*")
LONGEST = 2000
# "#/guide" and "#!/guide" are pages of their own; "#!" and "#/" alone are placeholders
CLIENT_ROUTE = re.compile(r"^!?/[^?]*[^?/]|^![^/?]+")
NOT_PAGES = re.compile(
    r"\.(pdf|docx?|xlsx?|pptx?|od[tsp]|zip|t?gz|bz2|xz|7z|rar|exe|dmg|iso|jpe?g|png|gif|svg|webp|avif|ico|bmp|tiff?"
    r"|mp[34]|m4[av]|wav|ogg|web[mp]|mov|avi|css|m?js|json|xml|rss|atom|txt|csv|tsv|ya?ml|md|woff2?|ttf|eot|map|ipynb)$",
    re.IGNORECASE,
)


def clean(address: str, base: str = "") -> str:
    """An absolute http(s) address in one spelling, or "" when it is none.

    Fragments go, except client-side routes such as `#/guide`; so do tracking parameters, session numbers,
    default ports, dots in the path and upper case in the host; names in other scripts become ASCII (IDNA).
    """
    try:
        parts = urlsplit(urljoin(base, address.strip()))
        host, port = _ascii(parts.hostname or ""), parts.port
    except ValueError:
        return ""
    if parts.scheme not in DEFAULT_PORTS or not HOST.fullmatch(host) or len(parts.path) + len(parts.query) > LONGEST:
        return ""
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path = SESSION.sub("", parts.path) or "/"
    if "/." in path:
        path = urlsplit(urljoin("http://h/", path)).path
    pairs = parse_qsl(parts.query, keep_blank_values=True) if parts.query else []
    query = _escaped(parts.query, "?")
    if any(TRACKING.match(name) for name, _ in pairs):
        query = urlencode([(name, value) for name, value in pairs if not TRACKING.match(name)])
    route = CLIENT_ROUTE.match(parts.fragment)
    return urlunsplit((parts.scheme, netloc, _escaped(path), query, route[0] if route else ""))


def _ascii(host: str) -> str:
    """A host's name in lower case, in the spelling that servers and certificates use. Raises ValueError."""
    return host.lower().rstrip(".") if host.isascii() else host.encode("idna").decode()


def _escaped(text: str, also: str = "") -> str:
    """Escape what an address cannot hold; escapes that are there get one spelling."""
    if SAFE.fullmatch(text):
        return text
    text = ESCAPE.sub(lambda m: c if (c := chr(int(m[1], 16))) in PLAIN else m[0].upper(), text)
    return quote(text, safe=f"%/:@!$&'()*+,;=~-._{also}", errors="replace")


def is_loopback(host: str) -> bool:
    """Whether a host's name or number stands for this machine."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_number(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(host.strip("[]").split("%")[0])
    except ValueError:
        return False
    return True


def is_public(number: str) -> bool:
    """Whether an IP address is one of the open internet: not loopback, private, link-local or reserved.

    An IPv6 address that carries an IPv4 one leads to that one where a gateway is set up, so both have to be.
    """
    address = ipaddress.ip_address(number.strip("[]").split("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global
    if address.ipv4_mapped:
        return address.ipv4_mapped.is_global
    carried = next((int(address) >> shift & 0xFFFFFFFF for net, shift in CARRIERS if address in net), None)
    inner = True if carried is None else ipaddress.IPv4Address(carried).is_global
    return inner and address.is_global and not address.is_site_local


def visible(url: str) -> str:
    """The address that a document carries: a loopback host's port is left out, since it changes from run to run."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not is_loopback(host):
        return url
    return urlunsplit(parts._replace(netloc=f"[{host}]" if ":" in host else host))


# IPv6 networks whose addresses carry an IPv4 one, and how many bits stand after it: NAT64 (RFC 6052), 6to4
# (RFC 3056) and the old IPv4-compatible form (RFC 4291)
CARRIERS = [
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
    (ipaddress.IPv6Network("::/96"), 0),
]

# what stands before a country's code as com does: example.co.uk
SECOND_LEVEL = re.compile(r"ac|com?|edu|go[bv]?|gouv|ltd|mil|net?|nom|org?|sch")
# hosts whose customers each have a name of their own below them
SHARED = re.compile(
    r"\.(amazonaws\.com|appspot\.com|azurewebsites\.net|blogspot\.com|cloudfront\.net|fly\.dev|github\.io|gitlab\.io"
    r"|herokuapp\.com|netlify\.app|notion\.site|onrender\.com|pages\.dev|readthedocs\.io|substack\.com|surge\.sh"
    r"|tumblr\.com|vercel\.app|web\.app|wixsite\.com|wordpress\.com|workers\.dev)$"
)


def registered_domain(host: str) -> str:
    """The part of a host's name that somebody has registered: example.co.uk of www.example.co.uk.

    A cautious rule in place of the public suffix list: the last two labels; three where the country's code
    has com, co, ac or the like before it; the whole name for a customer of a shared host such as github.io,
    for a number and for a name of one label. A shared host that
    is not known here is taken for one domain: use scope host there.
    """
    name = host.strip("[]").lower().removeprefix("www.")
    labels = name.split(".")
    if SHARED.search(name) or ":" in name or labels[-1].isdigit():
        return name
    length = 3 if len(labels[-1]) == 2 and len(labels) > 2 and SECOND_LEVEL.fullmatch(labels[-2]) else 2
    return ".".join(labels[-length:])


@dataclass(frozen=True)
class Site:
    """What is crawled: one host, from one folder of it downwards, or every host of a domain.

    `www.` and the scheme make no difference. `domain` is empty where other hosts do not belong.
    """

    scheme: str
    netloc: str
    folder: str
    domain: str = ""

    @classmethod
    def of(cls, asked: str, answered: str, scope: str = "folder") -> Site:
        """The site of a start address and of the address that it redirected to."""
        parts, path = urlsplit(answered), urlsplit(asked).path
        if parts.path == f"{path}/":
            path = parts.path
        folder = path[: path.rfind("/") + 1] if scope == "folder" else ""
        domain = registered_domain(parts.hostname or "") if scope == "domain" else ""
        return cls(parts.scheme, parts.netloc, folder or "/", domain)

    def own(self, address: str, base: str = "") -> str:
        """A link as an address of this site, or "" when it leads elsewhere or to something that is no page."""
        url = clean(address, base)
        parts = urlsplit(url)
        if not url or NOT_PAGES.search(parts.path):
            return ""
        if self._is_same_host(parts.netloc):
            parts = parts._replace(scheme=self.scheme, netloc=self.netloc)
            return urlunsplit(parts) if parts.path.startswith(self.folder) else ""
        host = parts.hostname or ""
        return url if self.domain and (host == self.domain or host.endswith(f".{self.domain}")) else ""

    def listed(self, address: str) -> str:
        """An address from a sitemap or a canonical link as one of this site, or "".

        A copy of a site on this machine names its public host there: the path is what counts.
        """
        parts = urlsplit(clean(address))
        if parts.netloc and is_loopback(urlsplit(f"//{self.netloc}").hostname or ""):
            address = urlunsplit(parts._replace(scheme=self.scheme, netloc=self.netloc))
        return self.own(address)

    def beside(self, address: str) -> str:
        """The address of a file about this site, such as a sitemap; "" when it lies in another domain.

        A copy of a site on this machine names its public host there: the path is what counts.
        """
        url = clean(address)
        host, here = urlsplit(url).hostname or "", urlsplit(f"//{self.netloc}").hostname or ""
        if url and (is_loopback(here) or host.removeprefix("www.") == here.removeprefix("www.")):
            return urlsplit(url)._replace(scheme=self.scheme, netloc=self.netloc).geturl()
        return url if registered_domain(host) == registered_domain(here) else ""

    def _is_same_host(self, netloc: str) -> bool:
        return netloc.removeprefix("www.") == self.netloc.removeprefix("www.")
