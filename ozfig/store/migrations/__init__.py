"""The chat database's schema, one step a file. Alembic reads them; `store.database.migrate` runs them."""
