"""Any OpenAI-compatible server: many questions at once, asked patiently, every token counted.

Protocol: OpenAI's POST /v1/chat/completions, POST /v1/completions and GET /v1/models. The official client
waits and asks again (429 with its Retry-After, 5xx, timeouts, lost connections); this module adds what
servers differ in and says in one line what went wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from ozfig import console
from ozfig.errors import OutsideError, OzfigError, UserError
from ozfig.types import Message, Row

if TYPE_CHECKING:
    from openai import APIStatusError

ANY = "any"  # the first model that the server offers
BYTES_PER_TOKEN = 4  # of English text, where a server does not count
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# what a request can do without, where a server refuses it
OPTIONAL = ("response_format", "temperature", "seed", "stop", "max_tokens")
TOO_LONG = re.compile(r"context.(?:length|size|window|holds)|too (?:long|large)", re.IGNORECASE)
NO_CHAT = re.compile(r"not a chat model|v1/completions|chat.?template", re.IGNORECASE)
# the client would tell every server about this machine and the account
UNSENT = (
    *(f"X-Stainless-{name}" for name in ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version")),
    *("X-Stainless-Async", "OpenAI-Organization", "OpenAI-Project"),
)


class Refused(UserError):
    """The server does not take this one request (400, 413, 422); others may be answered."""


class NoChat(Refused):
    """The model completes text and does not chat."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers; `model` any is the first that the server offers.

    The key comes from the environment variable `key_env`, or is given for our own servers.
    """

    url: str
    model: str
    key_env: str = "OPENAI_API_KEY"
    key: str = field(default="", repr=False)
    timeout: float = 120.0
    retries: int = 4


@dataclass(frozen=True)
class Sampling:
    """How replies are decoded. `schema` is a JSON schema that the reply shall obey, where the server can do that."""

    max_tokens: int = 700
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Reply(Row):
    """What came back; `finish` is the server's reason to stop ("stop", "length", ...)."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    finish: str = ""


class Remote:
    """A model behind a URL, within an `async with` block.

    Every method raises OutsideError when the server cannot be reached or stays busy, Refused for a request that
    it does not take, and UserError when address, key or model are wrong.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.url = _address(endpoint.url)
        self._key = endpoint.key or os.environ.get(endpoint.key_env, "")
        self._refused: set[str] = set()  # optional parts that this server does not know

    async def __aenter__(self) -> Self:
        import openai

        host = urlsplit(self.url)
        if self._key and host.scheme == "http" and host.hostname not in LOOPBACK:
            console.warn(f"{self.url}: the key in {self.endpoint.key_env} is sent there without encryption")
        hidden: Any = dict.fromkeys(UNSENT, openai.omit)
        self._client = openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.url,
            max_retries=self.endpoint.retries,
            default_headers=hidden,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=self.endpoint.timeout, follow_redirects=False, trust_env=host.hostname not in LOOPBACK
            ),
        )
        if self.endpoint.model == ANY:
            offered = await self.models()
            if not offered:
                raise UserError(f"{self.url} offers no model")
            self.endpoint = replace(self.endpoint, model=offered[0])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def chat(self, messages: Sequence[Message], sampling: Sampling) -> Reply:
        """The assistant's next turn. Raises NoChat for a model that only completes."""
        body = {"messages": [m.to_row() for m in messages], **_decoding(sampling)}
        if sampling.schema:
            form = {"name": "reply", "schema": dict(sampling.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return self._reply(await self._ask("/chat/completions", body), _read_turn, body)

    async def complete(self, prompt: str, sampling: Sampling) -> Reply:
        """The text that follows a prompt."""
        body = {"prompt": prompt, **_decoding(sampling)}
        return self._reply(await self._ask("/completions", body), _read_text, body)

    async def models(self) -> list[str]:
        """The names of the models that the server offers, sorted."""
        import openai

        try:
            rows = await self._client.get("/models", cast_to=object)
            return sorted(str(row["id"]) for row in rows["data"])  # type: ignore[index]
        except (openai.OpenAIError, KeyError, TypeError, ValueError) as error:
            raise _explained(error, self.endpoint, bool(self._key)) from None

    async def _ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """The server's JSON. What it does not know is left out, for good where that has helped."""
        import openai

        left_out: set[str] = set()
        while True:
            sent = _adapted({"model": self.endpoint.model, **body}, self._refused | left_out)
            try:
                answer = await self._client.post(path, body=sent, cast_to=object)
                self._refused |= left_out
                return answer
            except openai.NotFoundError as error:
                raise await self._not_found(error) from None
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                blamed = _blamed(error, sent)
                if blamed is None:
                    raise _explained(error, self.endpoint, bool(self._key)) from None
                left_out.add(blamed)
            except (openai.OpenAIError, ValueError) as error:
                raise _explained(error, self.endpoint, bool(self._key)) from None

    async def _not_found(self, error: APIStatusError) -> OzfigError:
        """Why there is nothing: another model, another path, or a model that does not chat."""
        if NO_CHAT.search(error.message):
            return NoChat(f"model {self.endpoint.model!r} does not chat; use api: completions")
        try:
            offered = await self.models()
        except OzfigError:
            offered = []
        if not offered:
            return UserError(f"{self.url}: nothing answers there as OpenAI does; the address should end in /v1")
        return UserError(
            f"model {self.endpoint.model!r}: unknown at {self.url}, which offers {', '.join(offered[:20])}"
        )

    def _reply(self, data: Any, read: Any, body: Mapping[str, Any]) -> Reply:
        try:
            choice, usage = data["choices"][0], data.get("usage") or {}
            text = read(choice)
            tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise OutsideError(f"{self.url}: the answer is not in OpenAI's form: {str(data)[:80]!r}") from None
        asked = body.get("prompt") or "".join(m["content"] for m in body["messages"])
        counts = [estimated_tokens(t) if n is None else int(n) for n, t in zip(tokens, (asked, text), strict=True)]
        return Reply(text, counts[0], counts[1], str(choice.get("finish_reason") or ""))


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, without a tokenizer."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _read_turn(choice: dict[str, Any]) -> str:
    return str(choice["message"]["content"] or "")


def _read_text(choice: dict[str, Any]) -> str:
    return str(choice["text"])


def _address(url: str) -> str:
    """A URL as the client needs it. Raises UserError for one that is none."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise UserError(f"url {url!r}: not an address; it looks like http://127.0.0.1:8080/v1")
    return re.sub(r"(?:/chat)?/completions$", "", url.rstrip("/"))


def _decoding(sampling: Sampling) -> dict[str, Any]:
    body: dict[str, Any] = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    return body


def _adapted(body: Mapping[str, Any], refused: set[str]) -> dict[str, Any]:
    """A request without the parts that the server has refused; `max_tokens` has a newer name."""
    adapted = {name: value for name, value in body.items() if name not in refused}
    if "max_tokens" in refused:
        adapted["max_completion_tokens"] = body["max_tokens"]
    return adapted


def _blamed(error: APIStatusError, sent: Mapping[str, Any]) -> str | None:
    """Which optional part of a request the server refuses: the one that it names, else the schema."""
    if TOO_LONG.search(error.message):
        return None
    named = (part for part in OPTIONAL if error.param == part or re.search(rf"\b{part}\b", error.message))
    blamed = next((part for part in named if part in sent), "response_format")
    return blamed if blamed in sent else None


def _explained(error: Exception, endpoint: Endpoint, has_key: bool) -> OzfigError:
    """The failure as one line, by what the user can do about it."""
    import openai

    url, said = endpoint.url, _said(error)
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        mend = "it does not accept the key in" if has_key else "it wants a key; put it into"
        return UserError(f"{url}: {mend} the environment variable {endpoint.key_env} ({said})")
    if isinstance(error, openai.APITimeoutError):
        times = f"{endpoint.retries + 1} times" if endpoint.retries else "once"
        return OutsideError(f"{url}: no answer within {endpoint.timeout:g} s, asked {times}; run it again")
    if isinstance(error, openai.APIConnectionError):
        return OutsideError(f"{url}: cannot be reached ({error.__cause__ or said}); is the server running?")
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        if status == 429 or status >= 500:
            wait = error.response.headers.get("retry-after", "")
            later = f"in {wait} s" if wait.isdigit() else "later"
            fault = "too many requests" if status == 429 else "it fails"
            return OutsideError(f"{url}: {fault} ({said}); run it again {later}")
        if status in {400, 413, 422}:
            kind = NoChat if NO_CHAT.search(said) else Refused
            return kind(f"{url}: refuses the request ({said})")
        return UserError(f"{url}: answers with status {status} ({said}); is the address right?")
    return OutsideError(f"{url}: the answer is not in OpenAI's form ({said})")


def _said(error: Exception) -> str:
    """What the server said of it, in one short line."""
    body = getattr(error, "body", None)
    told = body.get("message") if isinstance(body, dict) else None
    return (str(told or error).strip() or type(error).__name__).splitlines()[0][:200]
