"""Alembic's entry: runs migrations on the connection that migrate.py hands over, inside its transaction."""

from alembic import context

from daemon.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
    transactional_ddl=False,  # the transaction is migrate.py's
)
context.run_migrations()
