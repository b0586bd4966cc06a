"""The chat database: conversations and their messages, kept on this machine and apart from the runs."""
