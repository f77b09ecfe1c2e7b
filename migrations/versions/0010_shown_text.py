"""Add shown_text: what a terminal shows of a message, which is what a search looks in."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The rule is that of jobtail.shown_text; a property test holds the two equal. A text without anything unseen, as most are,
# is itself. Of another, what neither shows nor moves the cursor is taken out; a line in which the cursor moves is played.
SHOWN_TEXT = r"""
CREATE FUNCTION shown_text(message text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN message COLLATE "C" ~ '[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]'
  THEN played_text(message)
  ELSE message
END
"""
PLAYED_TEXT = r"""
CREATE FUNCTION played_text(message text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
  moves CONSTANT text := '[\r\b]|(?:\u001b\[|\u009b)[0-9]*[CDGJK]';
  stripped text := regexp_replace(
    regexp_replace(
      message COLLATE "C",
      '((?:\u001b\[|\u009b)[0-9]*[CDGJK])'
      '|(?:\u001b\]|\u009d)[^\u0007\u001b\u0080-\u009f\n]*(?:\u0007|\u001b\\|\u009c)'
      '|(?:\u001b[PX^_]|[\u0090\u0098\u009e\u009f])[^\u001b\u0080-\u009f\n]*(?:\u001b\\|\u009c)'
      '|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?'
      '|\u001b[ -/]*[0-~]?'
      '|[\u0001-\u0007\u000e-\u001f\u007f-\u0084\u0086-\u009f]'
      '|[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]',
      '\1', 'g'),
    '\r?\n|[\u000b\u000c\u0085]', E'\n', 'g');
  lines text[];
  is_played boolean;
BEGIN
  IF stripped !~ moves THEN
    RETURN stripped;
  END IF;
  is_played := regexp_count(stripped, moves)::bigint * length(message) <= 100000000;
  SELECT array_agg(
    CASE
      WHEN line !~ moves THEN line
      WHEN is_played THEN played_line(line)
      ELSE split_part(rtrim(regexp_replace(line, '\u0008|(?:\u001b\[|\u009b)[0-9]*[CDGJK]', '', 'g'), E'\r'), E'\r', -1)
    END
    ORDER BY number)
  INTO lines
  FROM unnest(string_to_array(stripped, E'\n')) WITH ORDINALITY AS each (line, number);
  RETURN array_to_string(lines, E'\n');
END
$$
"""
PLAYED_LINE = r"""
CREATE FUNCTION played_line(line text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
  token text[];
  cells text := '';
  at int := 0;
  has_moved boolean := false;
  is_changed boolean := false;
  count int;
BEGIN
  FOR token IN
    SELECT regexp_matches(
      line COLLATE "C", '([\r\b\t])|(?:\u001b\[|\u009b)([0-9]*)([CDGJK])|([^\r\b\t\u001b\u009b]+)', 'g')
  LOOP
    IF token[4] IS NOT NULL THEN
      is_changed := is_changed OR has_moved;
      IF length(cells) < at THEN
        cells := rpad(cells, at);
      END IF;
      cells := left(cells, at) || token[4] || substr(cells, at + length(token[4]) + 1);
      at := at + length(token[4]);
    ELSIF token[1] = E'\t' THEN
      is_changed := is_changed OR has_moved;
      at := (at / 8 + 1) * 8;
    ELSE
      has_moved := true;
      count := least(coalesce(nullif(left(ltrim(token[2], '0'), 5), '')::int, 0), 1000);
      CASE coalesce(token[3], token[1])
        WHEN E'\r' THEN at := 0;
        WHEN E'\b' THEN at := greatest(at - 1, 0);
        WHEN 'C' THEN at := greatest(at, least(at + greatest(count, 1), 1000));
        WHEN 'D' THEN at := greatest(at - greatest(count, 1), 0);
        WHEN 'G' THEN at := greatest(count, 1) - 1;
        ELSE
          IF token[3] = 'K' OR count = 0 THEN
            is_changed := true;
            CASE count
              WHEN 0 THEN cells := left(cells, at);
              WHEN 1 THEN cells := repeat(' ', least(at + 1, length(cells))) || substr(cells, at + 2);
              WHEN 2 THEN cells := '';
              ELSE NULL;
            END CASE;
          END IF;
      END CASE;
    END IF;
  END LOOP;
  IF is_changed THEN
    RETURN cells;
  END IF;
  RETURN regexp_replace(line, '[\r\b]|(?:\u001b\[|\u009b)[0-9]*[CDGJK]', '', 'g');
END
$$
"""


def upgrade() -> None:
    for function in (PLAYED_LINE, PLAYED_TEXT, SHOWN_TEXT):
        op.execute(function)


def downgrade() -> None:
    for name in ("shown_text", "played_text", "played_line"):
        op.execute(f"DROP FUNCTION {name}(text)")
