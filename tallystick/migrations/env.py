"""Run migrations over the connection that database.migrate passes in."""

from alembic import context

from tallystick.database import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
