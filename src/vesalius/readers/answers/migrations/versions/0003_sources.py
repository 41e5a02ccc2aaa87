"""Where each answer came from, and why it is in doubt, if it is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Answers from before came through the server; those of files could not be told apart."""
    op.add_column("answers", sa.Column("source", sa.String(8), nullable=False, server_default=""))
    op.add_column("answers", sa.Column("doubt", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Forget both."""
    op.drop_column("answers", "doubt")
    op.drop_column("answers", "source")
