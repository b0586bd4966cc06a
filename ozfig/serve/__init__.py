"""The assistant on this machine: an OpenAI-compatible API, /prompt and the chat page."""
