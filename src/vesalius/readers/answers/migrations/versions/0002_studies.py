"""Several studies in one database: each answer names its own, which the store fills in."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
BEFORE, SINCE = ["reader", "key"], ["study", "reader", "key"]
NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
UNNAMED = {"sqlite": "uq_answers_reader", "postgresql": "answers_reader_key_key"}


def upgrade() -> None:
    """Tell studies apart; a table that an older version left half-way may have them already."""
    if "study" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("answers")}:
        return
    with op.batch_alter_table("answers", naming_convention=NAMES) as table:
        table.add_column(sa.Column("study", sa.String(16), nullable=False, server_default=""))
        table.drop_constraint(UNNAMED[op.get_bind().dialect.name], type_="unique")
        table.create_unique_constraint("one_answer_a_key", SINCE)
        table.create_index("ix_answers_study", ["study"])


def downgrade() -> None:
    """Back to one study."""
    with op.batch_alter_table("answers") as table:
        table.drop_index("ix_answers_study")
        table.drop_constraint("one_answer_a_key", type_="unique")
        table.create_unique_constraint(UNNAMED[op.get_bind().dialect.name], BEFORE)
        table.drop_column("study")
