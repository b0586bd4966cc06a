"""What a server is started with. Values from the environment are read here and nowhere else."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass

from ozfig.errors import UserError
from ozfig.recipe import SYSTEM, Serve

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Settings:
    """`system` is the recipe's text, `questions` are the examples on an empty page, `host` is what is bound.

    `prompt_system` is for /prompt, where a model without a recipe has a system text too.
    `api_key`: when set, every request but /health and /ready has to bring it.
    """

    system: str = ""
    questions: tuple[str, ...] = ()
    max_tokens: int = 512
    temperature: float = 0.2
    host: str = "127.0.0.1"
    allowed_hosts: frozenset[str] = frozenset()
    api_key: str = ""
    prompt_system: str = SYSTEM

    @classmethod
    def make(cls, section: Serve, system: str, questions: Sequence[str], host: str) -> Settings:
        """Settings of a recipe and of OZFIG_API_KEY and OZFIG_ALLOWED_HOSTS (comma-separated).

        Raises UserError when other machines could reach the server without a key.
        """
        allowed = os.environ.get("OZFIG_ALLOWED_HOSTS", "").lower().split(",")
        settings = cls(
            system,
            tuple(questions),
            section.max_tokens,
            section.temperature,
            host,
            frozenset(name.strip() for name in allowed if name.strip()),
            os.environ.get("OZFIG_API_KEY", ""),
        )
        if not is_loopback(host) and not settings.api_key:
            raise UserError(f"--host {host}: other machines can reach it; set OZFIG_API_KEY, or stay on 127.0.0.1")
        return settings


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be reached from this machine."""
    address = ip_address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
