"""Runs migrations over the connection that `Store` gives."""

from alembic import context

from vesalius.readers.answers.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata,
    transactional_ddl=True,
)  # fmt: skip
with context.begin_transaction():
    context.run_migrations()
