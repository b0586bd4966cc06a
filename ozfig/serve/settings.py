"""What a server is started with. Values from the environment are read here and nowhere else."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from ozfig.errors import UserError
from ozfig.recipe import SYSTEM, Serve

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Settings:
    """`system` is the recipe's text, `questions` are the examples on an empty page, `host` is what is bound.

    `prompt_system` is for /prompt, where a model without a recipe has a system text too.
    `api_keys`: where there are some, a request to the API has to bring one. `password`: where there is one, the pages
    ask for it.
    """

    system: str = ""
    questions: tuple[str, ...] = ()
    max_tokens: int = 512
    temperature: float = 0.2
    host: str = "127.0.0.1"
    allowed_hosts: frozenset[str] = frozenset()
    api_keys: tuple[str, ...] = ()
    password: str = field(default="", repr=False)
    requests_per_minute: int = 0
    log: bool = False
    log_prompts: bool = False
    prompt_system: str = SYSTEM

    @classmethod
    def make(cls, section: Serve, system: str, questions: Sequence[str], host: str) -> Settings:
        """Settings of a recipe and of the environment.

        OZFIG_API_KEY (several with commas), OZFIG_PASSWORD, OZFIG_ALLOWED_HOSTS (several with commas), OZFIG_OPEN=1,
        OZFIG_LOG=0 or 1, OZFIG_LOG_PROMPTS=1. Raises UserError when other machines could reach the server without a key
        and a password.
        """
        settings = cls(
            system,
            tuple(questions),
            section.max_tokens,
            section.temperature,
            host,
            frozenset(name.lower() for name in _listed("OZFIG_ALLOWED_HOSTS")),
            _listed("OZFIG_API_KEY"),
            os.environ.get("OZFIG_PASSWORD", ""),
            section.requests_per_minute,
            _is_on("OZFIG_LOG", not sys.stderr.isatty()),
            _is_on("OZFIG_LOG_PROMPTS"),
        )
        needs = {"OZFIG_API_KEY": settings.api_keys, "OZFIG_PASSWORD": settings.password}
        missing = " and ".join(name for name, value in needs.items() if not value)
        if missing and not is_loopback(host) and not _is_on("OZFIG_OPEN"):
            raise UserError(
                f"--host {host}: other machines can reach it; set {missing}, or stay on 127.0.0.1 "
                "(OZFIG_OPEN=1 lets everybody in)"
            )
        return settings


def _listed(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in os.environ.get(name, "").split(",") if part.strip())


def _is_on(name: str, default: bool = False) -> bool:
    return os.environ.get(name, "1" if default else "0").lower() in {"1", "true", "yes"}


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
